// Creating and rekeying children: when we ask for one, and what we make of the answer. RFC 7296 §1.3.1, §1.3.3, §2.8,
// §2.9, §2.25. What the messages say is in `ask.ts`; how the peer's requests are answered is in `answer.ts`.

import { compare, readUint32 } from '../../bytes/bytes.ts';
import type { KeyPair } from '../../crypto/types.ts';
import { announce, childConfig, childFailed, findChild, lowest, purpose, replaceBy, retire } from '../children.ts';
import type { Millis } from '../connection.ts';
import { supplant } from '../contest.ts';
import { reasonMode, unsuited } from '../fit.ts';
import type { Reason } from '../reason.ts';
import { groupsOf } from '../select.ts';
import type { ChildState } from '../state.ts';
import { remainingPairs } from '../ts.ts';
import { EXCHANGE, NOTIFY } from '../wire/constants.ts';
import type { Payload } from '../wire/payload.ts';
import { askChild, readAnswer } from './ask.ts';
import { createTask, deleteChild, drop, install, type Negotiated } from './children.ts';
import { badKeyExchange } from './init.ts';
import { errorNotify, notifies, wantedGroup } from './payloads.ts';
import { childRefusal } from './refusal.ts';
import type { Session } from './session.ts';
import type { Answered, Asked, CreateTask, Want } from './state.ts';
import { replace } from './unique.ts';
import { request } from './window.ts';

const MAX_RESTARTS = 3;
/** A peer that narrows to one pair at a time leads to this many children at most. */
const MAX_FURTHER = 64;
/** A child that cannot be had for now is asked for this often. */
const MAX_POSTPONED = 8;
/** A reload, or its management status, has taken the child away while the peer was making it. */
const GONE: Reason = { code: 'requested', text: 'the child is configured no more', by: 'us' };

// --- asking --------------------------------------------------------------------------------------------------------

export function beginCreate(session: Session, now: Millis, task: CreateTask): void {
  const old = task.rekeys === undefined ? undefined : findChild(session, task.rekeys);
  const gone = task.rekeys !== undefined && (!old || old.successor !== undefined || old.stage !== 'installed');
  const config = childConfig(session, task.want.child);
  // The peer may have been faster, and a reload may have taken the child away.
  if (gone || !config) return session.finish(now);
  if (!old && exists(session, task.want)) return session.finish(now);
  const obstacle = unsuited(session, config, task.want);
  if (obstacle) {
    childFailed(session, task.want, obstacle);
    return session.finish(now);
  }
  if (old) old.stage = 'rekeying';
  if (task.group === 0) return send(session, now, task, undefined);
  session.world.effect({ type: 'generate', job: session.taskJob(now), group: task.group });
}

function exists({ state }: Session, want: Want): boolean {
  const wanted = purpose(want.child, want.localTs, want.remoteTs);
  return state.children.some(
    (child) =>
      child.successor === undefined &&
      (child.stage === 'installed' || child.stage === 'rekeying') &&
      purpose(child.name, child.localTs, child.remoteTs) === wanted,
  );
}

export function sendCreate(session: Session, now: Millis, task: CreateTask, pair: KeyPair): void {
  send(session, now, task, pair);
}

function send(session: Session, now: Millis, task: CreateTask, pair: KeyPair | undefined): void {
  const old = task.rekeys === undefined ? undefined : findChild(session, task.rekeys);
  if (task.rekeys !== undefined && old?.stage !== 'rekeying') return session.finish(now);
  const { asked, want, payloads } = askChild(session, task.want, pair, {
    first: false,
    group: task.group,
    rekeys: old,
  });
  task.asked = asked;
  task.want = want;
  request(session, now, EXCHANGE.CREATE_CHILD_SA, payloads);
}

// --- the answer ----------------------------------------------------------------------------------------------------

/** The child that was asked for in IKE_AUTH. Its failure leaves the IKE SA standing (RFC 7296 §1.2). */
export function processFirstChild(
  session: Session,
  now: Millis,
  want: Want,
  asked: Asked,
  payloads: readonly Payload[],
): void {
  const { state, world } = session;
  const error = errorNotify(payloads);
  if (error) {
    world.freeSpi(asked.spi);
    return refusedNew(session, now, createTask(session, want), error.kind);
  }
  const result = readAnswer(session, want, asked, payloads, true);
  if (!result.ok || !childConfig(session, want.child)) {
    childFailed(session, want, result.ok ? GONE : result.reason);
    return unmade(session, now, asked);
  }
  if (!state.nonceI || !state.nonceR) throw new Error('the nonces of IKE_SA_INIT are gone');
  const secrets = { nonceI: state.nonceI, nonceR: state.nonceR, shared: undefined, active: true };
  const child = make(session, now, want, asked, result.answer, secrets);
  announce(session, child);
  noteMode(session, want, asked, result.answer);
  furtherChildren(session, now, want, result.answer);
  state.failures = 0;
}

