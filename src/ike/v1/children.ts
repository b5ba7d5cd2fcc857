// The children of an IKEv1 SA: one pair of SAs for each pair of selectors, their renewal and their end. A Delete is not
// confirmed, and an SA that was replaced stays until its end: the peer goes over to the new one when it likes.

import { compare } from '../../bytes/bytes.ts';
import { childClosed, childConfig, discard, findChild, purpose, replaceBy, retire } from '../children.ts';
import type { Child, Millis } from '../connection.ts';
import { supplant } from '../contest.ts';
import { closedByPeer } from '../farewell.ts';
import type { Reason } from '../reason.ts';
import type { ChildState } from '../state.ts';
import { atHost } from '../transport.ts';
import { formatSelector, resolveTs } from '../ts.ts';
import type { Selector } from '../wire/ts.ts';
import { complete, completed, waiting } from './exchange.ts';
import { sendDeletes } from './inform.ts';
import { comesBack } from './send.ts';
import type { Session } from './session.ts';
import type { Want } from './state.ts';
import { elders } from './unique.ts';

/** Packets of a replaced SA may still be under way for this long. */
const LINGER: Millis = 5000;
/** A replaced SA without an end of its own. */
const LONGEST: Millis = 3_600_000;
export const TAKEN: Reason = { code: 'replaced', text: 'replaced' };
/** A peer's list of subnets times ours: more than this is a mistake. */
const MOST_PAIRS = 256;

/** What is missing of a child as it is configured: one for each pair of selectors. */
export function wants(session: Session, child: Child): Want[] {
  const { state } = session;
  const side = (sources: Child['localTs'], ip: string): Selector[] => {
    const selectors = resolveTs(sources, ip);
    return child.mode === 'transport' ? atHost(selectors, ip) : selectors;
  };
  const pairs = side(child.localTs, state.local.ip).flatMap((localTs) =>
    side(child.remoteTs, state.remote.ip).map((remoteTs) => ({ child: child.name, localTs, remoteTs })),
  );
  const taken = new Set([
    ...state.children.filter(isCurrent).map((one) => purpose(one.name, one.localTs, one.remoteTs)),
    ...state.queue.map(purposeOf),
    ...state.quicks.filter(({ awaits }) => awaits !== 'done').map(({ want }) => purposeOf(want)),
  ]);
  if (pairs.length > MOST_PAIRS) session.note(tooManyPairs(child, pairs.length));
  return pairs.slice(0, MOST_PAIRS).filter((want) => !taken.has(purposeOf(want)));
}

function tooManyPairs({ name, where }: Child, count: number): Reason {
  const place = where.get('local_ts') ?? where.get('');
  return {
    code: 'limit',
    text: `${name} would be ${count} pairs of SAs, one for each pair of subnets; the first ${MOST_PAIRS} are made`,
    by: 'us',
    remedy: 'use larger subnets, or IKEv2, which has one SA for all of them',
    ...(place ? { where: place } : {}),
  };
}

export function purposeOf({ child, localTs, remoteTs }: Want): string {
  return purpose(child, [localTs], [remoteTs]);
}

/** It serves, and nothing has taken its place. */
export function isCurrent({ stage, successor }: ChildState): boolean {
  return successor === undefined && (stage === 'installed' || stage === 'rekeying');
}

/** Our SA with this purpose that serves now. */
export function current({ state }: Session, name: string): ChildState | undefined {
  return state.children.findLast(
    (child) => isCurrent(child) && purpose(child.name, child.localTs, child.remoteTs) === name,
  );
}

/** A child serves from now on, in the place of those that were there when its quick mode began. */
export function supersede(session: Session, now: Millis, child: ChildState): void {
  if (rivals(session, child).length === 0) announceFirst(session, child);
  else settle(session, now, child);
}

/** Only now is it known that the peer has it, too. */
function announceFirst(session: Session, child: ChildState): void {
  const { state } = session;
  session.world.effect({ type: 'activate', child: child.id });
  supplant(session, child);
  const config = childConfig(session, child.name);
  const several = (config?.localTs.length ?? 1) * (config?.remoteTs.length ?? 1) > 1;
  const texts = [child.localTs, child.remoteTs].map((selectors) => selectors.map(formatSelector).join(' '));
  session.event({
    kind: 'child-established',
    session: state.id,
    conn: state.conn,
    child: child.name,
    id: child.id,
    ...(several ? { pair: texts.join(' === ') } : {}),
  });
}

/** In transport mode it is for the two of us, whatever our addresses were: a NAT may have another one now. */
function aim({ name, mode, localTs, remoteTs }: ChildState): string {
  if (mode === 'tunnel') return purpose(name, localTs, remoteTs);
  const anywhere = (selector: Selector) => ({ ...selector, start: NOWHERE, end: NOWHERE });
  return `transport ${purpose(name, localTs.map(anywhere), remoteTs.map(anywhere))}`;
}

