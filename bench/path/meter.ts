// What a span of time cost: CPU of the daemons, of the machine, and of others who were at work on it.

import { cpuTime, familyTime, machine, processes } from './proc.ts';

/** A share of one core used by others beyond which a figure is noisy. */
export const NOISY = 0.15;

export interface Cost {
  /** Seconds. */
  readonly wall: number;
  /** Seconds of CPU. */
  readonly daemons: number;
  readonly machine: number;
  /** Cores that others used on the average, other machines of the same host among them. */
  readonly foreign: number;
}

interface Reading {
  readonly at: number;
  readonly daemons: number;
  readonly busy: number;
  readonly stolen: number;
  readonly family: number;
}

export class Meter {
  readonly #pids: readonly number[];
  readonly #start: Reading;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#start = this.#read();
  }

  cost(): Cost {
    const [from, to] = [this.#start, this.#read()];
    const wall = (to.at - from.at) / 1000;
    const busy = to.busy - from.busy;
    const foreign = busy + to.stolen - from.stolen - (to.family - from.family);
    return { wall, daemons: to.daemons - from.daemons, machine: busy, foreign: Math.max(0, foreign / wall) };
  }

  #read(): Reading {
    let daemons = 0;
    for (const pid of this.#pids) daemons += cpuTime(pid);
    return { at: performance.now(), daemons, ...machine(), family: familyTime(processes(), process.pid) };
  }
}
