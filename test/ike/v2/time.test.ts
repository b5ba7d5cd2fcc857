// Lifetimes, and key exchanges that take their time: RFC 7296 §2.8. `side` is who has the limit, or who is slow.

import assert from 'node:assert/strict';
import type { Connection, Lifetime } from '../../../src/ike/connection.ts';
import { child, connection, mirrored, offers, sides } from '../../support/connections.ts';
import { Pair, type SideOptions } from '../../support/pair.ts';
import { drop, listen, request } from '../../support/tamper.ts';
import { ends, flow, nothing, one, quiet, settled, situation } from './narrate.ts';
import type { SideName } from './situations.ts';

const NEVER: Lifetime = {
  rekeyTime: 0,
  lifeTime: 0,
  randTime: 0,
  rekeyBytes: 0,
  lifeBytes: 0,
  randBytes: 0,
  rekeyPackets: 0,
  lifePackets: 0,
  randPackets: 0,
};

/** This side with such lifetimes, the other one with none. */
function only(side: SideName, over: Partial<Connection>, lifetime: Partial<Lifetime> = {}): [SideOptions, SideOptions] {
  const never = { rekeyTime: 0, children: [child({ lifetime: NEVER })] };
  const limited = { ...never, ...over, children: [child({ lifetime: { ...NEVER, ...lifetime } })] };
  const [left, right] = sides();
  const conn = (is: SideName) => connection(side === is ? limited : never);
  return [
    { ...left, connections: [conn('left')] },
    { ...right, connections: [mirrored(conn('right'))] },
  ];
}

situation('lifetimes', 'a child is rekeyed at its soft limit, again and again', (side) => {
  const pair = Pair.up(...only(side, {}, { rekeyTime: 600_000, lifeTime: 700_000 }));
  const { me, peer } = ends(pair, side);
  const start = me.child;
  flow(pair, 595_000, 1000);
  assert.equal(me.child, start);
  flow(pair, 10_000);
  assert.notEqual(me.child, start);
  flow(pair, 1_800_000, 1000);
  assert.equal(me.count('child-rekeyed'), 4);
  assert.equal(peer.count('child-rekeyed'), 4);
  settled(pair);
  quiet(pair);
});

situation('lifetimes', 'the soft limit is hastened by a random part of rand_time', (side) => {
  const times = new Set<number>();
  for (let seed = 1; seed <= 8; seed++) {
    const lifetime = { rekeyTime: 600_000, lifeTime: 700_000, randTime: 60_000 };
    const pair = Pair.up(...only(side, {}, lifetime), seed);
    const { me } = ends(pair, side);
    const { rekeyAt = 0, installedAt = 0 } = me.live.children[0] ?? {};
    assert.ok(rekeyAt - installedAt >= 540_000 && rekeyAt - installedAt <= 600_000);
    times.add(Math.round(rekeyAt - installedAt));
  }
  assert.ok(times.size > 4);
});

situation('lifetimes', 'at the hard limit a child goes, and a new one comes', (side) => {
  const pair = Pair.up(...only(side, {}, { lifeTime: 60_000 }));
  const { me, peer } = ends(pair, side);
  const start = me.child;
  pair.run(70_000);
  assert.equal(me.count('child-closed'), 1);
  assert.notEqual(me.child, start);
  assert.equal(peer.live.children.length, 1);
  assert.deepEqual(pair.faults(), []);
  pair.flowing(1000);
  assert.equal(pair.flow.lost, 0);
});

situation('lifetimes', 'limits by volume: soft rekeys without loss, hard ends', (side) => {
  const pair = Pair.up(...sides());
  const { me } = ends(pair, side);
  for (let i = 0; i < 3; i++) {
    const old = me.child;
    me.run(me.endpoint.limit(pair.now, old, false));
    // Said twice, done once.
    me.run(me.endpoint.limit(pair.now, old, false));
    flow(pair, 1000);
    assert.notEqual(me.child, old);
  }
  settled(pair);
  quiet(pair);
  assert.equal(me.count('child-rekeyed'), 3);
  const old = me.child;
  me.run(me.endpoint.limit(pair.now, old, true));
  pair.run(5000);
  assert.notEqual(me.child, old);
  assert.equal(me.count('child-closed'), 1);
  settled(pair);
});

situation('lifetimes', 'the IKE SA is rekeyed at its soft limit', (side) => {
  const pair = Pair.up(...only(side, { rekeyTime: 600_000, overTime: 60_000 }));
  const { me } = ends(pair, side);
  flow(pair, 1_900_000, 1000);
  assert.equal(me.count('session-rekeyed'), 3);
  settled(pair);
  quiet(pair);
});

