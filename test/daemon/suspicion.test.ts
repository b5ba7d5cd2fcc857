// What counters and selectors say of a tunnel that stands.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SaStats } from '../../src/daemon/plane.ts';
import { suspicions } from '../../src/daemon/suspicion.ts';
import { Drops } from '../../src/esp/drop.ts';
import type { Connection } from '../../src/ike/connection.ts';
import { resolveTs } from '../../src/ike/ts.ts';
import { child, selectors, sides } from '../support/connections.ts';
import { Pair } from '../support/pair.ts';

const QUIET: SaStats = {
  ...{ bytesIn: 0, packetsIn: 0, bytesOut: 0, packetsOut: 0, lastIn: undefined, lastOut: undefined },
  drops: new Drops().of(0),
};
/** Long after the tunnel has come up. */
const NOW = 1_100_000;

function suspected(over: Partial<SaStats>, left: Partial<Connection> = {}, right: Partial<Connection> = {}) {
  return suspectedAt(NOW, over, left, right);
}

function suspectedAt(
  now: number,
  over: Partial<SaStats>,
  left: Partial<Connection> = {},
  right: Partial<Connection> = {},
) {
  const pair = Pair.up(...sides(left, right));
  const found = suspicions(pair.left.endpoint.sessions(), { stats: () => ({ ...QUIET, ...over }) }, now);
  return found.map(({ child, reason }) => [child, reason.code]);
}

test('a tunnel that carries packets both ways, or none at all, is above suspicion', () => {
  assert.deepEqual(suspected({}), []);
  assert.deepEqual(suspected({ packetsOut: 4, lastOut: NOW }), [], 'too few to tell');
  const both = { packetsOut: 100, lastOut: NOW, packetsIn: 90, lastIn: NOW - 5000 };
  assert.deepEqual(suspected(both), []);
  assert.deepEqual(suspected({ ...both, lastOut: NOW - 50_000, lastIn: NOW - 70_000 }), [], 'nobody sends any more');
});

test('packets that leave, and of which not one has ever come back, are told also when nobody sends any more', () => {
  assert.deepEqual(suspected({ packetsOut: 5, lastOut: NOW }), [['net', 'esp-blocked']]);
  assert.deepEqual(suspected({ packetsOut: 5, lastOut: NOW - 90_000 }), [['net', 'esp-blocked']]);
});

test('answers to what leaves by new keys are given time to come', () => {
  const [just, then] = [1_001_000, 1_005_000];
  assert.deepEqual(suspectedAt(just, { packetsOut: 500, lastOut: just }), []);
  assert.deepEqual(suspectedAt(then, { packetsOut: 500, lastOut: then }), [['net', 'esp-blocked']]);
});

test('answers that have ceased, or that were dropped here, are another matter', () => {
  const ceased = { packetsOut: 50, lastOut: NOW, packetsIn: 20, lastIn: NOW - 15_000 };
  assert.deepEqual(suspected(ceased), [['net', 'no-traffic-back']]);
  const dropped = { packetsOut: 50, lastOut: NOW, drops: { ...QUIET.drops, 'bad-icv': 7 } };
  assert.deepEqual(suspected(dropped), [['net', 'no-traffic-back']]);
});

test('packets that come and are never answered are a matter of this side', () => {
  assert.deepEqual(suspected({ packetsIn: 5, lastIn: NOW }), [['net', 'no-traffic-out']]);
  assert.deepEqual(suspected({ packetsIn: 4, lastIn: NOW }), []);
});

test('selectors that the peer has narrowed are told, but not where all of the Internet was asked for', () => {
  const less = { children: [child({ localTs: selectors('10.2.0.0/25'), remoteTs: selectors('10.1.0.0/24') })] };
  assert.deepEqual(suspected({}, {}, less), [['net', 'narrowed']]);
  const halves = selectors('10.2.0.0/25', '10.2.0.128/25');
  const whole = { children: [child({ localTs: halves, remoteTs: selectors('10.1.0.0/24') })] };
  assert.deepEqual(suspected({}, {}, whole), [], 'both halves together are all of it');
  const everything = { children: [child({ remoteTs: selectors('0.0.0.0/0') })] };
  assert.deepEqual(suspected({}, everything, less), []);
});

test('a child whose keys are being renewed serves all the while', () => {
  const pair = Pair.up(...sides({ children: [child({ remoteTs: selectors('10.2.0.0/24') })] }));
  const [sa] = pair.left.endpoint.sessions();
  const [one] = sa?.state.children ?? [];
  assert.ok(sa && one);
  const [low, high] = [selectors('10.2.0.0/25'), selectors('10.2.0.128/25')];
  const of = (remoteTs: typeof low) => remoteTs.flatMap((pattern) => resolveTs([pattern], '192.0.2.1'));
  sa.state.children = [
    { ...one, remoteTs: of(low) },
    { ...one, id: 99, remoteTs: of(high), stage: 'rekeying' },
  ];
  assert.deepEqual(suspicions([sa], { stats: () => QUIET }, NOW), []);
});

test('what forwards packets is named by their family', () => {
  const six = { localTs: selectors('2001:db8:1::/64'), remoteTs: selectors('2001:db8:2::/64') };
  const [left, right] = sides({ children: [child(six)] });
  const pair = Pair.up(left, right);
  const stats = { ...QUIET, packetsIn: 9, lastIn: NOW };
  const [found] = suspicions(pair.left.endpoint.sessions(), { stats: () => stats }, NOW);
  assert.match(found?.reason.remedy ?? '', /sysctl net\.ipv6\.conf\.all\.forwarding/);
});
