// How many guesses a key withstands: bounds on both sides, so that neither what people type passes for random nor what
// is random for something that people type.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { guessBits, isCommon } from '../../../src/config/lint/guess.ts';

const bits = (text: string) => guessBits(new TextEncoder().encode(text));

/** The same on every run. */
function random(size: number, seed: number): Buffer {
  return createHash('sha512').update(`${seed}`).digest().subarray(0, size);
}

const GUESSABLE = [
  'a',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  '12345678901234567890123456789012345678901234567890',
  '98765432109876543210',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiopasdfghjklzxcvbnm',
  'passwordpasswordpasswordpassword',
  'P@ssw0rdP@ssw0rd',
  'Summer2024!',
  'Cisco2023Cisco2023',
  'xq7xq7xq7xq7xq7xq7xq7xq7xq7xq7',
  'k3!m9Z_q',
] as const;

test('what is made of pieces that a guesser tries early is worth little, however long', () => {
  for (const key of GUESSABLE) assert.ok(bits(key) < 64, `${key}: ${bits(key)}`);
});

test('what is random is worth nearly as much as it was made of', () => {
  for (let seed = 0; seed < 300; seed++) {
    const base64 = bits(random(15, seed).toString('base64'));
    assert.ok(base64 > 90 && base64 <= 132, `120 bits in base64, seed ${seed}: ${base64}`);
    const hex = bits(random(16, seed).toString('hex'));
    assert.ok(hex > 120 && hex < 170, `128 bits in hexadecimal, seed ${seed}: ${hex}`);
    const raw = guessBits(random(16, seed));
    assert.ok(raw > 100 && raw <= 128, `128 bits as bytes, seed ${seed}: ${raw}`);
  }
});

test('each kind of character widens what may have been chosen', () => {
  const kinds = ['wbkdmhqz', 'wbkdmhqZ', 'wbkdmh7Z', 'wbk#mh7Z', 'wbk#mh7\u00e9'];
  const worth = kinds.map(bits);
  assert.deepEqual(
    worth.map((value) => Math.round(value)),
    [38, 46, 48, 53, 71],
  );
});

test('a piece counts once: each repetition adds but a few bits', () => {
  const once = bits('Kx7#qB2!mZ9');
  const twice = bits('Kx7#qB2!mZ9Kx7#qB2!mZ9');
  assert.ok(once > 64 && twice > once && twice < once + 12, `${once}, ${twice}`);
});

test('a key of the manuals is known in any case and spelling, and as a whole only', () => {
  const common = (text: string) => isCommon(new TextEncoder().encode(text));
  for (const key of ['test@123', 'TEST@123', 'Huawei@123', '1231', '123456', 'p455w0rd']) assert.ok(common(key), key);
  for (const key of ['', 'test@123x', 'Kx7#qB2!mZ9']) assert.ok(!common(key), key);
});

test('an empty key is worth nothing, and a very long one takes no time', () => {
  assert.equal(guessBits(new Uint8Array(0)), 0);
  assert.ok(guessBits(random(64, 1)) > 400);
  assert.ok(guessBits(new Uint8Array(1 << 20)) < 64);
});