situation('lifetimes', 'an IKE SA that could not be rekeyed ends over_time later', (side) => {
  const pair = Pair.up(...only(side, { rekeyTime: 600_000, overTime: 60_000 }));
  const { me, peer } = ends(pair, side);
  // The peer is always busy.
  const { sharedKeys } = peer.options;
  const none = peer.options.connections.map((conn) => ({ ...conn, offers: offers('aes256-sha384-modp2048', 'ike') }));
  peer.endpoint.configure(none, sharedKeys);
  pair.run(640_000);
  assert.equal(me.live.sessions.length, 1);
  assert.equal(me.last('note')?.reason.code, 'no-proposal');
  pair.run(30_000);
  assert.equal(me.last('session-closed')?.reason.code, 'expired');
  pair.run(75_000);
  nothing(pair);
});

situation('lifetimes', 'reauthentication makes the new IKE SA before it breaks the old one', (side) => {
  const pair = Pair.up(...only(side, { reauthTime: 600_000, overTime: 60_000 }));
  const { me } = ends(pair, side);
  const before = me.session;
  pair.flowing(700_000, 1000);
  assert.equal(pair.flow.lost, 0);
  assert.notEqual(me.session, before);
  assert.equal(me.count('session-established'), 2);
  pair.run(75_000);
  one(pair);
});

const SLOW = 3000;

function slow(side: SideName, over: Partial<Connection> = {}): [SideOptions, SideOptions] {
  const [left, right] = sides(over);
  return side === 'left' ? [{ ...left, keTime: SLOW }, right] : [left, { ...right, keTime: SLOW }];
}

situation('slow-key-exchange', 'the initial exchanges wait for it, and repeat nothing needlessly', (side) => {
  const pair = new Pair(...slow(side));
  pair.left.initiate();
  pair.run(20_000);
  one(pair);
  settled(pair);
  // While the responder computes, what the initiator repeats is not computed again.
  assert.equal(pair.right.count('session-started'), 1);
});

situation('slow-key-exchange', 'rekeyings with it lose nothing, from either side', (side) => {
  const pfs = child({ offers: offers('aes128gcm16-x25519', 'esp') });
  const pair = new Pair(...slow(side, { children: [pfs] }));
  pair.left.initiate();
  pair.run(20_000);
  for (const each of [pair.left, pair.right]) {
    each.run(each.endpoint.rekeyChild(pair.now, each.child));
    flow(pair, 20_000, 100);
    each.run(each.endpoint.rekeyIke(pair.now, each.session));
    flow(pair, 20_000, 100);
  }
  // And all at once.
  for (const each of [pair.left, pair.right]) {
    each.run(each.endpoint.rekeyChild(pair.now, each.child));
    each.run(each.endpoint.rekeyIke(pair.now, each.session));
  }
  flow(pair, 100_000, 500);
  settled(pair);
  quiet(pair);
});

situation('slow-key-exchange', 'one that takes for ever is given up after 30 s', (side) => {
  const [left, right] = sides();
  const forever = { keTime: 1_000_000_000 };
  const pair = side === 'left' ? new Pair({ ...left, ...forever }, right) : new Pair(left, { ...right, ...forever });
  pair.left.initiate();
  pair.run(65_000);
  assert.equal(pair[side].last('session-closed')?.established, false);
  nothing(pair);
});

situation('slow-key-exchange', 'retransmission goes on meanwhile in the other direction', (side) => {
  const pfs = child({ offers: offers('aes128gcm16-x25519', 'esp') });
  const pair = new Pair(...slow(side, { children: [pfs], dpdDelay: 1000 }));
  pair.left.initiate();
  pair.run(20_000);
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  drop(pair, request(peer, 'INFORMATIONAL'), 1);
  me.run(me.endpoint.rekeyChild(pair.now, me.child));
  peer.run(peer.endpoint.checkLiveness(pair.now, peer.session));
  pair.run(2500);
  assert.ok(lines.filter((line) => line === `${me.name}: `).length > 0, lines.join('\n'));
  pair.run(20_000);
  settled(pair);
});

situation('slow-key-exchange', 'nothing is begun on an IKE SA that is being replaced', (side) => {
  const pair = new Pair(...slow(side));
  pair.left.initiate();
  pair.run(20_000);
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  // CREATE_CHILD_SA {SA, Ni, KEi} is being answered when a child wants to be rekeyed.
  peer.run(peer.endpoint.rekeyIke(pair.now, peer.session));
  pair.run(100);
  const old = me.child;
  me.run(me.endpoint.rekeyChild(pair.now, old));
  flow(pair, 2000);
  assert.ok(!lines.some((line) => line.startsWith(`${me.name}:`)), lines.join('\n'));
  settled(pair);
  quiet(pair);
  assert.notEqual(me.child, old);
});
