// What time brings to a session: retransmission, lifetimes, liveness checks, NAT keepalives, and the ends that come of
// silence (RFC 7296 §2.4, §2.8, §2.23).

import { lifeOfChildren } from '../children.ts';
import type { Millis } from '../connection.ts';
import { halfOpen } from '../farewell.ts';
import type { Reason } from '../reason.ts';
import { part } from '../retransmit.ts';
import { final, lasting } from '../silence.ts';
import { EXCHANGE, NOTIFY } from '../wire/constants.ts';
import { expireChildren } from './children.ts';
import { createLost } from './create.ts';
import { notify } from './payloads.ts';
import { rekeyLost } from './rekey.ts';
import type { Session } from './session.ts';
import { replace } from './unique.ts';
import { respond, retransmitted, unheard } from './window.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** Starts the clocks of an established IKE SA. */
export function startLife(session: Session, now: Millis): void {
  const { state, conn, world } = session;
  state.phase = 'established';
  state.establishedAt = now;
  state.failures = 0;
  state.lastIn = now;
  delete state.endAt;
  const earlier = part(conn.randTime, world.random);
  if (conn.rekeyTime > 0) {
    state.rekeyAt = now + Math.max(0, conn.rekeyTime - earlier);
    state.lifeAt = now + conn.rekeyTime + conn.overTime;
  }
  if (conn.reauthTime > 0) {
    state.reauthAt = now + Math.max(0, conn.reauthTime - earlier);
    state.lifeAt = Math.min(state.lifeAt ?? NEVER, now + conn.reauthTime + conn.overTime);
  }
}

/** When `tick` is next needed. */
export function deadline(session: Session): Millis | undefined {
  const { state } = session;
  let next = NEVER;
  for (const at of ownDeadlines(session)) if (at !== undefined && at < next) next = at;
  for (const child of state.children) next = Math.min(next, lifeOfChildren(child));
  for (const { at } of state.delayed) next = Math.min(next, at);
  return next === NEVER ? undefined : next;
}

function ownDeadlines(session: Session): (Millis | undefined)[] {
  const { state } = session;
  const out = state.outstanding;
  return [
    state.endAt,
    out && Math.min(out.nextAt, out.until ?? NEVER),
    state.taskJob?.deadline,
    state.incomingJob?.deadline,
    state.rekeyAt,
    state.reauthAt,
    state.lifeAt,
    livenessAt(session),
    keepaliveAt(session),
  ];
}

export function tick(session: Session, now: Millis): void {
  const { state, world } = session;
  if (due(state.endAt, now)) return ended(session, now);
  if (due(state.lifeAt, now)) return expired(session, now);
  if (due(state.incomingJob?.deadline, now)) return incomingLost(session, now);
  if (due(state.taskJob?.deadline, now)) return taskLost(session, now);
  if (retransmitted(session, now) === 'given-up') return givenUp(session, now);
  wake(session, now);
  if (due(state.reauthAt, now)) {
    delete state.reauthAt;
    replace(session, now);
  }
  if (due(state.rekeyAt, now)) {
    delete state.rekeyAt;
    session.rekey(now);
  }
  expireChildren(session, now);
  if (due(livenessAt(session), now)) session.enqueue(now, { kind: 'liveness' });
  if (due(keepaliveAt(session), now)) {
    state.lastOut = now;
    world.effect({ type: 'keepalive', local: state.local, remote: state.remote });
  }
  session.advance(now);
}

function due(at: Millis | undefined, now: Millis): boolean {
  return at !== undefined && at <= now;
}

/** What was put off and may be tried again. */
function wake({ state }: Session, now: Millis): void {
  const ready = state.delayed.filter(({ at }) => at <= now);
  if (ready.length === 0) return;
  state.delayed = state.delayed.filter(({ at }) => at > now);
  for (const { task } of ready) state.queue.push(task);
}

// --- liveness and keepalives -----------------------------------------------------------------------------------------

function livenessAt(session: Session): Millis | undefined {
  const { state, conn } = session;
  const busy = state.outstanding || state.task || state.queue.length > 0;
  // Of a redundant SA the peer may have forgotten its end.
  const idle = state.phase === 'established' && state.successor === undefined && !busy;
  if (!idle || conn.dpdDelay === 0) return undefined;
  return lastHeard(session) + conn.dpdDelay;
}

