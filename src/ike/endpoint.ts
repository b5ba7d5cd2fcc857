// All IKE sessions of a gateway: finds the session of a datagram, answers what needs no session (cookies, wrong groups,
// wrong versions), and bounds what strangers can make us do (RFC 7296 §2.6, §2.21). Nothing that a stranger sends gets
// past `receive` as an exception: the only place where a WireError is caught.

import { hex } from '../bytes/bytes.ts';
import { WireError } from '../bytes/error.ts';
import type { SocketAddress } from '../bytes/ip.ts';
import type { Random } from '../crypto/types.ts';
import type { Connection, Millis, SharedKey } from './connection.ts';
import type { Answer, Effect, SessionId } from './effects.ts';
import { Unfinished } from './fragment.ts';
import { Ids } from './ids.ts';
import { Parties } from './parties.ts';
import type { Reason } from './reason.ts';
import { groupsOf } from './select.ts';
import { Timers } from './timers.ts';
import { deleteChild, expireChild, findChild, rekeyChild, replaceBy, wanted } from './v2/children.ts';
import { Doorman } from './v2/doorman.ts';
import { deadline, tick } from './v2/life.ts';
import { relocate } from './v2/move.ts';
import { Session } from './v2/session.ts';
import { blank, type ChildState, type SessionState } from './v2/state.ts';
import type { World } from './v2/world.ts';
import { EXCHANGE } from './wire/constants.ts';
import { decodeHeader, parseMessage } from './wire/message.ts';
import type { Message } from './wire/payload.ts';

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

/** A peer's address may change by its ESP packets this often (SECURITY E11). */
const MOVE_INTERVAL: Millis = 5000;

