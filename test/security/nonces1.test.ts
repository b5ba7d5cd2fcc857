// SECURITY C9, C10 in IKEv1: nonces, cookies and message ids are new, and what secrets were made from is wiped.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '../../src/bytes/bytes.ts';
import { parseMessage } from '../../src/ike/v1/wire/message.ts';
import type { Payload } from '../../src/ike/v1/wire/payload.ts';
import { child, offers, sides1 } from '../support/connections.ts';
import { Pair, type Side } from '../support/pair.ts';
import { seeded } from '../support/random.ts';
import { establishedIn, lone1, PEER, sessions1, up1 } from './guest1.ts';
import { Peer1 } from './peer1.ts';
import type { Change } from './quick1.ts';

test('[C9] nonces of 8 to 256 bytes are taken in IKEv1, of 7 and 257 never', () => {
  for (const [size, taken] of [
    [0, false],
    [7, false],
    [8, true],
    [256, true],
    [257, false],
  ] as const) {
    const data = seeded(size)(size);
    const nonce: Change = (all) => all.map((one): Payload => (one.tag === 'NONCE' ? { tag: 'NONCE', data } : one));
    const lone = lone1();
    const peer = new Peer1(7);
    const [second] = lone.receive(peer.first(), PEER);
    assert.equal(lone.receive(peer.cookie(second).main3(nonce), PEER).length, taken ? 1 : 0, `MM3, ${size} bytes`);
    const { lone: other, peer: known } = up1();
    other.receive(known.quick().first(nonce), PEER);
    assert.equal(other.installed, taken ? 1 : 0, `QM1, ${size} bytes`);
    assert.equal(other.endpoint.held.spis, taken ? 1 : 0);
  }
});

test('[C9] cookies, nonces and message ids of IKEv1 are new every time; nonces have 32 bytes, no id is zero', () => {
  const seen = new Set<string>();
  const lone = lone1();
  const fresh = (bytes: Uint8Array, size: number) => {
    assert.equal(bytes.length, size);
    assert.ok(!seen.has(hex(bytes)));
    seen.add(hex(bytes));
  };
  for (let i = 0; i < 20; i++) {
    const peer = new Peer1(i);
    const from = { ip: `203.0.113.${i}`, port: 500 };
    const [second] = lone.receive(peer.first(), from);
    fresh(peer.cookie(second).spiR, 8);
    const [fourth] = lone.receive(peer.main3(), from);
    const nonce = parseMessage(fourth as Uint8Array).chain?.payloads.find(({ tag }) => tag === 'NONCE');
    fresh(nonce?.tag === 'NONCE' ? nonce.data : new Uint8Array(0), 32);
    const [sixth] = lone.receive(peer.derive(fourth).proving(), from);
    peer.conclude(sixth);
    const quick = peer.quick();
    const chosen = quick.hear(lone.receive(quick.first(), from)[0]).payloads.find(({ tag }) => tag === 'NONCE');
    fresh(chosen?.tag === 'NONCE' ? chosen.data : new Uint8Array(0), 32);
    const [session] = sessions1(lone).slice(-1);
    lone.run(lone.endpoint.checkLiveness(lone.now, session?.state.id ?? 0));
    const [probe] = lone.pass(0);
    assert.ok(probe);
    const id = probe.subarray(20, 24);
    assert.ok(id.some((byte) => byte !== 0));
    fresh(id, 4);
  }
  assert.equal(establishedIn(lone), 20);
});

test('[C10] what keys were made from is wiped once they are made, and the keys with their SA', () => {
  const esp = offers('aes128-sha256-modp2048', 'esp');
  for (const aggressive of [false, true]) {
    const pair = new Pair(...sides1({ aggressive, children: [child({ offers: esp })] }));
    const secrets: Uint8Array[] = [];
    const keep = (side: Side) => {
      for (const { state } of sessions1(side)) {
        for (const shared of [state.phase1?.shared, state.phase1?.pair?.secret]) if (shared) secrets.push(shared);
        for (const quick of state.quicks) if (quick.pair) secrets.push(quick.pair.secret);
      }
    };
    pair.watch = (_, side) => keep(side);
    pair.left.initiate();
    pair.run(2000);
    assert.ok(secrets.length > 3);
    const wiped = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);
    assert.ok(secrets.every(wiped));
    for (const side of [pair.left, pair.right]) {
      const [session] = sessions1(side);
      assert.ok(session?.state.keys && !session.state.phase1);
      assert.ok(session.state.quicks.every((quick) => quick.pair === undefined));
      side.run(side.endpoint.abandon(pair.now, session.state.id, { code: 'requested', text: 'test' }));
      assert.ok(Object.values<Uint8Array>({ ...session.state.keys }).every(wiped));
    }
  }
});
