// Packets between the network, the TUN device and the SA table, and the routes that lead them there. One packet at a
// time, on the main thread.

import { formatIp, inPrefix, parseIp, rangePrefixes, type SocketAddress } from '../bytes/ip.ts';
import { protection } from '../crypto/registry.ts';
import type { Random } from '../crypto/types.ts';
import { type SaEvent, SaTable } from '../esp/table.ts';
import type { Millis } from '../ike/connection.ts';
import type { ChildSa, Effect } from '../ike/effects.ts';
import type { Host, RawEsp, Routes, Tun, UdpPort } from '../net/types.ts';

/** What the gateway does its input and output with. */
export interface Io {
  readonly ike: UdpPort;
  readonly nat: UdpPort;
  /** Absent without CAP_NET_RAW: all ESP goes in UDP then. */
  readonly raw: RawEsp | undefined;
  readonly tun: Tun;
  readonly routes: Routes;
  readonly host: Host;
}

/** Runs `act`; when it throws, that is told and goes no further. */
export type Guarded = (what: string, act: () => void) => void;

type DataEffect = Extract<Effect, { type: 'install' | 'activate' | 'remove' | 'move' }>;

export class Forwarder {
  readonly table: SaTable;
  readonly #io: Io;
  readonly #now: () => Millis;
  readonly #onEvents: (events: readonly SaEvent[]) => void;
  /** By child, how to take back what was laid for it. */
  readonly #laid = new Map<number, (() => void)[]>();

  constructor(
    io: Io,
    random: Random,
    now: () => Millis,
    guarded: Guarded,
    onEvents: (events: readonly SaEvent[]) => void,
  ) {
    this.#io = io;
    this.#now = now;
    this.#onEvents = onEvents;
    this.table = new SaTable({ protection, random });
    io.tun.onPacket = (packet) => guarded('a packet from the TUN device', () => this.#outbound(packet));
    if (io.raw) {
      io.raw.onReceive = (bytes, from) => {
        guarded('an ESP packet', () => this.inbound(bytes, { ip: from, port: 0 }, false));
      };
    }
  }

  run(effect: DataEffect): void {
    switch (effect.type) {
      case 'install':
        this.table.install(effect.sa);
        return this.#lay(effect.sa);
      case 'activate':
        return this.table.activate(effect.child);
      case 'remove':
        this.table.remove(effect.child);
        return this.#take(effect.child);
      case 'move':
        return this.table.move(effect.children, effect.local, effect.remote, effect.udp);
    }
  }

  /** ESP from the network, in UDP or raw. */
  inbound(bytes: Uint8Array, from: SocketAddress, udp: boolean): void {
    const result = this.table.inbound(bytes, from, udp, this.#now());
    if (result.tag === 'deliver') this.#io.tun.write(result.packet);
    this.#drain();
  }

  #outbound(packet: Uint8Array): void {
    const result = this.table.outbound(packet, this.#now());
    if (result.tag === 'reject') this.#io.tun.write(result.icmp);
    if (result.tag === 'send') {
      const { bytes, local, remote, udp } = result;
      if (udp) this.#io.nat.send(bytes, local, remote);
      else this.#io.raw?.send(bytes, local.ip, remote.ip);
    }
    this.#drain();
  }

  #drain(): void {
    const events = this.table.events();
    if (events.length > 0) this.#onEvents(events);
  }

  // --- routes --------------------------------------------------------------------------------------------------------

  #lay(sa: ChildSa): void {
    const { routes, host } = this.#io;
    const destinations = sa.remoteTs.flatMap(({ start, end }) => rangePrefixes(start, end));
    const local = sa.localTs.flatMap(({ start, end }) => rangePrefixes(start, end));
    const outer = [sa.local.ip, sa.remote.ip].map(parseIp).filter((ip) => ip !== undefined);
    const own = host
      .addresses()
      .map(parseIp)
      .filter((ip) => ip !== undefined);
    const source = own.find((ip) => local.some((prefix) => inPrefix(prefix, ip)));
    // A guard over the peer's own address would drop its ESP, one over ours everything we send.
    const guards = destinations.filter((prefix) => ![...outer, ...own].some((ip) => inPrefix(prefix, ip)));
    // A local network inside a remote one stays where it is.
    const exempt = local.filter(({ address, length }) =>
      destinations.some((prefix) => prefix.length < length && inPrefix(prefix, address)),
    );
    // Noted as it is done, so that what a refusal of the kernel cuts short is taken back, too.
    const laid: (() => void)[] = [];
    this.#laid.set(sa.id, laid);
    for (const prefix of exempt) {
      routes.exempt(prefix);
      laid.push(() => routes.unexempt(prefix));
    }
    for (const prefix of destinations) {
      routes.add(prefix, source && source.length === prefix.address.length ? formatIp(source) : undefined);
      laid.push(() => routes.remove(prefix));
    }
    for (const prefix of guards) {
      routes.guard(prefix);
      laid.push(() => routes.unguard(prefix));
    }
  }

  /** The last first. */
  #take(id: number): void {
    const laid = this.#laid.get(id) ?? [];
    this.#laid.delete(id);
    for (const undo of laid.reverse()) undo();
  }
}
