// A token bucket: `rate` events per second, `burst` of them at once.

import type { Millis } from '../ike/connection.ts';

export class Bucket {
  readonly #rate: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: Millis | undefined;

  constructor(rate: number, burst: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#tokens = burst;
  }

  take(now: Millis): boolean {
    const passed = Math.max(0, now - (this.#filledAt ?? now));
    this.#tokens = Math.min(this.#burst, this.#tokens + (passed * this.#rate) / 1000);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
