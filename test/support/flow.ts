// Numbered UDP packets in both directions between two namespaces, and what became of each: for "not one is lost while
// keys change".

import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Space, until } from './netns.ts';

const MAIN = join(import.meta.dirname, 'flowmain.js');

/** One direction. */
export interface Tally {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** The longest time without an arrival. */
  readonly gap: number;
  /** Ranges of sequence numbers that did not come, and when the first of each was sent (ms after the start). */
  readonly missing: readonly { readonly first: number; readonly last: number; readonly at: number }[];
}

export interface FlowOptions {
  readonly a: Space;
  readonly b: Space;
  readonly aAddress: string;
  readonly bAddress: string;
  readonly port?: number;
  /** Packets per second and direction. */
  readonly rate?: number;
  readonly size?: number;
}

export class Flow {
  readonly #ends: readonly [End, End];

  private constructor(ends: readonly [End, End]) {
    this.#ends = ends;
  }

  /** Returns when packets arrive at both ends. */
  static async start(options: FlowOptions): Promise<Flow> {
    const { a, b, aAddress, bAddress, port = 7777, rate = 200, size = 200 } = options;
    const ends = [
      new End(a, [aAddress, bAddress, `${port}`, `${rate}`, `${size}`]),
      new End(b, [bAddress, aAddress, `${port}`, `${rate}`, `${size}`]),
    ] as const;
    await Promise.all(ends.map((end) => end.said('bound')));
    for (const end of ends) end.tell('go');
    await Promise.all(ends.map((end) => end.said('arriving')));
    return new Flow(ends);
  }

  /** Ends the sending, waits for what is under way, and returns both directions: a to b, b to a. */
  async stop(): Promise<readonly [Tally, Tally]> {
    const [a, b] = this.#ends;
    a.tell('stop');
    b.tell('stop');
    const [sentA, sentB] = await Promise.all([a.said('sent'), b.said('sent')]);
    a.tell(`expect ${sentB}`);
    b.tell(`expect ${sentA}`);
    const [atA, atB] = await Promise.all([a.said('report'), b.said('report')]);
    return [JSON.parse(atB), JSON.parse(atA)];
  }
}

class End {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #stderr = '';

  constructor(space: Space, args: readonly string[]) {
    this.#child = space.spawn(process.execPath, [MAIN, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdout, stderr } = this.#child;
    if (!stdout || !stderr) throw new Error('no pipes');
    createInterface(stdout).on('line', (line) => this.#lines.push(line));
    stderr.on('data', (chunk) => {
      this.#stderr += chunk;
    });
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** What follows the word, once the line has come. */
  said(word: string): Promise<string> {
    return until(`"${word}" from one end of the flow (does anything get through?)`, () => {
      const line = this.#lines.find((candidate) => candidate === word || candidate.startsWith(`${word} `));
      if (line !== undefined) return line.slice(word.length + 1);
      if (this.#child.exitCode !== null) throw new Error(`the flow ended before it said "${word}": ${this.#stderr}`);
      return undefined;
    });
  }
}
