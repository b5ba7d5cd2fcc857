// IKE_SA_INIT and IKE_AUTH between two endpoints, and the exchanges that follow, when nothing goes wrong.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PRF } from '../../../src/crypto/ids.ts';
import { offers, sides } from '../../support/connections.ts';
import { Pair } from '../../support/pair.ts';

test('four messages make an IKE SA and a child at both ends', () => {
  const pair = Pair.up(...sides());
  assert.deepEqual(pair.log, [
    '0 left> IKE_SA_INIT request 0',
    '10 right> IKE_SA_INIT response 0',
    '20 left> IKE_AUTH request 1',
    '30 right> IKE_AUTH response 1',
  ]);
  for (const side of [pair.left, pair.right]) {
    assert.equal(side.live.sessions.length, 1);
    assert.equal(side.live.children.length, 1);
  }
  pair.flowing(1000);
  assert.deepEqual(pair.flow, { sent: 200, lost: 0, refused: 0 });
  assert.deepEqual(pair.faults(), []);
});

test('a child is rekeyed without losing a packet, and the old one goes', () => {
  const pair = Pair.up(...sides());
  const before = pair.left.child;
  pair.left.run(pair.left.endpoint.rekeyChild(pair.now, before));
  pair.flowing(10_000);
  assert.notEqual(pair.left.child, before);
  assert.equal(pair.left.plane.sas.length, 1);
  assert.equal(pair.right.plane.sas.length, 1);
  assert.equal(pair.flow.lost, 0);
  assert.deepEqual(pair.faults(), []);
});

test('the IKE SA is rekeyed and takes its children along', () => {
  const pair = Pair.up(...sides());
  const before = pair.left.session;
  const child = pair.left.child;
  pair.left.run(pair.left.endpoint.rekeyIke(pair.now, before));
  pair.flowing(5000);
  assert.notEqual(pair.left.session, before);
  assert.equal(pair.left.child, child);
  assert.equal(pair.left.live.sessions.length, 1);
  assert.equal(pair.right.live.sessions.length, 1);
  assert.equal(pair.flow.lost, 0);
  pair.run(40_000);
  assert.equal(pair.left.endpoint.size, 1);
  assert.equal(pair.right.endpoint.size, 1);
});

test('rekeying the IKE SA keeps its PRF, because strongSwan derives the new keys with the old one', () => {
  const proposals = offers('aes256-sha256-x25519,aes256gcm16-prfsha384-prfsha256-x25519', 'ike');
  const [left, right] = sides({ offers: proposals }, { offers: proposals.toReversed() });
  const pair = Pair.up(left, right);
  const prf = () => pair.left.live.sessions[0]?.state.suite?.prf;
  const before = prf();
  pair.left.run(pair.left.endpoint.rekeyIke(pair.now, pair.left.session));
  pair.run(1000);
  pair.right.run(pair.right.endpoint.rekeyIke(pair.now, pair.right.session));
  pair.run(1000);
  assert.equal(pair.left.count('session-rekeyed'), 2);
  assert.equal(before, PRF.HMAC_SHA2_384);
  assert.equal(prf(), before);
});
