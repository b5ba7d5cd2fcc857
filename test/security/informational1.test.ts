// SECURITY A5, A11, A12, B7, C2 in IKEv1: informational exchanges that prove nothing, and that speak of what is gone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, uint32 } from '../../src/bytes/bytes.ts';
import { notify } from '../../src/ike/v1/payloads.ts';
import { EXCHANGE, NOTIFY, PAYLOAD, PROTOCOL } from '../../src/ike/v1/wire/constants.ts';
import type { Payload } from '../../src/ike/v1/wire/payload.ts';
import { seeded } from '../support/random.ts';
import {
  assertCalm,
  childrenOf,
  establishedIn,
  initiating,
  keyed1,
  PEER,
  RESPONDER,
  served1,
  serves1,
  there1,
  up1,
} from './guest1.ts';
import { Peer1 } from './peer1.ts';

/** What an attacker would like to be believed. */
function lies(peer: Peer1, spi: Uint8Array): Payload[] {
  return [
    { tag: 'D', protocol: PROTOCOL.ISAKMP, spis: [peer.cookies] },
    { tag: 'D', protocol: PROTOCOL.ESP, spis: [spi] },
    notify(NOTIFY.INITIAL_CONTACT, PROTOCOL.ISAKMP, peer.cookies),
    there1(peer, 77),
    ...[1, 4, 7, 11, 14, 16, 18, 23, 24, 29, 16_383, 16_384, 24_576, 40_000].map((kind) =>
      notify(kind, PROTOCOL.ISAKMP, peer.cookies),
    ),
  ];
}

test('[B7] whatever is said in the clear to an established SA is ignored and not answered', () => {
  const { lone, peer, spi } = served1();
  const said = lies(peer, spi);
  for (const messageId of [0, 1, 0xffff_ffff]) {
    for (const one of said) {
      assert.deepEqual(lone.receive(peer.clear([one], EXCHANGE.INFORMATIONAL, messageId), PEER), [], one.tag);
      const hashed = [{ tag: 'HASH', data: new Uint8Array(32) } as const, one];
      assert.deepEqual(lone.receive(peer.clear(hashed, EXCHANGE.INFORMATIONAL, messageId), PEER), []);
    }
  }
  assert.equal(lone.count('unprotected'), 6 * said.length);
  assert.deepEqual([establishedIn(lone), childrenOf(lone)], [1, 1]);
});

test('[B7] the same encrypted with the wrong hash, or without one, is ignored and not answered', () => {
  const { lone, peer, spi } = served1();
  for (const one of lies(peer, spi)) {
    for (const hash of [new Uint8Array(0), new Uint8Array(32), seeded(3)(32), new Uint8Array(31)]) {
      assert.deepEqual(lone.receive(peer.inform([one], { hash }), PEER), [], one.tag);
    }
    // The right hash of something else.
    const other = peer.quick();
    const hash = other.hash(Uint8Array.of(1));
    assert.deepEqual(lone.receive(peer.inform([one], { hash, messageId: other.messageId }), PEER), []);
    const bare = peer.quick();
    const whole = (all: readonly Payload[]) => all.slice(1);
    assert.deepEqual(lone.receive(bare.say([one], [], { exchange: EXCHANGE.INFORMATIONAL, whole }), PEER), []);
  }
  assert.deepEqual([establishedIn(lone), childrenOf(lone)], [1, 1]);
});

test('[B7] payloads in front of the hash and behind the padding do not escape it', () => {
  const { lone, peer, spi } = served1();
  const bad = peer.quick();
  const smuggled = (all: readonly Payload[]): readonly Payload[] => [
    { tag: 'D', protocol: PROTOCOL.ESP, spis: [spi] },
    ...all,
  ];
  const bytes = bad.say([there1(peer, 5)], [], { exchange: EXCHANGE.INFORMATIONAL, whole: smuggled });
  assert.deepEqual(lone.receive(bytes, PEER), []);
  assert.equal(childrenOf(lone), 1);
});

