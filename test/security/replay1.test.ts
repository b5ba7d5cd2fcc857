// SECURITY A12, B2, B13 in IKEv1: messages that come again, or come back to who sent them, and INITIAL-CONTACT.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '../../src/bytes/bytes.ts';
import { notify } from '../../src/ike/v1/payloads.ts';
import { NOTIFY, PROTOCOL } from '../../src/ike/v1/wire/constants.ts';
import type { Payload } from '../../src/ike/v1/wire/payload.ts';
import { answered1, establishedIn, keyed1, PEER, RESPONDER, served1, sessions1, there1, up1 } from './guest1.ts';

test('[A12] a message that was heard does nothing when it comes again, however much was said since', () => {
  const { lone, peer, spi } = served1();
  const there = peer.inform([there1(peer, 500)]);
  const quick = peer.quick();
  const first = quick.first();
  assert.equal(lone.receive(there, PEER).length, 1);
  quick.hear(lone.receive(first, PEER)[0]);
  lone.receive(quick.third(), PEER);
  const installed = lone.installed;
  for (let i = 0; i < 3000; i++) lone.receive(peer.inform([{ tag: 'D', protocol: PROTOCOL.ESP, spis: [spi] }]), PEER);
  lone.pass(100_000);
  const [session] = sessions1(lone);
  const heard = session?.state.lastIn;
  assert.deepEqual([lone.receive(there, PEER), lone.receive(first, PEER)], [[], []]);
  assert.equal(lone.installed, installed);
  assert.equal(session?.state.lastIn, heard);
  assert.equal(lone.count('message-id'), 2);
});

test('[A12] a peer that uses up all message ids gets a new IKE SA, or none', () => {
  const { lone, peer } = served1();
  const [session] = sessions1(lone);
  assert.ok(session);
  const there = peer.inform([there1(peer, 1)]);
  lone.receive(there, PEER);
  let asked = 0;
  for (let i = 0; i < 20_000; i++) {
    lone.receive(peer.inform([notify(40_000, PROTOCOL.ISAKMP, peer.cookies)], { messageId: i + 1 }), PEER);
    if (i % 1000 === 0) asked += lone.pass(1).length;
  }
  assert.equal(asked, 1, 'message 1 of main mode');
  assert.ok(lone.count('message-ids-spent') > 0);
  assert.ok(session.state.usedIds.size < 17_000);
  assert.deepEqual(lone.receive(there, PEER), []);
  assert.equal(lone.count('message-id'), 1);
});

test('[B2] our own quick mode and our own R_U_THERE, sent back to us, are not taken for the peer’s', () => {
  const { lone, peer, asked } = answered1();
  const quick = peer.quick(new DataView(asked.buffer, asked.byteOffset).getUint32(20));
  lone.receive(quick.second(quick.hear(asked)), RESPONDER);
  assert.equal(lone.installed, 1);
  const [session] = sessions1(lone);
  assert.ok(session);
  lone.run(lone.endpoint.checkLiveness(lone.now, session.state.id));
  const [probe] = lone.pass(0);
  assert.ok(probe);
  session.state.dpdOut = 0;
  delete session.state.probe;
  lone.pass(120_000);
  const heard = session.state.lastIn;
  const refused = lone.drops;
  for (const own of [asked, probe]) assert.deepEqual(lone.receive(own, RESPONDER), []);
  assert.equal(lone.drops, refused + 2);
  assert.equal(session.state.lastIn, heard);
  assert.equal(lone.installed, 1);
});

// --- INITIAL-CONTACT -----------------------------------------------------------------------------------------------------

test('[B13] INITIAL-CONTACT removes what the same peer had, and nobody else’s', () => {
  for (const aggressive of [false, true]) {
    const over = { aggressive, unique: 'never' as const, remoteId: { kind: 'any' as const } };
    const { lone, peer: bystander } = up1({ conn: over, aggressive, name: 'other.test', seed: 1 });
    const start = (seed: number) => ({ lone, aggressive, seed, from: { ...PEER, port: 2000 + seed } });
    up1(start(2));
    assert.equal(establishedIn(lone), 2);
    lone.pass(1000);
    const { peer } = keyed1(start(3));
    const contact = (all: readonly Payload[]) => [...all, notify(NOTIFY.INITIAL_CONTACT, 1, peer.cookies)];
    const { from } = start(3);
    lone.receive(aggressive ? peer.aggressive3(contact) : peer.proving(contact), from);
    const left = sessions1(lone).map(({ state }) => hex(state.spiI));
    assert.deepEqual(left, [hex(bystander.spiI), hex(peer.spiI)]);
  }
});

test('[B13] INITIAL-CONTACT in the clear, or with a proof that does not hold, removes nothing', () => {
  const { lone } = up1({ conn: { aggressive: true, unique: 'never' }, aggressive: true, seed: 2 });
  lone.pass(1000);
  const contact = (all: readonly Payload[]) => [...all, notify(NOTIFY.INITIAL_CONTACT, 1, new Uint8Array(16))];
  const from = { ...PEER, port: 2000 };
  const { peer: liar } = keyed1({ lone, aggressive: true, seed: 3, from });
  lone.receive(liar.clear(contact([{ tag: 'HASH', data: new Uint8Array(32) }])), from);
  assert.equal(establishedIn(lone), 1);
  // The hash is right and covers the name alone: what stands beside it may be anybody's.
  lone.receive(liar.clear(contact([liar.proof])), from);
  assert.equal(establishedIn(lone), 2);
});
