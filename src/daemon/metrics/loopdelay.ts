// How late the main thread is. The measuring takes a timer, which runs only while somebody comes to see the result.

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION = 20;
const FORGOTTEN = 5 * 60_000;
const NANOS = 1e9;

export class LoopDelay {
  #histogram: IntervalHistogram | undefined;
  #forgotten: NodeJS.Timeout | undefined;

  /** The largest delay since the last visit, in seconds; undefined at the first one. */
  visit(): number | undefined {
    clearTimeout(this.#forgotten);
    this.#forgotten = setTimeout(() => this.close(), FORGOTTEN);
    this.#forgotten.unref();
    if (!this.#histogram) {
      this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION });
      this.#histogram.enable();
      return undefined;
    }
    const { max } = this.#histogram;
    this.#histogram.reset();
    // It has the whole time from one look to the next.
    return Math.max(0, max / NANOS - RESOLUTION / 1000);
  }

  close(): void {
    clearTimeout(this.#forgotten);
    this.#histogram?.disable();
    this.#histogram = undefined;
  }
}
