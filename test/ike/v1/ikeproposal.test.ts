// Proposals of phase 1 by their numbers on the wire (RFC 2409 appendix A), both ways.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProposals } from '../../../src/config/proposal.ts';
import { selectProposal } from '../../../src/ike/select.ts';
import { type Life, MOST_TRANSFORMS } from '../../../src/ike/v1/attributes.ts';
import { ikeOffers, ikeProposals, readIke } from '../../../src/ike/v1/ikeproposal.ts';
import type { Attribute, Proposal } from '../../../src/ike/v1/wire/payload.ts';
import { PROTOCOL } from '../../../src/ike/wire/constants.ts';
import { long, short, shown } from '../../support/attributes.ts';

const HOUR: Life = { seconds: 3600, kilobytes: 0 };

function offersOf(text: string) {
  const parsed = parseProposals(text, 'ike', 1);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.message);
  return parsed.offers;
}

/** A peer's only transform. */
function offered(...attributes: Attribute[]): Proposal[] {
  const transforms = [{ number: 1, id: 1, attributes }];
  return [{ number: 1, protocol: 1, spi: new Uint8Array(0), transforms }];
}

function takes(text: string, proposals: readonly Proposal[]): boolean {
  const theirs = readIke(proposals).map(({ as }) => as);
  return selectProposal(ikeOffers(offersOf(text)), theirs, { protocol: PROTOCOL.IKE }).ok;
}

const CIPHERS = [
  ['des', [[1, 1]]],
  ['3des', [[1, 5]]],
  [
    'aes128',
    [
      [1, 7],
      [14, 128],
    ],
  ],
  [
    'aes192',
    [
      [1, 7],
      [14, 192],
    ],
  ],
  [
    'aes256',
    [
      [1, 7],
      [14, 256],
    ],
  ],
] as const;

const HASHES = [
  ['md5', 1],
  ['sha1', 2],
  ['sha256', 4],
  ['sha384', 5],
  ['sha512', 6],
] as const;

const GROUPS = [
  ['modp768', 1],
  ['modp1024', 2],
  ['modp1536', 5],
  ['modp2048', 14],
  ['modp3072', 15],
  ['modp4096', 16],
  ['modp6144', 17],
  ['modp8192', 18],
  ['modp2048s256', 24],
  ['ecp256', 19],
  ['ecp384', 20],
  ['ecp521', 21],
  ['x25519', 31],
] as const;

function both(text: string, cipher: readonly (readonly [number, number])[], hash: number, group: number): void {
  const proposals = ikeProposals(offersOf(text), HOUR);
  const numbers = [...cipher, [2, hash], [4, group], [3, 1], [11, 1], [12, 3600]] as const;
  assert.deepEqual(shown(proposals), [`KEY_IKE ${numbers.map(([type, value]) => `${type}=${value}`).join(' ')}`]);
  assert.ok(takes(text, offered(...numbers.map(([type, value]) => short(type, value)))), text);
}

for (const [word, numbers] of CIPHERS)
  test(`${word} has its numbers on the wire`, () => both(`${word}-sha1-modp1024`, numbers, 2, 2));

for (const [word, number] of HASHES)
  test(`${word} is hash ${number}`, () => both(`3des-${word}-modp1024`, [[1, 5]], number, 2));

for (const [word, number] of GROUPS)
  test(`${word} is group ${number}`, () => both(`3des-sha1-${word}`, [[1, 5]], 2, number));

test('every algorithm is its own: none is taken for another', () => {
  const all = CIPHERS.flatMap(([cipher, numbers]) =>
    HASHES.flatMap(([hash, h]) =>
      GROUPS.map(([group, g]) => ({
        text: `${cipher}-${hash}-${group}`,
        numbers: [...numbers, [2, h], [4, g]] as const,
      })),
    ),
  );
  const texts = all.map(({ text }) => text);
  for (const { text, numbers } of all) {
    const [read] = readIke(offered(...numbers.map(([type, value]) => short(type, value))));
    assert.ok(read);
    const taken = texts.filter((other) => selectProposal(offersOf(other), [read.as], { protocol: PROTOCOL.IKE }).ok);
    assert.deepEqual(taken, [text]);
  }
});

