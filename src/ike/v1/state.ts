// The state of an IKEv1 SA as plain data: it can be cloned, exported and taken up again by another process.

import type { KeyPair } from '../../crypto/types.ts';
import type { Millis, Mode, Protocol } from '../connection.ts';
import type { SessionId } from '../effects.ts';
import type { Suite } from '../select.ts';
import type { Told } from '../silence.ts';
import { type BaseState, blankBase, type Job, type Numbers } from '../state.ts';
import type { Selector } from '../wire/ts.ts';
import type { Life } from './attributes.ts';
import type { Keys } from './keymat.ts';
import type { NatFlavour } from './vendor.ts';
import type { Id, Proposal } from './wire/payload.ts';

/** A message of ours that may have to be sent again, with the same bytes. */
export interface Sent {
  readonly datagrams: readonly Uint8Array[];
  readonly since: Millis;
  transmissions: number;
  /** What the operator was told of the silence. */
  told?: Told;
  /** Undefined where it is repeated only when the peer repeats itself. */
  nextAt?: Millis;
}

/**
 * What phase 1 waits for: a message of main or aggressive mode by its number, or a result of slow work before one can be
 * sent. `done` when there is nothing more to come.
 */
export type Awaits =
  | 'pair'
  | 'main-2'
  | 'main-3'
  | 'main-4'
  | 'main-5'
  | 'main-6'
  | 'aggressive-2'
  | 'aggressive-3'
  | 'shared'
  | 'done';

/** What phase 1 needs until both sides are authenticated. */
export interface Phase1 {
  /** Ours, as they went out; the peer's that we chose. */
  proposals?: readonly Proposal[];
  /** The lifetime in the responder's choice. */
  life?: Life;
  /** Body of the initiator's SA payload, which both hashes cover. */
  saI?: Uint8Array;
  nonceI?: Uint8Array;
  nonceR?: Uint8Array;
  publicI?: Uint8Array;
  publicR?: Uint8Array;
  /** Body of the peer's ID payload, where it came before the keys were there. */
  peerIdBody?: Uint8Array;
  /** HASH_R of aggressive mode, until there is a key to check it with. */
  peerHash?: Uint8Array;
  pair?: KeyPair;
  shared?: Uint8Array;
  group: number;
  /** Bytes that came and went before the peer's address was proven. */
  heard: number;
  said: number;
  /** Signs, none of them proven, that the peer could not read what we have sent. */
  doubts: number;
}

/** A child to be negotiated: one selector on each side. */
export interface Want {
  readonly child: string;
  readonly localTs: Selector;
  readonly remoteTs: Selector;
  /** The child to be replaced. */
  readonly rekeys?: number;
  /** Groups that the peer did not want. */
  readonly refused?: readonly number[];
}

/**
 * `pair`, `shared`: slow work. `switch`: nothing more is said, and the old SA still sends until the peer has had time to
 * take our last message in. `done`: only answers repetitions of that, until it goes.
 */
export type QuickAwaits = 'pair' | 'quick-2' | 'quick-3' | 'shared' | 'switch' | 'done';

/** A quick mode, under its message id. */
export interface Quick {
  readonly id: number;
  /** We began it. */
  readonly ours: boolean;
  readonly want: Want;
  readonly protocol: Protocol;
  awaits: QuickAwaits;
  mode: Mode;
  /** Of the next message, whoever sends it. */
  iv: Uint8Array;
  readonly spi: number;
  readonly group: number;
  nonceI: Uint8Array;
  nonceR: Uint8Array;
  proposals?: readonly Proposal[];
  pair?: KeyPair;
  /** What the responder chose, and the lifetime that both can live with. */
  answer?: { readonly suite: Suite; readonly spi: number; readonly life: Life; readonly chosen: Proposal };
  /** The peer's own words for the selectors, where all of them are accepted: they go back as they came. */
  readonly ids?: readonly Id[];
  /** The peer's lifetime differs from what we go by: it is told so. */
  readonly shorter?: Life;
  job?: Job;
  sent?: Sent;
  /** Digest of the peer's last message, to know its repetition. */
  heard?: Uint8Array;
  /** The child that it has made. */
  child?: number;
  /** Our SA with the same purpose when this began. */
  before?: number;
  /** The child was closed in the meantime: what is made goes at once, and the peer is told. */
  unwanted?: true;
  readonly begunAt: Millis;
  endAt: Millis;
}

/** Fragments of one message (Cisco's payload 132). */
export interface Fragments {
  readonly id: number;
  readonly startedAt: Millis;
  bytes: number;
  /** By number, from 1; the last is known once it came. */
  readonly parts: Map<number, Uint8Array>;
  last?: number;
}

/** Dead-peer detection under way (RFC 3706). */
export interface Probe {
  readonly since: Millis;
  transmissions: number;
  told?: Told;
  nextAt: Millis;
}

export interface SessionState extends BaseState {
  readonly version: 1;
  readonly aggressive: boolean;
  awaits: Awaits;
  phase1?: Phase1;
  keys?: Keys;
  /** Last block of phase 1: what the IVs of all later exchanges are made from. */
  iv?: Uint8Array;
  natt?: NatFlavour;
  peerDpd: boolean;
  /** The peer settles collisions as we do. */
  peerEspalier: boolean;
  peerFragments: boolean;
  job?: Job;
  sent?: Sent;
  /** Digest of the peer's last message of phase 1. */
  heard?: Uint8Array;
  /** How often the peer has said that after our answer. */
  repeats?: number;
  quicks: Quick[];
  queue: Want[];
  /** Message ids of both sides: one that was used is not used again, and ours do not come from the peer. */
  readonly usedIds: Set<number>;
  /** Sequence number of our last R_U_THERE, and of the peer's. */
  dpdOut: number;
  dpdIn: number;
  probe?: Probe;
  /** When it was last seen that nothing was sent in vain. */
  lookedAt?: Millis;
  fragments?: Fragments;
  fragmentId: number;
  /** Those whose place it has taken, the newest last. */
  elders: SessionId[];
}

export function blank(id: SessionId, conn: string, now: Millis) {
  return {
    ...blankBase(id, conn, now),
    version: 1 as const,
    peerDpd: false,
    peerEspalier: false,
    peerFragments: false,
    quicks: [],
    queue: [],
    usedIds: new Set<number>(),
    dpdOut: 0,
    dpdIn: 0,
    fragmentId: 0,
    elders: [],
  };
}

/** Quick modes of ours that are under way. */
export function outstanding({ quicks }: SessionState): Quick[] {
  return quicks.filter(({ ours, awaits }) => ours && awaits !== 'done' && awaits !== 'switch');
}

/** The numbers in a state that must not be given again. */
export function numbersOf({ quicks, queue, job, elders }: SessionState): Numbers {
  return {
    ids: [
      ...elders,
      ...quicks.flatMap(({ child = 0, before = 0 }) => [child, before]),
      ...queue.map(({ rekeys = 0 }) => rekeys),
    ],
    serials: [job?.serial ?? 0, ...quicks.map((quick) => quick.job?.serial ?? 0)],
    spis: quicks.filter(({ child, awaits }) => child === undefined && awaits !== 'done').map(({ spi }) => spi),
  };
}
