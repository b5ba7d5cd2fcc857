// The replay window: asked before a packet is opened and told after, as the pipeline does, over batches of one SA and of
// many.

import { ReplayWindows, replayMemory } from '../../src/esp/replay.ts';
import { measure, type Task } from './measure.ts';
import { numbers } from './packets.ts';

const COUNT = 1024;
const SLOTS = 10_000;
/** From here on a sequence number is no small integer of the engine's any more. */
const FAR = 2 ** 40;

export async function benchReplay(): Promise<void> {
  await measure('replay: one packet asked about and accepted', [
    inOrder('32 bits, window 128, in order', 128, false),
    inOrder('ESN, window 128, in order', 128, true),
    inOrder('ESN, window 4096, in order', 4096, true),
    shuffled('ESN, window 128, shuffled', 128, 1),
    shuffled('ESN, window 4096, shuffled', 4096, 1),
    shuffled('ESN, window 128, shuffled over 10 000 SAs', 128, SLOTS),
    again('ESN, window 128, all seen before', 128),
  ]);
}

function inOrder(name: string, size: number, esn: boolean): Task {
  const windows = new ReplayWindows(replayMemory(1));
  const run = (start: number) => batch(windows, ONE, start, IN_ORDER);
  windows.open(0, size, esn);
  let next = esn ? FAR : 1;
  windows.accept(0, next);
  return {
    name,
    count: COUNT,
    run: () => {
      const { start, end } = stretch(next, esn);
      if (end === undefined) windows.open(0, size, esn);
      next = start + COUNT;
      return run(start);
    },
  };
}

/** All in one slot. */
const ONE = new Int32Array(COUNT);
const IN_ORDER = Int32Array.from({ length: COUNT }, (_, i) => i + 1);

/** Sequence numbers of 32 bits end some day: then the SA is a new one. */
function stretch(next: number, esn: boolean): { readonly start: number; readonly end: number | undefined } {
  return esn || next + COUNT < 2 ** 32 ? { start: next, end: next + COUNT } : { start: 1, end: undefined };
}

function shuffled(name: string, size: number, slots: number): Task {
  const windows = new ReplayWindows(replayMemory(slots, size));
  const steps = Int32Array.from(IN_ORDER);
  const choose = numbers(7);
  for (let i = 0; i < COUNT; i++) {
    // Within reach of the smallest window.
    const j = Math.min(COUNT - 1, i + choose(60));
    const other = steps[j] as number;
    steps[j] = steps[i] as number;
    steps[i] = other;
  }
  for (let slot = 0; slot < slots; slot++) {
    windows.open(slot, size, true);
    windows.accept(slot, FAR);
  }
  const spread = Int32Array.from({ length: COUNT }, (_, i) => (i * 7919) % slots);
  let next = FAR;
  return {
    name,
    count: COUNT,
    run: () => {
      const sum = batch(windows, spread, next, steps);
      next += COUNT;
      return sum;
    },
  };
}

function again(name: string, size: number): Task {
  const windows = new ReplayWindows(replayMemory(1, size));
  windows.open(0, size, true);
  windows.accept(0, FAR);
  batch(windows, ONE, FAR, IN_ORDER);
  return { name, count: COUNT, run: () => batch(windows, ONE, FAR, IN_ORDER) };
}

const seqs = new Float64Array(COUNT);

/** The steps from `start` on, each in its slot. */
function batch(windows: ReplayWindows, slots: Int32Array, start: number, steps: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < steps.length; i++) {
    seqs[i] = windows.fresh(slots[i] as number, (start + (steps[i] as number)) | 0);
  }
  for (let i = 0; i < steps.length; i++) {
    const seq = seqs[i] as number;
    if (seq >= 0) sum += windows.accept(slots[i] as number, seq);
  }
  return sum;
}
