// Known answers of RFCs and NIST, on both implementations.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, unhex } from '../../src/bytes/bytes.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { prfPlus } from '../../src/crypto/registry.ts';
import type { Protection } from '../../src/crypto/types.ts';
import { aeadVectors } from '../vectors/crypto/aead.ts';
import { aesCbc, aesCbcEsp, aesCtr, type CipherVector, desCbc, tripleDesCbc } from '../vectors/crypto/ciphers.ts';
import { exchangeVectors } from '../vectors/crypto/exchanges.ts';
import { ikev2Kdf } from '../vectors/crypto/kdf.ts';
import { macVectors } from '../vectors/crypto/macs.ts';
import { present, type Suite, suites } from './suite.ts';

const NONE = new Uint8Array(0);
const INTEG_KEY = new Uint8Array(32).fill(0x5a);

/** A cipher that does not authenticate is looked at through a protection, whose ICV is then cut off. */
function withMac(suite: Suite, encr: number, encrKey: Uint8Array, keyBits: number): Protection {
  return suite.protection({ encr, keyBits, integ: INTEG.HMAC_SHA2_256_128, encrKey, integKey: INTEG_KEY });
}

const ciphers: readonly { encr: number; salt: number; vectors: readonly CipherVector[] }[] = [
  { encr: ENCR.AES_CBC, salt: 0, vectors: aesCbc },
  { encr: ENCR.AES_CTR, salt: 4, vectors: aesCtr },
  { encr: ENCR.DES3, salt: 0, vectors: tripleDesCbc },
  { encr: ENCR.DES, salt: 0, vectors: desCbc },
];

for (const suite of suites) {
  for (const { encr, salt, vectors } of ciphers)
    for (const vector of vectors)
      test(`${suite.name} encrypts and decrypts ${vector.source}`, () => {
        const key = unhex(vector.key);
        const iv = unhex(vector.iv);
        const cipher = withMac(suite, encr, key, 8 * (key.length - salt));
        const sealed = cipher.seal(iv, NONE, unhex(vector.plain));
        assert.deepEqual(sealed.slice(0, -16), unhex(vector.text));
        assert.deepEqual(cipher.open(iv, NONE, sealed), unhex(vector.plain));
      });

  for (const vector of aesCbcEsp)
    test(`${suite.name} makes the ESP packet of ${vector.source}`, () => {
      const packet = unhex(vector.packet);
      const payload = unhex(vector.payload);
      const padding = 15 - ((payload.length + 1) % 16);
      const trailer = Uint8Array.from({ length: padding + 2 }, (_, i) => i + 1);
      trailer[padding] = padding;
      trailer[padding + 1] = vector.nextHeader;
      const cipher = withMac(suite, ENCR.AES_CBC, unhex(vector.key), 128);
      const plain = concat(payload, trailer);
      const sealed = cipher.seal(packet.slice(8, 24), packet.slice(0, 8), plain);
      assert.deepEqual(sealed.slice(0, -16), packet.slice(24));
      assert.deepEqual(cipher.open(packet.slice(8, 24), packet.slice(0, 8), sealed), plain);
    });

  for (const vector of aeadVectors)
    test(`${suite.name} seals and opens ${vector.source}`, () => {
      const encrKey = unhex(vector.key);
      const salt = encrKey.length % 8;
      const keys = { encr: vector.encr, keyBits: 8 * (encrKey.length - salt), integ: 0, encrKey, integKey: NONE };
      const cipher = suite.protection(keys);
      const sealed = unhex(vector.sealed);
      assert.deepEqual(cipher.seal(unhex(vector.iv), unhex(vector.aad), unhex(vector.plain)), sealed);
      assert.deepEqual(cipher.open(unhex(vector.iv), unhex(vector.aad), sealed), unhex(vector.plain));
    });

  for (const vector of macVectors)
    test(`${suite.name} computes ${vector.source}`, () => {
      const mac = present(vector.prf === undefined ? suite.integrity(vector.integ ?? 0) : suite.prf(vector.prf));
      const data = unhex(vector.data);
      assert.deepEqual(mac.compute(unhex(vector.key), data), unhex(vector.mac));
      assert.deepEqual(mac.compute(unhex(vector.key), data.slice(0, 7), NONE, data.slice(7)), unhex(vector.mac));
    });

  for (const vector of exchangeVectors)
    test(`${suite.name} agrees on the secret of ${vector.source}`, () => {
      const exchange = present(suite.keyExchange(vector.group));
      const i = { secret: unhex(vector.secretI), public: unhex(vector.publicI) };
      const r = { secret: unhex(vector.secretR), public: unhex(vector.publicR) };
      assert.equal(exchange.publicSize, i.public.length);
      assert.deepEqual(exchange.agree(i, r.public), unhex(vector.shared));
      assert.deepEqual(exchange.agree(r, i.public), unhex(vector.shared));
    });

  test(`${suite.name} leaves text under the NULL cipher as it is (RFC 2410 §2)`, () => {
    const cipher = suite.protection({
      encr: ENCR.NULL,
      keyBits: undefined,
      integ: INTEG.HMAC_SHA1_96,
      encrKey: NONE,
      integKey: new Uint8Array(20),
    });
    const plain = new TextEncoder().encode('Network Security People Have A Strange Sense Of Humor');
    const sealed = cipher.seal(NONE, NONE, plain);
    assert.deepEqual(sealed.slice(0, -12), plain);
    assert.deepEqual(cipher.open(NONE, NONE, sealed), plain);
  });

  test(`${suite.name} derives the key material of NIST CAVP IKEv2 through prf and prf+`, () => {
    const v = ikev2Kdf;
    const prf = present(suite.prf(v.prf));
    const nonces = concat(unhex(v.ni), unhex(v.nr));
    const skeyseed = prf.compute(nonces, unhex(v.gir));
    assert.deepEqual(skeyseed, unhex(v.skeyseed));
    const dkm = prfPlus(prf, skeyseed, concat(nonces, unhex(v.spii), unhex(v.spir)), 132);
    assert.deepEqual(dkm, unhex(v.dkm));
    const skD = dkm.subarray(0, prf.size);
    assert.deepEqual(prfPlus(prf, skD, nonces, 132), unhex(v.dkmChild));
    assert.deepEqual(prfPlus(prf, skD, concat(unhex(v.girNew), nonces), 132), unhex(v.dkmChildDh));
    assert.deepEqual(prf.compute(skD, unhex(v.girNew), nonces), unhex(v.skeyseedRekey));
  });
}
