// Known answers through the addon: RFCs, NIST, and Wycheproof where its vectors lie beside the project.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, unhex } from '../../src/bytes/bytes.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { integrity } from '../../src/crypto/registry.ts';
import { present } from '../crypto/suite.ts';
import { type AeadVector, aeadVectors } from '../vectors/crypto/aead.ts';
import { aesCbc, aesCbcEsp, aesCtr, type CipherVector, desCbc, tripleDesCbc } from '../vectors/crypto/ciphers.ts';
import { macVectors } from '../vectors/crypto/macs.ts';
import { Ends, handle, type Kind, native, vaes } from './packets.ts';

const NONE = new Uint8Array(0);
const INTEG_KEY = new Uint8Array(32).fill(0x5a);
const implementations: readonly { name: string; plain: boolean }[] = vaes
  ? [
      { name: 'our AES-GCM', plain: false },
      { name: 'OpenSSL', plain: true },
    ]
  : [{ name: 'OpenSSL', plain: true }];
/** Our AES-GCM takes the AAD of ESP packets, and a little more. */
const OUR_AAD = 16;

function aeadKind(vector: { encr: number; key: string }, esn: boolean, plain: boolean): Omit<Kind, 'name'> {
  const encrKey = unhex(vector.key);
  const keyBits = 8 * (encrKey.length - (encrKey.length % 8));
  return { keys: { encr: vector.encr, keyBits, integ: INTEG.NONE, encrKey, integKey: NONE }, esn, plain };
}

function isGcm(encr: number): boolean {
  return encr === ENCR.AES_GCM_8 || encr === ENCR.AES_GCM_12 || encr === ENCR.AES_GCM_16;
}

/** Seals and opens without ESP. */
function bare(vector: AeadVector, plain: boolean): { sealed: Uint8Array | undefined; opened: Uint8Array | undefined } {
  const kind = aeadKind(vector, false, plain);
  const { encrKey } = kind.keys;
  const nonce = concat(encrKey.subarray(encrKey.length - (encrKey.length % 8)), unhex(vector.iv));
  const text = unhex(vector.plain);
  const expected = unhex(vector.sealed);
  const run = (sealing: boolean, given: Uint8Array) => {
    const bytes = new Uint8Array(expected.length);
    bytes.set(given);
    const cipher = present(handle(kind, sealing));
    return native.cipherBare(cipher, nonce, unhex(vector.aad), bytes, text.length) ? bytes : undefined;
  };
  return { sealed: run(true, text), opened: run(false, expected)?.slice(0, text.length) };
}

for (const { name, plain } of implementations)
  for (const vector of aeadVectors) {
    if (isGcm(vector.encr) ? !plain && unhex(vector.aad).length > OUR_AAD : name !== 'OpenSSL') continue;

    test(`${name} seals and opens ${vector.source}`, () => {
      const { sealed, opened } = bare(vector, plain);
      assert.deepEqual(sealed, unhex(vector.sealed));
      assert.deepEqual(opened, unhex(vector.plain));
    });

    const aad = unhex(vector.aad);
    if (aad.length !== 8 && aad.length !== 12) continue;

    // A packet with ESN has the high half in its AAD, in the middle. Its IV is the peer's affair, and need not be ours.
    test(`${name} opens the ESP packet of ${vector.source}`, () => {
      const esn = aad.length === 12;
      const ends = new Ends(aeadKind(vector, esn, plain));
      const header = esn ? concat(aad.subarray(0, 4), aad.subarray(8)) : aad;
      const seq = { high: esn ? new DataView(aad.buffer).getUint32(4) : 0, low: 0 };
      const packet = concat(header, unhex(vector.iv), unhex(vector.sealed));
      assert.deepEqual(ends.open(seq, packet), unhex(vector.plain));
      if (esn) assert.equal(ends.open({ high: (seq.high ^ 1) >>> 0, low: 0 }, packet), undefined);
    });

    if (aad.length !== 8) continue;

    test(`${name} makes the ESP packet of ${vector.source}`, () => {
      const iv = new DataView(unhex(vector.iv).buffer);
      const seq = { high: iv.getUint32(0), low: iv.getUint32(4) };
      const packet = concat(aad, unhex(vector.iv), unhex(vector.sealed));
      for (const inPlace of [true, false])
        assert.deepEqual(new Ends(aeadKind(vector, false, plain)).seal(seq, unhex(vector.plain), inPlace, aad), packet);
    });
  }

