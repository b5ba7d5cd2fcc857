// Slow work whose result never comes: it costs the exchange that waited for it, not the IKE SA.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { child, offers, sides } from '../../support/connections.ts';
import { Pair, type Side } from '../../support/pair.ts';

/** Longer than a session waits for a key exchange. */
const NEVER = 10_000_000;

function pfs(dpdDelay = 0): Pair {
  return Pair.up(...sides({ dpdDelay, children: [child({ offers: offers('aes128gcm16-x25519', 'esp') })] }));
}

function stall(side: Side, keTime: number): void {
  Object.assign(side.options, { keTime });
}

/** Both ends as they should be, with traffic that never stopped. */
function unharmed(pair: Pair): void {
  assert.equal(pair.flow.lost, 0);
  for (const side of [pair.left, pair.right]) {
    assert.equal(side.live.sessions.length, 1, side.name);
    assert.equal(side.live.children.length, 1, side.name);
    assert.equal(side.count('session-closed'), 0, side.name);
    assert.equal(side.endpoint.counters().get('bug') ?? 0, 0);
  }
  assert.deepEqual(pair.faults(), []);
}

for (const kind of ['child', 'ike'] as const) {
  const start = (side: Side) =>
    side.run(
      kind === 'child'
        ? side.endpoint.rekeyChild(side.pair.now, side.child)
        : side.endpoint.rekeyIke(side.pair.now, side.session),
    );

  test(`a responder that cannot compute a key exchange answers TEMPORARY_FAILURE to an ${kind} rekeying`, () => {
    const pair = pfs();
    stall(pair.right, NEVER);
    start(pair.left);
    pair.flowing(32_000, 100);
    assert.equal(pair.right.endpoint.counters().get('job-lost'), 1);
    unharmed(pair);
  });

  test(`an initiator that cannot generate its value keeps the old SA and tries the ${kind} rekeying again`, () => {
    const pair = pfs();
    stall(pair.left, NEVER);
    start(pair.left);
    pair.flowing(29_000, 100);
    stall(pair.left, 0);
    pair.flowing(20_000, 100);
    assert.equal(pair.left.endpoint.counters().get('job-lost'), 1);
    assert.equal(pair.left.count(kind === 'child' ? 'child-rekeyed' : 'session-rekeyed'), 1);
    unharmed(pair);
  });
}

test('an initiator that loses the shared secret of its child rekeying tells the peer to drop the new child', () => {
  const pair = pfs();
  const { right } = pair;
  pair.left.run(pair.left.endpoint.rekeyChild(pair.now, pair.left.child));
  // The value is there; what stalls is the agreement after the answer.
  stall(pair.left, NEVER);
  pair.flowing(31_000, 100);
  assert.equal(pair.left.endpoint.counters().get('job-lost'), 1);
  stall(pair.left, 0);
  pair.flowing(80_000, 100);
  assert.equal(right.plane.sas.length, 1);
  unharmed(pair);
});

test('an initiator that loses the shared secret of its IKE rekeying makes a new IKE SA in time', () => {
  // The peer has an IKE SA that nobody else knows of: its liveness checks end that.
  const pair = pfs(20_000);
  pair.left.run(pair.left.endpoint.rekeyIke(pair.now, pair.left.session));
  stall(pair.left, NEVER);
  pair.flowing(29_000, 100);
  stall(pair.left, 0);
  pair.flowing(150_000, 100);
  assert.equal(pair.left.endpoint.counters().get('job-lost'), 1);
  assert.equal(pair.flow.lost, 0);
  for (const side of [pair.left, pair.right]) {
    assert.equal(side.live.sessions.length, 1, side.name);
    assert.equal(side.live.children.length, 1, side.name);
  }
  assert.deepEqual(pair.faults(), []);
});
