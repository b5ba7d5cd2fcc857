import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DROP, DROPS, Drops, dropMemory } from '../../src/esp/drop.ts';

test('every reason has its own place', () => {
  assert.deepEqual(
    DROPS.map((name) => DROP[name]),
    DROPS.map((_, index) => index),
  );
});

test('drops are counted in all, and by slot where there is one', () => {
  const memory = dropMemory(3);
  const drops = new Drops(undefined, memory);
  drops.count(DROP['no-policy']);
  drops.countAt(1, DROP.replay);
  drops.countAt(1, DROP.replay);
  drops.countAt(2, DROP.short);
  drops.countAt(2, DROP.unsupported);
  const none = Object.fromEntries(DROPS.map((name) => [name, 0]));
  assert.deepEqual(drops.total(), { ...none, 'no-policy': 1, replay: 2, short: 1, unsupported: 1 });
  assert.deepEqual(drops.of(0), none);
  assert.deepEqual(drops.of(1), { ...none, replay: 2 });
  // Another thread reads the same memory.
  assert.deepEqual(new Drops(undefined, memory).of(2), { ...none, short: 1, unsupported: 1 });
  drops.clear(1);
  assert.deepEqual([drops.of(1), drops.of(2).short, drops.total().replay], [none, 1, 2]);
});
