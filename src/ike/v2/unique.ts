// Several IKE SAs with the same peer: INITIAL_CONTACT (RFC 7296 §2.4), both sides having begun at once, the connection's
// `unique`, and reauthentication, which makes the new SA before it breaks the old one (§2.8.3).

import { compare } from '../../bytes/bytes.ts';
import type { Millis } from '../connection.ts';
import { supplant } from '../contest.ts';
import type { Reason } from '../reason.ts';
import { childrenOf, wanted } from './children.ts';
import type { Session } from './session.ts';
import { stays, tasksOf } from './state.ts';

const REPLACED: Reason = { code: 'replaced', text: 'replaced by a new IKE SA' };
const REDUNDANT: Reason = { code: 'replaced', text: 'another IKE SA with the same peer stays' };
const AFRESH: Reason = { code: 'replaced', text: 'the peer started afresh (INITIAL_CONTACT)', by: 'peer' };

/** A session is authenticated, and its first child is there: what it leaves of the others with the same peer. */
export function unify(session: Session, now: Millis, initialContact: boolean): void {
  const { state, world } = session;
  if (state.replaces !== undefined) world.session(state.replaces)?.close(now, REPLACED);
  const others = world.others(session);
  world.known(session);
  for (const other of others) {
    if (other.state.successor !== undefined) continue;
    // There is nobody left to send a Delete to. What was made while the peer was already at this SA it knows of.
    if (initialContact && (other.state.establishedAt ?? now) <= state.startedAt) other.over(now, AFRESH);
    else if (stays(other.state)) choose(session, now, other);
  }
  for (const child of state.children) supplant(session, child);
}

/** Both sides may have begun at once: what they hold twice is closed by the rule of RFC 7296 §2.8.1. */
function choose(session: Session, now: Millis, other: Session): void {
  const { unique } = session.conn;
  if (unique === 'never') return;
  if (unique === 'replace') return resign(other, now, session);
  // From the same address it may be a reauthentication, which makes the new SA before it breaks the old one.
  const elsewhere = session.state.remote.ip !== other.state.remote.ip;
  if (unique === 'keep' && elsewhere && !session.state.original) return resign(session, now, other);
  // One of them may have been rekeyed at one end and not yet at the other: what counts is how they began.
  const [mine, yours] = [session.state.first ?? session.state, other.state.first ?? other.state];
  if (mine.original === yours.original || !mine.lowestNonce || !yours.lowestNonce) return;
  const lost = compare(mine.lowestNonce, yours.lowestNonce) < 0;
  const [loser, winner] = lost ? [session, other] : [other, session];
  if ((lost ? mine : yours).original) return resign(loser, now, winner);
  // The peer has made it, and closes it as soon as it can. It must not be renewed meanwhile.
  delete loser.state.rekeyAt;
  delete loser.state.reauthAt;
}

/** What we wanted of the one that goes is asked for on the one that stays, unless the peer wants the same. */
function resign(loser: Session, now: Millis, winner: Session): void {
  const names = loser.state.original ? childrenOf(loser.state) : [];
  loser.close(now, REDUNDANT);
  for (const child of winner.conn.children) {
    if (names.includes(child.name)) winner.enqueue(now, wanted(winner, child));
  }
}

/** This one ends, and another with the same peer stays: what was still to be made here is made there. */
export function bequeath(session: Session, now: Millis): void {
  const heir = session.world.others(session).findLast(({ state }) => stays(state));
  const names = tasksOf(session.state).flatMap((task) =>
    task.kind === 'create' && task.rekeys === undefined ? task.want.child : [],
  );
  for (const child of heir?.conn.children ?? []) {
    if (heir && names.includes(child.name)) heir.enqueue(now, wanted(heir, child));
  }
}

/** Make before break: a new session for the same connection, which closes this one when it stands. */
export function replace(session: Session, now: Millis): void {
  const { state, conn, world } = session;
  const begun = state.replacement === undefined ? undefined : world.session(state.replacement);
  if (!stays(state) || (begun && begun.state.phase !== 'closed')) return;
  const next = world.initiate(now, conn, state.local.ip, state.remote.ip, childrenOf(state));
  next.state.replaces = state.id;
  state.replacement = next.state.id;
  // A peer behind a NAT is reached where it is now, and nowhere else.
  if (state.natRemote) Object.assign(next.state, { local: state.local, remote: state.remote });
}

/** Whoever is to take over from a session that was rekeyed takes over from its successor. */
export function inherit({ state, world }: Session, by: Session): void {
  const next = state.replacement === undefined ? undefined : world.session(state.replacement);
  if (!next) return;
  next.state.replaces = by.state.id;
  by.state.replacement = next.state.id;
}
