// A data-plane thread: a plain loop around one blocking wait. It never returns to its event loop; what the control
// plane says is taken from its port between batches.

import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Change, SaEvent } from '../esp/change.ts';
import { laneMemory } from '../esp/layout.ts';
import { Pipeline } from '../esp/pipeline.ts';
import { shaped, warmUp } from '../esp/warm.ts';
import { openLane } from '../net/lane.ts';
import { CONTROL, type WorkerData } from './thread.ts';

/** Nothing happens in between that would need it; a lost bell would be noticed. */
const LONGEST_WAIT = 1000;
/** So many bugs in a second are no accident: the thread gives up, and is replaced. */
const BUGS = 100;

function run({ index, workers, uses, fds, shared, counters, total, seed, control, port, epoch }: WorkerData): void {
  warmUp();
  const opened = openLane({ index, workers, uses, fds }, laneMemory(), counters);
  const lane = shaped(opened);
  const [seconds, nanos] = process.hrtime();
  const offset = seconds * 1000 + nanos / 1e6 - performance.now() - epoch;
  const bugs = { count: 0, since: 0 };
  let seen = 0;
  const changes = (): boolean => {
    const announced = Atomics.load(control, CONTROL.CHANGES);
    if (announced === seen) return false;
    seen = announced;
    for (let message = receiveMessageOnPort(port); message; message = receiveMessageOnPort(port)) {
      try {
        pipeline.apply(message.message as Change);
      } catch (error) {
        survive(error, bugs, tell);
      }
    }
    return true;
  };
  const tell = (event: SaEvent): void => port.postMessage(event);
  const pipeline = new Pipeline({ lane, worker: index, shared, total, seed, events: tell, changes });
  while (Atomics.load(control, CONTROL.STOP) === 0) {
    try {
      const ready = lane.wait(pipeline.busy ? 0 : LONGEST_WAIT);
      Atomics.add(control, CONTROL.BEATS, 1);
      changes();
      pipeline.turn(ready, performance.now() + offset);
    } catch (error) {
      survive(error, bugs, tell);
    }
  }
  opened.close();
  port.close();
}

/** A bug costs the batch in which it shows itself. */
function survive(error: unknown, bugs: { count: number; since: number }, tell: (event: SaEvent) => void): void {
  const now = performance.now();
  if (now - bugs.since > 1000) {
    bugs.count = 0;
    bugs.since = now;
  }
  if (++bugs.count > BUGS) throw error;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (bugs.count === 1) tell({ kind: 'bug', text });
}

run(workerData as WorkerData);