const AES_128 = [short(1, 7), short(2, 2), short(4, 2), short(3, 1)] as const;
const TRIPLE = [short(1, 5), short(2, 2), short(4, 2), short(3, 1)] as const;

// RFC 3602 §6
test('AES without a key length has 128 bits', () => {
  assert.ok(takes('aes128-sha1-modp1024', offered(...AES_128)));
  assert.ok(!takes('aes256-sha1-modp1024', offered(...AES_128)));
});

test('a key length that AES does not have is not taken, nor is any for 3DES', () => {
  for (const bits of [0, 64, 127, 129, 512]) {
    assert.ok(!takes('aes128-aes192-aes256-sha1-modp1024', offered(...AES_128, short(14, bits))), `${bits}`);
  }
  assert.ok(takes('3des-sha1-modp1024', offered(...TRIPLE)));
  assert.ok(!takes('3des-sha1-modp1024', offered(...TRIPLE, short(14, 192))));
});

test('numbers may come in the long form', () => {
  const attributes = [long(1, 7), long(2, 2), long(4, 2), long(3, 1), long(14, 128)];
  assert.ok(takes('aes128-sha1-modp1024', offered(...attributes)));
  const [read] = readIke(offered(...attributes));
  assert.equal(read?.authentication, 1);
});

test('what is unknown is never chosen: an attribute, an algorithm, a transform, a thing said twice', () => {
  assert.ok(takes('3des-sha1-modp1024', offered(...TRIPLE)));
  // Field size, prime and generator are for groups that nobody has agreed on; there is no PRF but HMAC.
  for (const type of [6, 7, 8, 9, 10, 13, 15, 16, 0x4000, 0x7fff]) {
    assert.ok(!takes('3des-sha1-modp1024', offered(...TRIPLE, short(type, 1))), `${type}`);
  }
  for (const [at, value] of [
    [0, 2],
    [0, 3],
    [0, 8],
    [0, 0],
    [1, 0],
    [1, 3],
    [1, 20],
    [2, 0],
    [2, 3],
    [2, 4],
    [2, 999],
  ] as const) {
    const attributes = TRIPLE.map((one, i) => (i === at ? short(one.type, value) : one));
    assert.ok(!takes('3des-sha1-modp1024', offered(...attributes)), `${at} ${value}`);
  }
  const [proposal] = offered(...TRIPLE);
  assert.ok(proposal);
  const transforms = proposal.transforms.map((one) => ({ ...one, id: 2 }));
  assert.ok(!takes('3des-sha1-modp1024', [{ ...proposal, transforms }]));
  assert.deepEqual(readIke([{ ...proposal, protocol: 3 }]), []);
  for (const one of TRIPLE) {
    assert.ok(!takes('3des-sha1-modp1024', offered(...TRIPLE, one)), `${one.type} twice`);
    assert.ok(one.type === 3 || !takes('3des-sha1-modp1024', offered(...TRIPLE.filter((other) => other !== one))));
  }
  // The type of a group adds nothing to its number.
  assert.ok(takes('3des-sha1-modp1024', offered(...TRIPLE, short(5, 1))));
});

test('lifetimes are read in seconds and in kilobytes, in the short form and in the long one', () => {
  const life = (...attributes: Attribute[]) => readIke(offered(...TRIPLE, ...attributes))[0]?.life;
  assert.deepEqual(life(), { seconds: 0, kilobytes: 0 });
  assert.deepEqual(life(short(11, 1), short(12, 28_800)), { seconds: 28_800, kilobytes: 0 });
  assert.deepEqual(life(short(11, 1), long(12, 86_400)), { seconds: 86_400, kilobytes: 0 });
  assert.deepEqual(life(short(11, 2), long(12, 4_608_000)), { seconds: 0, kilobytes: 4_608_000 });
  const two = [short(11, 1), long(12, 86_400), short(11, 2), short(12, 1000)];
  assert.deepEqual(life(...two), { seconds: 86_400, kilobytes: 1000 });
  assert.ok(takes('3des-sha1-modp1024', offered(...TRIPLE, ...two)));
  // A duration of no type, and one of a type that nobody knows, say nothing.
  assert.deepEqual(life(short(12, 5)), { seconds: 0, kilobytes: 0 });
  assert.deepEqual(life(short(11, 3), short(12, 5)), { seconds: 0, kilobytes: 0 });
  const endless = { type: 12, value: new Uint8Array(64).fill(0xff), short: false };
  assert.deepEqual(life(short(11, 1), endless), { seconds: Number.MAX_SAFE_INTEGER, kilobytes: 0 });
});

