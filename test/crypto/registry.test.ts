// The registry: sizes by id, what it refuses, prf+ at its bounds, comparison of secrets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/bytes/bytes.ts';
import { equalSecret } from '../../src/crypto/compare.ts';
import { ENCR, INTEG, KE, PRF } from '../../src/crypto/ids.ts';
import { cipherShape, integrity, keyExchange, prf, prfPlus, protection, supported } from '../../src/crypto/registry.ts';
import { present } from './suite.ts';

const NONE = new Uint8Array(0);

test('every id of ids.ts but NONE is implemented and listed', () => {
  assert.deepEqual(new Set(supported.encr.map(({ id }) => id)), new Set<number>(Object.values(ENCR)));
  assert.deepEqual(new Set(supported.prf), new Set<number>(Object.values(PRF)));
  assert.deepEqual(new Set([INTEG.NONE, ...supported.integ]), new Set<number>(Object.values(INTEG)));
  assert.deepEqual(new Set([KE.NONE, ...supported.ke]), new Set<number>(Object.values(KE)));
});

test('what is registered under an id carries that id', () => {
  for (const { id, keyBits } of supported.encr) assert.equal(cipherShape(id, keyBits)?.id, id);
  for (const id of supported.prf) assert.equal(prf(id)?.id, id);
  for (const id of supported.integ) assert.equal(integrity(id)?.id, id);
  for (const id of supported.ke) assert.equal(keyExchange(id)?.group, id);
});

test('a cipher with several key lengths has a shape only with one of them', () => {
  assert.equal(cipherShape(ENCR.AES_CBC), undefined);
  for (const keyBits of [0, 1, 64, 127, 160, 512, 65535])
    assert.equal(cipherShape(ENCR.AES_GCM_16, keyBits), undefined);
  assert.equal(cipherShape(ENCR.AES_GCM_16, 256)?.keySize, 32);
});

test('a cipher with one key length has a shape without it', () => {
  assert.equal(cipherShape(ENCR.CHACHA20_POLY1305)?.keySize, 32);
  assert.equal(cipherShape(ENCR.DES3)?.keySize, 24);
  assert.equal(cipherShape(ENCR.DES)?.keySize, 8);
  assert.equal(cipherShape(ENCR.NULL)?.keySize, 0);
});

test('salts, IVs and ICVs have the sizes of RFC 4106, RFC 4309, RFC 7634 and RFC 3686', () => {
  const sizes = (id: number) => {
    const shape = present(cipherShape(id, 128));
    return [shape.saltSize, shape.ivSize, shape.blockSize, shape.icvSize, shape.aead];
  };
  assert.deepEqual(sizes(ENCR.AES_GCM_8), [4, 8, 1, 8, true]);
  assert.deepEqual(sizes(ENCR.AES_GCM_12), [4, 8, 1, 12, true]);
  assert.deepEqual(sizes(ENCR.AES_GCM_16), [4, 8, 1, 16, true]);
  assert.deepEqual(sizes(ENCR.AES_CCM_8), [3, 8, 1, 8, true]);
  assert.deepEqual(sizes(ENCR.AES_CCM_12), [3, 8, 1, 12, true]);
  assert.deepEqual(sizes(ENCR.AES_CCM_16), [3, 8, 1, 16, true]);
  assert.deepEqual(sizes(ENCR.CHACHA20_POLY1305), [4, 8, 1, 16, true]);
  assert.deepEqual(sizes(ENCR.AES_CTR), [4, 8, 1, 0, false]);
  assert.deepEqual(sizes(ENCR.AES_CBC), [0, 16, 16, 0, false]);
  assert.deepEqual(sizes(ENCR.DES3), [0, 8, 8, 0, false]);
  assert.deepEqual(sizes(ENCR.DES), [0, 8, 8, 0, false]);
  assert.deepEqual(sizes(ENCR.NULL), [0, 0, 1, 0, false]);
});

test('unknown ids are undefined', () => {
  assert.equal(cipherShape(22, 128), undefined);
  assert.equal(prf(0), undefined);
  assert.equal(integrity(INTEG.NONE), undefined);
  assert.equal(keyExchange(KE.NONE), undefined);
  assert.equal(keyExchange(22), undefined);
});

test('a combination that makes no sense is an error', () => {
  const keys = { keyBits: 128, integKey: NONE, integ: 0 };
  const key = (size: number) => new Uint8Array(size);
  const sha1 = { integ: INTEG.HMAC_SHA1_96, integKey: key(20) };
  assert.throws(() => protection({ ...keys, encr: 99, encrKey: key(16) }), /no cipher/);
  assert.throws(() => protection({ ...keys, encr: ENCR.AES_CBC, keyBits: undefined, encrKey: key(16) }), /no cipher/);
  assert.throws(() => protection({ ...keys, encr: ENCR.AES_CBC, encrKey: key(16) }), /needs an integrity/);
  assert.throws(() => protection({ ...keys, encr: ENCR.NULL, encrKey: NONE }), /needs an integrity/);
  assert.throws(() => protection({ ...keys, encr: ENCR.AES_CBC, encrKey: key(16), integ: 99 }), /needs an integrity/);
  assert.throws(() => protection({ ...keys, ...sha1, encr: ENCR.AES_GCM_16, encrKey: key(20) }), /takes no integrity/);
  assert.throws(() => protection({ ...keys, ...sha1, encr: ENCR.AES_CBC, encrKey: key(17) }), /wrong length/);
  assert.throws(() => protection({ ...keys, encr: ENCR.AES_GCM_16, encrKey: key(16) }), /wrong length/);
  const short = { integ: INTEG.HMAC_SHA1_96, integKey: key(16) };
  assert.throws(() => protection({ ...keys, ...short, encr: ENCR.AES_CBC, encrKey: key(16) }), /wrong length/);
});

test('prf+ chains each block to the one before and cuts the last', () => {
  const sha256 = present(prf(PRF.HMAC_SHA2_256));
  const key = Uint8Array.of(1, 2, 3);
  const seed = Uint8Array.of(4, 5);
  const t1 = sha256.compute(key, seed, Uint8Array.of(1));
  const t2 = sha256.compute(key, t1, seed, Uint8Array.of(2));
  const t3 = sha256.compute(key, t2, seed, Uint8Array.of(3));
  assert.deepEqual(prfPlus(sha256, key, seed, 70), concat(t1, t2, t3).slice(0, 70));
  assert.deepEqual(prfPlus(sha256, key, seed, 32), t1);
  assert.deepEqual(prfPlus(sha256, key, seed, 0), NONE);
});

test('prf+ gives 255 blocks and not one byte more', () => {
  const sha1 = present(prf(PRF.HMAC_SHA1));
  assert.equal(prfPlus(sha1, NONE, NONE, 255 * 20).length, 5100);
  assert.throws(() => prfPlus(sha1, NONE, NONE, 255 * 20 + 1), /prf\+/);
});

test('secrets are equal only with equal length and content', () => {
  assert.equal(equalSecret(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
  assert.equal(equalSecret(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false);
  assert.equal(equalSecret(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0)), false);
  assert.equal(equalSecret(NONE, NONE), true);
});
