// Two gateways with their daemons' whole main thread, on a network and with TUN devices in memory, and the
// data plane beside it in TypeScript.

import assert from 'node:assert/strict';
import { type Logger, pino } from 'pino';
import type { Ip } from '../../src/bytes/ip.ts';
import type { Io } from '../../src/daemon/forward.ts';
import { Gateway } from '../../src/daemon/gateway.ts';
import type { Lookup } from '../../src/daemon/lookup.ts';
import type { Connection, SharedKey } from '../../src/ike/connection.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import type { SessionState } from '../../src/ike/v2/state.ts';
import type { Routes } from '../../src/net/types.ts';
import { LEFT_IP, RIGHT_IP, sides } from '../support/connections.ts';
import { type Flight, MemoryNet, MemoryTun } from '../support/memory.ts';
import { TwinPipelines } from '../support/pipelines.ts';
import { seeded } from '../support/random.ts';
import { v2 } from '../support/v2.ts';

export interface Host {
  readonly ip: Ip;
  readonly gateway: Gateway;
  readonly tun: MemoryTun;
  readonly pipelines: TwinPipelines;
}

export const NO_ROUTES: Routes = {
  ...{ add() {}, resize() {}, remove() {}, guard() {}, unguard() {}, exempt() {}, unexempt() {}, close() {} },
  ...{ block() {}, unblock() {}, settle() {}, together: (_, act) => act() },
};
/** There are no files to read. */
export const NOTHING = () => ({ connections: [], secrets: [], warnings: [], files: [] });
/** What the first link takes. */
const LINK_MTU = 1500;

/** A host with one address, from which it reaches everybody. */
export function hostAt(ip: Ip): Io['host'] {
  return { sourceFor: () => ip, addresses: () => [ip], linkTo: () => 'eth0', mtuTo: () => LINK_MTU };
}

export interface NetworkOptions {
  readonly raw?: boolean;
  /** Where the log goes. */
  readonly lines?: string[];
  /** What names stand for. */
  readonly lookup?: Lookup;
  /** What the hosts answer otherwise. */
  readonly host?: Partial<Io['host']>;
  /** What the right one has otherwise. */
  readonly rightHas?: Partial<Connection>;
}

export class Network {
  readonly net = new MemoryNet();
  /** Everything that was on the wire. */
  readonly flights: Flight[] = [];
  now = 1000;
  readonly left: Host;
  readonly right: Host;
  /** Every child SA as it was installed, with copies of its keys. */
  readonly installed: { readonly from: Ip; readonly sa: ChildSa }[] = [];
  readonly #lines: string[];
  readonly #lookup: Lookup | undefined;
  readonly #answers: Partial<Io['host']>;

  constructor(
    over: Partial<Connection> = {},
    { raw = false, lines, lookup, rightHas = {}, host = {} }: NetworkOptions = {},
  ) {
    this.#lines = lines ?? [];
    this.#lookup = lookup;
    this.#answers = host;
    const [left, right] = sides(over, rightHas);
    this.net.filter = (flight) => {
      this.flights.push(flight);
      return true;
    };
    this.left = this.#host(LEFT_IP, left.connections, left.sharedKeys, raw, 1);
    this.right = this.#host(RIGHT_IP, right.connections, right.sharedKeys, raw, 2);
  }

  #host(
    ip: Ip,
    connections: readonly Connection[],
    sharedKeys: readonly SharedKey[],
    raw: boolean,
    seed: number,
  ): Host {
    const tun = new MemoryTun();
    const nat = this.net.openUdp([ip], 4500);
    const pipelines = new TwinPipelines({ now: () => this.now, random: seeded(seed + 100) });
    pipelines.connect(tun, nat, raw ? this.net.openEsp([ip]) : undefined);
    const gateway = new Gateway({
      io: {
        ike: this.net.openUdp([ip], 500),
        nat,
        raw,
        tun,
        routes: NO_ROUTES,
        host: { ...hostAt(ip), ...this.#answers },
        pipelines,
      },
      random: seeded(seed),
      now: () => this.now,
      log: this.#log(),
      connections,
      sharedKeys,
      ...(this.#lookup ? { lookup: this.#lookup } : {}),
    });
    const { plane } = gateway.forwarder;
    const install = plane.install.bind(plane);
    plane.install = (sa) => {
      this.installed.push({ from: ip, sa: structuredClone(sa) });
      return install(sa);
    };
    return { ip, gateway, tun, pipelines };
  }

  /** The keys with which each host sends. */
  get keys(): { readonly from: Ip; readonly encr: Uint8Array; readonly integ: Uint8Array }[] {
    return this.installed.map(({ from, sa }) => {
      const { encrKey, integKey } = sa.outbound.keys;
      return { from, encr: encrKey, integ: integKey };
    });
  }

  #log(): Logger {
    return pino({ level: 'trace' }, { write: (line: string) => void this.#lines.push(line) });
  }

  get bugs(): readonly string[] {
    return this.#lines.filter((line) => line.includes('"event":"bug"'));
  }

  /** The tunnel of left's connection, up on both sides. */
  up(): this {
    const { left, right, net, now } = this;
    const [conn] = [...left.gateway.lives.values()];
    assert.ok(conn);
    left.gateway.run(left.gateway.endpoint.initiate(now, conn.conn, left.ip, right.ip).effects);
    net.settle();
    for (const host of [left, right]) {
      assert.deepEqual(
        host.gateway.endpoint.sessions().map(({ state }) => state.children.length),
        [1],
      );
    }
    return this;
  }

  state({ gateway }: Host): SessionState {
    const [session] = gateway.endpoint.sessions();
    assert.ok(session, 'no session');
    return v2(session).state;
  }

  /** What arrives inside the other host when this packet goes into the tunnel of `from`. */
  carry(from: Host, packet: Uint8Array): Uint8Array[] {
    const to = from === this.left ? this.right : this.left;
    const before = to.tun.written.length;
    from.tun.send(packet);
    this.net.settle();
    return to.tun.written.slice(before);
  }

  /** The ESP packet that the tunnel of `from` makes of this one, kept back from the other. */
  sealed(from: Host, packet: Uint8Array): Flight {
    const pass = this.net.filter;
    let kept: Flight | undefined;
    this.net.filter = (flight) => {
      kept = flight;
      return false;
    };
    from.tun.send(packet);
    this.net.settle();
    this.net.filter = pass;
    assert.ok(kept, 'nothing went out');
    return kept;
  }

  /** Puts a packet on the wire and returns what came out of the tunnels for it. */
  give(flight: Flight): number {
    const count = () => this.left.tun.written.length + this.right.tun.written.length;
    const before = count();
    this.net.inject(flight);
    this.net.settle();
    return count() - before;
  }

  async close(): Promise<void> {
    this.net.filter = () => false;
    for (const { gateway } of [this.left, this.right]) await gateway.close(0);
  }
}

/**
 * Runs with a network whose timers end with the test, whatever becomes of it. A bug that a gateway has caught and logged
 * is one all the same, unless the test has taken its line away.
 */
export async function within(network: Network, run: (network: Network) => void | Promise<void>): Promise<void> {
  try {
    await run(network);
    assert.deepEqual(network.bugs, []);
  } finally {
    await network.close();
  }
}
