// Message ids, repeated requests, retransmission and liveness: RFC 7296 §2.1–§2.4. `side` is who asks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RETRANSMIT_HUAWEI } from '../../../src/ike/connection.ts';
import { EXCHANGE } from '../../../src/ike/wire/constants.ts';
import { connection, mirrored, sides } from '../../support/connections.ts';
import { Pair, type Side } from '../../support/pair.ts';
import { drop, request, response, sealed } from '../../support/tamper.ts';
import { v2 } from '../../support/v2.ts';
import { ends, flow, one, situation } from './narrate.ts';

function check(side: Side): void {
  side.run(side.endpoint.checkLiveness(side.pair.now, side.session));
}

/** An authentic INFORMATIONAL request with this message id. */
function informational(from: Side, messageId: number, isResponse = false): Uint8Array {
  const { state } = from.live.sessions[0] ?? {};
  if (!state) throw new Error('no session');
  const { spiI, spiR, original } = state;
  return sealed(
    from,
    { spiI, spiR, exchange: EXCHANGE.INFORMATIONAL, initiator: original, response: isResponse, messageId },
    [],
  );
}

function deliver(from: Side, bytes: Uint8Array): void {
  from.pair.inject(from.other, bytes, { ip: from.options.ip, port: 500 });
}

situation('message-id-sync', 'a repeated request gets the same bytes and is not processed again', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  drop(pair, response(peer, 'CREATE_CHILD_SA'), 3);
  me.run(me.endpoint.rekeyChild(pair.now, me.child));
  const before = peer.sent.length;
  flow(pair, 8000);
  const answers = peer.sent.slice(before, before + 4);
  assert.equal(answers.length, 4);
  for (const { bytes } of answers) assert.deepEqual(bytes, answers[0]?.bytes);
  assert.equal(peer.endpoint.counters().get('repeated-request'), 3);
  pair.run(6000);
  one(pair);
});

situation('message-id-sync', 'any old answer but the last is forgotten', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const next = v2(peer.live.sessions[0]).state.nextIn;
  const old = informational(me, next);
  deliver(me, old);
  const sent = peer.sent.length;
  deliver(me, old);
  assert.equal(peer.sent.length, sent + 1, 'the one before is answered again');
  deliver(me, informational(me, next + 1));
  deliver(me, old);
  assert.equal(peer.sent.length, sent + 2);
  assert.equal(peer.endpoint.counters().get('message-id'), 1);
});

situation('message-id-wrong', 'ids outside the window are dropped without an answer', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const next = v2(peer.live.sessions[0]).state.nextIn;
  const sent = peer.sent.length;
  const ids = [next + 1, next + 2, next - 2, next + 1000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
  const wrong = ids.filter((messageId) => messageId >= 0);
  for (const messageId of wrong) deliver(me, informational(me, messageId));
  assert.equal(peer.sent.length, sent);
  assert.equal(peer.endpoint.counters().get('message-id'), wrong.length);
  check(me);
  pair.run(1000);
  one(pair);
});

situation(
  'message-id-wrong',
  'a repeated request that is not the one we answered is checked before it is answered',
  (side) => {
    const pair = Pair.up(...sides());
    const { me, peer } = ends(pair, side);
    check(me);
    pair.run(100);
    const sent = peer.sent.length;
    const last = v2(peer.live.sessions[0]).state.nextIn - 1;
    const forged = informational(me, last);
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    deliver(me, forged);
    assert.equal(peer.sent.length, sent, 'nobody can make us send by a forged message');
    assert.equal(peer.endpoint.counters().get('bad-icv'), 1);
  },
);

situation('response-unsolicited', 'an authentic answer to nothing is dropped', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const { nextOut } = v2(peer.live.sessions[0]).state;
  for (const messageId of [nextOut, nextOut - 1, nextOut + 1, 0, 0xffff_ffff]) {
    if (messageId >= 0) deliver(me, informational(me, messageId, true));
  }
  assert.ok((peer.endpoint.counters().get('unexpected-response') ?? 0) >= 4);
  // One for another exchange than the one under way.
  const release = pair.hold(request(peer, 'CREATE_CHILD_SA'));
  peer.run(peer.endpoint.rekeyChild(pair.now, peer.child));
  const before = peer.endpoint.counters().get('unexpected-response') ?? 0;
  deliver(me, informational(me, nextOut, true));
  assert.equal(peer.endpoint.counters().get('unexpected-response'), before + 1);
  release();
  pair.run(10_000);
  one(pair);
});

situation('response-unsolicited', 'our own messages, sent back to us, are dropped', (side) => {
  const pair = Pair.up(...sides());
  const { me } = ends(pair, side);
  const size = me.sent.length;
  for (const { bytes } of [...pair.left.sent, ...pair.right.sent]) {
    pair.inject(pair.left, bytes, { ip: pair.right.options.ip, port: 500 });
    pair.inject(pair.right, bytes, { ip: pair.left.options.ip, port: 500 });
  }
  // What was repeated is answered, and that is all; the first message makes a half-open session.
  assert.ok(me.sent.length - size <= 2);
  pair.run(40_000);
  one(pair);
});

