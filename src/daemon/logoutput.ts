// Where log lines go: standard output, whatever it is. A disk that is full, or a reader that has gone, costs lines, which
// are counted, and never the daemon; a reader that is slow costs memory up to a bound.

import { writeSync } from 'node:fs';
import { concat, utf8 } from '../bytes/bytes.ts';

/** What may wait for a slow reader. */
const MOST_WAITING = 1024 * 1024;
const AGAIN = 50;
/** At the end: how often it is tried once more to get rid of what waits. */
const LAST_TRIES = 20;
const END = utf8('\n');

/** As write(2): what it has taken; throws an error with `code`. */
type Write = (bytes: Uint8Array) => number;

export class LogOutput {
  readonly #write: Write;
  readonly #waiting: Uint8Array[] = [];
  #bytes = 0;
  /** Of the first that waits, the beginning has gone out. */
  #begun = false;
  /** The line that went out last has no end. */
  #torn = false;
  #timer: NodeJS.Timeout | undefined;
  /** Lines that were lost. */
  failures = 0;

  constructor(write: Write = (bytes) => writeSync(1, bytes)) {
    this.#write = write;
  }

  /** With its end. */
  line(text: string): void {
    const bytes = utf8(text);
    if (this.#bytes + bytes.length > MOST_WAITING) {
      this.failures++;
      return;
    }
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (this.#timer === undefined) this.#flush();
  }

  /** Before the process ends: the last lines say why. */
  end(): void {
    clearTimeout(this.#timer);
    for (let tries = 0; !this.#drain() && tries < LAST_TRIES; tries++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN);
    }
  }

  #flush(): void {
    this.#timer = undefined;
    if (this.#drain()) return;
    this.#timer = setTimeout(() => this.#flush(), AGAIN);
    this.#timer.unref();
  }

  /** False when some must wait. */
  #drain(): boolean {
    for (let line = this.#waiting[0]; line; line = this.#waiting[0]) {
      const bytes = this.#torn ? concat(END, line) : line;
      let taken: number;
      try {
        taken = this.#write(bytes);
      } catch (error) {
        if (isBusy(error)) return false;
        this.failures++;
        this.#torn ||= this.#begun;
        this.#next(line);
        continue;
      }
      if (taken > 0) this.#torn = false;
      if (taken === bytes.length) this.#next(line);
      else this.#keep(line, bytes.subarray(taken));
    }
    return true;
  }

  #next(line: Uint8Array): void {
    this.#waiting.shift();
    this.#bytes -= line.length;
    this.#begun = false;
  }

  #keep(line: Uint8Array, rest: Uint8Array): void {
    this.#waiting[0] = rest;
    this.#bytes += rest.length - line.length;
    this.#begun = true;
  }
}

/** A pipe that is full, and that does not wait. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