test('lifetimes are written as they are read', () => {
  for (const life of [
    { seconds: 0, kilobytes: 0 },
    { seconds: 60, kilobytes: 0 },
    { seconds: 65_535, kilobytes: 65_536 },
    { seconds: 604_800, kilobytes: 4_194_303 },
    { seconds: 0, kilobytes: 102_400_000 },
    { seconds: 0xffff_ffff, kilobytes: 1 },
  ]) {
    const proposals = ikeProposals(offersOf('aes128-sha256-modp2048'), life);
    assert.deepEqual(
      readIke(proposals).map((read) => read.life),
      [life],
    );
  }
});

test('every combination is a transform of its own, most wanted first, and none comes twice', () => {
  const proposals = ikeProposals(offersOf('aes128-3des-sha1-md5-modp1024-modp1536, aes128-sha1-modp1024'), HOUR);
  assert.deepEqual(
    shown(proposals).map((line) => line.replace(/ 3=1.*/, '')),
    [
      'KEY_IKE 1=7 14=128 2=2 4=2',
      'KEY_IKE 1=7 14=128 2=2 4=5',
      'KEY_IKE 1=7 14=128 2=1 4=2',
      'KEY_IKE 1=7 14=128 2=1 4=5',
      'KEY_IKE 1=5 2=2 4=2',
      'KEY_IKE 1=5 2=2 4=5',
      'KEY_IKE 1=5 2=1 4=2',
      'KEY_IKE 1=5 2=1 4=5',
    ],
  );
  assert.deepEqual(
    proposals[0]?.transforms.map(({ number }) => number),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
});

test('no more than 60 transforms go out, whatever is configured', () => {
  const many = 'aes256-aes192-aes128-3des-sha512-sha384-sha256-sha1-md5-x25519-ecp256-ecp384-modp2048-modp1024';
  const proposals = ikeProposals(offersOf(many), HOUR);
  assert.equal(MOST_TRANSFORMS, 60);
  assert.equal(proposals[0]?.transforms.length, 60);
  assert.equal(readIke(proposals).length, 60);
});

test('aggressive mode offers one group, and every combination that has it', () => {
  const proposals = ikeProposals(
    offersOf('aes128-sha1-modp1024-modp1536, 3des-md5-modp1536, des-md5-modp768'),
    HOUR,
    5,
  );
  assert.deepEqual(
    shown(proposals).map((line) => line.replace(/ 3=1.*/, '')),
    ['KEY_IKE 1=7 14=128 2=2 4=5', 'KEY_IKE 1=5 2=1 4=5'],
  );
});

test('what phase 1 has no number for is not offered: combined modes, and what has no group', () => {
  const offers = (text: string) => {
    const parsed = parseProposals(text, 'ike', 2);
    assert.ok(parsed.ok);
    return parsed.offers;
  };
  assert.deepEqual(ikeOffers(offers('aes128gcm16-prfsha256-ecp256')), []);
  assert.deepEqual(ikeOffers(offers('chacha20poly1305-prfsha256-ecp256')), []);
  assert.deepEqual(ikeOffers(offers('aes128ctr-sha256-ecp256')), []);
  assert.deepEqual(ikeOffers(offers('aes128-aesxcbc-ecp256')), []);
  const mixed = ikeProposals(offers('aes128-sha256-aesxcbc-ecp256, aes128gcm16-prfsha256-ecp256'), HOUR);
  assert.deepEqual(shown(mixed), ['KEY_IKE 1=7 14=128 2=4 4=19 3=1 11=1 12=3600']);
});