const NOWHERE = new Uint8Array(4);

function rivals(session: Session, child: ChildState): ChildState[] {
  const name = aim(child);
  return session.state.children.filter(
    (other) => other !== child && isCurrent(other) && aim(other) === name && completed(session, other),
  );
}

/** Of SAs with one purpose one stays, and both sides keep the same. */
export function reconcile(session: Session, now: Millis): void {
  for (const child of [...session.state.children]) {
    if (isCurrent(child) && completed(session, child)) settle(session, now, child);
  }
}

function settle(session: Session, now: Millis, child: ChildState): void {
  for (const other of rivals(session, child)) {
    if (!isCurrent(child)) return;
    const sequel = isSequel(child, other) || isSequel(other, child);
    if (wins(session, child, other)) takeOver(session, now, other, child, !sequel);
    else takeOver(session, now, child, other, !sequel);
  }
}

/** It was begun when the other was there already. */
function isSequel({ after = 0 }: ChildState, { id }: ChildState): boolean {
  return after >= id;
}

/** Where both sides have begun one at once the nonces decide; but other peers send on the newest, and keep the older ones. */
function wins({ state }: Session, child: ChildState, other: ChildState): boolean {
  if (isSequel(child, other) || isSequel(other, child)) return isSequel(child, other);
  return state.peerEspalier ? compare(child.lowestNonce, other.lowestNonce) > 0 : child.id > other.id;
}

/** `contested`: the nonces say so, and the peer may see it otherwise. */
function takeOver(session: Session, now: Millis, old: ChildState, child: ChildState, contested = false): void {
  const { conn, state } = session;
  replaceBy(session, old, child);
  if (old.successor !== child.id) retire(old, child.id);
  old.stage = 'rekeyed';
  const undecided = contested && state.peerEspalier;
  if (undecided) old.contestedAt = now;
  if (undecided || conn.deleteRekeyed) old.removeAt = now + LINGER;
  old.lifeAt = Math.min(old.lifeAt ?? Number.POSITIVE_INFINITY, now + LONGEST);
  for (const older of state.children) if (older.successor === old.id) older.successor = child.id;
}

/**
 * Where messages cross and are lost, one side may take for a renewal what the other one takes for two SAs begun at once.
 * It shows in what the peer sends on, and there we follow it. Otherwise who has made the one that lost deletes it.
 */
function decide(session: Session, now: Millis, loser: ChildState): void {
  const { world } = session;
  const winner = loser.successor === undefined ? undefined : findChild(session, loser.successor);
  const since = (loser.contestedAt ?? now) + LINGER / 2;
  const [ours, theirs] = [winner?.id ?? 0, loser.id].map((id) => world.lastInbound(id) ?? 0) as [number, number];
  if (winner && isCurrent(winner) && theirs > Math.max(ours, since)) return reinstate(session, now, loser, winner);
  // Where a peer deletes at once what it takes for replaced, and says nothing else, it goes first: if that is the winner,
  // this one is needed.
  const patient = session.conn.deleteRekeyed && ours <= since && now - (loser.contestedAt ?? 0) < 2 * LINGER;
  if (patient) loser.removeAt = now + LINGER;
  else if (loser.ours || session.conn.deleteRekeyed) return deleteChild(session, now, loser, TAKEN);
  else if (winner && ours <= since) loser.removeAt = now + Math.max(LINGER, now - winner.installedAt);
  else delete loser.removeAt;
}

/** It had been replaced by `child`, and serves again. */
function reinstate(session: Session, now: Millis, old: ChildState, child: ChildState): void {
  const config = childConfig(session, old.name);
  old.stage = 'installed';
  delete old.successor;
  delete old.retired;
  delete old.removeAt;
  delete old.contestedAt;
  if (config && config.lifetime.rekeyTime > 0) old.rekeyAt ??= now + LINGER;
  takeOver(session, now, child, old);
}

/** Those that it has replaced, the newest last. */
function predecessors({ state }: Session, child: ChildState): ChildState[] {
  return state.children.filter(({ successor, id }) => successor === child.id && id !== child.id);
}

export function rekeyChild(session: Session, now: Millis, child: ChildState): void {
  delete child.rekeyAt;
  const { state } = session;
  if (!isCurrent(child) || state.phase !== 'established' || !completed(session, child)) return;
  // The peer is about to renew it.
  if (waiting(session, (quick) => quick.before === child.id && quick.child !== child.id)) {
    child.rekeyAt = now + 2 * LINGER;
    return;
  }
  const [localTs] = child.localTs;
  const [remoteTs] = child.remoteTs;
  if (!localTs || !remoteTs) return;
  const want: Want = { child: child.name, localTs, remoteTs, rekeys: child.id };
  const name = purposeOf(want);
  const busy = [
    ...state.queue,
    ...state.quicks.filter((one) => one.ours && one.awaits !== 'done').map((one) => one.want),
  ];
  if (busy.some((other) => purposeOf(other) === name)) return;
  session.enqueue(now, [want]);
}

