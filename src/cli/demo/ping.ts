// A ping that never ends, read line by line (iputils).

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Tally {
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  /** Mean round trip of the answered ones, in milliseconds. */
  readonly roundTrip: number | undefined;
}

/** One packet and its answer each tenth of a second. */
export const PING = ['-n', '-O', '-i', '0.1', '-s', '1000'] as const;

export const NOTHING: Tally = { sent: 0, answered: 0, lost: 0, roundTrip: undefined };

/** The round trip is that of the later one. */
export function sum(earlier: Tally, later: Tally): Tally {
  return {
    sent: earlier.sent + later.sent,
    answered: earlier.answered + later.answered,
    lost: earlier.lost + later.lost,
    roundTrip: later.roundTrip ?? earlier.roundTrip,
  };
}

export class Ping {
  readonly #child: ChildProcess;
  readonly #answered = new Set<number>();
  #highest = 0;
  #time = 0;
  #final: { readonly sent: number; readonly answered: number } | undefined;
  #onAnswer: (() => void) | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout) createInterface(child.stdout).on('line', (line) => this.#read(line));
    child.stderr?.resume();
  }

  get tally(): Tally {
    const answered = this.#final?.answered ?? this.#answered.size;
    const sent = this.#final?.sent ?? this.#highest;
    const roundTrip = this.#answered.size === 0 ? undefined : this.#time / this.#answered.size;
    return { sent, answered, lost: sent - answered, roundTrip };
  }

  /** Ends it just after an answer, when nothing is on its way that would count as lost. */
  async stop(): Promise<Tally> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return this.tally;
    const answer = new Promise<void>((resolve) => {
      this.#onAnswer = resolve;
    });
    await within(1000, answer);
    const ended = once(child, 'close');
    child.kill('SIGINT');
    await within(2000, ended);
    return this.tally;
  }

  #read(line: string): void {
    const seq = Number(/\bicmp_seq=(\d+)/.exec(line)?.[1]);
    const time = /\btime=([\d.]+) ms/.exec(line)?.[1];
    if (seq) this.#highest = Math.max(this.#highest, seq);
    if (seq && time !== undefined && !this.#answered.has(seq)) {
      this.#answered.add(seq);
      this.#time += Number(time);
      this.#onAnswer?.();
    }
    const end = /^(\d+) packets transmitted, (\d+) received/.exec(line);
    if (end) this.#final = { sent: Number(end[1]), answered: Number(end[2]) };
  }
}

/** Waits, but not longer than this many milliseconds. */
async function within(limit: number, event: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limit);
  });
  await Promise.race([event, late]);
  clearTimeout(timer);
}
