// Our AES-GCM against OpenSSL's: random keys, nonces, lengths and AAD of every length that it takes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { present } from '../crypto/suite.ts';
import { Dice, seeded } from '../support/random.ts';
import { handle, native, vaes } from './packets.ts';

const ICV = { [ENCR.AES_GCM_8]: 8, [ENCR.AES_GCM_12]: 12, [ENCR.AES_GCM_16]: 16 };

/** Mostly as packets are long, and around the strides of 256 bytes. */
function lengthOf(dice: Dice): number {
  if (dice.chance(0.5)) return dice.below(1500);
  if (dice.chance(0.5)) return Math.max(0, 256 * dice.below(20) + dice.below(5) - 2);
  return dice.below(65_536);
}

function compare(dice: Dice, random: (size: number) => Uint8Array): void {
  const encr = dice.pick([ENCR.AES_GCM_8, ENCR.AES_GCM_12, ENCR.AES_GCM_16]);
  const keyBits = dice.pick([128, 192, 256]);
  const keys = { encr, keyBits, integ: INTEG.NONE, encrKey: random(keyBits / 8 + 4), integKey: new Uint8Array(0) };
  const make = (plain: boolean, sealing: boolean) => present(handle({ keys, esn: false, plain }, sealing));
  const ours = make(false, true);
  const theirs = make(true, true);
  const opening = make(false, false);
  for (let i = 0; i < 4; i++) {
    const length = lengthOf(dice);
    const nonce = random(12);
    const aad = random(dice.below(17));
    const where = `${keyBits} bits, ${aad.length} of AAD, ${length} of text`;
    const text = random(length);
    const one = new Uint8Array(length + ICV[encr]);
    one.set(text);
    const other = one.slice();
    assert.ok(native.cipherBare(ours, nonce, aad, one, length), where);
    assert.ok(native.cipherBare(theirs, nonce, aad, other, length), where);
    assert.ok(Buffer.from(one).equals(other), where);
    const forged = one.slice();
    const bit = dice.below(8 * forged.length);
    forged[bit >> 3] = (forged[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.equal(native.cipherBare(opening, nonce, aad, forged, length), false, where);
    assert.ok(native.cipherBare(opening, nonce, aad, one, length), where);
    assert.ok(Buffer.from(one.subarray(0, length)).equals(text), where);
  }
}

if (vaes) {
  test('ours and OpenSSL give the same bytes, whatever is given', () => {
    for (let seed = 0; seed < 1500; seed++) compare(new Dice(seed), seeded(seed));
  });

  test('more AAD than an ESP packet can have is refused, not cut', () => {
    const keys = {
      encr: ENCR.AES_GCM_16,
      keyBits: 128,
      integ: 0,
      encrKey: new Uint8Array(20),
      integKey: new Uint8Array(0),
    };
    const cipher = present(handle({ keys, esn: false, plain: false }, true));
    const run = (size: number) =>
      native.cipherBare(cipher, new Uint8Array(12), new Uint8Array(size), new Uint8Array(16), 0);
    assert.equal(run(16), true);
    assert.equal(run(17), false);
  });
} else {
  test('this processor has no VAES, or was told not to use it: nothing of ours was run', () => {});
}