function separate(encr: number, key: string, saltSize: number): Omit<Kind, 'name'> {
  const encrKey = unhex(key);
  const keys = { encr, keyBits: 8 * (encrKey.length - saltSize), integ: INTEG.HMAC_SHA2_256_128, encrKey };
  return { keys: { ...keys, integKey: INTEG_KEY }, esn: false, plain: false };
}

function withIcv(packet: Uint8Array): Uint8Array {
  return concat(packet, present(integrity(INTEG.HMAC_SHA2_256_128)).compute(INTEG_KEY, packet));
}

const ciphers: readonly { encr: number; salt: number; vectors: readonly CipherVector[] }[] = [
  { encr: ENCR.AES_CBC, salt: 0, vectors: aesCbc },
  { encr: ENCR.AES_CTR, salt: 4, vectors: aesCtr },
  { encr: ENCR.DES3, salt: 0, vectors: tripleDesCbc },
  { encr: ENCR.DES, salt: 0, vectors: desCbc },
];

for (const { encr, salt, vectors } of ciphers)
  for (const vector of vectors)
    test(`the addon decrypts ${vector.source}`, () => {
      const ends = new Ends(separate(encr, vector.key, salt));
      const packet = withIcv(concat(new Uint8Array(8), unhex(vector.iv), unhex(vector.text)));
      assert.deepEqual(ends.open({ high: 0, low: 0 }, packet), unhex(vector.plain));
    });

for (const vector of aesCtr)
  test(`the addon encrypts ${vector.source}`, () => {
    const iv = new DataView(unhex(vector.iv).buffer);
    const seq = { high: iv.getUint32(0), low: iv.getUint32(4) };
    const sealed = new Ends(separate(ENCR.AES_CTR, vector.key, 4)).seal(seq, unhex(vector.plain), true);
    assert.deepEqual(sealed?.slice(16, -16), unhex(vector.text));
  });

for (const vector of aesCbcEsp)
  test(`the addon opens the ESP packet of ${vector.source}`, () => {
    const payload = unhex(vector.payload);
    const text = present(new Ends(separate(ENCR.AES_CBC, vector.key, 0)).open({ high: 0, low: 0 }, packetOf(vector)));
    assert.deepEqual(text.slice(0, payload.length), payload);
    const padding = text.length - payload.length - 2;
    const trailer = [...Array.from({ length: padding }, (_, i) => i + 1), padding, vector.nextHeader];
    assert.deepEqual([...text.slice(payload.length)], trailer);
  });

function packetOf(vector: { packet: string }): Uint8Array {
  return withIcv(unhex(vector.packet));
}

/** All at once, and in two parts at every place where they can be cut. */
for (const vector of macVectors) {
  const { integ } = vector;
  if (integ === undefined) continue;
  test(`the addon computes ${vector.source}`, () => {
    const data = unhex(vector.data);
    for (let cut = 0; cut <= Math.min(data.length, 200); cut++) {
      const icv = new Uint8Array(32);
      const parts = [data.subarray(0, cut), NONE, data.subarray(cut)];
      const size = native.macCompute(integ, unhex(vector.key), parts, icv);
      assert.deepEqual(icv.slice(0, size), unhex(vector.mac), `${cut}`);
    }
  });
}

test('an integrity algorithm that is unknown, or whose key does not fit, computes nothing', () => {
  const icv = new Uint8Array(32);
  assert.equal(native.macCompute(99, new Uint8Array(20), [NONE], icv), 0);
  assert.equal(native.macCompute(INTEG.NONE, NONE, [NONE], icv), 0);
  assert.equal(native.macCompute(INTEG.HMAC_SHA1_96, new Uint8Array(19), [NONE], icv), 0);
  assert.equal(native.macCompute(INTEG.AES_CMAC_96, new Uint8Array(32), [NONE], icv), 0);
  assert.throws(() => native.macCompute(INTEG.HMAC_SHA1_96, new Uint8Array(20), [NONE], new Uint8Array(31)), TypeError);
});

