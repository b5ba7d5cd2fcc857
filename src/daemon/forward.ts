// Child SAs on their way to the data plane, and the routes that lead packets there.

import { formatIp, type Ip, inPrefix, type Prefix, parseIp, rangePrefixes } from '../bytes/ip.ts';
import { IPV6_LEAST } from '../esp/mtu.ts';
import type { Millis } from '../ike/connection.ts';
import type { ChildSa, Effect } from '../ike/effects.ts';
import type { Host, Routes, Tun, UdpPort } from '../net/types.ts';
import { type Pipelines, Plane, type PlaneEvent } from './plane.ts';

/** What the gateway does its input and output with. */
export interface Io {
  readonly ike: UdpPort;
  readonly nat: UdpPort;
  /** False without CAP_NET_RAW: all ESP goes in UDP then. */
  readonly raw: boolean;
  readonly tun: Tun;
  readonly routes: Routes;
  readonly host: Host;
  readonly pipelines: Pipelines;
}

/** Runs `act`; when it throws, that is told and goes no further. */
export type Guarded = (what: string, act: () => void) => void;

type DataEffect = Extract<Effect, { type: 'install' | 'activate' | 'remove' | 'move' }>;

/** What was laid for a child. */
interface Laid {
  /** How to take it back, the last first. */
  readonly undo: (() => void)[];
  readonly routes: { readonly prefix: Prefix; readonly source: Ip | undefined }[];
  mtu: number;
}

export class Forwarder {
  readonly plane: Plane;
  readonly #io: Io;
  readonly #laid = new Map<number, Laid>();
  /** How many children have a largest packet of this size. */
  readonly #mtus = new Map<number, number>();

  constructor(io: Io, now: () => Millis, onEvent: (event: PlaneEvent) => void) {
    this.#io = io;
    this.plane = new Plane(io.pipelines, now, (remote) => io.host.mtuTo(remote));
    this.plane.onEvent = (event) => {
      if (event.kind === 'resized') this.#resize(event.id, event.mtu);
      else onEvent(event);
    };
  }

  run(effect: DataEffect): void {
    switch (effect.type) {
      case 'install':
        return this.#lay(effect.sa, this.plane.install(effect.sa));
      case 'activate':
        return this.plane.activate(effect.child);
      case 'remove':
        this.plane.remove(effect.child);
        return this.#take(effect.child);
      case 'move':
        return this.plane.move(effect.children, effect.local, effect.remote, effect.udp);
    }
  }

  #lay(sa: ChildSa, mtu: number): void {
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
    const laid: Laid = { undo: [], routes: [], mtu };
    this.#laid.set(sa.id, laid);
    this.#count(mtu, 1);
    for (const prefix of exempt) {
      routes.exempt(prefix);
      laid.undo.push(() => routes.unexempt(prefix));
    }
    for (const prefix of destinations) {
      const from = source && source.length === prefix.address.length ? formatIp(source) : undefined;
      routes.add(prefix, from, largest(prefix, mtu));
      laid.routes.push({ prefix, source: from });
      laid.undo.push(() => routes.remove(prefix));
    }
    for (const prefix of guards) {
      routes.guard(prefix);
      laid.undo.push(() => routes.unguard(prefix));
    }
  }

  #take(id: number): void {
    const laid = this.#laid.get(id);
    this.#laid.delete(id);
    if (!laid) return;
    for (const undo of laid.undo.reverse()) undo();
    this.#count(laid.mtu, -1);
  }

  #resize(id: number, mtu: number): void {
    const laid = this.#laid.get(id);
    if (!laid) return;
    this.#count(mtu, 1);
    this.#count(laid.mtu, -1);
    laid.mtu = mtu;
    for (const { prefix, source } of laid.routes) this.#io.routes.resize(prefix, source, largest(prefix, mtu));
  }

  /** The device takes what the widest child takes; the routes say what each of them does. */
  #count(mtu: number, by: number): void {
    const count = (this.#mtus.get(mtu) ?? 0) + by;
    if (count > 0) this.#mtus.set(mtu, count);
    else this.#mtus.delete(mtu);
    if (this.#mtus.size > 0) this.#io.tun.resize(Math.max(IPV6_LEAST, ...this.#mtus.keys()));
  }
}

/** A route of IPv6, as a device that carries it, must take what every link of IPv6 does (RFC 8200 §5). */
function largest({ address }: Prefix, mtu: number): number {
  return address.length === 4 ? mtu : Math.max(mtu, IPV6_LEAST);
}
