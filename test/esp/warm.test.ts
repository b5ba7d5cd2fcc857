import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DROPS } from '../../src/esp/drop.ts';
import { warmUp } from '../../src/esp/warm.ts';

test('every synthetic packet goes as far as it is meant to', () => {
  const total = warmUp();
  const dropped = DROPS.flatMap((name, reason) => (total[reason] === 0 ? [] : [`${name} ${total[reason]}`]));
  assert.deepEqual(dropped, ['unknown-spi 4000', 'replay 4000', 'bad-icv 4000', 'policy 8000', 'no-policy 8000']);
});
