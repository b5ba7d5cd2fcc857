// Fragments: RFC 7383, and what SECURITY A4 and A20 say of them. `side` is who sends them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../../src/bytes/bytes.ts';
import { EXCHANGE, PAYLOAD } from '../../../src/ike/wire/constants.ts';
import { encodePayloads, parseMessage } from '../../../src/ike/wire/message.ts';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { child, selectors, sides } from '../../support/connections.ts';
import { Pair, type Side } from '../../support/pair.ts';
import { fragment, note } from '../../support/tamper.ts';
import { v2 } from '../../support/v2.ts';
import { ends, flow, one, quiet, settled, situation } from './narrate.ts';

/** Many selectors make long messages. */
const LONG = child({
  localTs: selectors(...Array.from({ length: 20 }, (_, i) => `10.1.${i}.0/24`)),
  remoteTs: selectors(...Array.from({ length: 20 }, (_, i) => `10.2.${i}.0/24`)),
});
const SMALL = { children: [LONG], fragmentSize: 400 };
/** What is left of 400 octets for UDP's payload, without the non-ESP marker. */
const MTU = 400 - 20 - 8 - 4;

const isFragment = (bytes: Uint8Array) => bytes[16] === PAYLOAD.SKF;
const numberOf = (bytes: Uint8Array) => parseMessage(bytes).encrypted?.fragment?.number;

situation('fragmentation', 'long messages get through a path that takes short ones only', (side) => {
  const pair = new Pair(...sides(SMALL));
  pair.wire.mtu = MTU;
  pair.left.initiate();
  pair.run(2000);
  one(pair);
  const { me, peer } = ends(pair, side);
  me.run(me.endpoint.rekeyChild(pair.now, me.child));
  flow(pair, 1000);
  for (const each of [me, peer]) {
    assert.ok(each.sent.some(({ bytes }) => isFragment(bytes)));
    assert.ok(each.sent.every(({ bytes }) => bytes.length <= MTU));
  }
  settled(pair);
  quiet(pair);
});

situation('fragmentation', 'a lost fragment brings all of them again, the same bytes', (side) => {
  for (const lost of [1, 2, 3]) {
    for (const ofResponse of [false, true]) {
      const pair = new Pair(...sides(SMALL));
      pair.wire.mtu = MTU;
      pair.left.initiate();
      pair.run(2000);
      const { me } = ends(pair, side);
      const asks = ofResponse ? me.other : me;
      let drops = 1;
      pair.wire.tamper = (bytes, from) => {
        if (from !== me || !isFragment(bytes) || parseMessage(bytes).header.response !== ofResponse) return bytes;
        return numberOf(bytes) === lost && drops-- > 0 ? undefined : bytes;
      };
      const before = me.sent.length;
      asks.run(asks.endpoint.rekeyChild(pair.now, asks.child));
      flow(pair, 3000);
      const sent = me.sent.slice(before).filter(({ bytes }) => isFragment(bytes));
      const total = sent.length / 2;
      assert.ok(total >= 3, `${sent.length} fragments`);
      sent.slice(total).forEach(({ bytes }, i) => {
        assert.deepEqual(bytes, sent[i]?.bytes);
      });
      settled(pair);
      quiet(pair);
    }
  }
});

situation('fragmentation', 'in any order, doubled, and with gaps', (side) => {
  for (let seed = 1; seed <= 8; seed++) {
    const pair = new Pair(...sides(SMALL), seed);
    pair.wire.mtu = MTU;
    pair.wire.reorder = 200;
    pair.wire.duplicate = 0.5;
    pair.wire.loss = 0.05;
    pair.left.initiate();
    pair.run(20_000);
    pair.wire.loss = 0;
    const { me } = ends(pair, side);
    me.run(me.endpoint.rekeyChild(pair.now, me.child));
    pair.run(20_000);
    settled(pair);
  }
});

situation('fragmentation', 'none for a peer that does not take them, or where it is switched off', (side) => {
  const [left, right] = sides(SMALL);
  const off = (own: typeof left) => ({
    ...own,
    connections: own.connections.map((conn) => ({ ...conn, fragmentation: 'no' as const })),
  });
  const pair = side === 'left' ? Pair.up(off(left), right) : Pair.up(left, off(right));
  for (const each of [pair.left, pair.right]) assert.ok(!each.sent.some(({ bytes }) => isFragment(bytes)));
  one(pair);
});

interface Piece {
  readonly number: number;
  readonly total: number;
  readonly plain: Uint8Array;
  readonly inner: number;
}

/** Fragments of the next INFORMATIONAL request of `me`, as they are asked for. */
function sender(pair: Pair, me: Side): (piece: Piece) => void {
  const { state } = v2(me.live.sessions[0]);
  const { spiI, spiR, original, nextOut } = state;
  const header = {
    spiI,
    spiR,
    exchange: EXCHANGE.INFORMATIONAL,
    initiator: original,
    response: false,
    messageId: nextOut,
  };
  return ({ number, total, plain, inner }) => {
    const bytes = fragment(me, header, inner, plain, { number, total });
    pair.inject(me.other, bytes, { ip: me.options.ip, port: 500 });
  };
}

