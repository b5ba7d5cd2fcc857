// One IKE SA and its exchanges (RFC 7296). The session owns the order of things: which request goes out next, which
// request of the peer is answered, what time brings. What an exchange says is in init, auth, create, rekey and inform.

import { WireError } from '../../bytes/error.ts';
import type { SocketAddress } from '../../bytes/ip.ts';
import { closeChildren, moveChildren } from '../children.ts';
import type { Child, Connection, Millis } from '../connection.ts';
import type { Answer, Event } from '../effects.ts';
import { isOurWill, type Reason } from '../reason.ts';
import { part } from '../retransmit.ts';
import type { IkeSa, Tasks } from '../sa.ts';
import { type Trouble, troubled } from '../silence.ts';
import type { ChildState, Numbers } from '../state.ts';
import { EXCHANGE, NOTIFY, PROTOCOL } from '../wire/constants.ts';
import type { Message, Payload } from '../wire/payload.ts';
import { answerCreate } from './answer.ts';
import { authAnswer, authRequest, processAuth } from './auth.ts';
import { deleteChild, expireChild, rekeyChild, used, wanted } from './children.ts';
import { beginCreate, processCreate } from './create.ts';
import { informAnswer, processDelete, sendDeleteChildren } from './inform.ts';
import { beginInit, processInit } from './init.ts';
import { deadline, livenessEnd, tick } from './life.ts';
import { peerMoved, relocate } from './move.ts';
import { isEarly } from './named.ts';
import { fatal, notify } from './payloads.ts';
import { type Channel, channel } from './protect.ts';
import { answerRekey, beginRekey, chosenByPeer, processRekey, rekeyTask } from './rekey.ts';
import { type Incoming, numbersOf, type SessionState, spisOf, type Task, taskName } from './state.ts';
import { bequeath, inherit, replace } from './unique.ts';
import { decrypt, repeat, request, respond, tellSilence } from './window.ts';
import { answered } from './work.ts';
import type { World } from './world.ts';

/** A shared secret or a key pair that takes longer is given up. */
const JOB_TIME: Millis = 30_000;
/** A closed session answers repetitions of the last request for as long as a peer may send them. */
const CLOSED_TIME: Millis = 32_000;
/** A peer that replaced an IKE SA is to delete it; after this time we do. */
const REKEYED_TIME: Millis = 60_000;

export class Session implements IkeSa {
  readonly state: SessionState;
  readonly world: World;
  /** As it was last: it may be configured no more, and its peer is still to be told the end. */
  lastConn: Connection | undefined;

  constructor(state: SessionState, world: World) {
    this.state = state;
    this.world = world;
  }

  /** Changes when a responder learns who the peer is. */
  get conn(): Connection {
    const known = this.lastConn?.name === this.state.conn ? this.lastConn : undefined;
    const conn = this.world.connection(this.state.conn) ?? known;
    if (!conn) throw new Error(`no connection ${this.state.conn}`);
    this.lastConn = conn;
    return conn;
  }

  /** Made anew for each message: an idle session is better off without it by 1 KB. */
  get channel(): Channel {
    const { suite, keys, original } = this.state;
    if (!suite || !keys) throw new Error('no keys yet');
    return channel(suite, keys, original);
  }

  /** The SPI that we chose: the peer's messages find the session by it. */
  get ourSpi(): Uint8Array {
    return this.state.original ? this.state.spiI : this.state.spiR;
  }

  /** ESP of this session goes in UDP. */
  get udp(): boolean {
    return this.state.natLocal || this.state.natRemote || this.state.udpForced;
  }

  get tasks(): Tasks {
    const { task, queue } = this.state;
    return { active: task ? [taskName(task)] : [], queued: queue.map(taskName) };
  }

  get rekeying(): boolean {
    return this.state.task?.kind === 'rekey-ike';
  }

  event(event: Event): void {
    this.world.effect({ type: 'event', event });
  }

  /** Something worth telling that ends nothing. */
  note(reason: Reason): void {
    this.event({ kind: 'note', session: this.state.id, conn: this.state.conn, reason });
  }

  // --- what comes in ---------------------------------------------------------------------------------------------

  receive(now: Millis, message: Message, raw: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const { header } = message;
    if (header.initiator === this.state.original) return this.world.count('wrong-direction');
    if (header.response) this.#response(now, message, raw, from, to);
    else this.#request(now, message, from, to);
  }

