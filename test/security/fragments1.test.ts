// SECURITY A12, A20 in IKEv1: Cisco's fragments, which nothing protects. They are few, small and short-lived, and what
// they hold is a message as any other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/bytes/bytes.ts';
import { MAX_BYTES, MAX_FRAGMENTS, MAX_TOTAL } from '../../src/ike/fragment.ts';
import { EXCHANGE, PAYLOAD, PROTOCOL } from '../../src/ike/v1/wire/constants.ts';
import type { Payload } from '../../src/ike/v1/wire/payload.ts';
import { seeded } from '../support/random.ts';
import { assertCalm, establishedIn, keyed1, PEER, serves1, sessions1, up1 } from './guest1.ts';
import { Peer1 } from './peer1.ts';
import type { Lone } from './stranger.ts';

interface Part {
  readonly id?: number;
  readonly number: number;
  readonly last?: boolean;
  readonly data: Uint8Array;
}

function fragment(peer: Peer1, { id = 1, number, last = false, data }: Part): Uint8Array {
  return peer.clear([{ tag: 'FRAG', id, number, last, data }]);
}

function cut(bytes: Uint8Array, size: number): Part[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => ({
    number: i + 1,
    last: i === count - 1,
    data: bytes.subarray(i * size, (i + 1) * size),
  }));
}

function kept(lone: Lone): { readonly count: number; readonly bytes: number } {
  const sets = sessions1(lone).flatMap(({ state }) => state.fragments ?? []);
  const all = sets.flatMap(({ parts }) => [...parts.values()]);
  return { count: all.length, bytes: all.reduce((sum, { length }) => sum + length, 0) };
}

const NOTHING = { count: 0, bytes: 0 };

test('[A20] message 5 in fragments, in any order and doubled, is put together', () => {
  for (const order of [(all: Part[]) => all, (all: Part[]) => all.toReversed(), (all: Part[]) => [...all, ...all]]) {
    const { lone, peer } = keyed1();
    for (const part of order(cut(peer.proving(), 20))) lone.receive(fragment(peer, part), PEER);
    assert.equal(establishedIn(lone), 1);
    assertCalm(lone);
  }
});

test('[A12] a fragment with nothing in it, or without all of its header, is malformed', () => {
  for (const { lone, peer } of [keyed1(), up1()]) {
    for (const size of [0, 1, 2, 3, 4]) {
      const body = new Uint8Array(size).fill(1);
      const bytes = concat(peer.clear([]), Uint8Array.of(0, 0, 0, 4 + size), body);
      bytes[16] = PAYLOAD.FRAG;
      new DataView(bytes.buffer).setUint32(24, bytes.length);
      assert.deepEqual(lone.receive(bytes, PEER), []);
    }
    assert.equal(lone.count('malformed:truncated'), 5);
    assert.deepEqual(kept(lone), NOTHING);
    assertCalm(lone);
  }
});

test('[A20] number 0 and numbers beyond 64 are dropped', () => {
  const { lone, peer } = up1();
  for (const number of [0, MAX_FRAGMENTS + 1, 128, 255]) {
    for (const last of [true, false]) {
      assert.deepEqual(lone.receive(fragment(peer, { number, last, data: Uint8Array.of(1) }), PEER), []);
    }
  }
  assert.equal(lone.count('bad-fragment'), 8);
  assert.deepEqual(kept(lone), NOTHING);
});

test('[A20] a second last one, numbers beyond the last, and a last one before others are dropped', () => {
  const { lone, peer } = keyed1();
  const parts = cut(peer.proving(), 20);
  assert.ok(parts.length >= 4);
  const [first, second, ...rest] = parts as [Part, Part, ...Part[]];
  lone.receive(fragment(peer, first), PEER);
  lone.receive(fragment(peer, parts.at(-1) as Part), PEER);
  const wrong = [
    { number: 2, last: true, data: second.data },
    { number: parts.length, last: false, data: second.data },
    { number: parts.length + 1, last: true, data: second.data },
    { number: 64, last: false, data: second.data },
  ];
  for (const part of wrong) lone.receive(fragment(peer, part), PEER);
  assert.equal(lone.count('bad-fragment'), wrong.length);
  for (const part of [second, ...rest]) lone.receive(fragment(peer, part), PEER);
  assert.equal(establishedIn(lone), 1);

  const { lone: other, peer: guest } = keyed1();
  other.receive(fragment(guest, { number: 5, data: Uint8Array.of(1) }), PEER);
  other.receive(fragment(guest, { number: 3, last: true, data: Uint8Array.of(1) }), PEER);
  assert.equal(other.count('bad-fragment'), 1);
});