test('[A5] an informational exchange before phase 1 is over changes nothing for who answers', () => {
  for (const aggressive of [false, true]) {
    const { lone, peer } = keyed1({ aggressive });
    for (const one of lies(peer, Uint8Array.of(1, 2, 3, 4))) {
      assert.deepEqual(lone.receive(peer.inform([one]), PEER), [], one.tag);
      assert.deepEqual(lone.receive(peer.clear([one], EXCHANGE.INFORMATIONAL), PEER), [], one.tag);
      assert.deepEqual(
        lone.receive(peer.quick().first(), PEER).filter(({ length }) => length < 100),
        [],
      );
    }
    assert.equal(establishedIn(lone), 0);
    assert.equal(lone.installed, 0);
    lone.receive(aggressive ? peer.aggressive3() : peer.proving(), PEER);
    assert.equal(establishedIn(lone), 1);
  }
});

test('[C2] a wrong key, wrong padding, a wrong hash and noise are counted as one thing, and nothing is answered', () => {
  const { lone, peer } = served1();
  const noise = (size: number, exchange: number): Uint8Array => {
    const bytes = peer.clear([{ tag: 'VID', data: seeded(size)(size - 4) }], exchange, 77);
    bytes[16] = PAYLOAD.HASH;
    bytes[19] = 1;
    return bytes;
  };
  const stranger = up1({ seed: 6 }).peer;
  Object.assign(stranger, { spiI: peer.spiI, spiR: peer.spiR });
  const exchanges = [EXCHANGE.INFORMATIONAL, EXCHANGE.QUICK_MODE];
  const cases: Uint8Array[] = exchanges.flatMap((exchange) => [
    noise(16, exchange),
    noise(32, exchange),
    noise(33, exchange),
    noise(4096, exchange),
    stranger.quick().say([there1(peer, 1)], [], { exchange }),
    peer.quick().say([there1(peer, 1)], [], { exchange, hash: new Uint8Array(32) }),
    peer.quick().say([there1(peer, 1)], [], { exchange, whole: (all) => all.slice(1) }),
    peer.quick().sayRaw(PAYLOAD.HASH, new Uint8Array(48).fill(255), exchange),
    peer.quick().sayRaw(PAYLOAD.NONE, new Uint8Array(16), exchange),
  ]);
  const before = lone.drops;
  for (const bytes of cases) assert.deepEqual(lone.receive(bytes, PEER), [], hex(bytes));
  assert.equal(lone.drops, before + cases.length);
  assert.equal(lone.count('bad-hash'), cases.length);
  assert.deepEqual([establishedIn(lone), childrenOf(lone)], [1, 1]);
});

// --- again -------------------------------------------------------------------------------------------------------------

test('[A12] Delete twice, Delete and then a notify, Delete of both and then anything', () => {
  const { lone, peer, spi } = served1();
  const child: Payload = { tag: 'D', protocol: PROTOCOL.ESP, spis: [spi, spi] };
  const all: Payload = { tag: 'D', protocol: PROTOCOL.ISAKMP, spis: [peer.cookies, peer.cookies] };
  lone.receive(peer.inform([child, child, there1(peer, 1)]), PEER);
  lone.receive(peer.inform([child]), PEER);
  assert.deepEqual([establishedIn(lone), childrenOf(lone)], [1, 0]);
  assert.equal(lone.receive(peer.inform([all, all, child, there1(peer, 2)]), PEER).length, 0);
  assert.equal(lone.endpoint.size, 0);
  for (const payload of [all, child, there1(peer, 3)]) assert.deepEqual(lone.receive(peer.inform([payload]), PEER), []);
  assert.equal(lone.events.filter(({ kind }) => kind === 'session-closed').length, 1);
  assert.deepEqual(lone.endpoint.held, { sessions: 0, spis: 0, children: 0, halfOpen: 0 });
  assertCalm(lone);
  assert.ok(serves1(lone));
});

