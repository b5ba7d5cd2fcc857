// Project Wycheproof's vectors (C2SP/wycheproof, Apache-2.0), which are not part of this project: they run when they
// lie beside it. Only the cases our interfaces can express are taken, and never fewer than are known to be there.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { unhex } from '../../src/bytes/bytes.ts';
import { ENCR, KE, PRF } from '../../src/crypto/ids.ts';
import { native, present, suites } from './suite.ts';

const folder = new URL('../../../../shared/vectors/wycheproof/', import.meta.url);

interface Case extends Readonly<Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag' | 'public' | 'private', string>> {
  readonly tcId: number;
  readonly shared: string;
  readonly result: 'valid' | 'invalid' | 'acceptable';
  readonly flags: readonly string[];
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

const prfs = [
  { file: 'hmac_sha1', least: 100, prf: PRF.HMAC_SHA1 },
  { file: 'hmac_sha256', least: 100, prf: PRF.HMAC_SHA2_256 },
  { file: 'hmac_sha384', least: 100, prf: PRF.HMAC_SHA2_384 },
  { file: 'hmac_sha512', least: 100, prf: PRF.HMAC_SHA2_512 },
  { file: 'aes_cmac', least: 60, prf: PRF.AES128_CMAC, keyBits: 128 },
];

const montgomery = [
  { file: 'x25519', least: 500, group: KE.CURVE25519 },
  { file: 'x448', least: 500, group: KE.CURVE448 },
];

const ecdh = [
  { file: 'ecdh_secp256r1', least: 300, group: KE.ECP_256, size: 32, curve: p256 },
  { file: 'ecdh_secp384r1', least: 300, group: KE.ECP_384, size: 48, curve: p384 },
  { file: 'ecdh_secp521r1', least: 300, group: KE.ECP_521, size: 66, curve: p521 },
];

if (existsSync(folder)) {
  for (const suite of suites) {
    for (const { file, least, nonce, encr } of aeads)
      test(`${suite.name} passes Wycheproof ${file}`, () => {
        let ran = 0;
        const ids: Readonly<Record<number, number>> = encr;
        for (const { ivSize, tagSize, keySize, tests } of load(file)) {
          const id = ids[tagSize ?? 0];
          if (ivSize !== nonce || id === undefined) continue;
          for (const { tcId, key, iv, aad, msg, ct, tag, result } of tests) {
            const salt = iv.slice(0, -16);
            const encrKey = unhex(key + salt);
            const cipher = suite.protection({
              encr: id,
              keyBits: keySize,
              integ: 0,
              encrKey,
              integKey: new Uint8Array(0),
            });
            const opened = cipher.open(unhex(iv.slice(-16)), unhex(aad), unhex(ct + tag));
            assert.deepEqual(opened, result === 'valid' ? unhex(msg) : undefined, `case ${tcId}`);
            if (result === 'valid')
              assert.deepEqual(
                cipher.seal(unhex(iv.slice(-16)), unhex(aad), unhex(msg)),
                unhex(ct + tag),
                `case ${tcId}`,
              );
            ran++;
          }
        }
        assert.ok(ran >= least, `${ran} cases`);
      });

    for (const { file, least, prf, keyBits } of prfs)
      test(`${suite.name} passes Wycheproof ${file}`, () => {
        const mac = present(suite.prf(prf));
        let ran = 0;
        for (const { keySize, tests } of load(file)) {
          if (keyBits !== undefined && keySize !== keyBits) continue;
          for (const { tcId, key, msg, tag, result } of tests) {
            const whole = mac.compute(unhex(key), unhex(msg)).slice(0, tag.length / 2);
            const matches = Buffer.from(whole).toString('hex') === tag;
            assert.equal(matches, result === 'valid', `case ${tcId}`);
            ran++;
          }
        }
        assert.ok(ran >= least, `${ran} cases`);
      });
  }

  // Noble is too slow for so many agreements, and runs these vectors itself.
  for (const { file, least, group } of montgomery)
    test(`node:crypto passes Wycheproof ${file}`, () => {
      const exchange = present(native.keyExchange(group));
      let ran = 0;
      for (const { tests } of load(file))
        for (const vector of tests) {
          const theirs = unhex(vector.public);
          const pair = { secret: unhex(vector.private), public: new Uint8Array(exchange.publicSize) };
          const zero = /^0*$/.test(vector.shared);
          const expected = vector.result === 'invalid' || zero ? undefined : unhex(vector.shared);
          assert.deepEqual(exchange.agree(pair, theirs), expected, `case ${vector.tcId}`);
          ran++;
        }
      assert.ok(ran >= least, `${ran} cases`);
    });

  for (const { file, least, group, size, curve } of ecdh)
    test(`node:crypto passes Wycheproof ${file}`, () => {
      const exchange = present(native.keyExchange(group));
      let ran = 0;
      for (const { tests } of load(file))
        for (const vector of tests) {
          const theirs = unhex(vector.public);
          const secret = unhex(vector.private.padStart(2 * size, '0').slice(-2 * size));
          // KE payloads carry the point alone: cases about the encoding around it, or about another curve, are not ours.
          if (theirs[theirs.length - 2 * size - 1] !== 0x04 || vector.result === 'acceptable') continue;
          if (vector.result === 'invalid' && !vector.flags.includes('InvalidCurveAttack')) continue;
          const shared = exchange.agree(
            { secret, public: curve.getPublicKey(secret, false).slice(1) },
            theirs.slice(-2 * size),
          );
          assert.deepEqual(shared, vector.result === 'valid' ? unhex(vector.shared) : undefined, `case ${vector.tcId}`);
          ran++;
        }
      assert.ok(ran >= least, `${ran} cases`);
    });
} else {
  test('Wycheproof vectors are absent: nothing of them was run', () => {});
}
