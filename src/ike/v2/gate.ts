// Where IKEv2 begins: which message belongs to which SA, and how an SA comes to be.

import type { SocketAddress } from '../../bytes/ip.ts';
import type { Connection, Millis } from '../connection.ts';
import { Parties } from '../parties.ts';
import type { Registry } from '../registry.ts';
import { groupsOf } from '../select.ts';
import { EXCHANGE } from '../wire/constants.ts';
import { parseMessage } from '../wire/message.ts';
import type { Header, Message } from '../wire/payload.ts';
import type { BaseWorld } from '../world.ts';
import { wanted } from './children.ts';
import { Doorman } from './doorman.ts';
import { Session } from './session.ts';
import { blank, numbersOf, type SessionState } from './state.ts';
import type { World } from './world.ts';

export class Gate {
  readonly #registry: Registry;
  readonly #parties = new Parties<Session>();
  readonly #world: World;
  readonly #doorman: Doorman;

  constructor(registry: Registry, base: BaseWorld) {
    this.#registry = registry;
    this.#world = {
      ...base,
      add: (state) => this.#add(state),
      session: (id) => this.#session(id),
      others: (session) => this.#others(session),
      known: (session) => this.#parties.add(session),
      initiate: (now, conn, local, remote, children) => this.initiate(now, conn, local, remote, children),
      forget: (session) => this.#forget(session),
    };
    this.#doorman = new Doorman(this.#world);
  }

  get halfOpen(): number {
    return this.#doorman.size;
  }

  /** The SA that a message is for, and how it gets there; nothing where it is answered, or dropped, here. */
  receive(
    now: Millis,
    datagram: Uint8Array,
    from: SocketAddress,
    to: SocketAddress,
  ): { readonly session: Session; readonly deliver: () => void } | undefined {
    const message = parseMessage(datagram);
    const { header } = message;
    const ours = header.initiator ? header.spiR : header.spiI;
    if (ours.every((byte) => byte === 0)) {
      this.#stranger(now, message, datagram, from, to);
      return undefined;
    }
    const session = this.#registry.bySpi(ours);
    if (session instanceof Session)
      return { session, deliver: () => session.receive(now, message, datagram, from, to) };
    this.#registry.count('unknown-spi');
    this.#registry.tally.count('invalid-spi');
    return undefined;
  }

  /** Of a major version that is not spoken here. */
  refuse(now: Millis, header: Header, length: number, from: SocketAddress, to: SocketAddress): void {
    this.#doorman.refuseVersion(now, header, length, from, to);
  }

  #stranger(now: Millis, message: Message, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const { exchange, response, initiator, messageId, spiI } = message.header;
    const first = exchange === EXCHANGE.IKE_SA_INIT && !response && initiator && messageId === 0;
    if (!first || message.encrypted) return this.#registry.count('unexpected-init');
    // Our own message come back: with one identity and one key for all, we would make a tunnel with ourselves.
    if (this.#registry.bySpi(spiI)?.state.original) return this.#registry.count('reflected');
    this.#doorman.greet(now, message, datagram, from, to);
  }

  initiate(now: Millis, conn: Connection, local: string, remote: string, children: readonly string[]): Session {
    const { port, natPort, rawEsp, random } = this.#world;
    // strongSwan's rule: another port than 500 speaks with the non-ESP marker from the start.
    const from = { ip: local, port: conn.remotePort === 500 ? port : natPort };
    const to = { ip: remote, port: conn.remotePort };
    const state: SessionState = {
      ...blank(this.#world.sessionId(), conn.name, now),
      original: true,
      spiI: this.#world.takeIkeSpi(),
      spiR: new Uint8Array(8),
      local: from,
      remote: to,
      udpForced: conn.encap === 'yes' || !rawEsp,
    };
    const session = this.#add(state);
    session.event({ kind: 'session-started', session: state.id, conn: conn.name, initiator: true });
    const [group = 0] = groupsOf(conn.offers);
    state.queue.push({ kind: 'init', nonce: random(32), group, restarts: 0 });
    for (const child of conn.children) {
      if (children.includes(child.name)) state.queue.push(wanted(session, child));
    }
    session.advance(now);
    return session;
  }

  import(state: SessionState): void {
    this.#add(state);
    this.#registry.ids.adopt(state, numbersOf(state));
  }

  #add(state: SessionState): Session {
    const session = new Session(state, this.#world);
    this.#registry.add(session);
    if (state.remoteId) this.#parties.add(session);
    return session;
  }

  #forget(session: Session): void {
    this.#registry.remove(session);
    this.#doorman.forget(session);
    this.#parties.remove(session);
  }

  /** A session that another one reaches for may get another deadline by that. */
  #session(id: number): Session | undefined {
    const session = this.#registry.touch(id);
    return session instanceof Session ? session : undefined;
  }

  #others(session: Session): readonly Session[] {
    const others = this.#parties.others(session);
    this.#registry.touched(others);
    return others;
  }
}
