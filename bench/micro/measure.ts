// How long one operation takes, and what it leaves for the garbage collector. A task does many operations a call, since
// the clock is coarser than most of them; tasks take turns over several rounds.

import { Bench } from 'tinybench';
import { Table } from '../table.ts';

export interface Task {
  readonly name: string;
  /** Operations in one call of `run`. */
  readonly count: number;
  /** Returns something that depends on every operation, so that none can be left out. */
  readonly run: () => number;
}

const ROUNDS = 5;
/** Few enough for the young generation to take all that they leave, at a hundred bytes each. */
const WATCHED = 50_000;

let sink = 0;

export async function measure(title: string, tasks: readonly Task[]): Promise<void> {
  const table = new Table(title);
  for (let round = 0; round < ROUNDS; round++) {
    const bench = new Bench({ time: 60, warmupTime: 30 });
    for (const { name, run } of tasks) bench.add(name, () => consume(run()));
    await bench.run();
    for (const { name, count, run } of tasks) {
      const { result } = bench.getTask(name) ?? {};
      if (result?.state !== 'completed') throw new Error(`${name} did not run to its end`);
      table.add(name, { 'ns each': (result.latency.p50 * 1e6) / count, 'bytes left': left(run, count) });
    }
  }
  table.print();
}

/** Bytes of heap that an operation leaves, without what watching costs. */
function left(run: () => number, count: number): number {
  const calls = Math.max(1, Math.round(WATCHED / count));
  const idle = grown(() => 0, calls);
  return Math.max(0, Math.round((grown(run, calls) - idle) / (calls * count)));
}

/** The least of a few tries: a collection in between makes one of them worthless. */
function grown(run: () => number, calls: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 5; tries++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < calls; i++) consume(run());
    const after = process.memoryUsage().heapUsed;
    if (after >= before) least = Math.min(least, after - before);
  }
  return least;
}

function consume(value: number): void {
  sink = (sink + value) | 0;
}
