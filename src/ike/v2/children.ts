// The children of a session: installing, replacing and removing their SAs, and their lifetimes.

import { compare } from '../../bytes/bytes.ts';
import type { Ip } from '../../bytes/ip.ts';
import type { Child, Millis, Mode, Protocol } from '../connection.ts';
import type { ChildSa } from '../effects.ts';
import type { Reason } from '../reason.ts';
import { part } from '../retransmit.ts';
import type { Suite } from '../select.ts';
import { atHost } from '../transport.ts';
import { formatSelector, resolveTs } from '../ts.ts';
import type { Selector } from '../wire/ts.ts';
import { childKeys } from './keymat.ts';
import type { Session } from './session.ts';
import { type ChildState, type CreateTask, type SessionState, tasksOf, type Want } from './state.ts';

/** Packets of a replaced SA may still be under way for this long (strongSwan's `delete_rekeyed_delay`). */
const LINGER: Millis = 5000;

export interface Negotiated {
  readonly name: string;
  readonly protocol: Protocol;
  readonly mode: Mode;
  readonly suite: Suite;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
  readonly nonceI: Uint8Array;
  readonly nonceR: Uint8Array;
  readonly shared: Uint8Array | undefined;
  /** Our request created it. */
  readonly ours: boolean;
  /** False when a predecessor sends until the peer is ready (RFC 7296 §2.8). */
  readonly active: boolean;
  /** The child that it is to replace. */
  readonly old?: ChildState | undefined;
}

export function childConfig(session: Session, name: string): Child | undefined {
  return session.conn.children.find((child) => child.name === name);
}

export function findChild(session: Session, id: number): ChildState | undefined {
  return session.state.children.find((child) => child.id === id);
}

/** What a child is for: two children with the same purpose are one too many. */
export function purpose(name: string, localTs: readonly Selector[], remoteTs: readonly Selector[]): string {
  return `${name}|${localTs.map(formatSelector).join()}|${remoteTs.map(formatSelector).join()}`;
}

/** The policy that a child serves, whichever SA it is: what has a reqid of its own. */
export function policyOf(conn: string, child: Pick<ChildState, 'name' | 'localTs' | 'remoteTs'>): string {
  return `${conn}|${purpose(child.name, child.localTs, child.remoteTs)}`;
}

export function install(session: Session, now: Millis, made: Negotiated): ChildState {
  const { state, world, udp } = session;
  const config = childConfig(session, made.name);
  const { suite, keys } = state;
  const { old } = made;
  if (!config || !suite || !keys) throw new Error(`cannot install ${made.name}`);
  const { nonceI, nonceR, shared } = made;
  const material = childKeys({ suite, keys }, made.suite, nonceI, nonceR, shared, config.shortSha256);
  const [outKeys, inKeys] = made.ours
    ? [material.initiator, material.responder]
    : [material.responder, material.initiator];
  const reqid = world.takeReqid(policyOf(state.conn, made));
  const child: ChildState = {
    id: world.childId(),
    name: made.name,
    reqid,
    protocol: made.protocol,
    mode: made.mode,
    spiIn: made.spiIn,
    spiOut: made.spiOut,
    suite: made.suite,
    localTs: made.localTs,
    remoteTs: made.remoteTs,
    ours: made.ours,
    lowestNonce: lowest(made.nonceI, made.nonceR),
    ...(old ? { first: old.first ?? { ours: old.ours, lowestNonce: old.lowestNonce } } : {}),
    installedAt: now,
    stage: 'installed',
    failures: 0,
    ...times(session, config, now),
  };
  const sa: ChildSa = {
    id: child.id,
    session: state.id,
    conn: state.conn,
    child: made.name,
    reqid,
    protocol: made.protocol,
    mode: made.mode,
    inbound: { spi: made.spiIn, keys: inKeys },
    outbound: { spi: made.spiOut, keys: outKeys },
    esn: made.suite.esn,
    udp,
    natted: state.natLocal || state.natRemote,
    local: state.local,
    remote: state.remote,
    localTs: made.localTs,
    remoteTs: made.remoteTs,
    replayWindow: config.replayWindow,
    copyDf: config.copyDf,
    copyEcn: config.copyEcn,
    copyDscp: config.copyDscp,
    mss: config.mss,
    limits: limits(session, config),
    active: made.active,
  };
  state.children.push(child);
  world.own(child.id, state.id);
  world.effect({ type: 'install', sa });
  return child;
}

export function lowest(a: Uint8Array, b: Uint8Array): Uint8Array {
  return (compare(a, b) < 0 ? a : b).slice();
}

