// Data that must come back as it went: datagrams of every size and TCP streams, from one host to another and back, in
// both directions at once. What a cipher, a padding or a segmentation spoils is seen here.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Space } from './netns.ts';

const MAIN = join(import.meta.dirname, 'echomain.js');
const PORT = 7788;

/** What to run where the echo is to be. It says that it listens, and lives as long as its namespace. */
export const ANSWER: readonly [string, ...string[]] = [process.execPath, MAIN, 'answer', `${PORT}`];

export class Echo {
  readonly #asker: ChildProcess;
  readonly #waiting = new Map<string, (outcome: string) => void>();
  #serial = 0;

  /** Asks from this namespace, whoever answers. */
  constructor(from: Space) {
    const asker = from.spawn(process.execPath, [MAIN, 'ask'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#asker = asker;
    if (asker.stdout) createInterface(asker.stdout).on('line', (line) => this.#hear(line));
    asker.once('exit', () => {
      for (const id of this.#waiting.keys()) this.#hear(`${id} the asker ended`);
    });
  }

  /** With an answer in another namespace. */
  static async between(from: Space, at: Space): Promise<Echo> {
    const [command, ...args] = ANSWER;
    const answer = at.spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    if (answer.stdout) await once(answer.stdout, 'data');
    return new Echo(from);
  }

  /** One stream of so many bytes, each way. */
  stream(address: string, bytes: number): Promise<void> {
    return this.#ask('stream', address, [bytes]);
  }

  /** One datagram of each size. */
  datagrams(address: string, sizes: readonly number[]): Promise<void> {
    return this.#ask('datagrams', address, sizes);
  }

  async #ask(what: string, address: string, numbers: readonly number[]): Promise<void> {
    const id = `${++this.#serial}`;
    const outcome = await new Promise<string>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#asker.stdin?.write(`${id} ${what} ${address} ${PORT} ${numbers.join(',')}\n`);
    });
    if (outcome !== 'whole') throw new Error(`${what} to ${address}: ${outcome}`);
  }

  #hear(line: string): void {
    const id = line.slice(0, line.indexOf(' '));
    const settle = this.#waiting.get(id);
    this.#waiting.delete(id);
    settle?.(line.slice(id.length + 1));
  }
}
