// The children of a session: installing, replacing and removing their SAs, and their lifetimes.

import type { Ip } from '../../bytes/ip.ts';
import { childClosed, childConfig, discard, heir, installSa, type Made, replaceBy } from '../children.ts';
import type { Child, Millis } from '../connection.ts';
import type { Reason } from '../reason.ts';
import type { ChildState } from '../state.ts';
import { atHost } from '../transport.ts';
import { resolveTs } from '../ts.ts';
import { childKeys } from './keymat.ts';
import type { Session } from './session.ts';
import { type CreateTask, type SessionState, tasksOf } from './state.ts';

/** Packets of a replaced SA may still be under way for this long (strongSwan's `delete_rekeyed_delay`). */
const LINGER: Millis = 5000;

export interface Negotiated extends Made {
  readonly shared: Uint8Array | undefined;
}

export function install(session: Session, now: Millis, made: Negotiated): ChildState {
  const config = childConfig(session, made.name);
  const { suite, keys } = session.state;
  if (!config || !suite || !keys) throw new Error(`cannot install ${made.name}`);
  const { nonceI, nonceR, shared } = made;
  const { initiator, responder } = childKeys({ suite, keys }, made.suite, nonceI, nonceR, shared, config.shortSha256);
  const byDirection = made.ours
    ? { outbound: initiator, inbound: responder }
    : { outbound: responder, inbound: initiator };
  return installSa(session, now, made, byDirection, config);
}

/** Removes a child at once, or lets it linger when a successor has taken over. */
export function drop(session: Session, now: Millis, child: ChildState, reason: Reason): void {
  if (child.stage === 'lingering') return;
  const successor = heir(session, child);
  if (successor) {
    replaceBy(session, child, successor);
    child.stage = 'lingering';
    child.removeAt = now + LINGER;
    delete child.rekeyAt;
    delete child.lifeAt;
    return;
  }
  discard(session, child);
  // Nothing may fall back to what this one has replaced: the peer does not listen there any more.
  for (const other of [...session.state.children])
    if (other.stage === 'lingering' && !heir(session, other)) discard(session, other);
  childClosed(session, child, reason);
}

/** Names of the children that a session has or is to have. */
export function childrenOf(state: SessionState): string[] {
  const wanted = tasksOf(state).flatMap((task) =>
    task.kind === 'create' || task.kind === 'auth' ? (task.want?.child ?? []) : [],
  );
  const present = state.children.filter(({ successor }) => successor === undefined).map(({ name }) => name);
  return [...new Set([...present, ...wanted])];
}

export function expireChildren(session: Session, now: Millis): void {
  for (const child of [...session.state.children]) {
    if (child.removeAt !== undefined && child.removeAt <= now) {
      discard(session, child);
    } else if (child.lifeAt !== undefined && child.lifeAt <= now) {
      expireChild(session, now, child);
    } else if (child.rekeyAt !== undefined && child.rekeyAt <= now) {
      rekeyChild(session, now, child);
    }
  }
}

/** The hard limit: the SA goes, whether there is another or not; one that nobody replaced is made anew. */
export function expireChild(session: Session, now: Millis, child: ChildState): void {
  delete child.lifeAt;
  delete child.rekeyAt;
  const { localTs, remoteTs, name } = child;
  const orphan = child.successor === undefined && child.stage !== 'deleting';
  const older = session.state.children.filter(({ stage, successor }) => stage === 'rekeyed' && successor === child.id);
  // What it was to replace goes, too: it must not be taken for the child that is made anew.
  for (const one of [child, ...older]) deleteChild(session, now, one);
  if (orphan && session.state.phase === 'established') {
    session.enqueue(now, createTask(session, { child: name, localTs, remoteTs, further: 0 }));
  }
}

export function rekeyChild(session: Session, now: Millis, child: ChildState): void {
  delete child.rekeyAt;
  const { state } = session;
  if (child.stage !== 'installed' || child.successor !== undefined || state.phase !== 'established') return;
  // The peer that is making this child may not know yet that it has it.
  if (state.children.some((old) => old.successor === child.id && !old.retired)) {
    child.rekeyAt = now + LINGER;
    return;
  }
  const known = [state.task, ...state.queue].some((task) => task?.kind === 'create' && task.rekeys === child.id);
  if (known) return;
  const { name, localTs, remoteTs } = child;
  session.enqueue(now, createTask(session, { child: name, localTs, remoteTs, further: 0 }, child));
}

export function deleteChild(session: Session, now: Millis, child: ChildState): void {
  const { state } = session;
  if (child.stage === 'deleting' || child.stage === 'lingering' || state.phase !== 'established') return;
  session.enqueue(now, { kind: 'delete-child', children: [child.id] });
}

/** Asks for a child as it is configured. In transport mode that is for the two of us, whatever else may be written. */
export function wanted(session: Session, child: Child): CreateTask {
  const { local, remote } = session.state;
  const resolved = (sources: Child['localTs'], ip: Ip) =>
    child.mode === 'transport' ? atHost(resolveTs(sources, ip), ip) : resolveTs(sources, ip);
  const localTs = resolved(child.localTs, local.ip);
  const remoteTs = resolved(child.remoteTs, remote.ip);
  return createTask(session, { child: child.name, localTs, remoteTs, further: 0 });
}

/** With PFS, the group of the old child first: the peer has taken it once. */
export function createTask(session: Session, want: CreateTask['want'], rekeys?: ChildState): CreateTask {
  const config = childConfig(session, want.child);
  const groups = (config?.offers ?? []).flatMap((offer) =>
    offer.transforms.filter((transform) => transform.type === KE_TYPE).map((transform) => transform.id),
  );
  const first = groups[0] ?? 0;
  const before = rekeys?.suite.ke ?? 0;
  const group = groups.includes(before) ? before : first;
  return { kind: 'create', want, group, restarts: 0, ...(rekeys ? { rekeys: rekeys.id } : {}) };
}

const KE_TYPE = 4;

/** The peer sends on a child whose predecessor we still send on: it is ready for the new one (RFC 7296 §2.8). */
export function used(session: Session, child: ChildState): void {
  const old = session.state.children.find((other) => other.successor === child.id && other.stage === 'rekeyed');
  if (old) replaceBy(session, old, child);
}