situation('retransmission', 'the same bytes after 1, 2, 4, 8 s, given up after 31 s', (side) => {
  const pair = Pair.up(...sides());
  const { me } = ends(pair, side);
  const from = pair.now;
  const before = me.sent.length;
  pair.wire.cut = true;
  check(me);
  pair.run(30_999);
  assert.equal(me.live.sessions.length, 1);
  const sent = me.sent.slice(before);
  assert.deepEqual(
    sent.map(({ at }) => at - from),
    [0, 1000, 3000, 7000, 15_000],
  );
  for (const { bytes } of sent) assert.deepEqual(bytes, sent[0]?.bytes);
  // "No answer since …" is said once, with the first retransmission.
  assert.equal(me.count('no-answer'), 1);
  assert.equal(me.last('no-answer')?.since, from);
  pair.run(1);
  assert.equal(me.live.sessions.length, 0);
  assert.equal(me.last('session-closed')?.reason.code, 'peer-dead');
  assert.equal(me.plane.sas.length, 0);
});

situation('retransmission', 'the first message: "no answer" with the address to look at', (side) => {
  const pair = new Pair(...sides());
  const { me, peer } = ends(pair, side);
  pair.wire.cut = true;
  const from = pair.now;
  me.initiate();
  pair.run(31_000);
  assert.deepEqual(
    me.sent.map(({ at }) => at - from),
    [0, 1000, 3000, 7000, 15_000],
  );
  const reason = me.last('session-closed')?.reason;
  assert.equal(reason?.code, 'no-answer');
  assert.ok(reason?.text.includes(peer.options.ip));
  assert.equal(me.endpoint.size, 0);
});

situation('retransmission', "as Huawei's gateways do it: eight transmissions", (side) => {
  const pair = Pair.up(...sides({ retransmit: RETRANSMIT_HUAWEI }));
  const { me } = ends(pair, side);
  const from = pair.now;
  const before = me.sent.length;
  pair.wire.cut = true;
  check(me);
  pair.run(190_999);
  assert.deepEqual(
    me.sent.slice(before).map(({ at }) => at - from),
    [0, 1000, 3000, 7000, 15_000, 31_000, 63_000, 127_000],
  );
  assert.equal(me.live.sessions.length, 1);
  pair.run(1);
  assert.equal(me.live.sessions.length, 0);
});

situation('retransmission', 'an answer that comes late is as good as any', (side) => {
  const pair = Pair.up(...sides());
  const { me, peer } = ends(pair, side);
  const release = pair.hold(response(peer, 'INFORMATIONAL'));
  check(me);
  flow(pair, 30_000, 100);
  release();
  flow(pair, 100);
  assert.equal(me.live.sessions.length, 1);
  assert.equal(v2(me.live.sessions[0]).state.outstanding, undefined);
  flow(pair, 5000, 100);
  one(pair);
});

situation('dpd', 'after dpd_delay of silence the peer is asked; traffic is a sign of life', (side) => {
  const conn = connection({ dpdDelay: 10_000 });
  const [left, right] = sides({}, {});
  const pair =
    side === 'left'
      ? new Pair({ ...left, connections: [conn] }, right)
      : new Pair(left, { ...right, connections: [mirrored(conn)] });
  pair.left.initiate();
  pair.run(2000);
  const { me } = ends(pair, side);
  pair.log.length = 0;
  pair.run(35_000);
  assert.deepEqual(pair.log.filter((line) => line.includes(`${me.name}> INFORMATIONAL request`)).length, 3);
  pair.log.length = 0;
  flow(pair, 60_000, 1000);
  assert.deepEqual(pair.log, []);
});

situation('dpd', 'a dead peer is found out by retransmission', (side) => {
  const pair = Pair.up(...sides({ dpdDelay: 10_000 }));
  const { me } = ends(pair, side);
  pair.run(5000);
  const heard = me.live.sessions[0]?.state.lastIn ?? 0;
  const before = me.sent.length;
  pair.wire.cut = true;
  pair.run(60_000);
  assert.deepEqual(
    me.sent.slice(before).map(({ at }) => at - heard),
    [10_000, 11_000, 13_000, 17_000, 25_000],
  );
  assert.equal(me.last('session-closed')?.reason.code, 'peer-dead');
  assert.equal(me.last('child-closed')?.reason.code, 'peer-dead');
});

situation('dpd', "dpd_timeout ends it earlier: UCloud's 8 s and 13 s", (side) => {
  const pair = Pair.up(...sides({ dpdDelay: 8000, dpdTimeout: 13_000 }));
  const { me } = ends(pair, side);
  const heard = me.live.sessions[0]?.state.lastIn ?? 0;
  const before = me.sent.length;
  pair.wire.cut = true;
  pair.run(heard + 12_999 - pair.now);
  assert.deepEqual(
    me.sent.slice(before).map(({ at }) => at - heard),
    [8000, 9000, 11_000],
  );
  assert.equal(me.live.sessions.length, 1);
  pair.run(1);
  assert.equal(me.live.sessions.length, 0);
  assert.equal(me.last('session-closed')?.reason.code, 'peer-dead');
});

test('both sides check each other and nothing else happens for a day', () => {
  const pair = Pair.up(...sides({ dpdDelay: 30_000, rekeyTime: 0 }));
  pair.run(1000);
  const before = pair.log.length;
  pair.run(1_800_000);
  const lines = pair.log.slice(before);
  assert.ok(lines.length <= 2 * 61, `${lines.length}`);
  one(pair);
});