  #response(now: Millis, message: Message, raw: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const { state } = this;
    const { header } = message;
    const out = state.outstanding;
    if (!out || header.messageId !== out.id || header.exchange !== out.exchange) {
      return this.world.count('unexpected-response');
    }
    if (state.task?.kind === 'init') {
      if (message.encrypted) return this.world.count('unexpected-encrypted');
      return processInit(this, now, state.task, message, raw);
    }
    try {
      const payloads = decrypt(this, now, message);
      if (!payloads) return;
      this.#heard(now, from, to);
      if (out.transmissions > 1) this.event({ kind: 'answered', session: state.id, conn: state.conn });
      delete state.outstanding;
      delete state.responseParts;
      const bad = fatal(payloads);
      if (bad) return bad.by === 'peer' ? this.over(now, bad) : this.reject(now, bad);
      this.#process(now, payloads);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      // The peer made this answer, and there will be no other: waiting on would be waiting for ever.
      this.world.count(`malformed:${error.code}`);
      delete state.outstanding;
      delete state.responseParts;
      this.reject(now, { code: 'syntax', text: `the peer's answer is malformed: ${error.message}`, by: 'us' });
    }
  }

  #process(now: Millis, payloads: readonly Payload[]): void {
    const { task } = this.state;
    switch (task?.kind) {
      case undefined:
      case 'init':
        throw new Error('a response without its task');
      case 'auth':
        return processAuth(this, now, task, payloads);
      case 'create':
        return processCreate(this, now, task, payloads);
      case 'rekey-ike':
        return processRekey(this, now, task, payloads);
      case 'delete-child':
        processDelete(this, now, task);
        return this.finish(now);
      case 'liveness':
        return this.finish(now);
      case 'delete-ike':
      case 'refuse':
        return this.over(now, task.reason);
    }
  }

  #request(now: Millis, message: Message, from: SocketAddress, to: SocketAddress): void {
    const { state } = this;
    const { header } = message;
    if (!message.encrypted) return this.world.count('unencrypted');
    if (!state.keys) return this.world.count('not-ready');
    if (header.messageId === state.nextIn - 1) return repeat(this, message, from, to);
    if (header.messageId !== state.nextIn || state.incoming) return this.world.count('message-id');
    if (!this.#allowed(header.exchange)) return this.world.count('unexpected-exchange');
    const expected = state.nextIn;
    try {
      const payloads = decrypt(this, now, message);
      if (payloads && isEarly(state, payloads)) return this.world.count('early-request');
      if (payloads) this.#authentic(now, header.exchange, payloads, from, to);
    } catch (error) {
      if (!(error instanceof WireError) || state.nextIn !== expected) throw error;
      // The peer made this message, so it may be told (RFC 7296 §2.21.3); the SA does not survive it.
      this.#malformed(now, header.exchange, error, from, to);
    }
  }

  #authentic(
    now: Millis,
    exchange: number,
    payloads: readonly Payload[],
    from: SocketAddress,
    to: SocketAddress,
  ): void {
    delete this.state.requestParts;
    this.#heard(now, from, to);
    chosenByPeer(this, now, payloads);
    const critical = payloads.find((payload) => payload.tag === 'unknown' && payload.critical);
    if (critical?.tag === 'unknown') {
      const kind = NOTIFY.UNSUPPORTED_CRITICAL_PAYLOAD;
      return respond(this, exchange, [notify(kind, Uint8Array.of(critical.id))], from);
    }
    switch (exchange) {
      case EXCHANGE.IKE_AUTH:
        return authAnswer(this, now, payloads, from);
      case EXCHANGE.CREATE_CHILD_SA:
        return this.#createChildSa(now, payloads, from);
      case EXCHANGE.INFORMATIONAL:
        return informAnswer(this, now, payloads, from);
    }
  }

  #createChildSa(now: Millis, payloads: readonly Payload[], from: SocketAddress): void {
    const sa = payloads.find((payload) => payload.tag === 'SA');
    const ike = sa?.tag === 'SA' && sa.proposals[0]?.protocol === PROTOCOL.IKE;
    if (ike) answerRekey(this, now, payloads, from);
    else answerCreate(this, now, payloads, from);
  }

  #allowed(exchange: number): boolean {
    switch (this.state.phase) {
      case 'init':
        return false;
      case 'auth':
        // Nothing but AUTH before AUTH, and only on the responder's side (CVE-2014-2338).
        return exchange === EXCHANGE.IKE_AUTH && !this.state.original;
      case 'established':
      case 'rekeyed':
      case 'deleting':
        return exchange === EXCHANGE.CREATE_CHILD_SA || exchange === EXCHANGE.INFORMATIONAL;
      case 'closed':
        return false;
    }
  }

  #malformed(now: Millis, exchange: number, error: WireError, from: SocketAddress, to: SocketAddress): void {
    this.world.count(`malformed:${error.code}`);
    this.#heard(now, from, to);
    delete this.state.requestParts;
    respond(this, exchange, [notify(NOTIFY.INVALID_SYNTAX)], from);
    this.over(now, {
      code: 'syntax',
      text: `the peer's message is malformed: ${error.message}`,
      by: 'us',
      notify: 'INVALID_SYNTAX',
    });
  }

  /** An authenticated message: the peer lives, and may have moved (RFC 7296 §2.23). */
  #heard(now: Millis, from: SocketAddress, to: SocketAddress): void {
    const { state } = this;
    state.lastIn = now;
    const floats = state.phase === 'auth' && !state.original;
    if (floats || state.natRemote) relocate(this, now, to, from);
  }

  answer(now: Millis, answer: Answer): void {
    answered(this, now, answer);
  }

  // --- what goes out ---------------------------------------------------------------------------------------------

  /** Queues a task behind those that wait already and starts it when nothing is under way. */
  enqueue(now: Millis, task: Task): void {
    this.state.queue.push(task);
    this.advance(now);
  }

  advance(now: Millis): void {
    const { state } = this;
    while (!state.task && !state.outstanding && state.incoming?.kind !== 'rekey-ike') {
      const task = state.queue.shift();
      if (!task) return;
      if (state.phase === 'closed') continue;
      state.task = task;
      this.#begin(now, task);
    }
  }

  #begin(now: Millis, task: Task): void {
    switch (task.kind) {
      case 'init':
        return beginInit(this, now, task);
      case 'auth':
        return authRequest(this, now, task);
      case 'create':
        return beginCreate(this, now, task);
      case 'rekey-ike':
        return beginRekey(this, now, task);
      case 'delete-child':
        return sendDeleteChildren(this, now, task);
      case 'delete-ike':
        this.state.phase = 'deleting';
        return request(this, now, EXCHANGE.INFORMATIONAL, [{ tag: 'D', protocol: PROTOCOL.IKE, spis: [] }]);
      case 'liveness':
        return request(this, now, EXCHANGE.INFORMATIONAL, [], livenessEnd(this, now));
      case 'refuse':
        return request(this, now, EXCHANGE.INFORMATIONAL, [notify(task.notify)]);
    }
  }

  /** The task under way is done; the next may start. */
  finish(now: Millis): void {
    delete this.state.task;
    delete this.state.taskJob;
    this.advance(now);
  }

  /** Asks for slow work on behalf of the task under way. */
  taskJob(now: Millis): { session: number; serial: number } {
    this.state.taskJob = { serial: this.world.serial(), deadline: now + JOB_TIME };
    return { session: this.state.id, serial: this.state.taskJob.serial };
  }

  incomingJob(now: Millis, incoming: Incoming): { session: number; serial: number } {
    this.state.incoming = incoming;
    this.state.incomingJob = { serial: this.world.serial(), deadline: now + JOB_TIME };
    return { session: this.state.id, serial: this.state.incomingJob.serial };
  }

  // --- how it ends -----------------------------------------------------------------------------------------------

  /** Deletes the IKE SA with everything in it. */
  close(now: Millis, reason: Reason): void {
    const { state } = this;
    if (state.phase === 'deleting' || state.phase === 'closed') return;
    if (state.phase === 'init' || state.phase === 'auth') return this.over(now, reason);
    state.reason = reason;
    this.#dismiss();
    state.queue.push({ kind: 'delete-ike', reason });
    // Whoever waits for his Delete to go out must not begin anew meanwhile.
    delete state.rekeyAt;
    delete state.reauthAt;
    this.advance(now);
  }

  /** The exchange under way cannot succeed. Before there is an authenticated peer, this ends the session. */
  fail(now: Millis, reason: Reason): void {
    this.over(now, reason);
  }

  /** The peer believes that its answer is good and the SA stands: it must hear that it does not (RFC 7296 §2.21.2). */
  reject(now: Millis, reason: Reason): void {
    const { state } = this;
    this.forgetTask();
    if (state.phase === 'deleting' || state.phase === 'rekeyed') return this.over(now, reason);
    if (state.phase !== 'auth') return this.close(now, reason);
    state.phase = 'deleting';
    state.queue = [{ kind: 'refuse', notify: NOTIFY.AUTHENTICATION_FAILED, reason }];
    this.advance(now);
  }

  /** Ends here and now, without a word to the peer. Repeated requests are still answered for a while. */
  over(now: Millis, reason: Reason): void {
    const { state } = this;
    if (state.phase === 'closed') return;
    const { task } = state;
    if (!isOurWill(reason)) bequeath(this, now);
    state.phase = 'closed';
    state.reason = reason;
    this.#dismiss();
    state.endAt = now + CLOSED_TIME;
    delete state.outstanding;
    this.forgetTask();
    delete state.requestParts;
    delete state.responseParts;
    delete state.incoming;
    delete state.incomingJob;
    delete state.rekeyAt;
    delete state.reauthAt;
    delete state.lifeAt;
    closeChildren(this, reason);
    const established = state.establishedAt !== undefined;
    if (state.successor === undefined) {
      const { id, conn, remote } = state;
      this.event({ kind: 'session-closed', session: id, conn, remote, established, reason });
    }
    if (!state.lastResponse || !state.keys) this.world.forget(this);
    // What the peer's rekeying made, and nobody has taken up.
    const rival = task?.kind === 'rekey-ike' && task.rival ? this.world.session(task.rival.session) : undefined;
    if (rival?.state.successor === state.id) rival.over(now, reason);
  }

  /** What waits will not be done. */
  #dismiss(): void {
    const { queue, delayed } = this.state;
    for (const task of [...queue, ...delayed.map((one) => one.task)]) this.#freeSpis(task);
    this.state.queue = [];
    this.state.delayed = [];
  }

  #freeSpis(task: Task): void {
    for (const spi of spisOf(task)) this.world.freeSpi(spi);
  }

  /** The task under way will come to nothing: the SPI that it asked with is free again. */
  forgetTask(): void {
    const { task } = this.state;
    if (task) this.#freeSpis(task);
    delete this.state.task;
    delete this.state.taskJob;
  }

  /** Another session has taken over children and tasks. */
  succeeded(now: Millis, by: Session): void {
    const { state } = this;
    state.phase = 'rekeyed';
    state.successor = by.state.id;
    state.endAt = now + REKEYED_TIME;
    delete state.rekeyAt;
    delete state.reauthAt;
    delete state.lifeAt;
    delete by.state.successor;
    moveChildren(this, by);
    inherit(this, by);
    by.state.queue.push(...state.queue);
    by.state.delayed.push(...state.delayed);
    state.queue = [];
    state.delayed = [];
    this.event({ kind: 'session-rekeyed', session: state.id, conn: state.conn, by: by.state.id });
    by.advance(now);
  }

  rekey(now: Millis): void {
    const { state } = this;
    const kinds = [state.task, ...state.queue].map((task) => task?.kind);
    if (state.phase !== 'established' || kinds.includes('rekey-ike')) return;
    this.enqueue(now, rekeyTask(this));
  }

  reauthenticate(now: Millis): void {
    replace(this, now);
  }

  deadline(): Millis | undefined {
    return deadline(this);
  }

  tick(now: Millis): void {
    tick(this, now);
  }

  create(now: Millis, child: Child): void {
    this.enqueue(now, wanted(this, child));
  }

  rekeyChild(now: Millis, child: ChildState): void {
    rekeyChild(this, now, child);
  }

  deleteChild(now: Millis, child: ChildState): void {
    deleteChild(this, now, child);
  }

  expireChild(now: Millis, child: ChildState): void {
    expireChild(this, now, child);
  }

  used(_now: Millis, child: ChildState): void {
    used(this, child);
  }

  moved(now: Millis, from: SocketAddress): void {
    peerMoved(this, now, from);
  }

  undelivered(trouble: Trouble): void {
    troubled(this.state, trouble);
    const { outstanding } = this.state;
    if (outstanding?.told !== undefined) tellSilence(this, outstanding);
  }

  get numbers(): Numbers {
    return numbersOf(this.state);
  }

  leave(): void {
    this.world.forget(this);
  }

  wipe(): void {
    for (const key of Object.values(this.state.keys ?? {})) key.fill(0);
  }

  checkLiveness(now: Millis): void {
    const busy = this.state.outstanding || this.state.queue.some((task) => task.kind === 'liveness');
    if (this.state.phase === 'established' && !busy) this.enqueue(now, { kind: 'liveness' });
  }

  /** The peer cannot do this now: once more, later and later (RFC 7296 §2.25). */
  postpone(now: Millis, task: Task): void {
    const { state, world } = this;
    const wait = Math.min(60_000, 1000 * 2 ** Math.min(state.failures, 6));
    state.failures++;
    state.delayed.push({ at: now + wait / 2 + part(wait / 2, world.random), task });
  }
}
