// NATs on the way: detection, port 4500, keepalives, forced encapsulation, new mappings. RFC 7296 §2.23, RFC 3948.
// `side` is who stands behind the NAT; the left one initiates.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sides } from '../../support/connections.ts';
import { behindNat, Pair, type Side } from '../../support/pair.ts';
import { ends, flow, one, quiet, settled, situation } from './narrate.ts';
import type { SideName } from './situations.ts';

const OUTSIDE = '203.0.113.5';

/** A NAT in front of this side. A responder's must let the first message in. */
function translated(pair: Pair, side: SideName): { rebind: () => void } {
  const nat = behindNat(pair[side], OUTSIDE);
  if (side === 'right') for (const port of [500, 4500]) pair.right.nat?.ports.set(port, port);
  return nat;
}

function check(side: Side): void {
  side.run(side.endpoint.checkLiveness(side.pair.now, side.session));
}

situation('nat', 'both see it, and go to port 4500 with ESP in UDP', (side) => {
  const pair = new Pair(...sides());
  translated(pair, side);
  pair.left.initiate();
  pair.run(2000);
  const { me, peer } = ends(pair, side);
  const session = (one: Side) => one.live.sessions[0]?.state;
  assert.equal(session(me)?.natLocal, true);
  assert.equal(session(me)?.natRemote, false);
  assert.equal(session(peer)?.natLocal, false);
  assert.equal(session(peer)?.natRemote, true);
  assert.deepEqual(
    pair.left.sent.slice(0, 2).map(({ local }) => local.port),
    [500, 4500],
  );
  for (const each of [me, peer]) {
    assert.equal(each.plane.sas[0]?.udp, true);
    assert.equal(each.plane.sas[0]?.natted, true);
    assert.equal(session(each)?.local.port, 4500);
  }
  assert.equal(session(peer)?.remote.ip, OUTSIDE);
  settled(pair);
  // What comes later stays there.
  for (const each of [me, peer]) {
    each.run(each.endpoint.rekeyChild(pair.now, each.child));
    flow(pair, 100);
    each.run(each.endpoint.rekeyIke(pair.now, each.session));
    settled(pair);
    assert.equal(session(each)?.local.port, 4500);
    assert.equal(each.plane.sas[0]?.udp, true);
  }
  quiet(pair);
});

situation('nat', 'who is behind it keeps the mapping alive, but only in silence', (side) => {
  const pair = new Pair(...sides());
  translated(pair, side);
  pair.left.initiate();
  pair.run(2000);
  const { me, peer } = ends(pair, side);
  pair.run(100_000);
  assert.equal(me.keepalives, 5);
  assert.equal(peer.keepalives, 0);
  flow(pair, 100_000, 1000);
  assert.equal(me.keepalives, 5);
});

situation('nat', 'without one, port 500 and bare ESP; where asked for, UDP all the same', (side) => {
  const plain = Pair.up(...sides());
  for (const each of [plain.left, plain.right]) {
    assert.equal(each.plane.sas[0]?.udp, false);
    assert.equal(each.plane.sas[0]?.natted, false);
    assert.ok(each.sent.every(({ local, remote }) => local.port === 500 && remote.port === 500));
    assert.equal(each.keepalives, 0);
  }
  // Asked for by one side, or because it cannot send bare ESP: both do it.
  const [left, right] = sides();
  for (const over of [{ rawEsp: false }, { connections: undefined }]) {
    const forced = (is: SideName) => {
      const own = is === 'left' ? left : right;
      if (is !== side) return own;
      const connections = own.connections.map((conn) => ({ ...conn, encap: 'yes' as const }));
      return over.rawEsp === false ? { ...own, rawEsp: false } : { ...own, connections };
    };
    const pair = Pair.up(forced('left'), forced('right'));
    for (const each of [pair.left, pair.right]) {
      assert.equal(each.plane.sas[0]?.udp, true);
      assert.equal(each.live.sessions[0]?.state.local.port, 4500);
    }
    settled(pair);
  }
});

situation('nat-rebinding', 'an authentic message from a new mapping moves everything there', (side) => {
  const pair = new Pair(...sides());
  const nat = translated(pair, side);
  pair.left.initiate();
  pair.run(2000);
  const { me, peer } = ends(pair, side);
  nat.rebind();
  check(me);
  pair.run(100);
  const port = me.nat?.ports.get(4500) ?? 0;
  assert.deepEqual(peer.live.sessions[0]?.state.remote, { ip: OUTSIDE, port });
  assert.deepEqual(peer.last('peer-moved')?.remote, { ip: OUTSIDE, port });
  assert.equal(peer.count('peer-moved'), 1);
  assert.equal(me.count('peer-moved'), 0);
  // The way back works, too, and so does what is made afterwards.
  check(peer);
  peer.run(peer.endpoint.rekeyChild(pair.now, peer.child));
  flow(pair, 1000);
  assert.equal(peer.plane.sas.at(-1)?.remote.port, port);
  settled(pair);
  quiet(pair);
});

situation('nat-rebinding', 'in the middle of an exchange', (side) => {
  const pair = new Pair(...sides());
  const nat = translated(pair, side);
  pair.left.initiate();
  pair.run(2000);
  const { me, peer } = ends(pair, side);
  // The request of the peer meets a mapping that is gone; ours makes a new one, and its repetition goes there.
  nat.rebind();
  peer.run(peer.endpoint.rekeyChild(pair.now, peer.child));
  pair.run(100);
  check(me);
  flow(pair, 5000);
  settled(pair);
  quiet(pair);
});

situation('nat-rebinding', 'a packet of ESP moves the peer, though not every second and not without a NAT', (side) => {
  const pair = new Pair(...sides());
  const nat = translated(pair, side);
  pair.left.initiate();
  pair.run(2000);
  const { peer } = ends(pair, side);
  nat.rebind();
  const moved = (port: number) => peer.run(peer.endpoint.moved(pair.now, peer.child, { ip: OUTSIDE, port }));
  moved(40_000);
  assert.equal(peer.live.sessions[0]?.state.remote.port, 40_000);
  moved(40_001);
  assert.equal(peer.live.sessions[0]?.state.remote.port, 40_000);
  pair.run(5000);
  moved(40_002);
  assert.equal(peer.live.sessions[0]?.state.remote.port, 40_002);
  const straight = Pair.up(...sides());
  const other = straight[side].other;
  other.run(other.endpoint.moved(straight.now, other.child, { ip: OUTSIDE, port: 4500 }));
  assert.notEqual(other.live.sessions[0]?.state.remote.ip, OUTSIDE);
});

test('both behind NATs', () => {
  const pair = new Pair(...sides());
  const left = behindNat(pair.left, OUTSIDE);
  behindNat(pair.right, '203.0.113.6');
  for (const port of [500, 4500]) pair.right.nat?.ports.set(port, port);
  pair.left.initiate();
  pair.run(2000);
  for (const each of [pair.left, pair.right]) {
    assert.equal(each.live.sessions[0]?.state.natLocal, true);
    assert.equal(each.live.sessions[0]?.state.natRemote, true);
  }
  left.rebind();
  check(pair.left);
  settled(pair);
  one(pair);
});
