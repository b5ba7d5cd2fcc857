// Key exchanges: at once where they are cheap, in a bounded pool of threads where they would hold up everything else.

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { KE } from '../crypto/ids.ts';
import { keyExchange } from '../crypto/registry.ts';
import type { KeyPair } from '../crypto/types.ts';
import type { Answer, Effect } from '../ike/effects.ts';

export type KeyWork = Extract<Effect, { type: 'generate' | 'agree' }>;

/** Up to about 1 ms for generating and agreeing (`npm run bench -- crypto`); the others go to the pool. */
const CHEAP: ReadonlySet<number> = new Set([
  KE.MODP_768,
  KE.MODP_1024,
  KE.MODP_1536,
  KE.MODP_2048,
  KE.MODP_2048_256,
  KE.ECP_256,
  KE.CURVE25519,
  KE.CURVE448,
]);

/** SECURITY D: of strangers' work, what waits beyond this is dropped; whoever is honest asks again. */
const QUEUE = 64;

export function solve(work: KeyWork): Answer {
  const ke = keyExchange(work.group);
  if (!ke) throw new Error(`no group ${work.group}`);
  if (work.type === 'generate') return { type: 'generated', job: work.job, pair: ke.generate() };
  const pair: KeyPair = work.pair ?? ke.generate();
  return { type: 'agreed', job: work.job, pair, shared: ke.agree(pair, work.theirs) };
}

export class KeyExchanges {
  readonly #answer: (answer: Answer) => void;
  readonly #idle: Worker[] = [];
  readonly #busy = new Set<Worker>();
  /** Of sessions that stand, and of those that we begin: as much as there are sessions. It goes first. */
  readonly #known: KeyWork[] = [];
  readonly #strangers: KeyWork[] = [];
  /** Work that found no place. */
  dropped = 0;

  constructor(answer: (answer: Answer) => void) {
    this.#answer = answer;
  }

  /** `stranger`: the work is for somebody who has not said yet who he is. */
  run(work: KeyWork, stranger: boolean): void {
    if (CHEAP.has(work.group)) return this.#answer(solve(work));
    if (stranger && this.#strangers.length >= QUEUE) {
      this.dropped++;
      return;
    }
    (stranger ? this.#strangers : this.#known).push(work);
    this.#next();
  }

  /** Work that no thread has taken up yet. */
  get waiting(): number {
    return this.#known.length + this.#strangers.length;
  }

  async close(): Promise<void> {
    this.#known.length = 0;
    this.#strangers.length = 0;
    await Promise.all([...this.#idle, ...this.#busy].map((worker) => worker.terminate()));
  }

  #next(): void {
    const queue = this.#known.length > 0 ? this.#known : this.#strangers;
    const work = queue[0];
    const worker = work && (this.#idle.pop() ?? this.#start());
    if (!work || !worker) return;
    queue.shift();
    this.#busy.add(worker);
    worker.postMessage(work);
  }

  #start(): Worker | undefined {
    if (this.#busy.size >= Math.max(1, availableParallelism() - 1)) return undefined;
    const worker = new Worker(new URL('./keyworker.js', import.meta.url));
    worker.unref();
    worker.on('message', (answer: Answer) => {
      this.#busy.delete(worker);
      this.#idle.push(worker);
      this.#answer(answer);
      this.#next();
    });
    // The work that killed it is lost; the session that waits for it gives up in its own time.
    worker.on('error', () => {
      this.#busy.delete(worker);
      this.#next();
    });
    return worker;
  }
}
