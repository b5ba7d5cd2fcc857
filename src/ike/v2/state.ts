// The state of an IKEv2 session as plain data: it can be cloned, exported and taken up again by another process.
// Whatever is derived from it (cipher contexts, timers) is not kept here.

import type { SocketAddress } from '../../bytes/ip.ts';
import type { KeyPair } from '../../crypto/types.ts';
import type { Millis, Mode, Protocol } from '../connection.ts';
import type { SessionId } from '../effects.ts';
import type { Reason } from '../reason.ts';
import type { Suite } from '../select.ts';
import type { Told } from '../silence.ts';
import { type BaseState, blankBase, type Job, type Numbers } from '../state.ts';
import type { Proposal } from '../wire/payload.ts';
import type { Selector } from '../wire/ts.ts';

/** RFC 7296 §2.14. */
export interface IkeKeys {
  readonly skD: Uint8Array;
  readonly skAi: Uint8Array;
  readonly skAr: Uint8Array;
  readonly skEi: Uint8Array;
  readonly skEr: Uint8Array;
  readonly skPi: Uint8Array;
  readonly skPr: Uint8Array;
}

/** A child to be negotiated. */
export interface Want {
  readonly child: string;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
  /** How often narrowing has already led to a further child: bounds the chain. */
  readonly further: number;
}

/** What a CREATE_CHILD_SA request of ours remembers until its answer. */
export interface Asked {
  readonly protocol: Protocol;
  readonly mode: Mode;
  readonly spi: number;
  readonly proposals: readonly Proposal[];
  readonly nonce: Uint8Array;
  readonly pair?: KeyPair;
  readonly group: number;
}

/** The responder's answer while the shared secret is being computed. */
export interface Answered {
  readonly mode: Mode;
  readonly suite: Suite;
  readonly spi: Uint8Array;
  readonly nonce: Uint8Array;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
}

/** Where we would have received: of a child that the peer has made and we could not. */
export type OwnSpi = Pick<Asked, 'protocol' | 'spi'>;

export type Task =
  | {
      readonly kind: 'init';
      readonly nonce: Uint8Array;
      group: number;
      pair?: KeyPair;
      cookie?: Uint8Array;
      /** Requests sent over again for COOKIE or INVALID_KE_PAYLOAD. */
      restarts: number;
      proposals?: readonly Proposal[];
      answer?: { readonly suite: Suite; readonly nonce: Uint8Array };
    }
  | { readonly kind: 'auth'; want?: Want; asked?: Asked }
  | CreateTask
  | {
      readonly kind: 'rekey-ike';
      readonly spi: Uint8Array;
      readonly nonce: Uint8Array;
      group: number;
      pair?: KeyPair;
      restarts: number;
      proposals?: readonly Proposal[];
      answer?: { readonly suite: Suite; readonly nonce: Uint8Array; readonly spi: Uint8Array };
      /** The peer's own rekeying of the same IKE SA, answered while ours was under way. */
      rival?: { readonly session: SessionId; readonly lowestNonce: Uint8Array };
    }
  | { readonly kind: 'delete-child'; readonly children: readonly number[]; readonly unmade?: readonly OwnSpi[] }
  | { readonly kind: 'delete-ike'; readonly reason: Reason }
  | { readonly kind: 'liveness' }
  /** Tells the peer why we give up a session whose AUTH failed (RFC 7296 §2.21.2). */
  | { readonly kind: 'refuse'; readonly notify: number; readonly reason: Reason };

export interface CreateTask {
  readonly kind: 'create';
  want: Want;
  /** The child to be replaced. */
  readonly rekeys?: number;
  group: number;
  /** Requests sent over again for another group. */
  restarts: number;
  /** Times that the peer had to be asked later. */
  readonly postponed?: number;
  asked?: Asked;
  answer?: Answered;
  /** The peer's rekeying of the same child, answered while ours was under way. */
  rival?: number;
}

/** A request of the peer whose answer waits for a shared secret. */
export type Incoming =
  | {
      readonly kind: 'init';
      readonly from: SocketAddress;
      readonly suite: Suite;
      readonly proposal: Proposal;
      readonly nonce: Uint8Array;
    }
  | {
      readonly kind: 'create';
      readonly from: SocketAddress;
      readonly suite: Suite;
      readonly proposal: Proposal;
      readonly nonce: Uint8Array;
      readonly child: string;
      readonly mode: Mode;
      readonly localTs: readonly Selector[];
      readonly remoteTs: readonly Selector[];
      readonly rekeys?: number;
    }
  | {
      readonly kind: 'rekey-ike';
      readonly from: SocketAddress;
      readonly suite: Suite;
      readonly proposal: Proposal;
      readonly nonce: Uint8Array;
    };

