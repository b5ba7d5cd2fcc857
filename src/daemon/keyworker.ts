// A thread that computes dear key exchanges.

import { parentPort } from 'node:worker_threads';
import { type KeyWork, solve } from './keyexchange.ts';

parentPort?.on('message', (work: KeyWork) => parentPort?.postMessage(solve(work)));