test('[A20] the first of two fragments of one number counts, whatever the second says', () => {
  const { lone, peer } = keyed1();
  const parts = cut(peer.proving(), 20);
  for (const part of parts) {
    lone.receive(fragment(peer, part), PEER);
    lone.receive(fragment(peer, { ...part, data: part.data.map((byte) => ~byte) }), PEER);
    if (part.last) break;
  }
  assert.equal(establishedIn(lone), 1);
});

test('[A20] a message inside fragments that is malformed, of another SA, or a fragment again, does nothing', () => {
  const { lone, peer } = up1();
  const other = new Peer1(9);
  const inner = fragment(peer, { number: 1, last: true, data: Uint8Array.of(1) });
  const deleting: Payload = { tag: 'D', protocol: PROTOCOL.ISAKMP, spis: [peer.cookies] };
  const cases = [
    Uint8Array.of(1),
    new Uint8Array(28),
    new Uint8Array(60_000),
    inner,
    other.first(),
    other.clear([deleting], EXCHANGE.INFORMATIONAL, 5),
    peer.clear([deleting], EXCHANGE.INFORMATIONAL, 5),
    peer.inform([deleting], { hash: new Uint8Array(32) }),
    peer.inform([deleting]).subarray(0, 60),
  ];
  for (const [id, data] of cases.entries()) {
    assert.deepEqual(lone.receive(fragment(peer, { id, number: 1, last: true, data }), PEER), [], `case ${id}`);
    assert.deepEqual(kept(lone), NOTHING);
  }
  assert.equal(establishedIn(lone), 1);
  assertCalm(lone);
});

test('[A20] 65 535 fragments of one byte that never end keep one message of 63 parts, and that for 30 s', () => {
  for (const { lone, peer } of [keyed1(), up1()]) {
    const size = lone.endpoint.size;
    for (let i = 0; i < 65_535; i++) {
      const number = 1 + (i % 255);
      lone.receive(fragment(peer, { id: i >> 8, number: number === 30 ? 31 : number, data: Uint8Array.of(i) }), PEER);
      if (i % 5000 === 0) assert.ok(kept(lone).count < MAX_FRAGMENTS);
    }
    assert.ok(kept(lone).count <= MAX_FRAGMENTS);
    lone.pass(31_000);
    assert.deepEqual(kept(lone), NOTHING);
    assert.ok(lone.endpoint.size <= size);
    assertCalm(lone);
    assert.ok(serves1(lone));
  }
});

test('[A20] fragments of more than 64 KiB together are thrown away', () => {
  const { lone, peer } = up1();
  for (let number = 1; number < MAX_FRAGMENTS; number++) {
    lone.receive(fragment(peer, { number, data: new Uint8Array(9000) }), PEER);
    assert.ok(kept(lone).bytes <= MAX_BYTES);
  }
  assertCalm(lone);
});

test('[A20] unfinished messages of all SAs together keep 4 MiB, and strangers’ go before those of peers', () => {
  const { lone, peer } = up1();
  const data = new Uint8Array(30_000);
  lone.receive(fragment(peer, { number: 1, data }), PEER);
  for (let i = 0; i < 200; i++) {
    const { peer: guest } = keyed1({ lone, seed: 1000 + i, from: { ip: `203.0.${i}.1`, port: 500 } });
    for (const number of [1, 2]) lone.receive(fragment(guest, { number, data }), PEER);
    assert.ok(kept(lone).bytes <= MAX_TOTAL, `${kept(lone).bytes} bytes`);
  }
  assert.equal(sessions1(lone)[0]?.state.fragments?.bytes, data.length);
});

test('[A20] fragments of strangers, who have no SA to name, are not kept', () => {
  const { lone, peer } = up1();
  for (let i = 0; i < 300; i++) {
    const stranger = new Peer1(i);
    if (i % 3 === 0) stranger.spiI = peer.spiI;
    if (i % 3 === 1) stranger.spiR = peer.spiR;
    lone.receive(fragment(stranger, { number: 1 + (i % 60), data: seeded(i)(100) }), PEER);
  }
  assert.deepEqual(kept(lone), NOTHING);
  assert.equal(lone.endpoint.size, 1);
});

test('[A20] where fragmentation is switched off nothing is kept', () => {
  const { lone, peer } = up1({ conn: { fragmentation: 'no' } });
  lone.receive(fragment(peer, { number: 1, data: Uint8Array.of(1) }), PEER);
  assert.deepEqual(kept(lone), NOTHING);
  assert.equal(lone.count('fragment-refused'), 1);
});
