// What is known of each SA, by slot. What others must see, or a successor of a dead worker must go on with, lies in
// shared memory: counters, sequence numbers, replay windows. One worker writes a slot's words, any thread reads them.

import { dropMemory } from './drop.ts';
import { SLOTS } from './layout.ts';
import { type ReplayMemory, replayMemory } from './replay.ts';

/** Words of a slot in `stats`: one cache line. */
export const STAT = {
  PACKETS_IN: 0,
  BYTES_IN: 1,
  PACKETS_OUT: 2,
  BYTES_OUT: 3,
  LAST_IN: 4,
  LAST_OUT: 5,
  /** The next sequence number to send. */
  NEXT: 6,
} as const;
export const STAT_WORDS = 8;

/** By slot, and what each lane dropped for no SA of its own. */
export interface SharedState {
  readonly stats: Float64Array;
  readonly replay: ReplayMemory;
  readonly drops: Float64Array;
}

/** Pages that nobody touches cost nothing: they are zero until they are written. */
export function sharedState(slots = SLOTS): SharedState {
  return {
    stats: new Float64Array(new SharedArrayBuffer(8 * STAT_WORDS * slots)),
    replay: replayMemory(slots),
    drops: dropMemory(slots),
  };
}

/** What the worker itself keeps of the SAs: whose they are, where they lead, how much they may carry. */
export class Slots {
  readonly shared: SharedState;
  /** The child's number; 0 where the slot is empty. */
  readonly ids: Int32Array;
  readonly owners: Uint8Array;
  readonly groups: Int32Array;
  readonly flags: Int32Array;
  /** The largest inner packet. */
  readonly mtus: Int32Array;
  /** Version, port, and the address in four words. */
  readonly remotes: Int32Array;
  /** Bytes and packets of either direction; Infinity where there is no limit. */
  readonly limits: Float64Array;
  /** The highest sequence number that may be sent. */
  readonly lastSeqs: Float64Array;
  readonly reported: Uint8Array;
  readonly used: Uint8Array;
  /** What came in has reached a hard limit: nothing more is opened. */
  readonly endedIn: Uint8Array;

  constructor(shared: SharedState, slots = SLOTS) {
    this.shared = shared;
    this.ids = new Int32Array(slots);
    this.owners = new Uint8Array(slots);
    this.groups = new Int32Array(slots).fill(-1);
    this.flags = new Int32Array(slots);
    this.mtus = new Int32Array(slots);
    this.remotes = new Int32Array(slots * REMOTE_WORDS);
    this.limits = new Float64Array(slots * LIMIT_WORDS);
    this.lastSeqs = new Float64Array(slots);
    this.reported = new Uint8Array(slots);
    this.used = new Uint8Array(slots);
    this.endedIn = new Uint8Array(slots);
  }
}

export const REMOTE_WORDS = 6;
export const LIMIT = { SOFT_BYTES: 0, HARD_BYTES: 1, SOFT_PACKETS: 2, HARD_PACKETS: 3 } as const;
export const LIMIT_WORDS = 4;

/** How far an SA's life has gone, in `reported`: `SOFT` asks for a successor, `HARD` ends it. */
export const LEVEL = { FRESH: 0, SOFT: 1, HARD: 2 } as const;