export function processCreate(session: Session, now: Millis, task: CreateTask, payloads: readonly Payload[]): void {
  const { asked, want } = task;
  if (!asked) throw new Error('an answer to nothing');
  const { world } = session;
  const error = errorNotify(payloads);
  if (error) {
    world.freeSpi(asked.spi);
    delete task.asked;
    return refused(session, now, task, error.kind, payloads);
  }
  const result = readAnswer(session, want, asked, payloads, false);
  if (!result.ok) {
    childFailed(session, want, result.reason, task.rekeys !== undefined);
    unmade(session, now, asked);
    return unrekeyed(session, now, task);
  }
  task.answer = result.answer;
  if (!result.ke) return created(session, now, task, undefined);
  const job = session.taskJob(now);
  world.effect({ type: 'agree', job, group: asked.group, pair: asked.pair, theirs: result.ke });
}

export function createAgreed(session: Session, now: Millis, task: CreateTask, shared: Uint8Array | undefined): void {
  if (shared) return created(session, now, task, shared);
  childFailed(session, task.want, badKeyExchange('peer'), task.rekeys !== undefined);
  if (task.asked) unmade(session, now, task.asked);
  unrekeyed(session, now, task);
}

/** The peer has the child, and it is no good for us: it must be told, by the SPI that we chose. */
function unmade(session: Session, now: Millis, { protocol, spi }: Asked): void {
  session.enqueue(now, { kind: 'delete-child', children: [], unmade: [{ protocol, spi }] });
}

/** A child works in either mode, but it is not what was configured. */
function noteMode(session: Session, { child }: Want, asked: Asked, answer: Answered): void {
  const config = childConfig(session, child);
  if (!config || answer.mode === asked.mode) return;
  session.note(reasonMode({ config, peer: 'declines', outcome: answer.mode }));
}

function make(
  session: Session,
  now: Millis,
  want: Want,
  asked: Asked,
  answer: Answered,
  secrets: Pick<Negotiated, 'nonceI' | 'nonceR' | 'shared' | 'active' | 'old'>,
): ChildState {
  return install(session, now, {
    name: want.child,
    protocol: asked.protocol,
    mode: answer.mode,
    suite: answer.suite,
    spiIn: asked.spi,
    spiOut: readUint32(answer.spi),
    localTs: answer.localTs,
    remoteTs: answer.remoteTs,
    ours: true,
    ...secrets,
  });
}

function created(session: Session, now: Millis, task: CreateTask, shared: Uint8Array | undefined): void {
  const { asked, answer, want } = task;
  if (!asked || !answer) throw new Error('created without an answer');
  if (!childConfig(session, want.child)) {
    childFailed(session, want, GONE);
    unmade(session, now, asked);
    return unrekeyed(session, now, task);
  }
  const secrets = { nonceI: asked.nonce, nonceR: answer.nonce, shared };
  const old = task.rekeys === undefined ? undefined : findChild(session, task.rekeys);
  const rival = task.rival === undefined ? undefined : findChild(session, task.rival);
  session.state.failures = 0;
  noteMode(session, want, asked, answer);
  if (task.rekeys === undefined) {
    const child = make(session, now, want, asked, answer, { ...secrets, active: true });
    announce(session, child);
    furtherChildren(session, now, want, answer);
    closeDuplicate(session, now, child);
    supplant(session, child);
    return session.finish(now);
  }
  // Both sides rekeyed at once: the SA with the lowest of the four nonces is closed by the side that made it, and the
  // other side closes the old one (RFC 7296 §2.8.1).
  const lost = rival && compare(lowest(asked.nonce, answer.nonce), rival.lowestNonce) < 0;
  const child = make(session, now, want, asked, answer, { ...secrets, active: !lost, old });
  if (lost) {
    retire(child, rival.id);
    if (old && old.stage !== 'lingering') {
      old.stage = 'rekeyed';
      old.successor = rival.id;
    }
    deleteChild(session, now, child);
  } else if (old && old.stage !== 'lingering') {
    if (rival) retire(rival, child.id);
    replaceBy(session, old, child);
    deleteChild(session, now, old);
    closeDuplicate(session, now, child);
  } else {
    // The old one is gone already, and what replaced it too.
    announce(session, child);
    closeDuplicate(session, now, child);
  }
  session.finish(now);
}

/** Both sides created the same child at once: the same rule as for rekeying leaves one of them. */
export function closeDuplicate(session: Session, now: Millis, child: ChildState): void {
  const same = purpose(child.name, child.localTs, child.remoteTs);
  for (const other of session.state.children) {
    const live = other.successor === undefined && (other.stage === 'installed' || other.stage === 'rekeying');
    if (other === child || !live) continue;
    if (purpose(other.name, other.localTs, other.remoteTs) !== same) continue;
    // One of them may have been rekeyed at one end and not yet at the other: what counts is how they began.
    const [mine, yours] = [child.first ?? child, other.first ?? other];
    if (mine.ours === yours.ours) continue;
    const lost = compare(mine.lowestNonce, yours.lowestNonce) < 0;
    if (lost ? !mine.ours : !yours.ours) continue;
    const [loser, winner] = lost ? [child, other] : [other, child];
    replaceBy(session, loser, winner);
    deleteChild(session, now, loser);
  }
}

