// What time brings to an IKEv1 SA: retransmission, lifetimes, dead-peer detection, NAT keepalives, and the ends that come
// of silence (RFC 2409, RFC 3706, RFC 3948 §2.3).

import { childConfig, lifeOfChildren } from '../children.ts';
import type { Millis } from '../connection.ts';
import { LIFETIME } from '../fragment.ts';
import type { Reason } from '../reason.ts';
import { final, lasting } from '../silence.ts';
import { expireChildren } from './children.ts';
import { complete } from './exchange.ts';
import { forget, quickFailed } from './failure.ts';
import { probe } from './inform.ts';
import { again } from './send.ts';
import type { Session } from './session.ts';
import type { Quick, Sent } from './state.ts';
import { heir, reauthenticate, restore } from './unique.ts';
import { abandoned, ignored, unfinished, unheard } from './why.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** Before it is looked again whether an SA that was replaced may go. */
const BUSY: Millis = 1000;
/** For so long a peer repeats what it said last, and gets our last message again. */
const DOUBTFUL: Millis = 35_000;
const TOO_LONG: Reason = { code: 'internal', text: 'a key exchange took longer than 30 s to compute' };

export function deadline(session: Session): Millis | undefined {
  const { state } = session;
  const serves = state.phase === 'established';
  const own = [
    state.endAt,
    state.sent?.nextAt,
    state.job?.deadline,
    serves ? state.reauthAt : undefined,
    state.lifeAt,
    state.probe ? probeAt(session) : livenessAt(session),
    keepaliveAt(session),
    fragmentsAt(session),
  ];
  let next = NEVER;
  for (const at of own) if (at !== undefined && at < next) next = at;
  for (const quick of state.quicks) next = Math.min(next, quickAt(quick));
  for (const child of state.children) next = Math.min(next, lifeOfChildren(child));
  return next === NEVER ? undefined : next;
}

function quickAt({ endAt, job, sent }: Quick): Millis {
  return Math.min(endAt, job?.deadline ?? NEVER, sent?.nextAt ?? NEVER);
}

export function tick(session: Session, now: Millis): void {
  const { state, conn, world } = session;
  if (due(state.endAt, now)) {
    ended(session, now);
    if (state.phase !== 'rekeyed') return;
  }
  if (due(state.lifeAt, now)) return session.close(now, expired());
  if (due(state.job?.deadline, now)) return session.over(now, TOO_LONG);
  if (state.sent && again(session, now, state.sent)) return silent(session, now, state.sent);
  for (const quick of [...state.quicks]) {
    if (quickTick(session, now, quick) === 'silent') return dead(session, now, quick.begunAt);
    if (state.phase === 'closed') return;
  }
  if (due(fragmentsAt(session), now)) delete state.fragments;
  if (due(state.reauthAt, now)) reauthenticate(session, now);
  expireChildren(session, now);
  if (state.probe && due(probeAt(session), now)) {
    if (isDead(session, now)) return dead(session, now, state.probe.since);
    probe(session, now);
  } else if (due(livenessAt(session), now)) {
    if (!conn.dpdOnDemand || inVain(session)) probe(session, now);
    else state.lookedAt = now;
  }
  if (due(keepaliveAt(session), now)) {
    state.lastOut = now;
    world.effect({ type: 'keepalive', local: state.local, remote: state.remote });
  }
  session.advance(now);
}

function quickTick(session: Session, now: Millis, quick: Quick): 'silent' | undefined {
  if (due(quick.job?.deadline, now)) {
    quickFailed(session, now, quick, TOO_LONG);
  } else if (quick.awaits === 'switch' && due(quick.endAt, now)) {
    complete(session, now, quick);
  } else if (due(quick.endAt, now)) {
    quickFailed(session, now, quick, unfinished(session));
  } else if (quick.sent && again(session, now, quick.sent)) {
    // The peer may have got it all the same: its packets will say so.
    if (!quick.ours) delete quick.sent.nextAt;
    else if (!session.state.peerDpd && lastHeard(session) <= quick.sent.since) return 'silent';
    else unanswered(session, now, quick, quick.sent.since);
  }
  return undefined;
}

/** One that was asked for in vain is no proof that the peer is gone: some say nothing to what they do not want. */
function unanswered(session: Session, now: Millis, quick: Quick, since: Millis): void {
  const next = heir(session);
  if (next !== session) {
    // The peer may have dropped this SA long ago.
    forget(session, quick);
    return next.enqueue(now, [quick.want]);
  }
  quickFailed(session, now, quick, ignored(session, quick, childConfig(session, quick.want.child)));
  if (lastHeard(session) <= since) session.checkLiveness(now);
}

