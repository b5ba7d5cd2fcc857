// What a data-plane thread is given when it starts.

import type { MessagePort } from 'node:worker_threads';
import type { SharedState } from '../esp/slots.ts';

/** The kernel's filters and the addon's mailboxes know so many. */
export const MOST_WORKERS = 64;

/** Words of `control`. */
export const CONTROL = { CHANGES: 0, STOP: 1, BEATS: 2 } as const;
export const CONTROL_WORDS = 3;

export interface WorkerData {
  readonly index: number;
  readonly workers: number;
  readonly uses: number;
  readonly fds: readonly number[];
  readonly shared: SharedState;
  readonly counters: Float64Array;
  /** What it drops, by reason. */
  readonly total: Float64Array;
  /** Random. */
  readonly seed: number;
  readonly control: Int32Array;
  readonly port: MessagePort;
  /** `process.hrtime` in milliseconds where the main thread's clock began. */
  readonly epoch: number;
}
