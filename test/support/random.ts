// Seeded randomness, so that a run can be repeated byte for byte. Under test/ only; a test sees to that.

import type { Random } from '../../src/crypto/types.ts';

export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0;
  }

  /** mulberry32: one 32-bit word a step. */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 up to, not including, `below`. */
  below(below: number): number {
    return this.word() % below;
  }

  chance(share: number): boolean {
    return this.word() / 0x1_0000_0000 < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

export function seeded(seed: number): Random {
  const dice = new Dice(seed);
  return (size) => {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i += 4) {
      const word = dice.word();
      for (let j = 0; j < 4 && i + j < size; j++) bytes[i + j] = word >>> (8 * j);
    }
    return bytes;
  };
}