/** What the peer narrowed away is asked for again, pair by pair (RFC 7296 §2.9). */
export function furtherChildren(session: Session, now: Millis, want: Want, got: Answered): void {
  const pairs = remainingPairs(want.localTs, want.remoteTs, got.localTs, got.remoteTs);
  for (const pair of pairs.slice(0, Math.max(0, MAX_FURTHER - want.further))) {
    const further: Want = {
      child: want.child,
      localTs: [pair.local],
      remoteTs: [pair.remote],
      further: want.further + pairs.length,
    };
    session.enqueue(now, createTask(session, further));
  }
}

// --- refusals --------------------------------------------------------------------------------------------------------

function refused(session: Session, now: Millis, task: CreateTask, kind: number, payloads: readonly Payload[]): void {
  const payload = notifies(payloads, NOTIFY.INVALID_KE_PAYLOAD)[0];
  const group = payload && wantedGroup(payload);
  if (kind === NOTIFY.INVALID_KE_PAYLOAD && otherGroup(session, task, group)) {
    const { state } = session;
    delete state.task;
    const old = task.rekeys === undefined ? undefined : findChild(session, task.rekeys);
    if (old?.stage === 'rekeying') old.stage = 'installed';
    state.queue.unshift(task);
    return session.advance(now);
  }
  if (task.rekeys === undefined) refusedNew(session, now, task, kind, group);
  else refusedRekey(session, now, task, kind, group);
  session.finish(now);
}

function otherGroup(session: Session, task: CreateTask, group: number | undefined): boolean {
  const offered = groupsOf(childConfig(session, task.want.child)?.offers ?? []);
  if (group === undefined || group === task.group || !offered.includes(group)) return false;
  if (++task.restarts > MAX_RESTARTS) return false;
  task.group = group;
  return true;
}

function refusedNew(session: Session, now: Millis, task: CreateTask, kind: number, group?: number): void {
  const { want } = task;
  if (kind === NOTIFY.SINGLE_PAIR_REQUIRED && want.localTs.length + want.remoteTs.length > 2) {
    return singlePairs(session, now, want);
  }
  const { postponed = 0 } = task;
  if (kind === NOTIFY.TEMPORARY_FAILURE && postponed < MAX_POSTPONED) {
    return session.postpone(now, { ...createTask(session, want), group: task.group, postponed: postponed + 1 });
  }
  childFailed(session, want, childRefusal(session, { want, kind, group }));
}

/** RFC 7296 §2.9: the peer takes one pair a child. */
function singlePairs(session: Session, now: Millis, want: Want): void {
  const pairs = want.localTs.flatMap((local) => want.remoteTs.map((remote) => ({ local, remote })));
  for (const { local, remote } of pairs.slice(0, MAX_FURTHER)) {
    const single: Want = { child: want.child, localTs: [local], remoteTs: [remote], further: MAX_FURTHER };
    session.enqueue(now, createTask(session, single));
  }
}

function refusedRekey(session: Session, now: Millis, task: CreateTask, kind: number, group?: number): void {
  const old = task.rekeys === undefined ? undefined : findChild(session, task.rekeys);
  // The peer's rekeying has done it, or the peer has deleted the child meanwhile.
  if (!old || old.stage === 'lingering' || old.stage === 'deleting') return;
  const rival = task.rival === undefined ? undefined : findChild(session, task.rival);
  if (rival) {
    old.stage = 'rekeyed';
    old.successor = rival.id;
    return;
  }
  old.stage = 'installed';
  const { want } = task;
  switch (kind) {
    case NOTIFY.CHILD_SA_NOT_FOUND:
      drop(session, now, old, { code: 'child-not-found', text: 'the peer no longer has this child', by: 'peer' });
      return session.enqueue(now, createTask(session, want));
    case NOTIFY.NO_ADDITIONAL_SAS:
      // A peer that cannot rekey at all: only a new IKE SA brings new keys (RFC 7296 §1.3).
      return replace(session, now);
    default:
      if (kind !== NOTIFY.TEMPORARY_FAILURE) {
        childFailed(session, want, childRefusal(session, { want, kind, group, old }), true);
      }
      return session.postpone(now, createTask(session, want, old));
  }
}

/** An answer that is no good: the old child stays, and rekeying is tried again. */
function unrekeyed(session: Session, now: Millis, task: CreateTask): void {
  const old = task.rekeys === undefined ? undefined : findChild(session, task.rekeys);
  if (old?.stage === 'rekeying') {
    old.stage = 'installed';
    session.postpone(now, createTask(session, task.want, old));
  }
  session.finish(now);
}

/** A key exchange of ours was never computed. */
export function createLost(session: Session, now: Millis, task: CreateTask, reason: Reason): void {
  childFailed(session, task.want, reason, task.rekeys !== undefined);
  if (task.answer && task.asked) unmade(session, now, task.asked);
  else session.forgetTask();
  unrekeyed(session, now, task);
}
