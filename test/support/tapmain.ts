// Loaded into a daemon before its own code (see tap.ts): keeps hold of its data-plane threads, and does to them from
// within what a bug would. Listens beside the control socket.

import { rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import threads, { isMainThread, Worker, type WorkerOptions, workerData } from 'node:worker_threads';

/** What a data-plane thread is given, as far as it matters here. */
interface Given {
  readonly index: number;
  readonly counters: Float64Array;
  readonly total: Float64Array;
  /** Ours: not 0 when the thread is to go round no more. */
  readonly hang?: Int32Array;
}

interface Kept {
  readonly worker: Worker;
  readonly given: Given;
}

if (isMainThread) listen(keep());
else obey(workerData);

/** By index, the present one of each. */
function keep(): ReadonlyMap<number, Kept> {
  const kept = new Map<number, Kept>();
  class Tapped extends Worker {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      const given = isGiven(options.workerData) ? options.workerData : undefined;
      const hang = new Int32Array(new SharedArrayBuffer(4));
      super(file, given ? { ...options, workerData: { ...given, hang } } : options);
      if (given) kept.set(given.index, { worker: this, given: { ...given, hang } });
    }
  }
  Object.assign(threads, { Worker: Tapped });
  syncBuiltinESMExports();
  return kept;
}

function isGiven(data: unknown): data is Given {
  return typeof data === 'object' && data !== null && 'counters' in data && 'total' in data;
}

function listen(kept: ReadonlyMap<number, Kept>): void {
  const control = process.argv[process.argv.indexOf('--control') + 1] ?? '';
  const server = createServer((socket) => serve(socket, kept));
  const path = `${control.replace('unix://', '')}.tap`;
  // The daemon may have started itself anew.
  rmSync(path, { force: true });
  server.listen(path);
  server.unref();
}

function serve(socket: Socket, kept: ReadonlyMap<number, Kept>): void {
  socket.on('error', () => {});
  createInterface(socket).on('line', (line) => {
    const [verb, number] = line.split(' ');
    const thread = kept.get(Number(number));
    if (verb === 'end') void thread?.worker.terminate();
    if (verb === 'hang' && thread?.given.hang) Atomics.store(thread.given.hang, 0, 1);
    const all = [...kept.values()].map(({ given }) => given);
    const answer = {
      counters: sums(all.map(({ counters }) => [...new BigUint64Array(counters.buffer)].map(Number))),
      drops: sums(all.map(({ total }) => [...total])),
      memory: process.memoryUsage(),
    };
    socket.write(`${JSON.stringify(answer)}\n`);
  });
}

function sums(rows: readonly (readonly number[])[]): readonly number[] {
  return (rows[0] ?? []).map((_, i) => rows.reduce((total, row) => total + (row[i] ?? 0), 0));
}

/** The loop asks for the time in every turn. */
function obey(data: unknown): void {
  const hang = isGiven(data) ? data.hang : undefined;
  if (!hang) return;
  const now = performance.now.bind(performance);
  performance.now = () => {
    while (Atomics.load(hang, 0) !== 0);
    return now();
  };
}
