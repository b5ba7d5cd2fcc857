// All IKE SAs of a gateway: hands each datagram to the version that it speaks, and bounds what strangers can make us do.
// Nothing that a stranger sends gets past `receive` as an exception: the only place where a WireError is caught.

import { readUint32, same } from '../bytes/bytes.ts';
import { WireError } from '../bytes/error.ts';
import type { SocketAddress } from '../bytes/ip.ts';
import type { Connection, Millis, SharedKey } from './connection.ts';
import type { Answer, Effect, SessionId } from './effects.ts';
import type { Reason } from './reason.ts';
import { type EndpointOptions, Registry } from './registry.ts';
import type { IkeSa } from './sa.ts';
import type { Trouble } from './silence.ts';
import type { ChildState } from './state.ts';
import type { Tally } from './tally.ts';
import { Gate as Gate1 } from './v1/gate.ts';
import type { SessionState as State1 } from './v1/state.ts';
import { Gate as Gate2 } from './v2/gate.ts';
import type { SessionState as State2 } from './v2/state.ts';
import { decodeHeader } from './wire/message.ts';

export type SessionState = State1 | State2;

/** Of a session at one moment. One that wants more will never be content, and nobody else would get a turn. */
const MOST_TURNS = 10_000;

export class Endpoint {
  readonly #registry: Registry;
  readonly #v1: Gate1;
  readonly #v2: Gate2;

  constructor(options: EndpointOptions) {
    this.#registry = new Registry(options);
    const world = this.#registry.world();
    this.#v1 = new Gate1(this.#registry, world);
    this.#v2 = new Gate2(this.#registry, world);
  }

  configure(connections: readonly Connection[], sharedKeys: readonly SharedKey[]): void {
    this.#registry.configure(connections, sharedKeys);
  }

  // --- inputs ------------------------------------------------------------------------------------------------------

  /** One IKE message, without the non-ESP marker. */
  receive(now: Millis, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): Effect[] {
    try {
      this.#receive(now, datagram, from, to);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#registry.count(`malformed:${error.code}`);
    }
    return this.#registry.take();
  }

