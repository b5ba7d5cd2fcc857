// Where IKEv1 begins: which message belongs to which SA, and how an SA comes to be.

import { same } from '../../bytes/bytes.ts';
import type { SocketAddress } from '../../bytes/ip.ts';
import type { Connection, Millis } from '../connection.ts';
import { Parties } from '../parties.ts';
import type { Registry } from '../registry.ts';
import type { BaseWorld } from '../world.ts';
import { firstGroup } from './aggressive.ts';
import { wants } from './children.ts';
import { Doorman } from './doorman.ts';
import { sendMain1 } from './main.ts';
import { Session } from './session.ts';
import { blank, numbersOf, type SessionState } from './state.ts';
import { EXCHANGE } from './wire/constants.ts';
import { type Message, parseMessage } from './wire/message.ts';
import type { Ends, World } from './world.ts';

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
      known: (session) => this.#known(session),
      initiate: (...asked) => this.initiate(...asked),
      forget: (session) => this.#forget(session),
    };
    this.#doorman = new Doorman(this.#world);
  }

  get halfOpen(): number {
    return this.#doorman.size;
  }

  /** Whether anybody here speaks IKEv1. */
  get spoken(): boolean {
    return this.#world.connections().some(({ version }) => version !== 2);
  }

  receive(
    now: Millis,
    datagram: Uint8Array,
    from: SocketAddress,
    to: SocketAddress,
  ): { readonly session: Session; readonly deliver: () => void } | undefined {
    const message = parseMessage(datagram);
    const session = this.#find(message);
    if (session) return { session, deliver: () => session.receive(now, message, datagram, from, to) };
    if (isFirst(message)) this.#stranger(now, message, datagram, from, to);
    else {
      this.#registry.count('unknown-spi');
      this.#registry.tally.count('invalid-spi');
    }
    return undefined;
  }

  /** By the cookie that is ours; the other one must be the peer's, as soon as we know it. */
  #find({ header }: Message): Session | undefined {
    const begun = this.#registry.bySpi(header.spiI);
    if (begun instanceof Session && begun.state.original) {
      const known = begun.state.spiR;
      return isZero(known) || same(known, header.spiR) ? begun : undefined;
    }
    const answered = this.#registry.bySpi(header.spiR);
    const ours = answered instanceof Session && !answered.state.original;
    return ours && same(answered.state.spiI, header.spiI) ? answered : undefined;
  }

  #stranger(now: Millis, message: Message, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    // Our own message come back: with one identity and one key for all, we would make a tunnel with ourselves.
    if (this.#registry.bySpi(message.header.spiI)?.state.original) return this.#registry.count('reflected');
    this.#doorman.greet(now, message, datagram, from, to);
  }

  initiate(
    now: Millis,
    conn: Connection,
    local: string,
    remote: string,
    children: readonly string[],
    ends: Ends = this.#ends(conn, local, remote),
  ): Session {
    const state: SessionState = {
      ...blank(this.#world.sessionId(), conn.name, now),
      original: true,
      aggressive: conn.aggressive,
      awaits: conn.aggressive ? 'pair' : 'main-2',
      phase1: { group: 0, heard: 0, said: 0, doubts: 0 },
      spiI: this.#world.takeIkeSpi(),
      spiR: new Uint8Array(8),
      ...ends,
      udpForced: conn.encap === 'yes' || !this.#world.rawEsp,
    };
    const session = this.#add(state);
    session.event({ kind: 'session-started', session: state.id, conn: conn.name, initiator: true });
    for (const child of conn.children) {
      if (children.includes(child.name)) state.queue.push(...wants(session, child));
    }
    if (!conn.aggressive) {
      sendMain1(session, now);
      return session;
    }
    const group = firstGroup(session);
    if (state.phase1) state.phase1.group = group;
    this.#world.effect({ type: 'generate', job: session.work(now), group });
    return session;
  }

  /** strongSwan's rule: another port than 500 speaks with the non-ESP marker from the start. */
  #ends({ remotePort }: Connection, local: string, remote: string): Ends {
    const { port, natPort } = this.#world;
    return {
      local: { ip: local, port: remotePort === 500 ? port : natPort },
      remote: { ip: remote, port: remotePort },
    };
  }

  import(state: SessionState): void {
    this.#add(state);
    this.#registry.ids.adopt(state, numbersOf(state));
  }

  #add(state: SessionState): Session {
    const session = new Session(state, this.#world);
    this.#registry.add(session);
    if (state.remoteId && state.establishedAt !== undefined) this.#parties.add(session);
    return session;
  }

  #known(session: Session): void {
    this.#parties.add(session);
    this.#doorman.forget(session);
  }

  #forget(session: Session): void {
    this.#registry.remove(session);
    this.#doorman.forget(session);
    this.#parties.remove(session);
  }

  /** An SA that another one reaches for may get another deadline by that. */
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

function isFirst({ header, chain }: Message): boolean {
  const { exchange, messageId, spiI, spiR } = header;
  const phase1 = exchange === EXCHANGE.IDENTITY_PROTECTION || exchange === EXCHANGE.AGGRESSIVE;
  return phase1 && chain !== undefined && messageId === 0 && isZero(spiR) && !isZero(spiI);
}

function isZero(spi: Uint8Array): boolean {
  return spi.every((byte) => byte === 0);
}