/** `dpd_timeout` counts from the last sign of life, and always leaves one wait for an answer. */
export function livenessEnd(session: Session, now: Millis): Millis | undefined {
  const { dpdTimeout, retransmit } = session.conn;
  return dpdTimeout > 0 ? Math.max(lastHeard(session) + dpdTimeout, now + retransmit.base) : undefined;
}

function keepaliveAt(session: Session): Millis | undefined {
  const { state, conn } = session;
  if (!state.natLocal || state.phase !== 'established' || conn.natKeepalive === 0) return undefined;
  return lastSent(session) + conn.natKeepalive;
}

/** ESP is a sign of life as good as IKE. */
function lastHeard({ state, world }: Session): Millis {
  return state.children.reduce((latest, { id }) => Math.max(latest, world.lastInbound(id) ?? 0), state.lastIn);
}

function lastSent({ state, world }: Session): Millis {
  return state.children.reduce((latest, { id }) => Math.max(latest, world.lastOutbound(id) ?? 0), state.lastOut);
}

// --- ends --------------------------------------------------------------------------------------------------------------

function ended(session: Session, now: Millis): void {
  const { state, world } = session;
  const { phase } = state;
  delete state.endAt;
  switch (phase) {
    case 'init':
    case 'auth':
      return session.over(now, abandoned(session));
    case 'rekeyed':
      return session.close(now, { code: 'replaced', text: 'replaced by a newer IKE SA' });
    case 'established':
      return session.close(now, { code: 'replaced', text: 'a redundant IKE SA after both sides rekeyed' });
    case 'deleting':
    case 'closed':
      session.over(now, state.reason ?? { code: 'ok', text: 'closed' });
      return world.forget(session);
  }
}

/** The peer has begun, and not gone on. */
function abandoned(session: Session): Reason {
  const { state, world } = session;
  return halfOpen(session, {
    answered: 'IKE_SA_INIT',
    next: 'IKE_AUTH',
    port: session.udp && state.local.port !== world.natPort ? world.natPort : undefined,
    repeated: (state.repeats ?? 0) > 1,
  });
}

function expired(session: Session, now: Millis): void {
  delete session.state.lifeAt;
  if (session.state.phase === 'deleting') return givenUp(session, now);
  session.close(now, {
    code: 'expired',
    text: 'the IKE SA reached the end of its life without being renewed',
    remedy: 'look further up in the log for why it could not be renewed; a longer `over_time` leaves more time for it',
  });
}

const TOO_LONG: Reason = { code: 'internal', text: 'a key exchange took longer than 30 s to compute' };

/** The peer's request cannot be answered as it wants; an SA that stands is none the worse for it. */
function incomingLost(session: Session, now: Millis): void {
  const { state, world } = session;
  const { incoming } = state;
  world.count('job-lost');
  delete state.incoming;
  delete state.incomingJob;
  if (!incoming || incoming.kind === 'init') return session.over(now, TOO_LONG);
  respond(session, EXCHANGE.CREATE_CHILD_SA, [notify(NOTIFY.TEMPORARY_FAILURE)], incoming.from);
  session.advance(now);
}

function taskLost(session: Session, now: Millis): void {
  const { state, world } = session;
  const { task } = state;
  world.count('job-lost');
  delete state.taskJob;
  if (task?.kind === 'create') createLost(session, now, task, TOO_LONG);
  else if (task?.kind === 'rekey-ike') rekeyLost(session, now, task, TOO_LONG);
  else session.over(now, TOO_LONG);
}

function givenUp(session: Session, now: Millis): void {
  const { state } = session;
  const { task, outstanding } = state;
  if (task?.kind === 'delete-ike' || task?.kind === 'refuse') return session.over(now, task.reason);
  if (!outstanding) return session.over(now, { code: 'peer-dead', text: `no answer from ${state.remote.ip}` });
  // A peer that was heard, though it said nothing of use, is no silent one.
  if (state.phase === 'init' && state.reason) return session.over(now, state.reason);
  const seconds = Math.round((now - outstanding.since) / 1000);
  const reason = final(session, unheard(session, outstanding));
  session.over(now, lasting(reason, seconds, outstanding.transmissions));
}
