import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangeName, isErrorNotify, NOTIFY, notifyName, PAYLOAD } from '../../../../src/ike/v1/wire/constants.ts';

test('notifies are called as the RFCs call them', () => {
  assert.equal(notifyName(14), 'NO_PROPOSAL_CHOSEN');
  assert.equal(notifyName(24576), 'RESPONDER_LIFETIME');
  assert.equal(notifyName(36136), 'R_U_THERE');
  assert.equal(notifyName(12345), 'NOTIFY_12345');
});

test('errors are 1 to 16383', () => {
  for (const kind of [1, 14, 30, 8192, 16383]) assert.equal(isErrorNotify(kind), true);
  for (const kind of [0, 16384, 24578, 36137, 65535]) assert.equal(isErrorNotify(kind), false);
});

test('no two notifies and no two payloads share a number', () => {
  for (const numbers of [Object.values(NOTIFY), Object.values(PAYLOAD)]) {
    assert.equal(new Set<number>(numbers).size, numbers.length);
  }
});

test('exchanges have names', () => {
  assert.equal(exchangeName(2), 'IDENTITY_PROTECTION');
  assert.equal(exchangeName(32), 'QUICK_MODE');
  assert.equal(exchangeName(34), 'EXCHANGE_34');
});
