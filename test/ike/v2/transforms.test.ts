// Algorithms of children that the data plane knows by another number, or that nobody negotiates: GMAC, and SHA2-256 cut to
// 96 bits, by a proposal or by `sha256_96`. RFC 4543; RFC 4868 §2.3.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENCR, INTEG } from '../../../src/crypto/ids.ts';
import { protection } from '../../../src/crypto/registry.ts';
import type { Child } from '../../../src/ike/connection.ts';
import { sides } from '../../support/connections.ts';
import { Pair } from '../../support/pair.ts';
import { ah, bare, create, esp, rekey } from './kinds.ts';
import { one, settled } from './narrate.ts';

/** The keys of the right one for what comes in, after the left one has asked. */
function installed(child: Child) {
  const pair = Pair.up(...sides({ children: [child] }));
  one(pair);
  rekey(pair.left);
  settled(pair);
  const keys = pair.right.plane.sas[0]?.inbound.keys;
  assert.ok(keys);
  return { keys, suite: pair.right.live.children[0]?.suite };
}

test('GMAC has a key and a salt, no MAC beside it, and a size for every word', () => {
  for (const [word, size] of [
    ['aes128gmac', 16],
    ['aes192gmac', 24],
    ['aes256gmac', 32],
  ] as const) {
    const { keys } = installed(esp(word));
    assert.deepEqual([keys.encr, keys.keyBits, keys.integ], [ENCR.NULL_AUTH_AES_GMAC, 8 * size, INTEG.NONE]);
    // RFC 4543 §5.1: 4 bytes of salt behind the key.
    assert.deepEqual([keys.encrKey.length, keys.integKey.length], [size + 4, 0]);
    assert.equal(protection(keys).icvSize, 16);
  }
});

test('SHA2-256 of 96 bits is negotiated by the number that strongSwan has for it', () => {
  for (const child of [esp('aes128-sha256_96'), ah('sha256_96')]) {
    const { keys, suite } = installed(child);
    assert.equal(suite?.integ, 1026);
    assert.deepEqual([keys.integ, keys.integKey.length], [INTEG.HMAC_SHA2_256_96, 32]);
  }
});

test('sha256_96 cuts what was negotiated as SHA2-256, and nothing else', () => {
  const short = { shortSha256: true };
  for (const [child, negotiated, used] of [
    [esp('aes128-sha256', short), INTEG.HMAC_SHA2_256_128, INTEG.HMAC_SHA2_256_96],
    [ah('sha256', short), INTEG.HMAC_SHA2_256_128, INTEG.HMAC_SHA2_256_96],
    [esp('aes128-sha384', short), INTEG.HMAC_SHA2_384_192, INTEG.HMAC_SHA2_384_192],
    [esp('aes128gcm16', short), INTEG.NONE, INTEG.NONE],
    [esp('aes128-sha256'), INTEG.HMAC_SHA2_256_128, INTEG.HMAC_SHA2_256_128],
  ] as const) {
    const { keys, suite } = installed(child);
    assert.deepEqual([suite?.integ, keys.integ], [negotiated, used]);
  }
});

test('sha256_96 on one side only: both agree, and no packet is understood', () => {
  const [left, right] = sides({ children: [esp('aes128-sha256')] });
  const short = left.connections.map((conn) => ({
    ...conn,
    children: conn.children.map((child) => ({ ...child, shortSha256: true })),
  }));
  const uneven = bare([{ ...left, connections: short }, right]);
  create(uneven.left);
  uneven.run(1000);
  assert.equal(uneven.right.live.children.length, 1);
  uneven.flowing(1000);
  assert.equal(uneven.flow.lost, uneven.flow.sent);
});

test('the id of the crypto layer for SHA2-256 of 96 bits means nothing on the wire', () => {
  const foreign = { ...esp('aes128-sha256'), offers: [{ text: 'odd', transforms: ODD }] };
  const [left, right] = sides({ children: [foreign] });
  const theirs = right.connections.map((conn) => ({
    ...conn,
    children: conn.children.map((child) => ({ ...child, offers: esp('aes128-sha256_96-sha256').offers })),
  }));
  const pair = bare([left, { ...right, connections: theirs }]);
  create(pair.left);
  pair.run(1000);
  assert.equal(pair.right.last('child-failed')?.reason.code, 'no-child-proposal');
});

const ODD = [
  { type: 1, id: ENCR.AES_CBC, keyBits: 128 },
  { type: 3, id: INTEG.HMAC_SHA2_256_96 },
  { type: 5, id: 0 },
];
