import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENCR, INTEG, KE, PRF } from '../../src/crypto/ids.ts';
import {
  ALGORITHMS,
  algorithmOf,
  keywordOf,
  keywords,
  macOf,
  sameTransform,
  transformName,
  transformOf,
  weakOf,
} from '../../src/ike/transforms.ts';
import { TRANSFORM } from '../../src/ike/wire/constants.ts';

test('every id of the crypto layer is registered once', () => {
  const ids = [
    ...Object.values(ENCR).map((id) => ({ type: TRANSFORM.ENCR, id })),
    ...Object.values(PRF).map((id) => ({ type: TRANSFORM.PRF, id })),
    // NONE is no algorithm: it never stands for integrity that is missing.
    ...Object.values(INTEG)
      .filter((id) => id !== INTEG.NONE)
      .map((id) => ({ type: TRANSFORM.INTEG, id })),
    ...Object.values(KE).map((id) => ({ type: TRANSFORM.KE, id })),
  ];
  // IANA has no number for one of them, and the crypto layer's is not strongSwan's.
  const known = ({ type, id }: { type: number; id: number }) => (type === TRANSFORM.INTEG ? macOf(id) : id);
  for (const wanted of ids) {
    const found = ALGORITHMS.filter((one) => one.type === wanted.type && known(one) === wanted.id);
    assert.equal(found.length, 1, JSON.stringify(wanted));
  }
  assert.equal(ALGORITHMS.length, ids.length + 2);
  assert.equal(algorithmOf({ type: TRANSFORM.INTEG, id: INTEG.NONE }), undefined);
  assert.equal(algorithmOf({ type: TRANSFORM.INTEG, id: INTEG.HMAC_SHA2_256_96 }), undefined);
  assert.deepEqual(transformOf('sha256_96'), { type: TRANSFORM.INTEG, id: 1026 });
});

// Keywords of strongSwan, src/libstrongswan/crypto/proposal/proposal_keywords_static.txt, with the names that
// strongSwan 5.9.8 prints for them.
const KEYWORDS: readonly (readonly [string, string])[] = [
  ['aes', 'AES_CBC_128'],
  ['aes128', 'AES_CBC_128'],
  ['aes192', 'AES_CBC_192'],
  ['aes256', 'AES_CBC_256'],
  ['aes128ctr', 'AES_CTR_128'],
  ['aes256gcm', 'AES_GCM_16_256'],
  ['aes256gcm16', 'AES_GCM_16_256'],
  ['aes256gcm128', 'AES_GCM_16_256'],
  ['aes128gcm96', 'AES_GCM_12_128'],
  ['aes192gcm64', 'AES_GCM_8_192'],
  ['aes128ccm16', 'AES_CCM_16_128'],
  ['aes128ccm', 'AES_CCM_16_128'],
  ['aes256ccm8', 'AES_CCM_8_256'],
  ['chacha20poly1305', 'CHACHA20_POLY1305'],
  ['3des', '3DES_CBC'],
  ['des', 'DES_CBC'],
  ['null', 'NULL'],
  ['aes128gmac', 'NULL_AES_GMAC_128'],
  ['aes192gmac', 'NULL_AES_GMAC_192'],
  ['aes256gmac', 'NULL_AES_GMAC_256'],
  ['md5', 'HMAC_MD5_96'],
  ['sha', 'HMAC_SHA1_96'],
  ['sha1', 'HMAC_SHA1_96'],
  ['sha256', 'HMAC_SHA2_256_128'],
  ['sha2_384', 'HMAC_SHA2_384_192'],
  ['sha512', 'HMAC_SHA2_512_256'],
  ['aesxcbc', 'AES_XCBC_96'],
  ['aescmac', 'AES_CMAC_96'],
  ['sha256_96', 'HMAC_SHA2_256_96'],
  ['sha2_256_96', 'HMAC_SHA2_256_96'],
  ['prfmd5', 'PRF_HMAC_MD5'],
  ['prfsha1', 'PRF_HMAC_SHA1'],
  ['prfsha256', 'PRF_HMAC_SHA2_256'],
  ['prfaesxcbc', 'PRF_AES128_XCBC'],
  ['prfaescmac', 'PRF_AES128_CMAC'],
  ['modp2048', 'MODP_2048'],
  ['modp2048s256', 'MODP_2048_256'],
  ['ecp256', 'ECP_256'],
  ['ecp521', 'ECP_521'],
  ['x25519', 'CURVE_25519'],
  ['curve25519', 'CURVE_25519'],
  ['x448', 'CURVE_448'],
  ['esn', 'EXT_SEQ'],
  ['noesn', 'NO_EXT_SEQ'],
];

test('strongSwan’s words stand for its algorithms, and are printed by its names', () => {
  for (const [word, name] of KEYWORDS) {
    const transform = transformOf(word);
    assert.ok(transform, word);
    assert.equal(transformName(transform), name);
  }
});

test('every word leads to a transform that leads back to a word for the same', () => {
  for (const word of keywords()) {
    const transform = transformOf(word);
    assert.ok(transform);
    const again = keywordOf(transform);
    assert.ok(again);
    assert.deepEqual(transformOf(again), transform);
  }
});

test('words that are properties of every object are no keywords', () => {
  for (const word of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '']) {
    assert.equal(transformOf(word), undefined, word);
  }
});

test('a key length is part of a transform', () => {
  const aes128 = { type: TRANSFORM.ENCR, id: ENCR.AES_CBC, keyBits: 128 };
  assert.ok(sameTransform(aes128, { ...aes128 }));
  assert.ok(!sameTransform(aes128, { ...aes128, keyBits: 256 }));
  assert.ok(!sameTransform(aes128, { type: TRANSFORM.ENCR, id: ENCR.AES_CBC }));
  assert.ok(!sameTransform(aes128, { ...aes128, unknownAttribute: true }));
  assert.equal(keywordOf({ type: TRANSFORM.ENCR, id: ENCR.AES_CBC, keyBits: 0 }), undefined);
});

test('what is not implemented still has a name', () => {
  assert.equal(transformName({ type: TRANSFORM.ENCR, id: 23, keyBits: 256 }), 'CAMELLIA_CBC_256');
  assert.equal(transformName({ type: TRANSFORM.ENCR, id: 1024 }), 'ENCR_1024');
  assert.equal(transformName({ type: TRANSFORM.KE, id: 36 }), 'ML_KEM_768');
  assert.equal(transformName({ type: TRANSFORM.ADDKE1, id: 36 }), 'ADDKE1_ML_KEM_768');
  assert.equal(transformName({ type: 241, id: 7 }), 'TRANSFORM_241_7');
});

test('algorithms for old peers are marked', () => {
  const words = ['aes256', '3des', 'des', 'md5', 'sha1', 'modp1024', 'modp2048', 'null', 'aes256gmac', 'sha256_96'];
  const weak = weakOf(words.flatMap((word) => transformOf(word) ?? []));
  assert.deepEqual(weak.map(keywordOf), ['3des', 'des', 'md5', 'modp1024', 'null', 'aes256gmac', 'sha256_96']);
});
