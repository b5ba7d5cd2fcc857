// Phase 1 and quick mode between two of ours, on the virtual clock, with real key exchanges.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { child, connection, mirrored, offers, psk, selectors, sides1 } from '../../support/connections.ts';
import { behindNat, Pair } from '../../support/pair.ts';

for (const aggressive of [false, true]) {
  const mode = aggressive ? 'aggressive' : 'main';
  for (const pfs of [false, true]) {
    test(`${mode} mode and quick mode ${pfs ? 'with' : 'without'} PFS bring a child up`, () => {
      const esp = offers(pfs ? 'aes128-sha1-modp2048' : 'aes128-sha1', 'esp');
      const pair = Pair.up(...sides1({ aggressive, children: [child({ offers: esp })] }, true));
      for (const side of [pair.left, pair.right]) {
        assert.deepEqual([side.live.sessions.length, side.live.children.length], [1, 1], pair.log.join('\n'));
      }
      pair.flowing(1000);
      assert.ok(pair.flow.sent > 0);
      assert.deepEqual([pair.flow.lost, pair.flow.refused, pair.faults()], [0, 0, []]);
    });
  }

  test(`${mode} mode behind a NAT puts everything on 4500`, () => {
    const pair = new Pair(...sides1({ aggressive }));
    behindNat(pair.left, '203.0.113.9');
    pair.left.initiate();
    pair.run(2000);
    const [ours] = pair.left.live.sessions;
    const [theirs] = pair.right.live.sessions;
    assert.deepEqual(
      [ours?.state.natLocal, ours?.state.natRemote, theirs?.state.natLocal, theirs?.state.natRemote],
      [true, false, false, true],
    );
    assert.equal(ours?.state.local.port, 4500);
    assert.equal(pair.right.live.children.length, 1);
  });
}

test('two subnets on each side make four pairs of SAs, and each is told of', () => {
  const many = child({
    offers: offers('aes128-sha1', 'esp'),
    localTs: selectors('10.1.0.0/24', '10.1.1.0/24'),
    remoteTs: selectors('10.2.0.0/24', '10.2.1.0/24'),
  });
  const pair = Pair.up(...sides1({ children: [many] }));
  assert.deepEqual([pair.left.live.children.length, pair.right.live.children.length], [4, 4]);
  const pairs = pair.left.events.flatMap((event) => (event.kind === 'child-established' ? [event.pair] : []));
  assert.deepEqual(pairs.sort(), [
    '10.1.0.0/24 === 10.2.0.0/24',
    '10.1.0.0/24 === 10.2.1.0/24',
    '10.1.1.0/24 === 10.2.0.0/24',
    '10.1.1.0/24 === 10.2.1.0/24',
  ]);
});

test('another secret is told as such on both sides, with the connection’s name', () => {
  const [left, right] = sides1();
  const pair = new Pair(left, { ...right, sharedKeys: [psk('another one')] });
  pair.left.initiate();
  pair.run(40_000);
  const closed = pair.left.last('session-closed');
  assert.deepEqual([closed?.conn, closed?.reason.code], ['gw', 'auth-failed']);
  const note = pair.right.last('note');
  assert.deepEqual([note?.conn, note?.reason.code], ['gw', 'auth-failed']);
  assert.match(`${note?.reason.text}`, /message 5 of main mode .* cannot be decrypted/);
  assert.match(`${closed?.reason.text}`, /pre-shared keys differ/);
});

test('version 0 takes a peer of IKEv1', () => {
  const [left, right] = sides1();
  const conn = mirrored(connection({ ...left.connections[0], version: 0 }));
  const pair = Pair.up(left, { ...right, connections: [conn] });
  assert.equal(pair.right.live.children.length, 1);
});

// An ID payload has room for one port: a range goes out as all of them, and each side keeps to what it has configured.
for (const ts of ['10.1.0.0/24[tcp/1000-2000]', '10.1.0.0/24[tcp/80]', '10.1.0.0/24[tcp/opaque]', '10.1.0.0/24[udp]']) {
  test(`${ts} comes up as it is configured, and is renewed so from either side`, () => {
    const one = child({ offers: offers('aes128-sha1', 'esp'), localTs: selectors(ts) });
    const pair = Pair.up(...sides1({ children: [one] }));
    const shown = () =>
      [pair.left, pair.right].map(({ live }) =>
        live.children.map(({ localTs, remoteTs }) => [localTs, remoteTs]).reverse(),
      );
    const [left, right] = shown();
    assert.deepEqual([left?.length, right?.length], [1, 1]);
    assert.deepEqual(left?.[0], right?.[0]?.toReversed());
    assert.deepEqual(
      left?.[0]?.[0],
      selectors(ts).flatMap((source) => (source.kind === 'fixed' ? [source.selector] : [])),
    );
    for (const side of [pair.left, pair.right]) {
      const old = side.child;
      side.run(side.endpoint.rekeyChild(pair.now, old));
      pair.run(60_000);
      assert.notEqual(side.child, old);
      assert.deepEqual(
        shown().map(([last]) => last),
        [left?.[0], right?.[0]],
      );
    }
  });
}