export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #doorman: Doorman;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #bySpi = new Map<string, Session>();
  readonly #children = new Map<number, SessionId>();
  readonly #ids: Ids;
  readonly #parties = new Parties();
  readonly #timers = new Timers();
  readonly #counters = new Map<string, number>();
  readonly #world: World;
  #connections = new Map<string, Connection>();
  /** The same. Both lists are frozen: indexes are kept of such. */
  #list: readonly Connection[] = [];
  #sharedKeys: readonly SharedKey[] = [];
  #effects: Effect[] = [];
  readonly #touched = new Set<Session>();

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#ids = new Ids(options.random);
    this.configure(options.connections, options.sharedKeys);
    this.#world = this.#makeWorld();
    this.#doorman = new Doorman(this.#world);
  }

  configure(connections: readonly Connection[], sharedKeys: readonly SharedKey[]): void {
    this.#connections = new Map(connections.map((conn) => [conn.name, conn]));
    this.#list = Object.freeze([...this.#connections.values()]);
    this.#sharedKeys = Object.freeze([...sharedKeys]);
  }

  // --- inputs ------------------------------------------------------------------------------------------------------

  /** One IKE message, without the non-ESP marker. */
  receive(now: Millis, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): Effect[] {
    try {
      this.#receive(now, datagram, from, to);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#count(`malformed:${error.code}`);
    }
    return this.#done();
  }

  #receive(now: Millis, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const header = decodeHeader(datagram);
    if (header.major !== 2) return this.#doorman.refuseVersion(now, header, datagram.length, from, to);
    const message = parseMessage(datagram);
    const ours = header.initiator ? header.spiR : header.spiI;
    if (ours.every((byte) => byte === 0)) return this.#stranger(now, message, datagram, from, to);
    const session = this.#bySpi.get(hex(ours));
    if (!session) return this.#count('unknown-spi');
    this.#touched.add(session);
    this.#guarded(now, session, () => session.receive(now, message, datagram, from, to));
  }

  #stranger(now: Millis, message: Message, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const { exchange, response, initiator, messageId } = message.header;
    const first = exchange === EXCHANGE.IKE_SA_INIT && !response && initiator && messageId === 0;
    if (!first || message.encrypted) return this.#count('unexpected-init');
    // Our own message come back: with one identity and one key for all, we would make a tunnel with ourselves.
    if (this.#bySpi.get(hex(message.header.spiI))?.state.original) return this.#count('reflected');
    this.#doorman.greet(now, message, datagram, from, to);
  }

  answer(now: Millis, answer: Answer): Effect[] {
    this.#with(now, answer.job.session, (session) => session.answer(now, answer));
    return this.#done();
  }

  deadline(): Millis | undefined {
    return this.#timers.next();
  }

  tick(now: Millis): Effect[] {
    for (let id = this.#timers.due(now); id !== undefined; id = this.#timers.due(now)) {
      this.#with(now, id, (session) => tick(session, now));
      this.#settle();
    }
    return this.#done();
  }

  /** Starts a session for a connection, with all its children or those named. */
  initiate(
    now: Millis,
    conn: Connection,
    local: string,
    remote: string,
    children: readonly string[] = conn.children.map((child) => child.name),
  ): { session: SessionId; effects: Effect[] } {
    const session = this.#initiate(now, conn, local, remote, children);
    return { session: session.state.id, effects: this.#done() };
  }

  #initiate(now: Millis, conn: Connection, local: string, remote: string, children: readonly string[]): Session {
    const { port, natPort, rawEsp, random } = this.#options;
    // strongSwan's rule: another port than 500 speaks with the non-ESP marker from the start.
    const from = { ip: local, port: conn.remotePort === 500 ? port : natPort };
    const to = { ip: remote, port: conn.remotePort };
    const state: SessionState = {
      ...blank(this.#ids.next(), conn.name, now),
      original: true,
      spiI: this.#takeIkeSpi(),
      spiR: new Uint8Array(8),
      local: from,
      remote: to,
      udpForced: conn.encap === 'yes' || !rawEsp,
    };
    const session = this.#add(state);
    this.#event({ kind: 'session-started', session: state.id, conn: conn.name, initiator: true });
    const [group = 0] = groupsOf(conn.offers);
    state.queue.push({ kind: 'init', nonce: random(32), group, restarts: 0 });
    for (const child of conn.children) {
      if (children.includes(child.name)) state.queue.push(wanted(session, child));
    }
    session.advance(now);
    return session;
  }

  /** Another child of an established session. */
  createChild(now: Millis, id: SessionId, name: string): Effect[] {
    this.#with(now, this.#heir(id), (session) => {
      const child = session.conn.children.find((config) => config.name === name);
      if (child) session.enqueue(now, wanted(session, child));
    });
    return this.#done();
  }

  rekeyChild(now: Millis, id: number): Effect[] {
    this.#withChild(now, id, (session, child) => rekeyChild(session, now, child));
    return this.#done();
  }

  rekeyIke(now: Millis, id: SessionId): Effect[] {
    this.#with(now, id, (session) => session.rekey(now));
    return this.#done();
  }

  closeChild(now: Millis, id: number): Effect[] {
    this.#withChild(now, id, (session, child) => deleteChild(session, now, child));
    return this.#done();
  }

  close(now: Millis, id: SessionId, reason: Reason): Effect[] {
    this.#with(now, id, (session) => session.close(now, reason));
    return this.#done();
  }

  /** Forgets a session without a word to the peer. */
  abandon(now: Millis, id: SessionId, reason: Reason): Effect[] {
    this.#with(now, id, (session) => session.over(now, reason));
    return this.#done();
  }

  checkLiveness(now: Millis, id: SessionId): Effect[] {
    this.#with(now, id, (session) => session.checkLiveness(now));
    return this.#done();
  }

  /** The data plane reached a limit of a child by bytes, packets or sequence numbers. */
  limit(now: Millis, id: number, hard: boolean): Effect[] {
    this.#withChild(now, id, (session, child) => {
      if (hard) expireChild(session, now, child);
      else rekeyChild(session, now, child);
    });
    return this.#done();
  }

  /** The peer sends on a child whose predecessor we still send on: it is ready for the new one (RFC 7296 §2.8). */
  used(now: Millis, id: number): Effect[] {
    this.#withChild(now, id, (session, child) => {
      const old = session.state.children.find((other) => other.successor === id && other.stage === 'rekeyed');
      if (old) replaceBy(session, old, child);
    });
    return this.#done();
  }

  /** An authentic and newest ESP packet came from another address: a NAT has changed its mapping. */
  moved(now: Millis, id: number, from: SocketAddress): Effect[] {
    this.#withChild(now, id, (session) => {
      const { state } = session;
      const soon = state.lastMove !== undefined && now - state.lastMove < MOVE_INTERVAL;
      if (state.natRemote && !soon && state.phase === 'established') relocate(session, now, state.local, from);
    });
    return this.#done();
  }

  // --- what can be seen ----------------------------------------------------------------------------------------------

  sessions(): readonly Session[] {
    return [...this.#sessions.values()].filter(({ state }) => state.phase !== 'closed');
  }

  session(id: SessionId): Session | undefined {
    return this.#sessions.get(id);
  }

  sessionOfChild(id: number): Session | undefined {
    const session = this.#children.get(id);
    return session === undefined ? undefined : this.#sessions.get(session);
  }

  /** Messages dropped, by reason. */
  counters(): ReadonlyMap<string, number> {
    return this.#counters;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** What is kept: nothing of it once the last session is forgotten. */
  get held(): { sessions: number; spis: number; children: number; halfOpen: number } {
    return {
      sessions: this.#bySpi.size,
      spis: this.#ids.spis,
      children: this.#children.size,
      halfOpen: this.#doorman.size,
    };
  }

  /** All sessions as plain data. */
  export(): SessionState[] {
    return structuredClone([...this.#sessions.values()].map(({ state }) => state));
  }

  /** Takes up sessions that another endpoint, with the same configuration, has exported. */
  import(states: readonly SessionState[]): void {
    for (const state of structuredClone(states)) {
      const session = this.#add(state);
      this.#ids.adopt(state);
      for (const child of state.children) this.#children.set(child.id, state.id);
      this.#touched.add(session);
    }
    this.#settle();
  }

  // --- inside ----------------------------------------------------------------------------------------------------------

  #with(now: Millis, id: SessionId, act: (session: Session) => void): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#touched.add(session);
    this.#guarded(now, session, () => act(session));
  }

  #withChild(now: Millis, id: number, act: (session: Session, child: ChildState) => void): void {
    const owner = this.#children.get(id);
    if (owner === undefined) return;
    this.#with(now, owner, (session) => {
      const child = findChild(session, id);
      if (child) act(session, child);
    });
  }

  /** A bug costs the session in which it shows itself, not the gateway. */
  #guarded(now: Millis, session: Session, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (error instanceof WireError) throw error;
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#count('bug');
      session.over(now, { code: 'internal', text, by: 'us' });
    }
  }

  #done(): Effect[] {
    this.#settle();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #settle(): void {
    for (const session of this.#touched) {
      const alive = this.#sessions.get(session.state.id) === session;
      this.#timers.set(session.state.id, alive ? deadline(session) : undefined);
    }
    this.#touched.clear();
  }

  #count(code: string): void {
    this.#counters.set(code, (this.#counters.get(code) ?? 0) + 1);
  }

  #event(event: Extract<Effect, { type: 'event' }>['event']): void {
    this.#effects.push({ type: 'event', event });
  }

  #add(state: SessionState): Session {
    const session = new Session(state, this.#world);
    this.#sessions.set(state.id, session);
    this.#bySpi.set(hex(session.ourSpi), session);
    if (state.remoteId) this.#parties.add(session);
    this.#touched.add(session);
    return session;
  }

  #forget(session: Session): void {
    this.#sessions.delete(session.state.id);
    this.#bySpi.delete(hex(session.ourSpi));
    this.#doorman.forget(session);
    this.#parties.remove(session);
    this.#touched.add(session);
    for (const key of Object.values(session.state.keys ?? {})) key.fill(0);
  }

  #takeIkeSpi(): Uint8Array {
    for (;;) {
      const spi = this.#options.random(8);
      if (spi.some((byte) => byte !== 0) && !this.#bySpi.has(hex(spi))) return spi;
    }
  }

  #makeWorld(): World {
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
      effect: (effect) => void this.#effects.push(effect),
      count: (code) => this.#count(code),
      lastInbound: (child) => lastInbound?.(child),
      lastOutbound: (child) => lastOutbound?.(child),
      sessionId: () => this.#ids.next(),
      childId: () => this.#ids.next(),
      serial: () => this.#ids.serial(),
      takeSpi: () => this.#ids.takeSpi(),
      freeSpi: (spi) => this.#ids.freeSpi(spi),
      takeReqid: (policy) => this.#ids.takeReqid(policy),
      freeReqid: (reqid) => this.#ids.freeReqid(reqid),
      takeIkeSpi: () => this.#takeIkeSpi(),
      add: (state) => this.#add(state),
      session: (id) => this.#reach(id),
      own: (child, session) => this.#own(child, session),
      disown: (child) => void this.#children.delete(child),
      others: (session) => this.#others(session),
      known: (session) => this.#parties.add(session),
      initiate: (now, conn, local, remote, children) => this.#initiate(now, conn, local, remote, children),
      forget: (session) => this.#forget(session),
    };
  }

  #own(child: number, id: SessionId): void {
    this.#children.set(child, id);
    const session = this.#sessions.get(id);
    if (session) this.#touched.add(session);
  }

  /** A session that another one reaches for may get another deadline by that. */
  #reach(id: SessionId): Session | undefined {
    const session = this.#sessions.get(id);
    if (session) this.#touched.add(session);
    return session;
  }

  #others(session: Session): readonly Session[] {
    const others = this.#parties.others(session);
    for (const other of others) this.#touched.add(other);
    return others;
  }

  /** Who has taken a session's place, or will: what is wanted of it is wanted there. */
  #heir(id: SessionId): SessionId {
    const next = this.#sessions.get(id)?.state.successor;
    return next !== undefined && this.#sessions.has(next) ? this.#heir(next) : id;
  }
}
