// What a connection remembers of what went wrong: the last failure, the silence that lasts, and keys that could not be
// renewed. `why` tells it, also when the next attempt is under way or has gone well.

import type { Millis } from '../ike/connection.ts';
import { isOurWill, type Reason } from '../ike/reason.ts';
import { lasting } from '../ike/silence.ts';
import type { Failure, Suspicion } from './status.ts';

interface Remembered {
  readonly reason: Reason;
  readonly child?: string;
  readonly at: Millis;
  readonly times: number;
}

export class Failures {
  #last: Remembered | undefined;
  /** A request is being repeated: when it was first sent, and what that may mean. */
  #silence: { readonly since: Millis; readonly reason: Reason } | undefined;
  /** By child: why its keys could not be renewed. The SA that stands goes on until its end. */
  readonly #unrenewed = new Map<string, Reason>();

  note(now: Millis, reason: Reason, child?: string): void {
    if (isOurWill(reason) || reason.code === 'ok' || reason.code === 'replaced') return;
    const last = this.#last;
    const times = last?.reason.code === reason.code && last.child === child ? last.times + 1 : 1;
    this.#last = { reason, at: now, times, ...(child === undefined ? {} : { child }) };
  }

  last(now: Millis): { readonly failure?: Failure } {
    if (!this.#last) return {};
    const { at, ...rest } = this.#last;
    return { failure: { ...rest, ago: Math.max(0, Math.floor((now - at) / 1000)) } };
  }

  silent(since: Millis, reason: Reason): void {
    this.#silence = { since, reason };
  }

  heard(): void {
    this.#silence = undefined;
  }

  /** The state says since when nothing has come back. */
  silence(now: Millis): Reason | undefined {
    const silence = this.#silence;
    return silence && lasting(silence.reason, Math.round((now - silence.since) / 1000));
  }

  unrenewed(child: string, reason: Reason): void {
    this.#unrenewed.set(child, reason);
  }

  /** The child has new keys, or is gone. */
  renewed(child: string): void {
    this.#unrenewed.delete(child);
  }

  standing(): Suspicion[] {
    return [...this.#unrenewed].map(([child, reason]) => ({
      child,
      reason: { ...reason, text: `it has no new keys, and ends when its life is over: ${reason.text}` },
    }));
  }
}
