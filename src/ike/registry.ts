// The IKE SAs of an endpoint, whatever their version: how they are found, when they want attention, and what they have
// brought about.

import { hex, readUint32 } from '../bytes/bytes.ts';
import { WireError } from '../bytes/error.ts';
import type { Random } from '../crypto/types.ts';
import type { Connection, Millis, SharedKey } from './connection.ts';
import type { Effect, Event, SessionId } from './effects.ts';
import { Unfinished } from './fragment.ts';
import { Ids } from './ids.ts';
import type { Reason } from './reason.ts';
import type { IkeSa } from './sa.ts';
import { Tally } from './tally.ts';
import { Timers } from './timers.ts';
import type { BaseWorld } from './world.ts';

export interface EndpointOptions {
  readonly random: Random;
  readonly port: number;
  readonly natPort: number;
  readonly rawEsp: boolean;
  readonly connections: readonly Connection[];
  readonly sharedKeys: readonly SharedKey[];
  /** When the data plane last saw a packet of this child. */
  readonly lastInbound?: (child: number) => Millis | undefined;
  readonly lastOutbound?: (child: number) => Millis | undefined;
}

export class Registry {
  readonly ids: Ids;
  /** Messages dropped, by reason. */
  readonly counters = new Map<string, number>();
  readonly tally = new Tally();
  readonly #options: EndpointOptions;
  readonly #sas = new Map<SessionId, IkeSa>();
  readonly #bySpi = new Map<string, IkeSa>();
  /** By the first four bytes of the initiator's SPI: what is left of it in a message that the network quotes. */
  readonly #byBeginning = new Map<number, IkeSa[]>();
  readonly #children = new Map<number, SessionId>();
  readonly #timers = new Timers();
  readonly #touched = new Set<IkeSa>();
  #connections = new Map<string, Connection>();
  /** The same. Both lists are frozen: indexes are kept of such. */
  #list: readonly Connection[] = [];
  #sharedKeys: readonly SharedKey[] = [];
  #effects: Effect[] = [];

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.ids = new Ids(options.random);
    this.configure(options.connections, options.sharedKeys);
  }

  configure(connections: readonly Connection[], sharedKeys: readonly SharedKey[]): void {
    this.#connections = new Map(connections.map((conn) => [conn.name, conn]));
    this.tally.keep(this.#connections);
    this.#list = Object.freeze([...this.#connections.values()]);
    this.#sharedKeys = Object.freeze([...sharedKeys]);
  }

  add(sa: IkeSa): void {
    this.#sas.set(sa.state.id, sa);
    this.#bySpi.set(hex(sa.ourSpi), sa);
    const beginning = readUint32(sa.state.spiI);
    this.#byBeginning.set(beginning, [...this.begunWith(beginning), sa]);
    this.#touched.add(sa);
  }

  remove(sa: IkeSa): void {
    this.#sas.delete(sa.state.id);
    this.#bySpi.delete(hex(sa.ourSpi));
    const beginning = readUint32(sa.state.spiI);
    const others = this.begunWith(beginning).filter((other) => other !== sa);
    if (others.length > 0) this.#byBeginning.set(beginning, others);
    else this.#byBeginning.delete(beginning);
    this.#touched.add(sa);
    sa.wipe();
  }

  all(): IkeSa[] {
    return [...this.#sas.values()];
  }

  get(id: SessionId): IkeSa | undefined {
    return this.#sas.get(id);
  }

  bySpi(spi: Uint8Array): IkeSa | undefined {
    return this.#bySpi.get(hex(spi));
  }

  begunWith(beginning: number): readonly IkeSa[] {
    return this.#byBeginning.get(beginning) ?? [];
  }

  /** To do something to it, after which its deadline may be another. */
  touch(id: SessionId): IkeSa | undefined {
    const sa = this.#sas.get(id);
    if (sa) this.#touched.add(sa);
    return sa;
  }

  touched(sas: Iterable<IkeSa>): void {
    for (const sa of sas) this.#touched.add(sa);
  }

  ownerOf(child: number): SessionId | undefined {
    return this.#children.get(child);
  }

  own(child: number, id: SessionId): void {
    this.#children.set(child, id);
    this.touch(id);
  }

  get size(): number {
    return this.#sas.size;
  }

  /** What is kept: nothing of it once the last SA is forgotten. */
  get held(): { sessions: number; spis: number; children: number } {
    return { sessions: this.#bySpi.size, spis: this.ids.spis, children: this.#children.size };
  }

  count(code: string): void {
    this.counters.set(code, (this.counters.get(code) ?? 0) + 1);
    if (code.startsWith('malformed:')) this.tally.count('invalid');
  }

  effect(effect: Effect): void {
    if (effect.type === 'event') this.#tally(effect.event);
    this.#effects.push(effect);
  }

  #tally(event: Event): void {
    if (event.kind === 'child-rekeyed') this.tally.count('child-rekey', event.conn);
    // In IKEv1 there is no rekeying of an IKE SA: it is made anew.
    const by = event.kind === 'session-rekeyed' ? this.#sas.get(event.by)?.state : undefined;
    if (by?.version === 2) this.tally.count(by.original ? 'ike-rekey-init' : 'ike-rekey-resp', event.conn);
  }

  // --- time ------------------------------------------------------------------------------------------------------------

  deadline(): Millis | undefined {
    return this.#timers.next();
  }

  /** How many SAs wait for a time. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Takes out one whose time has come. */
  due(now: Millis): SessionId | undefined {
    return this.#timers.due(now);
  }

  /** Sets the clocks of those that something was done to. */
  settle(): void {
    for (const sa of this.#touched) {
      const alive = this.#sas.get(sa.state.id) === sa;
      this.#timers.set(sa.state.id, alive ? this.#deadline(sa) : undefined);
    }
    this.#touched.clear();
  }

  #deadline(sa: IkeSa): Millis | undefined {
    try {
      return sa.deadline();
    } catch (error) {
      this.count('bug');
      this.#bury(sa, bug(error));
      return undefined;
    }
  }

  // --- bugs ------------------------------------------------------------------------------------------------------------

  /** A bug costs the SA in which it shows itself, not the gateway. */
  guarded(now: Millis, sa: IkeSa, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (error instanceof WireError) throw error;
      this.count('bug');
      const reason = bug(error);
      try {
        sa.over(now, reason);
      } catch {
        this.#bury(sa, reason);
      }
    }
  }

  /** The end of an SA that cannot end by itself: what others must know of it. */
  #bury(sa: IkeSa, reason: Reason): void {
    const { state } = sa;
    const { id: session, conn, remote, establishedAt } = state;
    for (const spi of sa.numbers.spis) this.ids.freeSpi(spi);
    for (const { id, name, spiIn, reqid, successor } of state.children) {
      this.effect({ type: 'remove', child: id });
      this.#children.delete(id);
      this.ids.freeSpi(spiIn);
      this.ids.freeReqid(reqid);
      if (successor !== undefined) continue;
      this.effect({ type: 'event', event: { kind: 'child-closed', session, conn, child: name, id, reason } });
    }
    state.children = [];
    state.phase = 'closed';
    const established = establishedAt !== undefined;
    if (state.successor === undefined) {
      this.effect({ type: 'event', event: { kind: 'session-closed', session, conn, remote, established, reason } });
    }
    sa.leave();
  }

  /** What was brought about since the last time. */
  take(): Effect[] {
    this.settle();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  // --- for the SAs -----------------------------------------------------------------------------------------------------

  takeIkeSpi(): Uint8Array {
    for (;;) {
      const spi = this.#options.random(8);
      if (spi.some((byte) => byte !== 0) && !this.#bySpi.has(hex(spi))) return spi;
    }
  }

  world(): BaseWorld {
    const { random, port, natPort, rawEsp, lastInbound, lastOutbound } = this.#options;
    return {
      random,
      port,
      natPort,
      rawEsp,
      unfinished: new Unfinished(),
      connections: () => this.#list,
      connection: (name) => this.#connections.get(name),
      sharedKeys: () => this.#sharedKeys,
      effect: (effect) => this.effect(effect),
      count: (code) => this.count(code),
      tally: this.tally,
      lastInbound: (child) => lastInbound?.(child),
      lastOutbound: (child) => lastOutbound?.(child),
      sessionId: () => this.ids.next(),
      childId: () => this.ids.next(),
      serial: () => this.ids.serial(),
      takeSpi: () => this.ids.takeSpi(),
      freeSpi: (spi) => this.ids.freeSpi(spi),
      takeReqid: (policy) => this.ids.takeReqid(policy),
      freeReqid: (reqid) => this.ids.freeReqid(reqid),
      servers: (reqid) => this.ids.servers(reqid),
      takeIkeSpi: () => this.takeIkeSpi(),
      own: (child, session) => this.own(child, session),
      disown: (child) => void this.#children.delete(child),
      states: () => this.all().map(({ state }) => state),
      sa: (id) => this.touch(id),
    };
  }
}

function bug(error: unknown): Reason {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'internal', text, by: 'us' };
}
