// Several IKEv1 SAs with the same peer: INITIAL-CONTACT (RFC 2407 §4.6.3.3), both sides having begun at once, the
// connection's `unique`, and reauthentication, which leaves the SAs of phase 2 as they are: they move over to the new one.

import { compare } from '../../bytes/bytes.ts';
import { moveChildren } from '../children.ts';
import type { Millis } from '../connection.ts';
import type { Reason } from '../reason.ts';
import { isCurrent, purposeOf, reconcile } from './children.ts';
import type { Session } from './session.ts';
import { outstanding } from './state.ts';

const AFRESH: Reason = { code: 'replaced', text: 'the peer started afresh (INITIAL-CONTACT)', by: 'peer' };
const REPLACED: Reason = { code: 'replaced', text: 'replaced by a new IKE SA' };

/** The peer has to take the children over before it hears of the end of an SA. */
const LEAVE: Millis = 100;
/** Where the peer has replaced it, it is to delete it; after this time we do, as strongSwan does. */
const LEFT: Millis = 10_000;
/** The least where the peer may see it otherwise. */
const CONTESTED: Millis = 2000;
/** Replaced ones that one SA has behind it. A peer that begins again and again does not make us keep them all. */
const MOST_ELDERS = 8;
/** A reauthentication that came to nothing is tried again. */
const AGAIN: Millis = 30_000;

/** Phase 1 is done: what it leaves of the others with the same peer. */
export function agreed(session: Session, now: Millis, initialContact: boolean): void {
  const { state, world } = session;
  const others = world.others(session);
  world.known(session);
  for (const other of others) {
    if (other.state.phase !== 'established') continue;
    if (initialContact && (other.state.establishedAt ?? now) <= state.startedAt) startOver(session, now, other);
    else choose(session, now, other);
    if (state.phase !== 'established') return;
  }
  session.advance(now);
  // Who has answered leaves the old one only when it knows that we have the new one.
  if (state.original && elders(session).length > 0) session.checkLiveness(now);
}

/** The peer has nothing of it any more. What was to move over is made anew. */
function startOver({ state }: Session, now: Millis, other: Session): void {
  if (state.replaces === other.state.id) {
    for (const { name, localTs, remoteTs } of other.state.children.filter(isCurrent)) {
      const [ours, theirs] = [localTs[0], remoteTs[0]];
      if (ours && theirs) state.queue.push({ child: name, localTs: ours, remoteTs: theirs });
    }
    const asked = [...outstanding(other.state).map(({ want }) => want), ...other.state.queue];
    for (const { child, localTs, remoteTs } of asked) {
      const want = { child, localTs, remoteTs };
      if (!state.queue.some((one) => purposeOf(one) === purposeOf(want))) state.queue.push(want);
    }
  }
  other.over(now, AFRESH);
}

function choose(session: Session, now: Millis, other: Session): void {
  const { unique } = session.conn;
  if (unique === 'never') return;
  const [mine, yours] = [session.state, other.state];
  if (mine.remote.ip !== yours.remote.ip) {
    if (unique === 'replace') return other.close(now, REPLACED);
    if (unique === 'keep' && !mine.original) return session.close(now, REPLACED);
    return;
  }
  // The later one is in the earlier one's place. Where each side has made one at the same time, the nonces decide.
  const contested = mine.peerEspalier && !isSequel(session, other);
  if (!contested || compare(lowest(session), lowest(other)) > 0) succeed(other, now, session, contested);
  else succeed(session, now, other, contested);
}

/** It was begun when the other stood already. */
function isSequel({ state }: Session, other: Session): boolean {
  return state.startedAt >= (other.state.establishedAt ?? Number.POSITIVE_INFINITY);
}

function lowest({ state }: Session): Uint8Array {
  return state.lowestNonce ?? new Uint8Array(0);
}

/**
 * Children and wishes go to another SA with the same peer. What is `contested` here may be plain to the peer, who then is
 * the first to say which one goes.
 */
function succeed(session: Session, now: Millis, by: Session, contested: boolean): void {
  const { state } = session;
  const end = endOf(session, by);
  // Whoever leads here leads there, even when this one is gone.
  for (const elder of elders(session)) elder.state.successor = by.state.id;
  by.state.elders = [...elders(by), ...elders(session), session].map((elder) => elder.state.id);
  state.elders = [];
  state.phase = 'rekeyed';
  state.successor = by.state.id;
  if (end !== undefined) state.endAt = now + (contested ? Math.max(2 * end, CONTESTED) : end);
  delete state.probe;
  moveChildren(session, by);
  by.state.queue.push(...state.queue);
  state.queue = [];
  session.event({ kind: 'session-rekeyed', session: state.id, conn: state.conn, by: by.state.id });
  // Without a word: the peer would delete with it what it may have there.
  for (const oldest of elders(by).slice(0, -MOST_ELDERS)) oldest.over(now, REPLACED);
  reconcile(by, now);
  by.advance(now);
}

/**
 * How long it stays. A peer deletes with an IKE SA the children that it has there, and where both sides have made a new
 * one at once nobody can tell where that is, unless the peer goes by the same rule: then it is left to the end of its
 * life.
 */
function endOf(session: Session, by: Session): Millis | undefined {
  const { state } = session;
  if (by.state.replaces === state.id) return LEAVE;
  if (state.peerEspalier) return state.original ? LEAVE : LEFT;
  const clear = isSequel(by, session) && elders(session).length === 0;
  return clear ? (by.state.original ? LEAVE : LEFT) : undefined;
}

/**
 * The peer has deleted an SA that took another's place, or never had it, and the other still stands: the two sides saw it
 * differently.
 */
export function restore(session: Session, now: Millis): void {
  const elder = elders(session).findLast(({ state }) => state.phase === 'rekeyed');
  if (!elder || session.state.phase !== 'established') return;
  elder.state.phase = 'established';
  delete elder.state.successor;
  delete elder.state.endAt;
  session.state.elders = session.state.elders.filter((id) => id !== elder.state.id);
  succeed(session, now, elder, false);
}

/**
 * A peer that got another address behind its NAT begins anew from there, and nothing says whose place that takes until it
 * deletes the old one, from there as well. Who is like us has moved its children, or else deleted them before.
 */
export function inherited(session: Session, now: Millis): void {
  const { state, world } = session;
  if (state.phase !== 'established' || !state.natRemote || !state.peerEspalier) return;
  const next = world.others(session).findLast((other) => isSequel(other, session));
  if (next && next.state.remote.ip === state.remote.ip) succeed(session, now, next, false);
}

/** Who has taken an SA's place: what an exchange on the old one makes belongs there. */
export function heir(session: Session): Session {
  const { successor } = session.state;
  const next = successor === undefined ? undefined : session.world.session(successor);
  return next ? heir(next) : session;
}

/** Those whose place it has taken, and that may still have exchanges to finish; the newest last. */
export function elders({ world, state }: Session): Session[] {
  return state.elders.flatMap((id) => world.session(id) ?? []);
}

/** A new phase 1 for the same connection, to which this one's children move once it stands. */
export function reauthenticate(session: Session, now: Millis): void {
  const { state, conn, world } = session;
  const begun = state.replacement === undefined ? undefined : world.session(state.replacement);
  if (state.phase !== 'established') return;
  state.reauthAt = now + AGAIN;
  if (begun) return;
  const { local, remote } = state;
  // A peer behind a NAT is reached where it is now, and nowhere else.
  const next = world.initiate(now, conn, local.ip, remote.ip, [], state.natRemote ? { local, remote } : undefined);
  next.state.replaces = state.id;
  state.replacement = next.state.id;
}
