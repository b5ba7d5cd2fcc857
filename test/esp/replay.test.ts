import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ReplayMemory, ReplayWindows, replayMemory } from '../../src/esp/replay.ts';

/** The window as RFC 4303 §3.4.3 defines it, with a set instead of bits. */
class Naive {
  readonly #seen = new Set<number>();
  readonly #size: number;
  readonly #esn: boolean;
  #newest = 0;

  constructor(size: number, esn = false) {
    this.#size = size;
    this.#esn = esn;
  }

  accept(seq: number): boolean {
    // A wrong high half makes a wrong ICV.
    if (this.#esn && this.#guess(seq) !== seq) return false;
    if (seq === 0 || seq <= this.#newest - this.#size || this.#seen.has(seq)) return false;
    this.#seen.add(seq);
    this.#newest = Math.max(this.#newest, seq);
    return true;
  }

  /** RFC 4303 appendix A2.2, case by case. */
  #guess(seq: number): number {
    const two32 = 2n ** 32n;
    const low = BigInt(seq) % two32;
    const top = BigInt(this.#newest);
    const [th, tl, w] = [top / two32, top % two32, BigInt(this.#size)];
    let high = th;
    if (tl >= w - 1n) {
      if (low < tl - w + 1n) high = th + 1n;
    } else if (low >= tl - w + 1n + two32 && th > 0n) {
      // In the first 2^32 packets there is none before them that could be meant.
      high = th - 1n;
    }
    return Number(high * two32 + low);
  }
}

/** One window, between two others that it must leave alone. */
class Window {
  readonly memory: ReplayMemory;
  readonly #windows: ReplayWindows;

  constructor(size: number, esn = false) {
    this.memory = replayMemory(3, 5000);
    this.#windows = new ReplayWindows(this.memory);
    for (const slot of [0, 2]) {
      this.#windows.open(slot, 4096, false);
      this.#windows.accept(slot, 1);
    }
    this.#windows.open(1, size, esn);
  }

  get newest(): number {
    return this.#windows.newest(1);
  }

  fresh(seq: number): boolean {
    const before = this.memory.bits.slice();
    const newest = this.memory.newest.slice();
    // The wire shows 32 bits, and a typed array may show them with a sign.
    const [unsigned, signed] = [this.#windows.fresh(1, seq >>> 0), this.#windows.fresh(1, seq | 0)];
    assert.equal(unsigned, signed);
    assert.deepEqual(this.memory.bits, before);
    assert.deepEqual(this.memory.newest, newest);
    return unsigned === seq;
  }

  accept(seq: number): 0 | 1 | 2 {
    return this.#windows.accept(1, seq);
  }

  neighboursAreUntouched(): boolean {
    return [0, 2].every((slot) => this.#windows.newest(slot) === 1 && this.#windows.accept(slot, 1) === 0);
  }
}

function accept(window: Window, seq: number): boolean {
  if (!window.fresh(seq)) return false;
  assert.notEqual(window.accept(seq), 0);
  return true;
}

const SIZES = [1, 2, 31, 32, 33, 63, 64, 65, 128, 1024, 4096, 5000];

for (const size of SIZES) {
  test(`[E1] a window of ${size} takes what is inside its edge and nothing beyond`, () => {
    const top = 100_000;
    for (const [behind, expected] of [
      [size - 1, size > 1],
      [size, false],
      [size + 1, false],
    ] as const) {
      const window = new Window(size);
      assert.equal(accept(window, top), true);
      assert.equal(accept(window, top - behind), expected, `${behind} behind`);
      assert.equal(accept(window, top - behind), false, `${behind} behind, again`);
      assert.equal(accept(window, top), false, 'the newest, again');
    }
  });
}

test('[E1] sequence number 0 and a jump of 2^31 are handled as RFC 4303 has it', () => {
  const window = new Window(64);
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

test('[E3] numbers beyond 32 bits do not confuse the window', () => {
  const window = new Window(64, true);
  assert.equal(accept(window, 2 ** 32 - 1), true);
  assert.equal(accept(window, 2 ** 32 + 5), true);
  assert.equal(accept(window, 2 ** 32), true);
  assert.equal(accept(window, 2 ** 32), false);
  assert.equal(accept(window, 5), false);
});

for (const size of SIZES) {
  test(`[E3] a window of ${size} reaches back across 2^32, and no further`, () => {
    for (const wrap of [2 ** 32, 2 ** 33, 2 ** 52]) {
      for (const past of [0, size >> 1, size - 1]) {
        const top = wrap + past;
        const window = new Window(size, true);
        // The high half of a jump over more than 2^32 cannot be guessed: this is where an earlier packet has led.
        window.accept(wrap - 2 * size);
        assert.equal(accept(window, top), true);
        assert.equal(accept(window, top - size + 1), size > 1, 'W - 1 behind');
        assert.equal(accept(window, top - size + 1), false, 'again');
        assert.equal(accept(window, top - size), false, 'W behind');
        assert.equal(accept(window, top - size - 1), false, 'W + 1 behind');
        assert.equal(accept(window, top), false);
        assert.equal(accept(window, top + 1), true);
      }
    }
  });
}

test('[E3] the number below the window is taken for one of the next 2^32, as appendix A has it', () => {
  const memory = replayMemory(1);
  const windows = new ReplayWindows(memory);
  windows.open(0, 64, true);
  windows.accept(0, 2 ** 33 + 1000);
  assert.equal(windows.fresh(0, 1000 - 63), 2 ** 33 + 1000 - 63);
  assert.equal(windows.fresh(0, 1000 - 64), 2 ** 33 + 2 ** 32 + 1000 - 64);
  assert.equal(windows.fresh(0, 0xffff_ffff), 2 ** 33 + 2 ** 32 - 1);
  windows.accept(0, 2 ** 34 + 10);
  assert.equal(windows.fresh(0, 0), 2 ** 34);
  assert.equal(windows.fresh(0, 0xffff_ffff), 2 ** 34 - 1);
  assert.equal(windows.fresh(0, 2 ** 32 - 53), 2 ** 34 - 53);
  assert.equal(windows.fresh(0, 2 ** 32 - 54), 2 ** 34 + 2 ** 32 - 54);
});

test('[E1] of two equal packets that were both fresh, one is accepted', () => {
  for (const esn of [false, true]) {
    const window = new Window(64, esn);
    assert.deepEqual([window.fresh(9), window.fresh(9), window.fresh(3), window.fresh(3)], [true, true, true, true]);
    assert.deepEqual([window.accept(9), window.accept(9), window.accept(3), window.accept(3)], [2, 0, 1, 0]);
    assert.deepEqual([window.accept(1000), window.accept(3), window.accept(9)], [2, 0, 0]);
  }
});

test('[E2] asking does not move the window', () => {
  const window = new Window(32);
  accept(window, 5);
  assert.equal(window.fresh(1_000_000), true);
  assert.equal(window.newest, 5);
  assert.equal(accept(window, 4), true);
});

test('only a number higher than all before is the newest', () => {
  const window = new Window(32);
  assert.deepEqual(
    [3, 1, 4, 2, 100].map((seq) => window.accept(seq)),
    [2, 1, 2, 1, 2],
  );
});

test('a window of 0 checks nothing and still knows the newest', () => {
  const window = new Window(0);
  assert.equal(accept(window, 7), true);
  assert.equal(accept(window, 7), true);
  assert.equal(accept(window, 0), true);
  assert.equal(window.newest, 7);
  assert.deepEqual([window.accept(7), window.accept(9)], [1, 2]);
  assert.ok(window.memory.bits.every((block, at) => block === 0 || at % (window.memory.bits.length / 3) === 0));
});

test('without a window an extended number is the one nearest to the newest', () => {
  const window = new Window(0, true);
  for (const seq of [
    2 ** 31,
    2 ** 32 - 5,
    2 ** 32 + 5,
    2 ** 32 - 5,
    2 ** 32 + 2 ** 30,
    2 ** 32 + 2 ** 31 + 9,
    2 ** 33,
  ]) {
    assert.equal(accept(window, seq), true, `${seq}`);
  }
});

test('a window larger than the memory has room for is refused', () => {
  const windows = new ReplayWindows(replayMemory(2, 128));
  assert.ok(windows.largest >= 128);
  windows.open(1, windows.largest, false);
  assert.throws(() => windows.open(1, windows.largest + 1, false));
});

test('a slot that is opened again knows nothing of the SA before, and another thread goes on with it', () => {
  const memory = replayMemory(2, 256);
  const windows = new ReplayWindows(memory);
  windows.open(1, 256, true);
  for (const seq of [2, 100, 2 ** 32 + 7]) windows.accept(1, seq);
  const successor = new ReplayWindows(memory);
  successor.resume(1, 256, true);
  assert.equal(successor.newest(1), 2 ** 32 + 7);
  assert.equal(successor.fresh(1, 7), -1);
  assert.equal(successor.fresh(1, 6), 2 ** 32 + 6);
  successor.open(1, 64, false);
  for (const seq of [2, 7, 100]) assert.equal(successor.accept(1, seq), 2);
});

// Each number is given by its distance from the newest one, in windows or absolutely.
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.integer({ min: -110, max: 20 }).map((percent) => ({ windows: percent / 100, jump: 0 })),
  },
  { weight: 1, arbitrary: fc.integer({ min: -200, max: 200 }).map((jump) => ({ windows: 0, jump })) },
  { weight: 1, arbitrary: fc.constantFrom(1, 2 ** 20, 2 ** 31).map((jump) => ({ windows: 0, jump })) },
);
const steps = fc.array(step, { minLength: 50, maxLength: 400 });

test('the window accepts exactly what the definition accepts', () => {
  fc.assert(
    fc.property(fc.constantFrom(...SIZES), steps, (size, all) => {
      const window = new Window(size);
      const naive = new Naive(size);
      for (const { windows, jump } of all) {
        const seq = Math.min(2 ** 32 - 1, Math.max(0, window.newest + Math.round(windows * size) + jump));
        assert.equal(accept(window, seq), naive.accept(seq), `${seq}`);
      }
      assert.ok(window.neighboursAreUntouched());
    }),
    { numRuns: 200 },
  );
});

test('[E3] the window of extended numbers accepts exactly what the definition accepts, across every wrap', () => {
  const far = fc.constantFrom(-(2 ** 32), -1 - 2 ** 31, 2 ** 31, 2 ** 32 - 6000, 2 ** 32 - 10, 2 ** 32, 2 ** 32 + 10);
  const wide = fc.array(
    fc.oneof(
      { weight: 12, arbitrary: step },
      { weight: 1, arbitrary: far.map((jump) => ({ windows: 0, jump })) },
      // To where the low half is about to wrap.
      { weight: 1, arbitrary: fc.constant(undefined) },
    ),
    { minLength: 50, maxLength: 400 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...SIZES), wide, (size, all) => {
      const window = new Window(size, true);
      const naive = new Naive(size, true);
      for (const each of all) {
        const { newest } = window;
        const asked = each
          ? newest + Math.round(each.windows * size) + each.jump
          : newest - (newest % 2 ** 32) + 2 ** 32 - 3;
        const seq = Math.max(0, asked);
        assert.equal(accept(window, seq), naive.accept(seq), `${seq}`);
      }
      assert.ok(window.neighboursAreUntouched());
    }),
    { numRuns: 200 },
  );
});
