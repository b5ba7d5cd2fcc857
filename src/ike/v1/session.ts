// One IKEv1 SA: phase 1, and under it any number of quick modes and notifications side by side (RFC 2409). The session
// owns the order of things; what an exchange says is in main, aggressive, quick, answer and inform.

import { same } from '../../bytes/bytes.ts';
import type { SocketAddress } from '../../bytes/ip.ts';
import { closeChildren } from '../children.ts';
import type { Child, Connection, Millis } from '../connection.ts';
import type { Answer, Event } from '../effects.ts';
import type { Reason } from '../reason.ts';
import type { IkeSa, Tasks } from '../sa.ts';
import { type Trouble, troubled } from '../silence.ts';
import type { ChildState, Numbers } from '../state.ts';
import { onAggressive2, onAggressive3 } from './aggressive.ts';
import { closeChild, expireChild, rekeyChild, used, wants } from './children.ts';
import { complete } from './exchange.ts';
import { forget, quickFailed } from './failure.ts';
import { whole } from './fragment.ts';
import { deleteAll, probe, receiveInform, sayClear, tellError } from './inform.ts';
import { deadline, tick } from './life.ts';
import { onMain2, onMain3, onMain4, onMain5, onMain6 } from './main.ts';
import { peerMoved } from './move.ts';
import { beginQuick, receiveQuick } from './quick.ts';
import { comesBack, digest, phase1Exchange, tellSilence, transmit } from './send.ts';
import { type Awaits, numbersOf, outstanding, type SessionState, type Want } from './state.ts';
import { elders, heir, reauthenticate } from './unique.ts';
import { EXCHANGE } from './wire/constants.ts';
import type { Message } from './wire/message.ts';
import { answered } from './work.ts';
import type { World } from './world.ts';

const JOB_TIME: Millis = 30_000;
/**
 * Quick modes of ours at a time. strongSwan keeps the IVs of three exchanges, as it comes, and loses those that it answered
 * before: with two under way it could not read the end of the third.
 */
const MOST_AT_ONCE = 1;

export class Session implements IkeSa {
  readonly state: SessionState;
  readonly world: World;
  #conn: Connection | undefined;

  constructor(state: SessionState, world: World) {
    this.state = state;
    this.world = world;
  }

  /** Changes when a responder learns who the peer is. */
  get conn(): Connection {
    const known = this.#conn?.name === this.state.conn ? this.#conn : undefined;
    const conn = this.world.connection(this.state.conn) ?? known;
    if (!conn) throw new Error(`no connection ${this.state.conn}`);
    this.#conn = conn;
    return conn;
  }

  get ourSpi(): Uint8Array {
    return this.state.original ? this.state.spiI : this.state.spiR;
  }

  /** Only who knows NAT traversal can take ESP in UDP. */
  get udp(): boolean {
    const { natt, natLocal, natRemote, udpForced } = this.state;
    return natt !== undefined && (natLocal || natRemote || udpForced);
  }

  get tasks(): Tasks {
    const { awaits, aggressive, queue } = this.state;
    const phase1 = awaits === 'done' ? [] : [aggressive ? 'AGGRESSIVE_MODE' : 'MAIN_MODE'];
    return {
      active: [...phase1, ...outstanding(this.state).map(() => 'QUICK_MODE')],
      queued: queue.map(() => 'QUICK_MODE'),
    };
  }

  get rekeying(): boolean {
    const { replacement } = this.state;
    return replacement !== undefined && this.world.session(replacement) !== undefined;
  }

  event(event: Event): void {
    this.world.effect({ type: 'event', event });
  }

  /** Something worth telling that ends nothing. */
  note(reason: Reason, of: { readonly child?: string; readonly renews?: true } = {}): void {
    this.event({ kind: 'note', session: this.state.id, conn: this.state.conn, ...of, reason });
  }

  /** What the peer is, as it says itself. */
  vendors(names: readonly string[]): void {
    const { id, conn, remote } = this.state;
    this.event({ kind: 'vendors', session: id, conn, remote, names });
  }

  // --- what comes in -----------------------------------------------------------------------------------------------------

