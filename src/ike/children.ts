// The children of an IKE SA of either version: their SAs in the data plane, their lifetimes, and what is told of them.

import { compare } from '../bytes/bytes.ts';
import type { ProtectionKeys } from '../crypto/types.ts';
import type { Child, Connection, Lifetime, Millis, Mode, Protocol } from './connection.ts';
import { supplant } from './contest.ts';
import type { ChildSa, Event } from './effects.ts';
import type { Reason } from './reason.ts';
import { part } from './retransmit.ts';
import type { Suite } from './select.ts';
import type { BaseState, ChildState } from './state.ts';
import { formatSelector } from './ts.ts';
import type { Selector } from './wire/ts.ts';
import type { BaseWorld } from './world.ts';

/** The IKE SA around them. */
export interface Parent {
  readonly state: BaseState;
  readonly world: BaseWorld;
  readonly conn: Connection;
  readonly udp: boolean;
  event(event: Event): void;
}

export interface Made {
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
  /** Our request created it. */
  readonly ours: boolean;
  /** False when a predecessor sends until the peer is ready (RFC 7296 §2.8). */
  readonly active: boolean;
  /** The child that it is to replace. */
  readonly old?: ChildState | undefined;
}

/** Its keys by direction, as seen from here. */
export interface MadeKeys {
  readonly inbound: ProtectionKeys;
  readonly outbound: ProtectionKeys;
}

export function childConfig(parent: Pick<Parent, 'conn'>, name: string): Child | undefined {
  return parent.conn.children.find((child) => child.name === name);
}

export function findChild(parent: Pick<Parent, 'state'>, id: number): ChildState | undefined {
  return parent.state.children.find((child) => child.id === id);
}

/** What a child is for: two children with the same purpose are one too many. */
export function purpose(name: string, localTs: readonly Selector[], remoteTs: readonly Selector[]): string {
  return `${name}|${localTs.map(formatSelector).join()}|${remoteTs.map(formatSelector).join()}`;
}

/** The policy that a child serves, whichever SA it is: what has a reqid of its own. */
export function policyOf(conn: string, child: Pick<ChildState, 'name' | 'localTs' | 'remoteTs'>): string {
  return `${conn}|${purpose(child.name, child.localTs, child.remoteTs)}`;
}

/** `lifetime` is the configured one, or what the two sides have agreed on. */
export function installSa(
  parent: Parent,
  now: Millis,
  made: Made,
  keys: MadeKeys,
  config: Child,
  lifetime: Lifetime = config.lifetime,
): ChildState {
  const { state, world, udp } = parent;
  const { old } = made;
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
    ...times(world, lifetime, now),
  };
  const sa: ChildSa = {
    id: child.id,
    session: state.id,
    conn: state.conn,
    child: made.name,
    reqid,
    protocol: made.protocol,
    mode: made.mode,
    inbound: { spi: made.spiIn, keys: keys.inbound },
    outbound: { spi: made.spiOut, keys: keys.outbound },
    esn: made.suite.esn,
    udp,
    natted: state.natLocal || state.natRemote,
    local: state.local,
    remote: state.remote,
    localTs: made.localTs,
    remoteTs: made.remoteTs,
    replayWindow: config.replayWindow,
    installRoutes: config.installRoutes,
    copyDf: config.copyDf,
    copyEcn: config.copyEcn,
    copyDscp: config.copyDscp,
    mss: config.mss,
    limits: limits(world, lifetime),
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

function times(world: BaseWorld, { rekeyTime, lifeTime, randTime }: Lifetime, now: Millis): Partial<ChildState> {
  return {
    ...(rekeyTime > 0 ? { rekeyAt: now + Math.max(0, rekeyTime - part(randTime, world.random)) } : {}),
    ...(lifeTime > 0 ? { lifeAt: now + lifeTime } : {}),
  };
}

function limits(world: BaseWorld, lifetime: Lifetime): ChildSa['limits'] {
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
export function announce(parent: Parent, child: ChildState): void {
  const { state } = parent;
  parent.event({ kind: 'child-established', session: state.id, conn: state.conn, child: child.name, id: child.id });
}

/** One that was asked for and is not to be had. */
export function childFailed(
  parent: Parent,
  { child }: { readonly child: string },
  reason: Reason,
  renewal = false,
): void {
  const { state } = parent;
  const renews = renewal ? { renews: true as const } : {};
  parent.event({ kind: 'child-failed', session: state.id, conn: state.conn, child, reason, ...renews });
}

/** `child` now sends in place of `old`, if it does not do so already. */
export function replaceBy(parent: Parent, old: ChildState, child: ChildState): void {
  const { state } = parent;
  if (old.retired) return;
  parent.world.effect({ type: 'activate', child: child.id });
  supplant(parent, child);
  old.successor = child.id;
  old.retired = true;
  parent.event({
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
export function heir(parent: Pick<Parent, 'state'>, child: ChildState): ChildState | undefined {
  let next: ChildState | undefined = child;
  for (let left = parent.state.children.length; left > 0; left--) {
    next = next?.successor === undefined ? undefined : findChild(parent, next.successor);
    if (next?.stage !== 'lingering') return next;
  }
  return undefined;
}

/** Takes the SAs of a child out. */
export function discard(parent: Parent, child: ChildState): void {
  const { state, world } = parent;
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

export function childClosed(parent: Parent, child: ChildState, reason: Reason): void {
  const { state } = parent;
  parent.event({ kind: 'child-closed', session: state.id, conn: state.conn, child: child.name, id: child.id, reason });
}

export function closeChildren(parent: Parent, reason: Reason): void {
  for (const child of [...parent.state.children]) {
    const quiet = child.stage === 'lingering' || child.successor !== undefined;
    discard(parent, child);
    if (!quiet) childClosed(parent, child, reason);
  }
}

export function moveChildren(from: Parent, to: Parent): void {
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
