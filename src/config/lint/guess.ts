// How many guesses a pre-shared key withstands, as a power of two. An estimate that is meant to catch what people type,
// not to praise what is random: pieces that a guesser tries early count as one guess among few.

import { COMMON } from './common.ts';

/** More does not make a key any stronger for our purpose, and comparing pieces costs the square of it. */
const LONGEST = 256;
/** Shorter pieces occur by chance. */
const PIECE = 3;
/** One of the words, in one of a few spellings. */
const WORD_BITS = 11;
const WORDS = [...COMMON].filter((word) => word.length > PIECE);
const ROWS = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm', '1qaz2wsx3edc4rfv', '1q2w3e4r5t6y'];
const LEET = new Map(
  [...'0o1l3e4a5s7t@a$s!i'].flatMap((c, i, all) => (i % 2 === 0 ? [[c, all[i + 1] as string]] : [])),
);

export function isCommon(key: Uint8Array): boolean {
  const text = latin(key).toLowerCase();
  return COMMON.has(text) || COMMON.has(plain(text));
}

export function guessBits(key: Uint8Array): number {
  const bytes = key.subarray(0, LONGEST);
  const text = latin(bytes).toLowerCase();
  const spelled = plain(text);
  const perByte = Math.log2(alphabet(bytes));
  let bits = 0;
  for (let at = 0; at < bytes.length; ) {
    const run = sequence(bytes, at);
    const word = Math.max(wordAt(text, at), wordAt(spelled, at), rowAt(text, at), yearAt(text, at));
    const again = repeated(text, at);
    const length = Math.max(run, word, again);
    if (length < PIECE) {
      bits += perByte;
      at++;
      continue;
    }
    const cost = word === length ? WORD_BITS : Math.log2(length) + (run === length ? perByte : Math.log2(at));
    bits += Math.min(cost, length * perByte);
    at += length;
  }
  return bits;
}

/** Byte by byte: where a key is UTF-8, its bytes are what is guessed. */
function latin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, LONGEST));
}

/** `p@ssw0rd` as the word that it is. */
function plain(text: string): string {
  return [...text].map((character) => LEET.get(character) ?? character).join('');
}

/** Of how many values the bytes may have been chosen, by the kinds that occur. */
function alphabet(bytes: Uint8Array): number {
  const kinds = [
    [26, (byte: number) => byte >= 0x61 && byte <= 0x7a],
    [26, (byte: number) => byte >= 0x41 && byte <= 0x5a],
    [10, (byte: number) => byte >= 0x30 && byte <= 0x39],
    [33, (byte: number) => byte >= 0x20 && byte < 0x7f && !/[a-z0-9]/i.test(String.fromCharCode(byte))],
    [161, (byte: number) => byte < 0x20 || byte >= 0x7f],
  ] as const;
  const size = kinds.reduce((sum, [count, has]) => sum + (bytes.some(has) ? count : 0), 0);
  return Math.max(2, size);
}

/** `aaaa`, `1234`, `dcba`. */
function sequence(bytes: Uint8Array, at: number): number {
  const step = (bytes[at + 1] ?? 0) - (bytes[at] as number);
  if (Math.abs(step) > 1) return 1;
  let end = at + 1;
  while (end < bytes.length && (bytes[end] as number) - (bytes[end - 1] as number) === step) end++;
  return end - at;
}

function wordAt(text: string, at: number): number {
  return WORDS.reduce((best, word) => (word.length > best && text.startsWith(word, at) ? word.length : best), 0);
}

function yearAt(text: string, at: number): number {
  return /^(19|20)\d\d/.test(text.slice(at, at + 4)) ? 4 : 0;
}

function rowAt(text: string, at: number): number {
  let length = PIECE;
  while (at + length <= text.length && ROWS.some((row) => row.includes(text.slice(at, at + length)))) length++;
  return length - 1;
}

/** A piece that has come before. */
function repeated(text: string, at: number): number {
  let length = 0;
  while (at + length < text.length && text.indexOf(text.slice(at, at + length + 1)) + length + 1 <= at) length++;
  return length;
}
