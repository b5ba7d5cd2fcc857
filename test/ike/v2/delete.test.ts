// Deleting children and IKE SAs, also from both sides at once: RFC 7296 §1.4.1, §2.25.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sides } from '../../support/connections.ts';
import { Pair, type Side } from '../../support/pair.ts';
import { change, drop, listen, note, request } from '../../support/tamper.ts';
import { ends, nothing, SEEDS, settled, situation } from './narrate.ts';

const CLOSED = { code: 'requested', text: 'closed' } as const;

function close(side: Side): void {
  side.run(side.endpoint.close(side.pair.now, side.session, CLOSED));
}

function closeChild(side: Side): void {
  side.run(side.endpoint.closeChild(side.pair.now, side.child));
}

function childless(pair: Pair): void {
  assert.deepEqual(pair.faults(), []);
  for (const one of [pair.left, pair.right]) {
    assert.equal(one.live.sessions.length, 1);
    assert.equal(one.live.sessions[0]?.state.children.length, 0);
    assert.equal(one.plane.sas.length, 0);
    assert.equal(one.count('child-closed'), 1);
    assert.equal(one.endpoint.size, 1);
  }
}

situation('child-delete', 'each side names its own SPI, and the IKE SA stays', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  closeChild(me);
  pair.run(1000);
  assert.deepEqual(lines, [
    // INFORMATIONAL {D} -->
    `${me.name}: D(ESP)`,
    // <-- INFORMATIONAL {D}
    `${peer.name}: D(ESP)`,
  ]);
  assert.equal(me.last('child-closed')?.reason.code, 'requested');
  assert.equal(peer.last('child-closed')?.reason.code, 'peer-deleted');
  childless(pair);
  // Another one can be had.
  me.run(me.endpoint.createChild(pair.now, me.session, 'net'));
  pair.run(1000);
  settled(pair);
});

situation('child-delete-collision', 'who deletes a child itself does not name it in the answer', (side) => {
  for (const seed of SEEDS) {
    const pair = Pair.up(...sides(), seed);
    const { me, peer } = ends(pair, side);
    const lines = listen(pair);
    closeChild(me);
    closeChild(peer);
    pair.run(1000);
    assert.deepEqual(lines, [
      `${me.name}: D(ESP)`,
      `${peer.name}: D(ESP)`,
      // <-- INFORMATIONAL {} and INFORMATIONAL {} -->
      `${peer.name}: `,
      `${me.name}: `,
    ]);
    childless(pair);
  }
});

situation('ike-delete', 'the IKE SA goes with its children', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  close(me);
  pair.run(1000);
  assert.deepEqual(lines, [`${me.name}: D(IKE)`, `${peer.name}: `]);
  for (const one of [me, peer]) {
    assert.equal(one.live.sessions.length, 0);
    assert.equal(one.plane.sas.length, 0);
    assert.equal(one.count('child-closed'), 1);
    assert.equal(one.count('session-closed'), 1);
  }
  assert.equal(me.last('session-closed')?.reason.code, 'requested');
  assert.equal(peer.last('session-closed')?.reason.code, 'peer-deleted');
  pair.run(40_000);
  nothing(pair);
});

situation('ike-delete-collision', 'each answers the Delete of the other', (side) => {
  for (const seed of SEEDS) {
    const pair = Pair.up(...sides(), seed);
    const { me, peer } = ends(pair, side);
    const lines = listen(pair);
    close(me);
    close(peer);
    pair.run(1000);
    assert.deepEqual(lines.slice(0, 2), [`${me.name}: D(IKE)`, `${peer.name}: D(IKE)`]);
    assert.deepEqual(lines.slice(2).sort(), [`${me.name}: `, `${peer.name}: `].sort());
    for (const one of [me, peer]) assert.equal(one.count('session-closed'), 1);
    pair.run(70_000);
    nothing(pair);
  }
});

situation('ike-delete-child-delete', 'a child of an IKE SA on its way out', (side) => {
  for (const seed of SEEDS) {
    const pair = Pair.up(...sides(), seed);
    const { me, peer } = ends(pair, side);
    close(me);
    closeChild(peer);
    pair.run(75_000);
    nothing(pair);
    for (const one of [me, peer]) {
      assert.equal(one.count('session-closed'), 1);
      assert.equal(one.count('child-closed'), 1);
    }
  }
});

situation('ike-delete-timeout', 'a Delete that is never answered is over after the last retransmission', (side) => {
  const pair = Pair.up(...sides());
  const { me } = ends(pair, side);
  drop(pair, request(me, 'INFORMATIONAL'));
  close(me);
  pair.run(30_999);
  assert.equal(me.count('session-closed'), 0);
  pair.run(1);
  assert.equal(me.last('session-closed')?.reason.code, 'requested');
  assert.equal(me.plane.sas.length, 0);
});

situation('ike-delete', 'the answer is repeated for a peer that did not get it', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  let lost = 0;
  pair.wire.tamper = (bytes, from) => (from === peer && lost++ < 3 ? undefined : bytes);
  close(me);
  pair.run(8000);
  assert.equal(me.live.sessions.length, 0);
  assert.equal(me.endpoint.sessions().length, 0);
  assert.equal(pair.log.at(-1)?.includes(`${peer.name}> INFORMATIONAL response`), true);
  pair.run(75_000);
  nothing(pair);
});

situation('child-delete', 'Delete twice, and Delete with a notify for what has gone, do no harm', (side) => {
  // SECURITY A12: freed state was used.
  const pair = Pair.up(...sides());
  const { me } = ends(pair, side);
  change(pair, request(me, 'INFORMATIONAL'), (payloads) => [
    ...payloads,
    ...payloads,
    { tag: 'N', protocol: 3, spi: Uint8Array.of(1, 2, 3, 4), kind: 11, data: new Uint8Array(0) },
    note('INITIAL_CONTACT'),
  ]);
  closeChild(me);
  pair.run(75_000);
  childless(pair);
});

test('a closed session does not answer anything new', () => {
  const pair = Pair.up(...sides());
  const { left, right } = pair;
  const forgotten = left.endpoint.export();
  close(left);
  pair.run(100);
  // The left side comes back with its old state, as if it had never sent the Delete.
  left.endpoint.import(forgotten);
  left.run(left.endpoint.checkLiveness(pair.now, left.session));
  const before = right.sent.length;
  pair.run(1000);
  // Message 2 was the Delete: what looks like it again gets that answer, under its own keys, and nothing else.
  assert.ok(right.sent.length - before <= 2);
  assert.equal(right.live.sessions.length, 0);
});

test('a peer that deletes the IKE SA with an error has not refused who we are', () => {
  const pair = Pair.up(...sides());
  change(pair, request(pair.left, 'INFORMATIONAL'), (payloads) => [...payloads, note('INVALID_SYNTAX')]);
  close(pair.left);
  pair.run(1000);
  const reason = pair.right.last('session-closed')?.reason;
  assert.deepEqual([reason?.code, reason?.notify], ['peer-deleted', 'INVALID_SYNTAX']);
  assert.match(reason?.text ?? '', /with INVALID_SYNTAX$/);
});
