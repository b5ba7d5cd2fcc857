// What is configured is protected whether its tunnel stands or not: packets to what is behind a peer go to the device,
// where without an SA they are dropped, and nowhere else. And the traps, which a packet has to meet to begin a tunnel.
//
// A whole family (`0.0.0.0/0`) is not blocked: the host would lose its network with the tunnel that is to be made over it.

import { everyOne } from '../bytes/everyone.ts';
import { type Ip, isV6 } from '../bytes/ip.ts';
import type { Child, Connection, SelectorSource } from '../ike/connection.ts';
import { singleAddress } from '../ike/match.ts';
import { resolveTs } from '../ike/ts.ts';
import type { Selector } from '../ike/wire/ts.ts';
import type { Host, Routes } from '../net/types.ts';
import type { Guarded } from './forward.ts';
import { Laid, type Plan, plan } from './lay.ts';
import type { Plane } from './plane.ts';

export interface Trapped {
  readonly conn: string;
  readonly child: string;
  readonly mode: Child['mode'];
  /** Of the policy. */
  readonly number: number;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
}

/** A connection, and those of its children that are to be protected. */
export interface Wanted {
  readonly conn: Connection;
  readonly children: readonly Child[];
}

interface Planned {
  readonly child: Child;
  readonly plan: Plan | undefined;
}

interface Entry {
  readonly child: Child;
  readonly outer: readonly Ip[];
  readonly blocked: Laid[];
  /** The policy of the trap, and its routes. */
  trap?: { readonly policy: number; readonly laid: Laid };
}

export interface ProtectionOptions {
  readonly routes: Routes;
  readonly host: Host;
  readonly plane: Pick<Plane, 'trap' | 'untrap'>;
  /** What the device takes before there is an SA to ask. */
  readonly mtu: number;
  /** What the kernel refuses costs one child. */
  readonly guarded: Guarded;
}

export class Protection {
  readonly #options: ProtectionOptions;
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #traps = new Map<number, Trapped>();
  #next = 1;

  constructor(options: ProtectionOptions) {
    this.#options = options;
  }

  /**
   * All of them at once. Guards of thousands are one transaction, and what is new is laid before anything old goes:
   * nothing slips through between.
   */
  protect(all: readonly Wanted[]): void {
    const { host, routes } = this.#options;
    const own = host.addresses();
    const planned = all.map(({ conn, children }) => ({
      conn,
      children: children.map((child) => ({ child, plan: this.#plan(conn, child, own) })),
    }));
    const guards = planned.flatMap(({ children }) => children.flatMap((one) => one.plan?.guards ?? []));
    routes.together(guards, () => {
      const old = planned.map(({ conn, children }) => this.#lay(conn, children));
      for (const release of old) release();
    });
  }

  /** How to take back what the connection had before. */
  #lay(conn: Connection, children: readonly Planned[]): () => void {
    const { guarded, routes } = this.#options;
    const before = this.#entries.get(conn.name) ?? new Map<string, Entry>();
    const after = new Map<string, Entry>();
    this.#entries.set(conn.name, after);
    const refused = new Map<string, Entry>();
    for (const { child, plan } of children) {
      const laid = new Laid(routes);
      const entry: Entry = { child, outer: outerOf(conn), blocked: [laid] };
      after.set(child.name, entry);
      refused.set(child.name, entry);
      guarded(`what is protected of ${conn.name}/${child.name}`, () => {
        if (plan) laid.lay(plan);
        refused.delete(child.name);
      });
    }
    return () => {
      for (const [name, entry] of before) {
        const trapped = entry.trap !== undefined && after.has(name);
        // What the old one has, the child keeps then.
        refused.get(name)?.blocked.push(...entry.blocked.splice(0));
        guarded(`what was protected of ${conn.name}/${name}`, () => {
          everyOne([() => this.#release(entry), () => trapped && this.trap(conn, name)]);
        });
      }
    };
  }

  withdraw(name: string): void {
    const entries = [...(this.#entries.get(name)?.values() ?? [])];
    this.#entries.delete(name);
    everyOne(entries.map((entry) => () => this.#release(entry)));
  }

  /** All that is configured is protected: what a predecessor has blocked besides is free. */
  settle(): void {
    this.#options.routes.settle();
  }

  /** From now on a packet for the child is told as an `acquire` with the number of its policy. */
  trap({ name: conn, localAddrs, remoteAddrs }: Connection, name: string): void {
    const entry = this.#entries.get(conn)?.get(name);
    if (!entry || entry.trap) return;
    const remote = remoteAddrs.flatMap((pattern) => singleAddress(pattern) ?? [])[0];
    const own = localAddrs.flatMap((pattern) => singleAddress(pattern) ?? []);
    const local = remote === undefined ? own[0] : (own.find((ip) => isV6(ip) === isV6(remote)) ?? this.#source(remote));
    const localTs = resolved(entry.child.localTs, local);
    const remoteTs = resolved(entry.child.remoteTs, remote);
    if (localTs.length === 0 || remoteTs.length === 0) return;
    const { routes, host, plane, mtu } = this.#options;
    const policy = this.#next++;
    const laid = new Laid(routes);
    entry.trap = { policy, laid };
    this.#traps.set(policy, { conn, child: name, mode: entry.child.mode, number: policy, localTs, remoteTs });
    // What the kernel refuses is a route, and the trap is there all the same.
    plane.trap(policy, 'trap', localTs, remoteTs);
    if (entry.child.installRoutes) {
      laid.lay(plan({ localTs, remoteTs, outer: entry.outer, own: host.addresses(), mtu }));
    }
  }

  untrap(conn: string, child: string): void {
    const entry = this.#entries.get(conn)?.get(child);
    if (entry) this.#untrap(entry);
  }

  trapped(policy: number): Trapped | undefined {
    return this.#traps.get(policy);
  }

  /** The oldest first. */
  traps(): readonly Trapped[] {
    return [...this.#traps.values()];
  }

  #plan(conn: Connection, child: Child, own: readonly Ip[]): Plan | undefined {
    if (child.mode !== 'tunnel' || !child.installRoutes) return undefined;
    const localTs = resolved(child.localTs, undefined);
    const remoteTs = resolved(child.remoteTs, undefined).filter((selector) => !isWholeFamily(selector));
    return plan({ localTs, remoteTs, outer: outerOf(conn), own, mtu: this.#options.mtu, blocked: true });
  }

  #release(entry: Entry): void {
    everyOne([() => this.#untrap(entry), ...entry.blocked.splice(0).map((laid) => () => laid.take())]);
  }

  #untrap(entry: Entry): void {
    const { trap } = entry;
    if (!trap) return;
    delete entry.trap;
    this.#options.plane.untrap(trap.policy);
    this.#traps.delete(trap.policy);
    trap.laid.take();
  }

  #source(remote: Ip): Ip | undefined {
    return this.#options.host.sourceFor(remote);
  }
}

function outerOf({ remoteAddrs }: Connection): readonly Ip[] {
  return remoteAddrs.flatMap((pattern) => singleAddress(pattern) ?? []);
}

/** Without an address, what depends on one is left out. */
function resolved(sources: readonly SelectorSource[], ip: Ip | undefined): Selector[] {
  if (ip !== undefined) return resolveTs(sources, ip);
  return sources.flatMap((source) => (source.kind === 'fixed' ? [source.selector] : []));
}

function isWholeFamily({ start, end }: Selector): boolean {
  return start.every((byte) => byte === 0) && end.every((byte) => byte === 0xff);
}
