import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  exchangeName,
  isErrorNotify,
  NOTIFY,
  notifyName,
  PAYLOAD,
  payloadName,
} from '../../../src/ike/wire/constants.ts';

test('notifies are called as IANA calls them', () => {
  assert.equal(notifyName(7), 'INVALID_SYNTAX');
  assert.equal(notifyName(44), 'CHILD_SA_NOT_FOUND');
  assert.equal(notifyName(16388), 'NAT_DETECTION_SOURCE_IP');
  assert.equal(notifyName(16430), 'IKEV2_FRAGMENTATION_SUPPORTED');
  assert.equal(notifyName(12345), 'NOTIFY_12345');
});

test('errors end below 16384', () => {
  for (const kind of [0, 1, 44, 8192, 16383]) assert.equal(isErrorNotify(kind), true);
  for (const kind of [16384, 16390, 40960, 65535]) assert.equal(isErrorNotify(kind), false);
});

test('no two notifies share a number', () => {
  const numbers = Object.values(NOTIFY);
  assert.equal(new Set(numbers).size, numbers.length);
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  );
});

test('exchanges and payloads have names', () => {
  assert.equal(exchangeName(34), 'IKE_SA_INIT');
  assert.equal(exchangeName(43), 'IKE_INTERMEDIATE');
  assert.equal(exchangeName(2), 'EXCHANGE_2');
  assert.equal(payloadName(PAYLOAD.Nonce), 'Nonce');
  assert.equal(payloadName(200), 'PAYLOAD_200');
});
