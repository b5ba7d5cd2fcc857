// The state of an endpoint is plain data: another process takes it up in the middle of any exchange, and the peer does not
// notice. `side` is who is taken up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { child, offers, selectors, sides } from '../../support/connections.ts';
import { behindNat, Pair, type Side } from '../../support/pair.ts';
import { ends, flow, one, quiet, settled, situation } from './narrate.ts';

const PFS = child({ offers: offers('aes128gcm16-x25519', 'esp') });

/** Every exchange, begun by one side. */
const EXCHANGES: Readonly<Record<string, (asks: Side) => void>> = {
  'rekey child': (asks) => asks.run(asks.endpoint.rekeyChild(asks.pair.now, asks.child)),
  'rekey IKE': (asks) => asks.run(asks.endpoint.rekeyIke(asks.pair.now, asks.session)),
  liveness: (asks) => asks.run(asks.endpoint.checkLiveness(asks.pair.now, asks.session)),
  everything: (asks) => {
    asks.run(asks.endpoint.rekeyChild(asks.pair.now, asks.child));
    asks.run(asks.endpoint.rekeyIke(asks.pair.now, asks.session));
    asks.run(asks.endpoint.checkLiveness(asks.pair.now, asks.session));
  },
};

const STEPS = 8;

situation('transplant', 'in the middle of the initial exchanges', (side) => {
  for (let steps = 0; steps < 6; steps++) {
    const pair = new Pair(...sides({ children: [PFS] }));
    pair.left.initiate();
    for (let i = 0; i < steps; i++) pair.step(pair.now + 100);
    pair[side].transplant();
    pair.run(5000);
    settled(pair);
    assert.equal(pair.left.count('session-closed') + pair.right.count('session-closed'), 0, `after ${steps}`);
  }
});

for (const [name, begin] of Object.entries(EXCHANGES)) {
  situation('transplant', `in the middle of: ${name}`, (side) => {
    for (const asks of ['left', 'right'] as const) {
      for (let steps = 0; steps < STEPS; steps++) {
        const pair = Pair.up(...sides({ children: [PFS] }));
        begin(pair[asks]);
        for (let i = 0; i < steps; i++) pair.step(pair.now + 100);
        pair[side].transplant();
        flow(pair, 2000);
        settled(pair);
        quiet(pair);
      }
    }
  });
}

situation('transplant', 'in the middle of a collision, again and again', (side) => {
  for (let seed = 1; seed <= 6; seed++) {
    const pair = Pair.up(...sides({ children: [PFS] }), seed);
    const begin = EXCHANGES.everything;
    begin?.(pair.left);
    begin?.(pair.right);
    for (let i = 0; i < 20; i++) {
      pair.step(pair.now + 100);
      pair[side].transplant();
    }
    flow(pair, 10_000);
    settled(pair);
    quiet(pair);
  }
});

situation('transplant', 'a request without an answer is repeated with the same bytes', (side) => {
  const pair = Pair.up(...sides());
  const { me } = ends(pair, side);
  pair.wire.cut = true;
  me.run(me.endpoint.checkLiveness(pair.now, me.session));
  const first = me.sent.at(-1)?.bytes;
  me.transplant();
  pair.run(1500);
  assert.deepEqual(me.sent.at(-1)?.bytes, first);
  pair.wire.cut = false;
  pair.run(5000);
  settled(pair);
});

situation('transplant', 'an answer that was lost is repeated by the new process', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const release = pair.hold((_, from) => from === me);
  peer.run(peer.endpoint.rekeyChild(pair.now, peer.child));
  pair.run(100);
  const answer = me.sent.at(-1)?.bytes;
  me.transplant();
  pair.run(1000);
  assert.deepEqual(me.sent.at(-1)?.bytes, answer);
  release();
  flow(pair, 5000);
  settled(pair);
  quiet(pair);
});

situation('transplant', 'numbers of policies and of SAs go on where they were', (side) => {
  const other = child({ name: 'other', localTs: selectors('10.1.9.0/24'), remoteTs: selectors('10.2.9.0/24') });
  const pair = Pair.up(...sides({ children: [child(), other] }));
  const { me } = ends(pair, side);
  const reqids = () => new Map(me.plane.sas.map((sa) => [sa.child, sa.reqid]));
  const before = reqids();
  assert.equal(new Set(before.values()).size, 2);
  me.transplant();
  // The second one first: its number must not become that of the first.
  for (const name of ['other', 'net']) {
    const net = me.live.children.find((one) => one.name === name);
    me.run(me.endpoint.rekeyChild(pair.now, net?.id ?? 0));
    pair.run(10_000);
  }
  assert.deepEqual(reqids(), before);
  assert.deepEqual(pair.faults(), []);
});

test('what is exported survives JSON-like cloning, and exporting changes nothing', () => {
  const pair = new Pair(...sides());
  behindNat(pair.left, '203.0.113.5');
  pair.left.initiate();
  pair.run(2000);
  const first = pair.left.endpoint.export();
  assert.deepEqual(structuredClone(first), first);
  assert.deepEqual(pair.left.endpoint.export(), first);
  pair.left.transplant();
  pair.right.transplant();
  settled(pair);
  one(pair);
});