function times({ world }: Session, { lifetime }: Child, now: Millis): Partial<ChildState> {
  const { rekeyTime, lifeTime, randTime } = lifetime;
  return {
    ...(rekeyTime > 0 ? { rekeyAt: now + Math.max(0, rekeyTime - part(randTime, world.random)) } : {}),
    ...(lifeTime > 0 ? { lifeAt: now + lifeTime } : {}),
  };
}

function limits({ world }: Session, { lifetime }: Child): ChildSa['limits'] {
  const soft = (limit: number, rand: number) =>
    limit > 0 ? Math.max(1, Math.floor(limit - part(rand, world.random))) : 0;
  return {
    softBytes: soft(lifetime.rekeyBytes, lifetime.randBytes),
    hardBytes: lifetime.lifeBytes,
    softPackets: soft(lifetime.rekeyPackets, lifetime.randPackets),
    hardPackets: lifetime.lifePackets,
  };
}

/** Tells the world of a child that serves from now on. */
export function announce(session: Session, child: ChildState): void {
  const { state } = session;
  session.event({ kind: 'child-established', session: state.id, conn: state.conn, child: child.name, id: child.id });
}

/** One that was asked for and is not to be had. */
export function childFailed(session: Session, want: Pick<Want, 'child'>, reason: Reason): void {
  const { state } = session;
  session.event({ kind: 'child-failed', session: state.id, conn: state.conn, child: want.child, reason });
}

/** `child` now sends in place of `old`, if it does not do so already. */
export function replaceBy(session: Session, old: ChildState, child: ChildState): void {
  const { state } = session;
  if (old.retired) return;
  session.world.effect({ type: 'activate', child: child.id });
  old.successor = child.id;
  old.retired = true;
  session.event({
    kind: 'child-rekeyed',
    session: state.id,
    conn: state.conn,
    child: old.name,
    id: old.id,
    by: child.id,
  });
}

/** A child of a collision that never comes to send, because `by` stays. */
export function retire(child: ChildState, by: number): void {
  child.successor = by;
  child.retired = true;
}

/** Who serves in a child's place now: its successor may have been replaced, too. */
function heir(session: Session, child: ChildState): ChildState | undefined {
  let next: ChildState | undefined = child;
  for (let left = session.state.children.length; left > 0; left--) {
    next = next?.successor === undefined ? undefined : findChild(session, next.successor);
    if (next?.stage !== 'lingering') return next;
  }
  return undefined;
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
  const { state } = session;
  // Nothing may fall back to what this one has replaced: the peer does not listen there any more.
  for (const other of [...state.children])
    if (other.stage === 'lingering' && !heir(session, other)) discard(session, other);
  session.event({
    kind: 'child-closed',
    session: state.id,
    conn: state.conn,
    child: child.name,
    id: child.id,
    reason,
  });
}

function discard(session: Session, child: ChildState): void {
  const { state, world } = session;
  state.children = state.children.filter((other) => other !== child);
  // A peer that could not use its new child stays with the old one.
  for (const old of state.children) {
    if (old.successor !== child.id || old.retired || old.stage !== 'rekeyed') continue;
    old.stage = 'installed';
    delete old.successor;
  }
  world.effect({ type: 'remove', child: child.id });
  world.disown(child.id);
  world.freeSpi(child.spiIn);
  world.freeReqid(child.reqid);
}

export function closeChildren(session: Session, reason: Reason): void {
  for (const child of [...session.state.children]) {
    const quiet = child.stage === 'lingering' || child.successor !== undefined;
    discard(session, child);
    if (quiet) continue;
    const { state } = session;
    session.event({
      kind: 'child-closed',
      session: state.id,
      conn: state.conn,
      child: child.name,
      id: child.id,
      reason,
    });
  }
}

/** Names of the children that a session has or is to have. */
export function childrenOf(state: SessionState): string[] {
  const wanted = tasksOf(state).flatMap((task) =>
    task.kind === 'create' || task.kind === 'auth' ? (task.want?.child ?? []) : [],
  );
  const present = state.children.filter(({ successor }) => successor === undefined).map(({ name }) => name);
  return [...new Set([...present, ...wanted])];
}

export function moveChildren(from: Session, to: Session): void {
  for (const child of from.state.children) {
    to.state.children.push(child);
    to.world.own(child.id, to.state.id);
  }
  from.state.children = [];
}

/** When a child next wants attention. */
export function lifeOfChildren(child: ChildState): Millis {
  const never = Number.POSITIVE_INFINITY;
  return Math.min(child.rekeyAt ?? never, child.lifeAt ?? never, child.removeAt ?? never);
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

export function spiBytes(spi: number): Uint8Array {
  return Uint8Array.of(spi >>> 24, spi >>> 16, spi >>> 8, spi);
}

export function spiNumber(bytes: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
