import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DROPS } from '../../src/esp/drop.ts';
import { expectedDrops, warmUp } from '../../src/esp/warm.ts';

test('every synthetic packet goes as far as it is meant to', () => {
  const [total, expected] = [warmUp(), expectedDrops()];
  const told = (counts: Float64Array) => DROPS.map((name, reason) => `${name} ${counts[reason]}`);
  assert.deepEqual(told(total), told(expected));
});