/** Where a message never becomes whole. */
function fragmentsAt({ state }: Session): Millis | undefined {
  return state.fragments && state.fragments.startedAt + LIFETIME;
}

function due(at: Millis | undefined, now: Millis): boolean {
  return at !== undefined && at <= now;
}

function expired(): Reason {
  return {
    code: 'expired',
    text: 'the IKE SA reached the end of its life without being renewed',
    remedy: 'look further up in the log for why it could not be renewed; a longer `over_time` leaves more time for it',
  };
}

// --- liveness and keepalives ---------------------------------------------------------------------------------------------

function livenessAt(session: Session): Millis | undefined {
  const { state, conn } = session;
  if (state.phase !== 'established' || !state.peerDpd || conn.dpdDelay === 0 || state.probe) return undefined;
  const heard = lastHeard(session);
  if (!conn.dpdOnDemand) return heard + conn.dpdDelay;
  // RFC 3706 §5.5: only where we send, and nothing comes back. Whether we do is looked at once in a while.
  return Math.max(heard, inVain(session) ? 0 : (state.lookedAt ?? 0)) + conn.dpdDelay;
}

/** We send, and nothing comes back. */
function inVain(session: Session): boolean {
  const heard = lastHeard(session);
  return session.state.children.some(({ id }) => (session.world.lastOutbound(id) ?? 0) > heard);
}

/** ESP is a sign of life as good as IKE. */
function lastHeard({ state, world }: Session): Millis {
  return state.children.reduce((latest, { id }) => Math.max(latest, world.lastInbound(id) ?? 0), state.lastIn);
}

/** With `dpd_timeout` that counts, from the last sign of life; else so many questions as there are transmissions. */
function probeAt(session: Session): Millis | undefined {
  const { state, conn } = session;
  if (!state.probe) return undefined;
  const end = conn.dpdTimeout > 0 ? lastHeard(session) + conn.dpdTimeout : NEVER;
  return Math.min(state.probe.nextAt, Math.max(end, state.probe.since + conn.retransmit.base));
}

function isDead(session: Session, now: Millis): boolean {
  const { state, conn } = session;
  if (!state.probe) return false;
  if (conn.dpdTimeout > 0) {
    return now >= Math.max(lastHeard(session) + conn.dpdTimeout, state.probe.since + conn.retransmit.base);
  }
  return state.probe.transmissions >= conn.retransmit.transmissions;
}

function keepaliveAt({ state, conn, world }: Session): Millis | undefined {
  if (!state.natLocal || state.phase !== 'established' || conn.natKeepalive === 0) return undefined;
  const sent = state.children.reduce((latest, { id }) => Math.max(latest, world.lastOutbound(id) ?? 0), state.lastOut);
  return sent + conn.natKeepalive;
}

// --- ends ----------------------------------------------------------------------------------------------------------------

function ended(session: Session, now: Millis): void {
  const { state } = session;
  delete state.endAt;
  if (state.phase === 'rekeyed') {
    // What is under way here comes to its end first.
    const busy = state.quicks.some(({ awaits }) => awaits !== 'done');
    if (!busy && !unsure(heir(session), now))
      return session.close(now, { code: 'replaced', text: 'replaced by a newer IKE SA' });
    state.endAt = now + BUSY;
    return;
  }
  session.over(now, state.reason ?? abandoned(session));
}

/** Whether a new IKE SA may be ours alone: our last message has not come, and only the old one is known to the peer. */
function unsure(next: Session, now: Millis): boolean {
  const { phase, sent, establishedAt = now, peerDpd } = next.state;
  if (phase !== 'established' || !sent) return false;
  next.checkLiveness(now);
  return peerDpd || now - establishedAt < DOUBTFUL;
}

/** Phase 1 has no answer. */
function silent(session: Session, now: Millis, { since, transmissions }: Sent): void {
  const { state } = session;
  if (state.reason) return session.over(now, state.reason);
  session.over(now, lasting(unheard(session, since), Math.round((now - since) / 1000), transmissions));
}

function dead(session: Session, now: Millis, since: Millis): void {
  restore(session, now);
  const reason = unheard(session, since);
  // The end of aggressive mode is none for the one who says it last.
  const told = reason.code === 'unanswered-4500' ? reason : final(session, reason);
  session.over(now, lasting(told, Math.round((now - since) / 1000)));
}