test('[A11] Deletes of protocols, sizes and SPIs that there are not delete nothing', () => {
  const { lone, peer, spi } = served1();
  for (const payload of [
    { tag: 'D', protocol: PROTOCOL.AH, spis: [spi] },
    { tag: 'D', protocol: PROTOCOL.ESP, spis: [new Uint8Array(4), new Uint8Array(4).fill(255)] },
    { tag: 'D', protocol: PROTOCOL.ISAKMP, spis: [new Uint8Array(16)] },
    { tag: 'D', protocol: PROTOCOL.ISAKMP, spis: [peer.cookies.toReversed()] },
    { tag: 'D', protocol: PROTOCOL.ESP, spis: Array.from({ length: 5000 }, (_, i) => uint32(i + 256)) },
  ] satisfies Payload[]) {
    assert.deepEqual(lone.receive(peer.inform([payload]), PEER), []);
  }
  for (const [protocol, size] of [
    [0, 4],
    [1, 0],
    [1, 4],
    [1, 8],
    [3, 0],
    [3, 3],
    [3, 8],
    [3, 255],
    [255, 4],
  ]) {
    const quick = peer.quick();
    const body = Uint8Array.of(0, 0, 0, 1, protocol as number, size as number, 0, 1, ...new Uint8Array(size as number));
    const raw = Uint8Array.of(0, 0, 0, body.length + 4, ...body);
    const hash = quick.hash(raw);
    const bytes = Uint8Array.of(PAYLOAD.D, 0, 0, hash.length + 4, ...hash, ...raw);
    assert.deepEqual(lone.receive(quick.sayRaw(PAYLOAD.HASH, bytes, EXCHANGE.INFORMATIONAL), PEER), []);
  }
  assert.deepEqual([establishedIn(lone), childrenOf(lone)], [1, 1]);
});

test('[A12] R_U_THERE with cookies of nobody, without a number, or from before is not answered', () => {
  const { lone, peer } = served1();
  const ask = (payload: Payload) => lone.receive(peer.inform([payload]), PEER).length;
  assert.equal(ask(there1(peer, 1000)), 1);
  assert.equal(ask(there1(peer, 1001)), 1);
  for (const number of [999, 0, 1000 + 0x8000_0001]) assert.equal(ask(there1(peer, number)), 0, `${number}`);
  for (const spi of [
    new Uint8Array(16),
    new Uint8Array(0),
    peer.spiI,
    peer.cookies.toReversed(),
    new Uint8Array(200),
  ]) {
    assert.equal(ask({ ...there1(peer, 1002), spi } as Payload), 0);
  }
  for (const size of [0, 1, 3, 5, 1000]) {
    assert.equal(ask({ ...there1(peer, 1003), data: new Uint8Array(size).fill(255) } as Payload), 0, `${size}`);
  }
  // In the clear to nobody, as in CVE-2009-0790.
  const nobody = new Peer1(44);
  nobody.spiR = seeded(1)(8);
  assert.deepEqual(lone.receive(nobody.clear([there1(nobody, 1)], EXCHANGE.INFORMATIONAL, 9), PEER), []);
  assert.equal(lone.count('unknown-spi'), 1);
});

test('[B7] an initiator that waits for message 6 believes no Delete and no child that its peer did not prove', () => {
  const { lone, first } = initiating();
  const peer = new Peer1(5).answering(first);
  const [third] = lone.receive(peer.main2(), RESPONDER);
  peer.conclude(lone.receive(peer.derive(third).main3(), RESPONDER)[0]);
  for (const one of lies(peer, new Uint8Array(4))) {
    assert.deepEqual(lone.receive(peer.clear([one], EXCHANGE.INFORMATIONAL), { ...RESPONDER, ip: '203.0.113.1' }), []);
  }
  assert.equal(lone.endpoint.size, 1);
  lone.receive(peer.proving(), RESPONDER);
  assert.equal(establishedIn(lone), 1);
});