  receive(now: Millis, message: Message, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const { state } = this;
    if (state.phase1) state.phase1.heard += datagram.length;
    const [part] = message.chain?.payloads ?? [];
    if (part?.tag !== 'FRAG') return this.#whole(now, message, datagram, from, to);
    const joined = whole(this, now, message.header, part);
    if (joined) this.#whole(now, joined.message, joined.datagram, from, to);
  }

  #whole(now: Millis, message: Message, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    switch (message.header.exchange) {
      case EXCHANGE.IDENTITY_PROTECTION:
      case EXCHANGE.AGGRESSIVE:
        if (message.header.exchange !== phase1Exchange(this) || message.header.messageId !== 0) break;
        return this.#phase1(now, message, datagram, from, to);
      case EXCHANGE.QUICK_MODE:
        return receiveQuick(this, now, message, datagram, from, to);
      case EXCHANGE.INFORMATIONAL:
        return receiveInform(this, now, message, from);
    }
    this.world.count('unexpected-exchange');
  }

  #phase1(now: Millis, message: Message, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const { state, world } = this;
    const seen = digest(datagram);
    if (state.heard && same(state.heard, seen)) return this.repeat(from, to);
    // Ports may change, when the peer leaves port 500; another host is another peer.
    if (from.ip !== state.remote.ip) return world.count('wrong-address');
    const before = state.awaits;
    this.#step(now, message, from, to);
    if (state.awaits === before) return;
    state.heard = seen;
    delete state.repeats;
  }

  #step(now: Millis, { header, chain, body }: Message, from: SocketAddress, to: SocketAddress): void {
    const { state, world } = this;
    const first = header.nextPayload;
    switch (state.awaits) {
      case 'main-2':
        return chain ? onMain2(this, now, chain, header.spiR) : world.count('unexpected-encrypted');
      case 'main-3':
        return chain ? onMain3(this, now, chain, from, to) : world.count('unexpected-encrypted');
      case 'main-4':
        return chain ? onMain4(this, now, chain) : world.count('unexpected-encrypted');
      case 'main-5':
        return chain ? world.count('unencrypted') : onMain5(this, now, first, body, from, to);
      case 'main-6':
        return chain ? world.count('unencrypted') : onMain6(this, now, first, body);
      case 'aggressive-2':
        return chain ? onAggressive2(this, now, chain, header.spiR) : world.count('unexpected-encrypted');
      case 'aggressive-3':
        return onAggressive3(this, now, { chain, first, body }, from, to);
      case 'pair':
      case 'shared':
      case 'done':
        return world.count('unexpected-message');
    }
  }

  /**
   * The peer says again what it said last: our answer was lost. Before its address is proven it gets no more bytes in all
   * than came in its name, but for the first answer (SECURITY D).
   */
  repeat(from: SocketAddress, to: SocketAddress): void {
    const { state, world } = this;
    world.count('repeated-message');
    const { sent, phase1 } = state;
    if (!sent) return;
    const size = sent.datagrams.reduce((sum, { length }) => sum + length, 0);
    state.repeats = (state.repeats ?? 0) + 1;
    const unproven = !state.original && (state.awaits === 'main-3' || state.awaits === 'aggressive-3');
    if (unproven && phase1 && phase1.said + size > phase1.heard) return world.count('no-amplification');
    const there = unproven ? { local: to, remote: from } : state;
    transmit(this, sent.datagrams, there.local, there.remote);
  }

  answer(now: Millis, answer: Answer): void {
    answered(this, now, answer);
  }

  // --- what goes out -----------------------------------------------------------------------------------------------------

  /** Phase 1 waits for this from now on; what was sent before has been answered. */
  await(what: Awaits): void {
    this.state.awaits = what;
    comesBack(this, this.state.sent);
    delete this.state.sent;
  }

  /** Asks for slow work on behalf of phase 1. */
  work(now: Millis): { session: number; serial: number } {
    this.state.job = this.job(now);
    return { session: this.state.id, serial: this.state.job.serial };
  }

  job(now: Millis): { serial: number; deadline: Millis } {
    return { serial: this.world.serial(), deadline: now + JOB_TIME };
  }

  /** A refusal under the keys that are there. */
  tell(now: Millis, kind: number): void {
    tellError(this, now, kind);
  }

  /** A refusal in the clear: whoever is told so has sent more than this. */
  say(now: Millis, kind: number): void {
    sayClear(this, now, kind);
  }

  enqueue(now: Millis, wanted: readonly Want[]): void {
    this.state.queue.push(...wanted);
    this.advance(now);
  }

  advance(now: Millis): void {
    const { state } = this;
    if (state.phase !== 'established') return;
    while (outstanding(state).length < MOST_AT_ONCE) {
      const want = state.queue.shift();
      if (!want) return;
      beginQuick(this, now, want);
    }
  }

  create(now: Millis, child: Child): void {
    this.enqueue(now, wants(this, child));
  }

  // --- children ------------------------------------------------------------------------------------------------------------

  rekeyChild(now: Millis, child: ChildState): void {
    rekeyChild(this, now, child);
  }

  deleteChild(now: Millis, child: ChildState): void {
    closeChild(this, now, child, { code: 'requested', text: 'closed by us', by: 'us' });
  }

  expireChild(now: Millis, child: ChildState): void {
    expireChild(this, now, child);
  }

  used(now: Millis, child: ChildState): void {
    used(this, now, child);
  }

  moved(now: Millis, from: SocketAddress): void {
    peerMoved(this, now, from);
  }

  // --- time, and the end ---------------------------------------------------------------------------------------------------

  deadline(): Millis | undefined {
    return deadline(this);
  }

  tick(now: Millis): void {
    tick(this, now);
  }

  /** There is no rekeying of phase 1: it is made anew. */
  rekey(now: Millis): void {
    reauthenticate(this, now);
  }

  reauthenticate(now: Millis): void {
    reauthenticate(this, now);
  }

  checkLiveness(now: Millis): void {
    if (this.state.phase === 'established' && this.state.peerDpd && !this.state.probe) probe(this, now);
  }

  /** Deletes the SA with everything in it, and what it has replaced. Nobody confirms a Delete: there is no waiting for it. */
  close(now: Millis, reason: Reason): void {
    const { phase } = this.state;
    if (phase === 'established') for (const elder of elders(this)) elder.close(now, reason);
    if (phase === 'established' || phase === 'rekeyed') deleteAll(this, now);
    this.over(now, reason);
  }

  over(now: Millis, reason: Reason): void {
    const { state, world } = this;
    if (state.phase === 'closed') return;
    const before = state.phase;
    state.phase = 'closed';
    state.reason = reason;
    for (const quick of [...state.quicks]) {
      // Whoever took this one's place has the child. One like us ends an SA when its quick modes are done.
      const next = heir(this);
      const made = quick.awaits === 'switch' || (quick.awaits === 'quick-3' && state.peerEspalier);
      if (made && next !== this) complete(this, now, quick);
      else if (quick.ours && quick.awaits !== 'done' && next !== this) {
        forget(this, quick);
        next.enqueue(now, [quick.want]);
      } else quickFailed(this, now, quick, reason);
    }
    state.queue = [];
    closeChildren(this, reason);
    // What was to go on in another one is over: there are no children for it.
    if (before === 'established' && this.rekeying) world.session(state.replacement ?? 0)?.abandoned(now, reason);
    if (before !== 'rekeyed' || state.successor === undefined) {
      const { id, conn, remote, establishedAt } = state;
      const established = establishedAt !== undefined;
      this.event({ kind: 'session-closed', session: id, conn, remote, established, reason });
    }
    world.forget(this);
  }

  /** It was to take another one's place, which is gone. */
  abandoned(now: Millis, reason: Reason): void {
    if (this.state.phase === 'init' || this.state.phase === 'auth') this.over(now, reason);
  }

  undelivered(trouble: Trouble): void {
    const { state } = this;
    troubled(state, trouble);
    for (const asked of [state.sent, state.probe, ...state.quicks.map(({ sent }) => sent)]) {
      if (asked?.told !== undefined) tellSilence(this, asked);
    }
  }

  get numbers(): Numbers {
    return numbersOf(this.state);
  }

  leave(): void {
    this.world.forget(this);
  }

  wipe(): void {
    const { keys, phase1 } = this.state;
    for (const key of Object.values(keys ?? {})) key.fill(0);
    phase1?.shared?.fill(0);
    phase1?.pair?.secret.fill(0);
  }
}
