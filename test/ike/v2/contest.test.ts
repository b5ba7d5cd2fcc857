// Two peers for the same packets: two hosts behind one NAT in transport mode, two peers with one network in tunnel mode.
// RFC 3948 §5.1, §5.2.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Child } from '../../../src/ike/connection.ts';
import { connection, id, LEFT_IP, mirrored, psk, RIGHT_IP, selectors } from '../../support/connections.ts';
import { behindNat, Pair, type Side } from '../../support/pair.ts';
import { create, esp, hosts, rekey } from './kinds.ts';

const OUTSIDE = '203.0.113.5';

function modes(pair: Pair): string[] {
  return [pair.left, pair.right].flatMap((side) => side.plane.sas.map(({ mode }) => mode));
}

function notes(side: Side): string[] {
  return side.events.flatMap((event) => (event.kind === 'note' ? event.reason.code : []));
}

/** The left side is two hosts behind one NAT, with a connection and an identity each. The first is up. */
function neighbours(children: { one: Child; other: Child }, accepts = children.one): Pair {
  const both = ['one', 'other'] as const;
  const conns = both.map((name) => connection({ name, localId: id(`${name}.test`), children: [children[name]] }));
  const [first] = conns;
  if (!first) throw new Error('no connection');
  const mirror = mirrored(first, { name: 'gw', remoteId: { kind: 'any' }, children: [swapped(accepts)] });
  const shared = { sharedKeys: [psk()] };
  const pair = new Pair(
    { ip: LEFT_IP, connections: conns, ...shared },
    { ip: RIGHT_IP, connections: [mirror], ...shared },
  );
  const nat = behindNat(pair.left, OUTSIDE);
  pair.left.initiate(undefined, first);
  pair.run(1000);
  nat.rebind();
  return pair;
}

function swapped(child: Child): Child {
  return { ...child, localTs: child.remoteTs, remoteTs: child.localTs };
}

function second(pair: Pair): void {
  const [, conn] = pair.left.options.connections;
  pair.left.initiate(undefined, conn);
  pair.run(1000);
}

test('a second host behind the same NAT is refused in transport mode, and told why', () => {
  const pair = neighbours({ one: hosts(), other: hosts() });
  const before = pair.right.plane.sas.map(({ id }) => id);
  second(pair);
  const { left, right } = pair;
  assert.equal(left.last('child-failed')?.reason.notify, 'TS_UNACCEPTABLE');
  const reason = right.last('child-failed')?.reason;
  assert.equal(reason?.code, 'nat-conflict');
  assert.equal(
    reason?.text,
    `ID_FQDN one.test, behind the same NAT (${OUTSIDE}), has this in transport mode: packets for the two could not be told apart`,
  );
  assert.deepEqual(reason?.got, [`${OUTSIDE}/32`]);
  assert.deepEqual(
    right.plane.sas.map(({ id }) => id),
    before,
  );
  // The first goes on, through rekeyings of all kinds.
  left.run(left.endpoint.checkLiveness(pair.now, left.session));
  pair.run(1000);
  rekey(right);
  pair.run(10_000);
  right.run(right.endpoint.rekeyIke(pair.now, right.session));
  pair.run(10_000);
  rekey(left);
  pair.run(10_000);
  assert.deepEqual(
    [right.count('child-rekeyed'), right.count('session-rekeyed'), right.count('child-failed')],
    [2, 1, 1],
  );
  assert.deepEqual(modes(pair), ['transport', 'transport']);
  assert.deepEqual(notes(right), []);
});

test('a host behind the same NAT that is gone without a word makes way for the next', () => {
  const pair = neighbours({ one: hosts(), other: hosts() });
  const { left, right } = pair;
  left.restart();
  second(pair);
  assert.equal(right.last('child-failed')?.reason.code, 'nat-conflict');
  pair.run(200_000);
  assert.equal(right.last('session-closed')?.reason.code, 'peer-dead');
  create(left);
  pair.run(1000);
  assert.deepEqual(modes(pair), ['transport', 'transport']);
});

test('hosts behind the same NAT have transport mode side by side where their ports differ', () => {
  const [one, other] = [1000, 2000].map((port) => hosts({ localTs: selectors(`dynamic[udp/${port}]`) }));
  assert.ok(one && other);
  const pair = neighbours({ one, other }, hosts());
  second(pair);
  assert.equal(pair.right.count('child-failed'), 0);
  assert.equal(pair.right.plane.sas.length, 2);
});

test('in tunnel mode the newest of two peers gets the packets for a network, and the log says so of the other', () => {
  const pair = neighbours({ one: esp(), other: esp() });
  second(pair);
  const { right } = pair;
  assert.equal(right.plane.sas.length, 2);
  const noted = right.last('note');
  assert.equal(noted?.session, right.live.sessions[0]?.state.id);
  assert.equal(noted?.reason.code, 'supplanted');
  assert.match(
    noted?.reason.text ?? '',
    /^packets of net go to ID_FQDN other\.test at 203\.0\.113\.5:\d+ now, which has the same selectors$/,
  );
  assert.deepEqual(noted?.reason.want, ['10.1.0.0/24']);
  // New keys make the first the newest again, and it is the other that hears of it.
  const [, other] = right.live.sessions;
  pair.left.run(pair.left.endpoint.checkLiveness(pair.now, pair.left.session));
  pair.run(1000);
  pair.left.run(pair.left.endpoint.rekeyChild(pair.now, pair.left.live.children[0]?.id ?? 0));
  pair.run(1000);
  assert.deepEqual([right.count('note'), right.last('note')?.session], [2, other?.state.id]);
});

test('one peer with several IKE SAs supplants nobody', () => {
  const pair = neighbours({ one: hosts(), other: hosts() });
  pair.left.run(pair.left.endpoint.checkLiveness(pair.now, pair.left.session));
  pair.run(1000);
  pair.left.initiate();
  pair.run(1000);
  assert.equal(pair.right.live.sessions.length, 2);
  assert.deepEqual(notes(pair.right), []);
});