/** A request of ours without an answer yet. */
export interface Outstanding {
  readonly id: number;
  readonly exchange: number;
  /** The datagrams as sent; a retransmission sends the same bytes (RFC 7296 §2.1). */
  readonly datagrams: readonly Uint8Array[];
  readonly since: Millis;
  transmissions: number;
  nextAt: Millis;
  /** What the operator was told of the silence. */
  told?: Told;
  /** Given up at this time even if retransmissions are left. */
  readonly until?: Millis;
}

/** Fragments of one message, decrypted (RFC 7383 §2.6). */
export interface Reassembly {
  readonly id: number;
  readonly total: number;
  readonly startedAt: Millis;
  inner: number;
  bytes: number;
  count: number;
  readonly parts: (Uint8Array | undefined)[];
}

/** The Initiator flag and SK_*i are ours where the SA is `original`. */
export interface SessionState extends BaseState {
  readonly version: 2;
  keys?: IkeKeys;
  /** Of IKE_SA_INIT, as sent and received: what AUTH signs. Dropped once authenticated. */
  initRequest?: Uint8Array;
  initResponse?: Uint8Array;
  /** How often the peer has said its first message after our answer. */
  repeats?: number;
  /** The responder's choice: each connection that comes into question must have allowed it. */
  accepted?: Proposal;
  nonceI?: Uint8Array;
  nonceR?: Uint8Array;
  /** The same of the SA that IKE_SA_INIT made, and who made it, where rekeyings lie between. */
  readonly first?: { readonly original: boolean; readonly lowestNonce: Uint8Array };
  /** What the peer said it can. */
  peerFragments: boolean;
  peerChildless: boolean;
  peerHashes: readonly number[];
  /** Next value of the counter from which IVs are made. */
  ivCounter: number;
  nextOut: number;
  nextIn: number;
  outstanding?: Outstanding;
  requestParts?: Reassembly;
  responseParts?: Reassembly;
  lastResponse?: { readonly id: number; readonly datagrams: readonly Uint8Array[] };
  task?: Task;
  taskJob?: Job;
  incoming?: Incoming;
  incomingJob?: Job;
  queue: Task[];
  /** Tasks put off after TEMPORARY_FAILURE and its like. */
  delayed: { readonly at: Millis; readonly task: Task }[];
}

/** What a session does, has to do, and has put off. */
export function tasksOf({ task, queue, delayed }: SessionState): Task[] {
  return [...(task ? [task] : []), ...queue, ...delayed.map((one) => one.task)];
}

/** The numbers in a state that must not be given again. */
export function numbersOf(state: SessionState): Numbers {
  const tasks = tasksOf(state);
  return {
    ids: tasks.flatMap(named),
    serials: [state.taskJob?.serial ?? 0, state.incomingJob?.serial ?? 0],
    spis: tasks.flatMap(spisOf),
  };
}

/** The sessions and children that a task is about: they may go before it is begun. */
function named(task: Task): readonly number[] {
  switch (task.kind) {
    case 'create':
      return [task.rekeys ?? 0, task.rival ?? 0];
    case 'rekey-ike':
      return [task.rival?.session ?? 0];
    case 'delete-child':
      return task.children;
    case 'init':
    case 'auth':
    case 'delete-ike':
    case 'liveness':
    case 'refuse':
      return [];
  }
}

/** Our SPIs of children that are not there, or not yet. */
export function spisOf(task: Task): readonly number[] {
  if (task.kind === 'delete-child') return (task.unmade ?? []).map(({ spi }) => spi);
  return (task.kind === 'create' || task.kind === 'auth') && task.asked ? [task.asked.spi] : [];
}

/** Established and to stay so: no Delete waits to go out. */
export function stays({ phase, queue }: SessionState): boolean {
  return phase === 'established' && !queue.some(({ kind }) => kind === 'delete-ike');
}

/** What every session starts with. */
export function blank(id: SessionId, conn: string, now: Millis) {
  return {
    ...blankBase(id, conn, now),
    version: 2 as const,
    peerFragments: false,
    peerChildless: false,
    peerHashes: [],
    ivCounter: 0,
    nextOut: 0,
    nextIn: 0,
    queue: [],
    delayed: [],
  };
}

/** strongSwan's names of tasks. */
export function taskName(task: Task): string {
  switch (task.kind) {
    case 'init':
      return 'IKE_INIT';
    case 'auth':
      return 'IKE_AUTH';
    case 'create':
      return task.rekeys === undefined ? 'CHILD_CREATE' : 'CHILD_REKEY';
    case 'rekey-ike':
      return 'IKE_REKEY';
    case 'delete-child':
      return 'CHILD_DELETE';
    case 'delete-ike':
      return 'IKE_DELETE';
    case 'liveness':
      return 'IKE_DPD';
    case 'refuse':
      return 'INFORMATIONAL';
  }
}