/** Everything with this purpose: the peer is not to fall back to what this one has replaced. */
export function deleteAllOf(session: Session, now: Millis, child: ChildState, reason: Reason): void {
  const { phase } = session.state;
  if (!session.state.children.includes(child)) return;
  const old = predecessors(session, child);
  if (phase === 'established' || phase === 'rekeyed') sendDeletes(session, now, [...old, child]);
  for (const one of [...old, child]) end(session, now, one, one === child ? reason : TAKEN);
}

/** The same on demand: what is under way to take its place is not wanted either. */
export function closeChild(session: Session, now: Millis, child: ChildState, reason: Reason): void {
  const name = purpose(child.name, child.localTs, child.remoteTs);
  for (const one of [session, ...elders(session)]) {
    for (const quick of [...one.state.quicks]) {
      if (purposeOf(quick.want) !== name || quick.awaits === 'done') continue;
      if (quick.ours && quick.child === undefined) quick.unwanted = true;
      else if (quick.awaits === 'switch') complete(one, now, quick);
    }
    one.state.queue = one.state.queue.filter((want) => purposeOf(want) !== name);
  }
  const serves = current(session, name);
  for (const one of new Set([child, ...(serves ? [serves] : [])])) deleteAllOf(session, now, one, reason);
}

/** The peer wants it no more. What it replaced, and what the peer still has, serves again. */
export function dismissed(session: Session, now: Millis, child: ChildState): void {
  const spare = isCurrent(child) && completed(session, child) ? predecessors(session, child).at(-1) : undefined;
  if (spare) reinstate(session, now, spare, child);
  const closed = () => closedByPeer(session, childConfig(session, child.name));
  end(session, now, child, isCurrent(child) ? closed() : { ...TAKEN, by: 'peer' });
}

/** Tells the peer, and takes it out. */
export function deleteChild(session: Session, now: Millis, child: ChildState, reason: Reason): void {
  if (session.state.phase === 'established' || session.state.phase === 'rekeyed') sendDeletes(session, now, [child]);
  end(session, now, child, reason);
}

/** Takes it out; whoever was told that it serves is told that it does not. */
export function end(session: Session, now: Millis, child: ChildState, reason: Reason): void {
  // Its successor only waited for the peer to be ready; but of one that never served nothing can be told.
  const served = completed(session, child);
  const found = served ? waiting(session, (quick) => quick.before === child.id && quick.child !== child.id) : undefined;
  // But one like us deletes what it has renewed only later: it does not want the child any more.
  const sure = found?.quick.awaits === 'switch' || !session.state.peerEspalier;
  if (found && sure) complete(found.session, now, found.quick);
  const quiet = child.successor !== undefined || !served;
  discard(session, child);
  if (!quiet) childClosed(session, child, reason);
}

/** The hard limit: one that nobody replaced is made anew. */
export function expireChild(session: Session, now: Millis, child: ChildState): void {
  // The peer may serve with one that it has not confirmed to us yet.
  const orphan = isCurrent(child) && (completed(session, child) || rivals(session, child).length === 0);
  const [localTs] = child.localTs;
  const [remoteTs] = child.remoteTs;
  deleteAllOf(session, now, child, { code: 'expired', text: 'the end of its lifetime', by: 'us' });
  if (!orphan || !localTs || !remoteTs || session.state.phase !== 'established') return;
  const want = { child: child.name, localTs, remoteTs };
  // A renewal that waits would find nothing to renew.
  session.state.queue = session.state.queue.filter(({ rekeys }) => rekeys !== child.id);
  const pending = session.state.queue.some((other) => purposeOf(other) === purposeOf(want));
  if (!pending) session.enqueue(now, [want]);
}

/** The peer sends on a child that its quick mode has not confirmed yet: it is ready, and the confirmation was lost. */
export function used(session: Session, now: Millis, child: ChildState): void {
  const found = waiting(session, (quick) => quick.child === child.id);
  if (!found) return;
  const { quick } = found;
  // As a responder there is nothing to repeat any more; as an initiator there may be.
  if (!quick.ours) {
    comesBack(found.session, quick.sent);
    delete quick.sent;
  }
  complete(found.session, now, quick);
}

export function expireChildren(session: Session, now: Millis): void {
  for (const { id } of [...session.state.children]) {
    const child = findChild(session, id);
    if (!child) continue;
    const over = child.removeAt !== undefined && child.removeAt <= now;
    if (over && child.contestedAt !== undefined) decide(session, now, child);
    else if (over) deleteChild(session, now, child, TAKEN);
    else if (child.lifeAt !== undefined && child.lifeAt <= now) expireChild(session, now, child);
    else if (child.rekeyAt !== undefined && child.rekeyAt <= now) rekeyChild(session, now, child);
  }
}
