import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DROPS } from '../../src/esp/drop.ts';
import { warmUp } from '../../src/esp/warm.ts';

test('every synthetic packet goes the whole way', () => {
  const total = warmUp();
  assert.deepEqual(
    DROPS.filter((_, reason) => total[reason] !== 0),
    [],
  );
});
