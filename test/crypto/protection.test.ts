// Every combination of cipher and integrity algorithm: what is sealed opens, what is touched does not, and the two
// implementations give the same bytes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { cipherShape, integrity, protection, supported } from '../../src/crypto/registry.ts';
import type { ProtectionKeys } from '../../src/crypto/types.ts';
import { noble } from './noble.ts';
import { present, suites } from './suite.ts';

interface Combination {
  readonly name: string;
  readonly keys: ProtectionKeys;
}

function bytes(size: number, start: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (start + 37 * i) & 0xff);
}

const combinations: readonly Combination[] = supported.encr.flatMap(({ id, keyBits }) => {
  const shape = present(cipherShape(id, keyBits));
  const encrKey = bytes(shape.keySize + shape.saltSize, 11);
  const integs = shape.aead ? [INTEG.NONE] : supported.integ;
  return integs.map((integ) => ({
    name: `cipher ${id}${keyBits ? `-${keyBits}` : ''} with integrity ${integ}`,
    keys: { encr: id, keyBits, integ, encrKey, integKey: bytes(integrity(integ)?.keySize ?? 0, 99) },
  }));
});

/** A plaintext of some blocks, and what goes with it. */
const message = (blockSize: number, ivSize: number) =>
  fc.record({
    iv: fc.uint8Array({ minLength: ivSize, maxLength: ivSize }),
    aad: fc.uint8Array({ maxLength: 40 }),
    tail: fc.option(fc.uint8Array({ minLength: 4, maxLength: 4 }), { nil: undefined }),
    plain: fc
      .integer({ min: blockSize > 1 ? 1 : 0, max: blockSize > 1 ? 8 : 100 })
      .chain((blocks) => fc.uint8Array({ minLength: blocks * blockSize, maxLength: blocks * blockSize })),
  });

for (const { name, keys } of combinations) {
  const ours = protection(keys);

  test(`${name}: what is sealed opens, and the twin gives the same bytes`, () => {
    const twin = noble.protection(keys);
    assert.deepEqual([twin.ivSize, twin.icvSize, twin.blockSize], [ours.ivSize, ours.icvSize, ours.blockSize]);
    fc.assert(
      fc.property(message(ours.blockSize, ours.ivSize), ({ iv, aad, tail, plain }) => {
        const sealed = ours.seal(iv, aad, plain, tail);
        assert.equal(sealed.length, plain.length + ours.icvSize);
        assert.deepEqual(ours.open(iv, aad, sealed, tail), plain);
        assert.deepEqual(twin.seal(iv, aad, plain, tail), sealed);
        assert.deepEqual(twin.open(iv, aad, sealed, tail), plain);
      }),
      { numRuns: 5 },
    );
  });

  test(`${name}: with one bit turned or one byte gone, nothing opens`, () => {
    const { encr, integ } = keys;
    fc.assert(
      fc.property(message(ours.blockSize, ours.ivSize), fc.nat(), ({ iv, aad, tail, plain }, where) => {
        const turned = (whole: Uint8Array): Uint8Array => {
          const copy = whole.slice();
          const at = where % (8 * whole.length);
          copy[at >> 3] = (copy[at >> 3] ?? 0) ^ (1 << (at & 7));
          return copy;
        };
        const sealed = ours.seal(iv, aad, plain, tail);
        assert.equal(ours.open(iv, aad, turned(sealed), tail), undefined);
        assert.equal(ours.open(iv, aad, sealed.subarray(1), tail), undefined);
        assert.equal(ours.open(iv, aad, sealed.subarray(0, -1), tail), undefined);
        if (aad.length > 0) assert.equal(ours.open(iv, turned(aad), sealed, tail), undefined);
        if (iv.length > 0) assert.equal(ours.open(turned(iv), aad, sealed, tail), undefined);
        if (integ !== INTEG.NONE && tail) assert.equal(ours.open(iv, aad, sealed, turned(tail)), undefined, `${encr}`);
      }),
      { numRuns: 5 },
    );
  });

  test(`${name}: opening takes any bytes without throwing`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 20 }), (sealed, iv) => {
        assert.equal(ours.open(iv, new Uint8Array(8), sealed), undefined);
      }),
      { numRuns: 10 },
    );
  });

  test(`${name}: the result is a plain Uint8Array with memory of its own`, () => {
    const iv = new Uint8Array(ours.ivSize);
    const plain = bytes(ours.blockSize * 2, 5);
    const sealed = ours.seal(iv, iv, plain);
    for (const result of [sealed, present(ours.open(iv, iv, sealed))]) {
      assert.equal(Object.getPrototypeOf(result), Uint8Array.prototype);
      assert.equal(result.buffer.byteLength, result.length);
    }
  });
}

for (const suite of suites)
  test(`${suite.name} refuses CBC text that is empty or no whole number of blocks, however well authenticated`, () => {
    const integKey = bytes(32, 1);
    const mac = present(integrity(INTEG.HMAC_SHA2_256_128));
    for (const { encr, keyBits, size } of [
      { encr: ENCR.AES_CBC, keyBits: 128, size: 16 },
      { encr: ENCR.DES3, keyBits: undefined, size: 24 },
      { encr: ENCR.DES, keyBits: undefined, size: 8 },
    ]) {
      const encrKey = bytes(size, 2);
      const cipher = suite.protection({ encr, keyBits, integ: INTEG.HMAC_SHA2_256_128, encrKey, integKey });
      const iv = new Uint8Array(cipher.ivSize);
      for (const length of [0, 1, cipher.blockSize - 1, cipher.blockSize + 1]) {
        const text = bytes(length, 3);
        const icv = mac.compute(integKey, iv, text);
        assert.equal(cipher.open(iv, new Uint8Array(0), Uint8Array.of(...text, ...icv)), undefined);
      }
    }
  });

test('sealing what is not padded to whole blocks is an error of ours', () => {
  const integKey = new Uint8Array(20);
  const encrKey = new Uint8Array(16);
  const cipher = protection({ encr: ENCR.AES_CBC, keyBits: 128, integ: INTEG.HMAC_SHA1_96, encrKey, integKey });
  for (const length of [0, 15, 17])
    assert.throws(() => cipher.seal(new Uint8Array(16), new Uint8Array(0), new Uint8Array(length)), /whole blocks/);
});

test('keys are borrowed: wiping them ends the protection', () => {
  for (const { keys } of combinations) {
    const encrKey = keys.encrKey.slice();
    const integKey = keys.integKey.slice();
    if (encrKey.length === 0) continue;
    const cipher = protection({ ...keys, encrKey, integKey });
    const iv = new Uint8Array(cipher.ivSize);
    const sealed = cipher.seal(iv, iv, new Uint8Array(16));
    encrKey.fill(0);
    integKey.fill(0);
    if (keys.encr !== ENCR.DES) assert.equal(cipher.open(iv, iv, sealed), undefined);
  }
});

test('only CBC wants an IV that cannot be foreseen', () => {
  for (const { keys } of combinations) {
    const chained: readonly number[] = [ENCR.AES_CBC, ENCR.DES3, ENCR.DES];
    assert.equal(protection(keys).counterIv, !chained.includes(keys.encr));
  }
});
