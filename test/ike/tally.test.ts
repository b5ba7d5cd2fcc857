// The counters of messages: what one side sends the other receives, and each message once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TALLIED, Tally } from '../../src/ike/tally.ts';
import { child, offers, selectors, sides } from '../support/connections.ts';
import { Pair, type Side } from '../support/pair.ts';

/** What is not zero. */
function counted(side: Side): Record<string, number> {
  const all = side.endpoint.tally.all();
  return Object.fromEntries(TALLIED.flatMap((name) => (all[name] === 0 ? [] : [[name, all[name]] as const])));
}

/** The peer's view of the same messages. */
function mirrored(counts: Record<string, number>): Record<string, number> {
  const turned = Object.entries(counts).map(([name, count]) => {
    const other = name.replace(/-(in|out)-/, (_, way) => (way === 'in' ? '-out-' : '-in-'));
    return [
      other.replace(/^ike-rekey-(init|resp)$/, (_, side) => `ike-rekey-${side === 'init' ? 'resp' : 'init'}`),
      count,
    ];
  });
  return Object.fromEntries(turned);
}

function sorted(counts: Record<string, number>): [string, number][] {
  return Object.entries(counts).sort();
}

function renewed(pair: Pair): Pair {
  pair.left.run(pair.left.endpoint.rekeyChild(pair.now, pair.left.child));
  pair.run(10_000);
  pair.right.run(pair.right.endpoint.rekeyIke(pair.now, pair.right.session));
  pair.run(10_000);
  return pair;
}

test('each message is counted by its kind, on both sides alike', () => {
  const pair = renewed(Pair.up(...sides()));
  assert.deepEqual(counted(pair.left), {
    'ike-rekey-resp': 1,
    'child-rekey': 1,
    'ike-init-in-resp': 1,
    'ike-init-out-req': 1,
    'ike-auth-in-resp': 1,
    'ike-auth-out-req': 1,
    'create-child-in-req': 1,
    'create-child-in-resp': 1,
    'create-child-out-req': 1,
    'create-child-out-resp': 1,
    'info-in-req': 1,
    'info-in-resp': 1,
    'info-out-req': 1,
    'info-out-resp': 1,
  });
  assert.deepEqual(sorted(counted(pair.right)), sorted(mirrored(counted(pair.left))));
});

test('what is lost and sent again, doubled or cut into fragments counts once', () => {
  const plain = renewed(Pair.up(...sides()));
  const LONG = child({
    localTs: selectors(...Array.from({ length: 20 }, (_, i) => `10.1.${i}.0/24`)),
    remoteTs: selectors(...Array.from({ length: 20 }, (_, i) => `10.2.${i}.0/24`)),
  });
  const hard = new Pair(...sides({ children: [LONG], fragmentSize: 400 }));
  hard.wire.duplicate = 1;
  let seen = 0;
  // Every fourth datagram is lost the first time.
  hard.wire.tamper = (bytes) => (++seen % 4 === 0 ? undefined : bytes);
  hard.left.initiate();
  hard.run(30_000);
  renewed(hard);
  hard.run(30_000);
  for (const side of ['left', 'right'] as const) assert.deepEqual(counted(hard[side]), counted(plain[side]), side);
});

for (const version of [1, 2] as const) {
  test(`each request of IKEv${version} that is sent again is counted for its connection, the questions after a peer too`, () => {
    const times = { dpdDelay: 5000, dpdTimeout: 0, offers: offers('aes128-sha256-prfsha256-ecp256', 'ike') };
    const [left, right] = sides({ version, ...times });
    const pair = new Pair(left, right);
    const repeats = () => [...pair.left.endpoint.tally.repeats().values()];
    pair.wire.tamper = () => undefined;
    pair.left.initiate();
    // At 1 s and at 3 s.
    pair.run(3500);
    assert.deepEqual(repeats(), [2]);
    pair.wire.tamper = (bytes) => bytes;
    pair.run(10_000);
    assert.equal(pair.left.endpoint.sessions()[0]?.state.phase, 'established');
    assert.deepEqual(repeats(), [3]);
    pair.wire.tamper = () => undefined;
    pair.run(60_000);
    assert.equal(pair.left.endpoint.sessions().length, 0);
    assert.deepEqual(repeats(), [3 + (left.connections[0]?.retransmit.transmissions ?? 0) - 1]);
    pair.left.endpoint.configure([], []);
    assert.deepEqual(repeats(), []);
  });
}

test('what is no message, and what belongs to nobody, is counted as such', () => {
  const pair = Pair.up(...sides());
  const { endpoint } = pair.left;
  const from = { ip: '192.0.2.99', port: 500 };
  const to = { ip: pair.left.options.ip, port: 500 };
  endpoint.receive(pair.now, new Uint8Array(27), from, to);
  assert.equal(endpoint.tally.all().invalid, 1);
  const [sent] = pair.right.sent.slice(-1);
  assert.ok(sent);
  const foreign = sent.bytes.slice();
  foreign.fill(7, 0, 16);
  endpoint.receive(pair.now, foreign, from, to);
  assert.equal(endpoint.tally.all()['invalid-spi'], 1);
});

test('a connection has counters of its own, as far as it is known whose message it is, until it is configured no more', () => {
  const [left, right] = sides();
  const pair = Pair.up(left, right);
  const [conn] = left.connections;
  assert.ok(conn);
  const { tally } = pair.left.endpoint;
  assert.deepEqual([...tally.byConnection().keys()], [conn.name]);
  assert.deepEqual(tally.byConnection().get(conn.name), tally.all());
  // Who asks first is not known yet.
  assert.equal(pair.right.endpoint.tally.all()['ike-init-in-req'], 1);
  assert.equal(pair.right.endpoint.tally.byConnection().get(right.connections[0]?.name ?? '')?.['ike-init-in-req'], 0);
  pair.left.endpoint.configure([], []);
  assert.equal(tally.byConnection().size, 0);
  assert.equal(tally.all()['ike-auth-out-req'], 1);
});

test('counters of all together and of the connections are reset apart, as strongSwan does it', () => {
  const tally = new Tally();
  tally.count('invalid', 'a');
  tally.count('invalid', 'b');
  tally.reset('a');
  assert.deepEqual([...tally.byConnection().keys()], ['b']);
  tally.resetConnections();
  assert.equal(tally.byConnection().size, 0);
  assert.equal(tally.all().invalid, 2);
  tally.reset();
  assert.equal(tally.all().invalid, 0);
});
