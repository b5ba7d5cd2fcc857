// A data plane without a control plane: workers, a TUN device and sockets in a process of their own, in a namespace.
// The SAs are given by hand, so that a test knows the keys and chooses every field. See baremain.ts.

import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { SaStats } from '../../src/daemon/plane.ts';
import type { Drop } from '../../src/esp/drop.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import { type Space, until } from './netns.ts';

const MAIN = join(import.meta.dirname, 'baremain.js');

/** What it was dropped for, and what the lanes counted, summed over all workers. */
export interface Totals {
  readonly drops: Readonly<Record<Drop, number>>;
  readonly counters: Readonly<Record<string, number>>;
  /** Bytes of memory in use by the process. */
  readonly rss: number;
}

export type Order =
  | { readonly op: 'install'; readonly sas: readonly ChildSa[] }
  | { readonly op: 'remove'; readonly ids: readonly number[] }
  /** As if each SA had sent and received its packets up to this one. Only while it is idle. */
  | { readonly op: 'jump'; readonly ids: readonly number[]; readonly last: number }
  | { readonly op: 'stats'; readonly id: number }
  | { readonly op: 'totals' }
  | { readonly op: 'replace'; readonly worker: number };

/** What happens unasked. */
export type News =
  | { readonly kind: 'ready' }
  /** A datagram for the main thread: its first bytes in hex, and the sender's address. */
  | { readonly kind: 'ike'; readonly bytes: string; readonly from: string }
  | { readonly kind: 'died'; readonly worker: number; readonly fault: string | undefined }
  | { readonly kind: 'soft' | 'hard' | 'used' | 'orphaned'; readonly id: number }
  | { readonly kind: 'moved'; readonly id: number; readonly remote: string; readonly port: number }
  | { readonly kind: 'resized'; readonly id: number; readonly mtu: number }
  | { readonly kind: 'undelivered' }
  | { readonly kind: 'acquire'; readonly policy: number }
  | { readonly kind: 'bug'; readonly text: string };

export interface Answer {
  readonly answer: number;
  readonly value?: unknown;
  readonly error?: string;
}

export type Message = Answer | { readonly news: News };

export interface BareOptions {
  readonly workers?: number;
  /** Facilities of the kernel to use; by default all. */
  readonly uses?: number;
}

export class Bare {
  /** Name of its TUN device. */
  static readonly TUN = 'esp0';
  readonly news: News[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #serial = 0;
  #stderr = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.on('data', (chunk) => {
      this.#stderr += chunk;
    });
    child.on('message', (message) => this.#hear(message as Message));
    child.once('exit', () => {
      for (const answer of this.#waiting.keys()) this.#hear({ answer, error: `the data plane ended: ${this.#stderr}` });
    });
  }

  static async start(space: Space, options: BareOptions = {}): Promise<Bare> {
    const { workers = 1, uses } = options;
    const args = [MAIN, Bare.TUN, `${workers}`, ...(uses === undefined ? [] : [`${uses}`])];
    const child = space.spawn(process.execPath, args, {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    const bare = new Bare(child);
    await bare.heard('the data plane runs', ({ kind }) => kind === 'ready');
    return bare;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async install(...sas: readonly ChildSa[]): Promise<void> {
    await this.#ask({ op: 'install', sas });
  }

  async remove(...ids: readonly number[]): Promise<void> {
    await this.#ask({ op: 'remove', ids });
  }

  async jump(ids: readonly number[], last: number): Promise<void> {
    await this.#ask({ op: 'jump', ids, last });
  }

  async stats(id: number): Promise<SaStats> {
    return (await this.#ask({ op: 'stats', id })) as SaStats;
  }

  async totals(): Promise<Totals> {
    return (await this.#ask({ op: 'totals' })) as Totals;
  }

  /** Ends a worker, as if it had died. */
  async replace(worker: number): Promise<void> {
    await this.#ask({ op: 'replace', worker });
  }

  /** The first news, past or to come, that fits. */
  heard(what: string, fits: (news: News) => boolean): Promise<News> {
    return until(`news of the data plane: ${what}`, () => {
      const found = this.news.find(fits);
      if (found === undefined && this.#child.exitCode !== null) throw new Error(`it ended: ${this.#stderr}`);
      return found;
    });
  }

  #ask(order: Order): Promise<unknown> {
    const serial = ++this.#serial;
    return new Promise((resolve, reject) => {
      this.#waiting.set(serial, ({ value, error }) => {
        if (error === undefined) resolve(value);
        else reject(new Error(error));
      });
      this.#child.send({ serial, order });
    });
  }

  #hear(message: Message): void {
    if ('news' in message) {
      this.news.push(message.news);
      return;
    }
    const settle = this.#waiting.get(message.answer);
    this.#waiting.delete(message.answer);
    settle?.(message);
  }
}
