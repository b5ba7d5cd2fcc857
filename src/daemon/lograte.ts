// How often one thing may be logged that strangers can bring about: a flood of them must not become a flood of lines.

import type { Millis } from '../ike/connection.ts';

/** Lines of one kind in a second. */
const LINES = 100;

interface Second {
  readonly number: number;
  lines: number;
  left: number;
}

export class LogRate {
  /** By kind; there are as many as there are kinds of events and reasons. */
  readonly #seconds = new Map<string, Second>();

  /** How many lines of this kind were left out before this one; undefined when this one is to be left out too. */
  admit(now: Millis, kind: string): number | undefined {
    const number = Math.floor(now / 1000);
    const known = this.#seconds.get(kind);
    const second = known?.number === number ? known : { number, lines: 0, left: known?.left ?? 0 };
    this.#seconds.set(kind, second);
    if (second.lines >= LINES) {
      second.left++;
      return undefined;
    }
    second.lines++;
    const { left } = second;
    second.left = 0;
    return left;
  }
}
