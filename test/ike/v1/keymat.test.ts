// Keys of phase 1 and of quick mode: known answers of NIST and NSS.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, unhex } from '../../../src/bytes/bytes.ts';
import { ENCR, INTEG, PRF } from '../../../src/crypto/ids.ts';
import type { Suite } from '../../../src/ike/select.ts';
import { type Exchange, phase1Keys, quickKeys } from '../../../src/ike/v1/keymat.ts';
import { cipherKey, type Hash, prf, skeyids } from '../../support/rfc2409.ts';
import { skeyidChain, skeyidPsk, stretched } from '../../vectors/crypto/ikev1.ts';

const NONE = new Uint8Array(0);

const HASHES = new Map<number, Hash>([
  [PRF.HMAC_MD5, 'md5'],
  [PRF.HMAC_SHA1, 'sha1'],
  [PRF.HMAC_SHA2_256, 'sha256'],
  [PRF.HMAC_SHA2_384, 'sha384'],
  [PRF.HMAC_SHA2_512, 'sha512'],
]);

function hashOf(id: number): Hash {
  const hash = HASHES.get(id);
  if (!hash) throw new Error(`no hash ${id}`);
  return hash;
}

function suite(prfId: number, encr: number = ENCR.AES_CBC, keyBits: number | undefined = 128): Suite {
  return { encr, keyBits, integ: 0, prf: prfId, ke: 0, esn: false };
}

const nothing: Exchange = {
  spiI: NONE,
  spiR: NONE,
  nonceI: NONE,
  nonceR: NONE,
  publicI: NONE,
  publicR: NONE,
  shared: NONE,
};

for (const { prf: id, psk, ni, nr, skeyid } of skeyidPsk) {
  test(`SKEYID comes of the pre-shared key ${psk} with ${hashOf(id)}`, () => {
    const keys = phase1Keys(suite(id), { ...nothing, nonceI: unhex(ni), nonceR: unhex(nr) }, unhex(psk));
    assert.deepEqual(keys.skeyid, unhex(skeyid));
  });
}

for (const vector of skeyidChain) {
  test(`SKEYID_d, _a and _e of ${vector.source}`, () => {
    const nonces = { nonceI: unhex(vector.ni), nonceR: unhex(vector.nr) };
    const [shared, spiI, spiR] = [unhex(vector.gxy), unhex(vector.spiI), unhex(vector.spiR)];
    const common = { ...nothing, shared, spiI, spiR };
    // With signatures the nonces are the key and g^xy is the data: the same function with its arguments changed round.
    const keys = (of: Suite) =>
      'psk' in vector
        ? phase1Keys(of, { ...common, ...nonces }, unhex(vector.psk))
        : phase1Keys(of, { ...common, nonceI: shared }, concat(nonces.nonceI, nonces.nonceR));
    const { skeyid, skeyidD, skeyidA, cipherKey: short } = keys(suite(vector.prf));
    assert.deepEqual(
      [skeyid, skeyidD, skeyidA, short],
      [unhex(vector.skeyid), unhex(vector.skeyidD), unhex(vector.skeyidA), unhex(vector.skeyidE).subarray(0, 16)],
    );
    const long = keys(suite(vector.prf, ENCR.AES_CBC, 256)).cipherKey;
    assert.deepEqual(Buffer.from(long), cipherKey(hashOf(vector.prf), unhex(vector.skeyidE), 32));
  });
}

for (const vector of stretched) {
  const hash = hashOf(vector.prf);
  test(`a key of ${hash} is stretched as NSS stretches it`, () => {
    const e = unhex(vector.key);
    const want = unhex(vector.stretched);
    for (const size of [e.length + 1, 2 * e.length, 3 * e.length]) {
      if (size <= want.length) assert.deepEqual(new Uint8Array(cipherKey(hash, e, size)), want.subarray(0, size));
    }
    assert.deepEqual(new Uint8Array(cipherKey(hash, e, 15)), e.subarray(0, 15));
  });

  test(`KEYMAT with ${hash} is NSS's`, () => {
    const keys = { skeyid: NONE, skeyidD: unhex(vector.key), skeyidA: NONE, cipherKey: NONE };
    const of = { ...suite(0, ENCR.AES_CBC, 256), integ: INTEG.HMAC_SHA2_512_256 };
    const exchange = { protocol: 0, nonceI: NONE, nonceR: NONE, shared: undefined };
    const { encrKey, integKey } = quickKeys({ suite: suite(vector.prf), keys }, of, exchange, NONE, false);
    assert.deepEqual(concat(encrKey, integKey), unhex(vector.keymat).subarray(0, 96));
  });
}

// RFC 2409 appendix B: 3DES takes 24 bytes, of MD5's 16 and SHA-1's 20.
for (const [id, keyBits, encr] of [
  [PRF.HMAC_MD5, undefined, ENCR.DES3],
  [PRF.HMAC_SHA1, undefined, ENCR.DES3],
  [PRF.HMAC_MD5, 192, ENCR.AES_CBC],
  [PRF.HMAC_MD5, 256, ENCR.AES_CBC],
  [PRF.HMAC_SHA1, 192, ENCR.AES_CBC],
  [PRF.HMAC_SHA1, 256, ENCR.AES_CBC],
  [PRF.HMAC_SHA2_256, undefined, ENCR.DES3],
  [PRF.HMAC_SHA2_512, undefined, ENCR.DES],
] as const) {
  test(`${hashOf(id)} gives cipher ${encr} with ${keyBits ?? 'its'} bits a key of the right length`, () => {
    const hash = hashOf(id);
    const [spiI, spiR, gxy, psk] = [Buffer.alloc(8, 1), Buffer.alloc(8, 2), Buffer.alloc(32, 3), Buffer.alloc(20, 4)];
    const [nonceI, nonceR] = [Buffer.alloc(16, 5), Buffer.alloc(20, 6)];
    const keys = phase1Keys(suite(id, encr, keyBits), { ...nothing, spiI, spiR, shared: gxy, nonceI, nonceR }, psk);
    const { e } = skeyids({ hash, spiI, spiR, gxy }, prf(hash, psk, nonceI, nonceR));
    const size = encr === ENCR.DES ? 8 : (keyBits ?? 192) / 8;
    assert.deepEqual(Buffer.from(keys.cipherKey), cipherKey(hash, e, size));
  });
}
