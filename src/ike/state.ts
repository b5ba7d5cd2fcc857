// What an IKE SA of either version keeps, as plain data, and its children.

import type { SocketAddress } from '../bytes/ip.ts';
import type { Millis, Mode, Protocol } from './connection.ts';
import type { SessionId } from './effects.ts';
import type { Reason } from './reason.ts';
import type { Suite } from './select.ts';
import type { Trouble } from './silence.ts';
import type { Identity } from './wire/payload.ts';
import type { Selector } from './wire/ts.ts';

/**
 * `init`: until the keys are there. `auth`: until both sides are authenticated. `rekeyed`: replaced by another IKE SA,
 * waiting to be deleted. `deleting`: our Delete is on its way. `closed`: only answers repeated requests, until it goes.
 */
export type Phase = 'init' | 'auth' | 'established' | 'rekeyed' | 'deleting' | 'closed';

/** `lingering`: gone for both sides, kept so that packets under way are still accepted (RFC 7296 §2.8). */
export type ChildStage = 'installed' | 'rekeying' | 'rekeyed' | 'deleting' | 'lingering';

export interface ChildState {
  readonly id: number;
  readonly name: string;
  readonly reqid: number;
  readonly protocol: Protocol;
  /** As negotiated. */
  readonly mode: Mode;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly suite: Suite;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
  /** True when our request created it. */
  readonly ours: boolean;
  /** The lower of the two nonces of its exchange: decides collisions (RFC 7296 §2.8.1). */
  readonly lowestNonce: Uint8Array;
  /** Both of the child that this one goes back to, where rekeyings lie between. */
  readonly first?: { readonly ours: boolean; readonly lowestNonce: Uint8Array };
  /** It was begun to take the place of children up to this id. */
  after?: number;
  readonly installedAt: Millis;
  stage: ChildStage;
  /** The child that has taken this one's place. */
  successor?: number;
  /** The successor sends, or this one never did. */
  retired?: true;
  rekeyAt?: Millis;
  lifeAt?: Millis;
  /** End of lingering. */
  removeAt?: Millis;
  /** When this one lost its place by the nonces alone, which the peer may see otherwise. */
  contestedAt?: Millis;
  /** Failed attempts to rekey, for the back-off. */
  failures: number;
}

/** Slow work that is asked for, and when it is given up. */
export interface Job {
  readonly serial: number;
  readonly deadline: Millis;
}

export interface BaseState {
  readonly version: 1 | 2;
  readonly id: SessionId;
  conn: string;
  /** We sent the first message of this IKE SA. */
  readonly original: boolean;
  readonly spiI: Uint8Array;
  spiR: Uint8Array;
  local: SocketAddress;
  remote: SocketAddress;
  phase: Phase;
  readonly startedAt: Millis;
  establishedAt?: Millis;
  localId?: Identity;
  remoteId?: Identity;
  suite?: Suite;
  lowestNonce?: Uint8Array;
  natLocal: boolean;
  natRemote: boolean;
  /** ESP goes in UDP although nobody translates: asked for, or raw ESP is not to be had. */
  udpForced: boolean;
  children: ChildState[];
  lastIn: Millis;
  lastOut: Millis;
  lastMove?: Millis;
  rekeyAt?: Millis;
  reauthAt?: Millis;
  lifeAt?: Millis;
  /** A half-open session dies at this time; a closed one is forgotten. */
  endAt?: Millis;
  failures: number;
  /** The session that this one is to take over from, once established. */
  replaces?: SessionId;
  /** The session that is to take over from this one by reauthentication. */
  replacement?: SessionId;
  /** The session that has taken this one's place, or stands in it as long as both sides' rekeyings are undecided. */
  successor?: SessionId;
  reason?: Reason;
  /** The last that was told of a message of ours which did not arrive. */
  trouble?: Trouble;
}

/** Numbers that a state speaks of beside its own and its children's: of things that may be gone, or are not there yet. */
export interface Numbers {
  readonly ids: readonly number[];
  readonly serials: readonly number[];
  readonly spis: readonly number[];
}

/** What every IKE SA starts with. */
export function blankBase(id: SessionId, conn: string, now: Millis) {
  return {
    id,
    conn,
    phase: 'init' as const,
    startedAt: now,
    natLocal: false,
    natRemote: false,
    children: [],
    lastIn: now,
    lastOut: now,
    failures: 0,
  };
}
