// How two networks lie to each other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holds, isEverything, isHost, relation } from '../../../src/config/lint/networks.ts';
import { parseSelector } from '../../../src/ike/ts.ts';
import type { Selector } from '../../../src/ike/wire/ts.ts';

function network(text: string): Selector {
  const source = parseSelector(text);
  if (source?.kind !== 'fixed') assert.fail(text);
  return source.selector;
}

const RELATIONS = [
  ['10.1.0.0/24', '10.1.0.0/24', 'same', 'same'],
  ['10.1.0.0/24', '10.1.0.0/16', 'inside', 'around'],
  ['10.1.255.0/24', '10.1.0.0/16', 'inside', 'around'],
  ['10.1.3.0/24', '10.1.0.0/16', 'inside', 'around'],
  ['10.1.0.0/24', '10.1.1.0/24', 'apart', 'apart'],
  ['10.1.0.0-10.1.0.9', '10.1.0.9-10.1.0.20', 'partly', 'partly'],
  ['10.1.0.0-10.1.0.9', '10.1.0.10-10.1.0.20', 'apart', 'apart'],
  ['10.1.0.0/24', 'fd00::/8', 'apart', 'apart'],
  ['0.0.0.0/0', '10.1.0.0/24', 'around', 'inside'],
] as const;

test('two networks are the same, one inside the other, over each other in part, or apart', () => {
  for (const [a, b, there, back] of RELATIONS) {
    assert.equal(relation(network(a), network(b)), there, `${a} to ${b}`);
    assert.equal(relation(network(b), network(a)), back, `${b} to ${a}`);
  }
});

test('a network holds its first and its last address, and none beside them', () => {
  const held = (last: number) => holds(network('10.1.0.4/30'), Uint8Array.of(10, 1, 0, last));
  assert.deepEqual([3, 4, 7, 8].map(held), [false, true, true, false]);
});

test('everything is everything, half of it is not, and a host is one address', () => {
  assert.deepEqual(
    ['0.0.0.0/0', '::/0', '0.0.0.0/1', '128.0.0.0/1'].map((text) => isEverything(network(text))),
    [true, true, false, false],
  );
  assert.deepEqual(
    ['10.1.0.1', '10.1.0.0/31'].map((text) => isHost(network(text))),
    [true, false],
  );
});
