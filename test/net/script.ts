// Ends of processes and workers that have watches open: each runs alone, named by the first argument.

import { fileURLToPath } from 'node:url';
import { parentPort, Worker } from 'node:worker_threads';
import { addon } from '../../src/net/native.ts';
import { readable } from './readable.ts';

const SELF = fileURLToPath(import.meta.url);
const native = addon();

const SCRIPTS: Readonly<Record<string, () => void>> = {
  /** The callback throws twice; the second exception ends the script's interest. */
  throws() {
    const { fd, fill } = readable();
    let seen = 0;
    process.on('uncaughtException', (error) => {
      process.stdout.write(`${error.message}\n`);
      if (++seen < 2) return;
      native.pollStop(watch);
      native.close(fd);
    });
    const watch = native.pollStart(fd, () => {
      throw new Error('from the callback');
    });
    fill();
  },
  /** The process ends inside a callback, with watches open. */
  exits() {
    for (let i = 0; i < 5; i++) native.pollStart(readable().fd, () => {});
    const { fd, fill } = readable();
    native.pollStart(fd, () => {
      process.stdout.write('exit\n');
      process.exit(0);
    });
    fill();
  },
  /** Handles are dropped and collected, before and after they were stopped. */
  collects() {
    const { fd, fill, drain } = readable();
    for (let i = 0; i < 1000; i++) native.pollStop(native.pollStart(fd, () => {}));
    native.pollStart(fd, () => {
      drain();
      process.stdout.write('still watched\n');
      process.exit(0);
    });
    globalThis.gc?.();
    setImmediate(() => {
      globalThis.gc?.();
      fill();
    });
  },
  /** A worker's end closes its watches, also when it is torn down in the middle. */
  workers() {
    let left = 4;
    for (const ending of ['terminate', 'exit', 'idle', 'throw']) {
      const worker = new Worker(SELF, { argv: [`worker-${ending}`] });
      if (ending === 'terminate') worker.on('message', () => worker.terminate());
      worker.on('error', (error) => process.stdout.write(`${error.message}\n`));
      worker.on('exit', () => {
        if (--left === 0) process.stdout.write('all ended\n');
      });
    }
  },
  'worker-terminate'() {
    const { fd, fill } = readable();
    native.pollStart(fd, () => {});
    fill();
    parentPort?.postMessage('watching');
  },
  'worker-exit'() {
    const { fd, fill } = readable();
    native.pollStart(fd, () => process.exit(0));
    fill();
  },
  'worker-idle'() {
    native.pollStop(native.pollStart(readable().fd, () => {}));
  },
  'worker-throw'() {
    const { fd, fill } = readable();
    native.pollStart(fd, () => {
      throw new Error('from a worker');
    });
    fill();
  },
};

SCRIPTS[process.argv[2] ?? '']?.();