/** An empty-handed request in so many pieces. */
function pieces(total: number): Piece[] {
  const { first, bytes } = encodePayloads([note('ESP_TFC_PADDING_NOT_SUPPORTED', new Uint8Array(100))]);
  const size = Math.ceil(bytes.length / total);
  return Array.from({ length: total }, (_, i) => ({
    number: i + 1,
    total,
    plain: bytes.subarray(i * size, (i + 1) * size),
    inner: i === 0 ? first : 0,
  }));
}

function incoming(peer: Side) {
  const [state] = peer.endpoint.export();
  return state?.version === 2 ? state.requestParts : undefined;
}

situation('fragment-attacks', 'numbers that cannot be are dropped', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const send = sender(pair, me);
  const plain = new Uint8Array(20);
  const sent = peer.sent.length;
  for (const [number, total] of [
    [0, 0],
    [0, 3],
    [4, 3],
    [65_535, 3],
    [1, 65],
    [1, 65_535],
    [65_535, 65_535],
  ] as const) {
    send({ number, total, plain, inner: PAYLOAD.N });
    assert.equal(incoming(peer), undefined, `${number} of ${total}`);
  }
  // Only the first fragment says what comes first inside (RFC 7383 §2.5).
  send({ number: 2, total: 3, plain, inner: PAYLOAD.N });
  assert.equal(incoming(peer), undefined);
  assert.equal(peer.sent.length, sent);
  for (const piece of pieces(3)) send(piece);
  assert.equal(peer.sent.length, sent + 1, 'the true ones are answered');
  pair.run(1000);
});

situation('fragment-attacks', 'doubled ones with other data, and another total in the middle', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const send = sender(pair, me);
  const sent = peer.sent.length;
  const three = pieces(3);
  const four = pieces(4);
  const [a, b] = three;
  if (!a || !b) throw new Error('no pieces');
  send(a);
  // The first of a number stays.
  send({ ...a, plain: new Uint8Array(a.plain.length).fill(0xff) });
  assert.equal(incoming(peer)?.count, 1);
  send(b);
  // A larger total begins anew; a smaller one is of an older sending.
  for (const piece of four.slice(0, 2)) send(piece);
  assert.equal(incoming(peer)?.total, 4);
  assert.equal(incoming(peer)?.count, 2);
  for (const piece of three) send(piece);
  assert.equal(peer.sent.length, sent);
  for (const piece of four) send(piece);
  assert.equal(peer.sent.length, sent + 1);
  assert.equal(incoming(peer), undefined);
});

situation('fragment-attacks', 'what never becomes complete does not pile up', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const send = sender(pair, me);
  const big = new Uint8Array(1200).fill(7);
  for (let round = 0; round < 5; round++) {
    for (let number = 1; number < 64; number++) {
      send({ number, total: 64, plain: big, inner: number === 1 ? PAYLOAD.N : 0 });
      assert.ok((incoming(peer)?.bytes ?? 0) <= 65_536);
    }
  }
  // After 30 s what is there counts no more.
  const first = pieces(2)[0];
  const second = pieces(2)[1];
  if (!first || !second) throw new Error('no pieces');
  pair.run(31_000);
  send(first);
  pair.run(31_000);
  const sent = peer.sent.length;
  send(second);
  assert.equal(peer.sent.length, sent);
  send(first);
  assert.equal(peer.sent.length, sent + 1);
  one(pair);
});

situation('fragment-attacks', 'one-octet fragments, and payloads outside the encryption', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const send = sender(pair, me);
  const sent = peer.sent.length;
  const { first, bytes } = encodePayloads([note('INITIAL_CONTACT', new Uint8Array(40))]);
  bytes.forEach((byte, i) => {
    send({ number: i + 1, total: bytes.length, plain: Uint8Array.of(byte), inner: i === 0 ? first : 0 });
  });
  assert.equal(peer.sent.length, sent + 1);
  // SECURITY A4: SKF behind 40 unknown payloads.
  me.run(me.endpoint.checkLiveness(pair.now, me.session));
  const last = me.sent.at(-1)?.bytes ?? new Uint8Array();
  const before = peer.sent.length;
  const outer = encodePayloads(
    Array.from({ length: 40 }, (): Payload => ({ tag: 'unknown', id: 200, critical: false, data: new Uint8Array(4) })),
  );
  const chained = outer.bytes.slice();
  chained[chained.length - 8] = PAYLOAD.SKF;
  const forged = concat(last.subarray(0, 28), chained, last.subarray(28));
  forged[16] = outer.first;
  new DataView(forged.buffer).setUint32(24, forged.length);
  pair.inject(peer, forged, { ip: me.options.ip, port: 500 });
  assert.equal(peer.sent.length, before);
  assert.equal(peer.endpoint.counters().get('bug'), undefined);
});

test('a forged fragment is not kept', () => {
  const pair = Pair.up(...sides());
  const { left, right } = pair;
  const { spiI, spiR, original, nextOut } = v2(left.live.sessions[0]).state;
  if (!spiI || !spiR || original === undefined || nextOut === undefined) throw new Error('no session');
  const header = { spiI, spiR, exchange: 37, initiator: original, response: false, messageId: nextOut };
  const bytes = fragment(left, header, PAYLOAD.N, new Uint8Array(20), { number: 1, total: 3 });
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  pair.inject(right, bytes, { ip: left.options.ip, port: 500 });
  assert.equal(incoming(right), undefined);
  assert.equal(right.endpoint.counters().get('bad-icv'), 1);
});