  #receive(now: Millis, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const header = decodeHeader(datagram);
    const gate = header.major === 2 ? this.#v2 : header.major === 1 && this.#v1.spoken ? this.#v1 : undefined;
    if (!gate) return this.#v2.refuse(now, header, datagram.length, from, to);
    const arrival = gate.receive(now, datagram, from, to);
    if (!arrival) return;
    this.#registry.touched([arrival.session]);
    this.#registry.guarded(now, arrival.session, arrival.deliver);
  }

  answer(now: Millis, answer: Answer): Effect[] {
    return this.#with(now, answer.job.session, (sa) => sa.answer(now, answer));
  }

  deadline(): Millis | undefined {
    return this.#registry.deadline();
  }

  tick(now: Millis): Effect[] {
    const turns = new Map<SessionId, number>();
    for (let id = this.#registry.due(now); id !== undefined; id = this.#registry.due(now)) {
      const turn = (turns.get(id) ?? 0) + 1;
      turns.set(id, turn);
      this.#act(now, id, (sa) => {
        if (turn > MOST_TURNS) throw new Error('a deadline that does not move');
        sa.tick(now);
      });
      this.#registry.settle();
    }
    return this.#registry.take();
  }

  /** Starts an IKE SA for a connection, with all its children or those named. */
  initiate(
    now: Millis,
    conn: Connection,
    local: string,
    remote: string,
    children: readonly string[] = conn.children.map((child) => child.name),
  ): { session: SessionId; effects: Effect[] } {
    const gate = conn.version === 1 ? this.#v1 : this.#v2;
    const { state } = gate.initiate(now, conn, local, remote, children);
    return { session: state.id, effects: this.#registry.take() };
  }

  /** Another child of an established session. */
  createChild(now: Millis, id: SessionId, name: string): Effect[] {
    return this.#with(now, this.#heir(id), (sa) => {
      const child = sa.conn.children.find((config) => config.name === name);
      if (child) sa.create(now, child);
    });
  }

  rekeyChild(now: Millis, id: number): Effect[] {
    return this.#withChild(now, id, (sa, child) => sa.rekeyChild(now, child));
  }

  rekeyIke(now: Millis, id: SessionId): Effect[] {
    return this.#with(now, id, (sa) => sa.rekey(now));
  }

  reauthenticate(now: Millis, id: SessionId): Effect[] {
    return this.#with(now, id, (sa) => sa.reauthenticate(now));
  }

  closeChild(now: Millis, id: number): Effect[] {
    return this.#withChild(now, id, (sa, child) => sa.deleteChild(now, child));
  }

  close(now: Millis, id: SessionId, reason: Reason): Effect[] {
    return this.#with(now, id, (sa) => sa.close(now, reason));
  }

  /** Forgets a session without a word to the peer. */
  abandon(now: Millis, id: SessionId, reason: Reason): Effect[] {
    return this.#with(now, id, (sa) => sa.over(now, reason));
  }

  checkLiveness(now: Millis, id: SessionId): Effect[] {
    return this.#with(now, id, (sa) => sa.checkLiveness(now));
  }

  /** The data plane reached a limit of a child by bytes, packets or sequence numbers. */
  limit(now: Millis, id: number, hard: boolean): Effect[] {
    return this.#withChild(now, id, (sa, child) => {
      if (hard) sa.expireChild(now, child);
      else sa.rekeyChild(now, child);
    });
  }

  /** The peer sends on a child. */
  used(now: Millis, id: number): Effect[] {
    return this.#withChild(now, id, (sa, child) => sa.used(now, child));
  }

  /** An authentic and newest ESP packet came from another address: a NAT has changed its mapping. */
  moved(now: Millis, id: number, from: SocketAddress): Effect[] {
    return this.#withChild(now, id, (sa) => sa.moved(now, from));
  }

  /**
   * The network, or our own kernel, says that a message to `remote` did not arrive; `spi` is the first part of the
   * initiator's, four bytes at least. It may be forged, and changes nothing but what the operator is told.
   */
  undelivered(now: Millis, kind: Trouble['kind'], remote: SocketAddress, spi: Uint8Array): Effect[] {
    const found = this.#registry.begunWith(readUint32(spi)).find(({ state }) => {
      const { ip, port } = state.remote;
      return ip === remote.ip && port === remote.port && same(state.spiI.subarray(0, spi.length), spi);
    });
    if (found) this.#act(now, found.state.id, (sa) => sa.undelivered({ kind, at: now }));
    return this.#registry.take();
  }

  // --- what can be seen ----------------------------------------------------------------------------------------------

  sessions(): readonly IkeSa[] {
    return this.#registry.all().filter(({ state }) => state.phase !== 'closed');
  }

  session(id: SessionId): IkeSa | undefined {
    return this.#registry.get(id);
  }

  sessionOfChild(id: number): IkeSa | undefined {
    const owner = this.#registry.ownerOf(id);
    return owner === undefined ? undefined : this.#registry.get(owner);
  }

  /** Messages dropped, by reason. */
  counters(): ReadonlyMap<string, number> {
    return this.#registry.counters;
  }

  /** Messages by their kind. */
  get tally(): Tally {
    return this.#registry.tally;
  }

  /** How many sessions wait for a time. */
  get waiting(): number {
    return this.#registry.waiting;
  }

  get size(): number {
    return this.#registry.size;
  }

  /** What is kept: nothing of it once the last session is forgotten. */
  get held(): { sessions: number; spis: number; children: number; halfOpen: number } {
    return { ...this.#registry.held, halfOpen: this.#v1.halfOpen + this.#v2.halfOpen };
  }

  /** All sessions as plain data. */
  export(): SessionState[] {
    return structuredClone(this.#registry.all().map(({ state }) => state as SessionState));
  }

  /** Takes up sessions that another endpoint, with the same configuration, has exported. */
  import(states: readonly SessionState[]): void {
    for (const state of structuredClone(states)) {
      if (state.version === 1) this.#v1.import(state);
      else this.#v2.import(state);
      for (const child of state.children) this.#registry.own(child.id, state.id);
    }
    this.#registry.settle();
  }

  // --- inside ----------------------------------------------------------------------------------------------------------

  #with(now: Millis, id: SessionId, act: (sa: IkeSa) => void): Effect[] {
    this.#act(now, id, act);
    return this.#registry.take();
  }

  #withChild(now: Millis, id: number, act: (sa: IkeSa, child: ChildState) => void): Effect[] {
    const owner = this.#registry.ownerOf(id);
    if (owner === undefined) return this.#registry.take();
    return this.#with(now, owner, (sa) => {
      const child = sa.state.children.find((one) => one.id === id);
      if (child) act(sa, child);
    });
  }

  #act(now: Millis, id: SessionId, act: (sa: IkeSa) => void): void {
    const sa = this.#registry.touch(id);
    if (sa) this.#registry.guarded(now, sa, () => act(sa));
  }

  /** Who has taken a session's place, or will: what is wanted of it is wanted there. */
  #heir(id: SessionId): SessionId {
    const next = this.#registry.get(id)?.state.successor;
    return next !== undefined && this.#registry.get(next) ? this.#heir(next) : id;
  }
}
