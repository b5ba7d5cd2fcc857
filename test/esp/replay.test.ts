import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReplayWindow } from '../../src/esp/replay.ts';

/** The window as RFC 4303 §3.4.3 defines it, with a set instead of bits. */
class Naive {
  readonly #seen = new Set<number>();
  readonly #size: number;
  #newest = 0;

  constructor(size: number) {
    this.#size = size;
  }

  accept(seq: number): boolean {
    if (seq === 0 || seq <= this.#newest - this.#size || this.#seen.has(seq)) return false;
    this.#seen.add(seq);
    this.#newest = Math.max(this.#newest, seq);
    return true;
  }
}

function accept(window: ReplayWindow, seq: number): boolean {
  if (!window.fresh(seq)) return false;
  window.accept(seq);
  return true;
}

const SIZES = [1, 2, 31, 32, 33, 63, 64, 65, 128, 1024, 4096, 5000];

for (const size of SIZES) {
  test(`a window of ${size} takes what is inside its edge and nothing beyond`, () => {
    const top = 100_000;
    for (const [behind, expected] of [
      [size - 1, size > 1],
      [size, false],
      [size + 1, false],
    ] as const) {
      const window = new ReplayWindow(size);
      assert.equal(accept(window, top), true);
      assert.equal(accept(window, top - behind), expected, `${behind} behind`);
      assert.equal(accept(window, top - behind), false, `${behind} behind, again`);
      assert.equal(accept(window, top), false, 'the newest, again');
    }
  });
}

test('sequence number 0 and a jump of 2^31 are handled as RFC 4303 has it', () => {
  const window = new ReplayWindow(64);
  assert.equal(accept(window, 0), false);
  assert.equal(accept(window, 1), true);
  assert.equal(accept(window, 0), false);
  assert.equal(accept(window, 2 ** 31 + 1), true);
  assert.equal(accept(window, 1), false);
  assert.equal(accept(window, 2 ** 31), true);
  assert.equal(accept(window, 2 ** 31), false);
  assert.equal(accept(window, 2 ** 32 - 1), true);
  assert.equal(accept(window, 2 ** 31 + 1), false);
});

test('numbers beyond 32 bits do not confuse the window', () => {
  const window = new ReplayWindow(64);
  assert.equal(accept(window, 2 ** 32 - 1), true);
  assert.equal(accept(window, 2 ** 32 + 5), true);
  assert.equal(accept(window, 2 ** 32), true);
  assert.equal(accept(window, 2 ** 32), false);
  assert.equal(accept(window, 5), false);
});

test('asking does not move the window', () => {
  const window = new ReplayWindow(32);
  accept(window, 5);
  assert.equal(window.fresh(1_000_000), true);
  assert.equal(window.newest, 5);
  assert.equal(accept(window, 4), true);
});

test('only a number higher than all before is the newest', () => {
  const window = new ReplayWindow(32);
  assert.deepEqual(
    [3, 1, 4, 2, 100].map((seq) => window.accept(seq)),
    [true, false, true, false, true],
  );
});

test('a window of 0 checks nothing and still knows the newest', () => {
  const window = new ReplayWindow(0);
  assert.equal(accept(window, 7), true);
  assert.equal(accept(window, 7), true);
  assert.equal(accept(window, 0), true);
  assert.equal(window.newest, 7);
});

test('the window accepts exactly what the definition accepts', () => {
  // Each number is given by its distance from the newest one, in windows or absolutely.
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.integer({ min: -110, max: 20 }).map((percent) => ({ windows: percent / 100, jump: 0 })),
    },
    { weight: 1, arbitrary: fc.integer({ min: -200, max: 200 }).map((jump) => ({ windows: 0, jump })) },
    { weight: 1, arbitrary: fc.constantFrom(1, 2 ** 20, 2 ** 31).map((jump) => ({ windows: 0, jump })) },
  );
  fc.assert(
    fc.property(fc.constantFrom(...SIZES), fc.array(step, { minLength: 50, maxLength: 400 }), (size, steps) => {
      const window = new ReplayWindow(size);
      const naive = new Naive(size);
      for (const { windows, jump } of steps) {
        const seq = Math.max(0, window.newest + Math.round(windows * size) + jump);
        assert.equal(accept(window, seq), naive.accept(seq), `${seq}`);
      }
    }),
    { numRuns: 400 },
  );
});