const folder = new URL('../../../../shared/vectors/wycheproof/', import.meta.url);

interface Case extends Readonly<Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag', string>> {
  readonly tcId: number;
  readonly result: 'valid' | 'invalid' | 'acceptable';
}

interface Group {
  readonly ivSize?: number;
  readonly tagSize?: number;
  readonly keySize?: number;
  readonly tests: readonly Case[];
}

function load(name: string): readonly Group[] {
  const parsed: { testGroups: readonly Group[] } = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
  return parsed.testGroups;
}

const aeads = [
  { file: 'aes_gcm', least: 150, nonce: 96, encr: { 128: ENCR.AES_GCM_16, 96: ENCR.AES_GCM_12, 64: ENCR.AES_GCM_8 } },
  { file: 'aes_ccm', least: 18, nonce: 88, encr: { 128: ENCR.AES_CCM_16, 96: ENCR.AES_CCM_12, 64: ENCR.AES_CCM_8 } },
  { file: 'chacha20_poly1305', least: 200, nonce: 96, encr: { 128: ENCR.CHACHA20_POLY1305 } },
];

const macs = [
  { file: 'hmac_sha1', integ: INTEG.HMAC_SHA1_96 },
  { file: 'hmac_sha256', integ: INTEG.HMAC_SHA2_256_128, least: 100 },
  { file: 'hmac_sha384', integ: INTEG.HMAC_SHA2_384_192, least: 100 },
  { file: 'hmac_sha512', integ: INTEG.HMAC_SHA2_512_256, least: 100 },
  { file: 'aes_cmac', integ: INTEG.AES_CMAC_96, least: 60 },
];

if (existsSync(folder)) {
  for (const { name, plain } of implementations)
    for (const { file, least, nonce, encr } of aeads) {
      if (!plain && file !== 'aes_gcm') continue;
      test(`${name} passes Wycheproof ${file}`, () => {
        const ids: Readonly<Record<number, number>> = encr;
        let ran = 0;
        for (const { ivSize, tagSize = 0, tests } of load(file)) {
          const id = ids[tagSize];
          if (ivSize !== nonce || id === undefined) continue;
          for (const { tcId, key, iv, aad, msg, ct, tag, result } of tests) {
            if (!plain && aad.length > 2 * OUR_AAD) continue;
            const vector = { encr: id, key: key + iv.slice(0, -16), iv: iv.slice(-16), aad, plain: msg, source: file };
            const { sealed, opened } = bare({ ...vector, sealed: ct + tag }, plain);
            assert.deepEqual(opened, result === 'valid' ? unhex(msg) : undefined, `case ${tcId}`);
            if (result === 'valid') assert.deepEqual(sealed, unhex(ct + tag), `case ${tcId}`);
            ran++;
          }
        }
        assert.ok(ran >= least, `${ran} cases`);
      });
    }

  for (const { file, integ, least = 0 } of macs)
    test(`the addon passes those cases of Wycheproof ${file} whose keys it takes`, () => {
      const { keySize: wanted, icvSize } = present(integrity(integ));
      let ran = 0;
      for (const { keySize, tests } of load(file)) {
        if (keySize !== 8 * wanted) continue;
        for (const { tcId, key, msg, tag, result } of tests) {
          const icv = new Uint8Array(32);
          assert.equal(native.macCompute(integ, unhex(key), [unhex(msg)], icv), icvSize);
          const size = Math.min(icvSize, tag.length / 2);
          const matches = Buffer.from(icv.subarray(0, size)).equals(unhex(tag).subarray(0, size));
          // A tag that is wrong in a byte which is cut off here is right here.
          if (result === 'valid' || tag.length / 2 <= icvSize)
            assert.equal(matches, result === 'valid', `case ${tcId}`);
          ran++;
        }
      }
      assert.ok(ran >= least, `${ran} cases`);
    });
} else {
  test('Wycheproof vectors are absent: nothing of them was run', () => {});
}
