// Proposals of quick mode by their numbers on the wire (RFC 2407 §4.4, §4.5, RFC 3602, 3686, 4106, 4304, 4309, 4543).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProposals } from '../../../src/config/proposal.ts';
import { selectProposal } from '../../../src/ike/select.ts';
import { isTransport, quickProposals, readQuick, type Wish } from '../../../src/ike/v1/quickproposal.ts';
import type { Attribute, Proposal } from '../../../src/ike/v1/wire/payload.ts';
import { PROTOCOL } from '../../../src/ike/wire/constants.ts';
import { long, short, shown } from '../../support/attributes.ts';

type Kind = 'esp' | 'ah';

const SPI = Uint8Array.of(0xc0, 1, 2, 3);

function offersOf(text: string, protocol: Kind) {
  const parsed = parseProposals(text, protocol, 1);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.message);
  return parsed.offers;
}

function written(text: string, protocol: Kind = 'esp', over: Partial<Wish> = {}): string[] {
  const life = { seconds: 0, kilobytes: 0 };
  const wish: Wish = { protocol, spi: SPI, group: 0, encapsulation: 1, life, ...over };
  return shown(quickProposals(offersOf(text, protocol), wish));
}

function offered(protocol: Kind, id: number, ...attributes: Attribute[]): Proposal[] {
  const transforms = [{ number: 1, id, attributes }];
  return [{ number: 1, protocol: protocol === 'ah' ? 2 : 3, spi: SPI, transforms }];
}

function takes(text: string, protocol: Kind, proposals: readonly Proposal[]): boolean {
  const theirs = readQuick(proposals).map(({ as }) => as);
  const id = protocol === 'ah' ? PROTOCOL.AH : PROTOCOL.ESP;
  return selectProposal(offersOf(text, protocol), theirs, { protocol: id }).ok;
}

interface Case {
  readonly text: string;
  readonly protocol: Kind;
  readonly id: number;
  readonly attributes: readonly (readonly [number, number])[];
}

function esp(text: string, id: number, ...attributes: (readonly [number, number])[]): Case {
  return { text, protocol: 'esp', id, attributes };
}

function ah(text: string, id: number, ...attributes: (readonly [number, number])[]): Case {
  return { text, protocol: 'ah', id, attributes };
}

const CASES: readonly Case[] = [
  esp('des-md5', 2, [5, 1]),
  esp('3des-md5', 3, [5, 1]),
  esp('3des-sha1', 3, [5, 2]),
  esp('null-sha1', 11, [5, 2]),
  esp('aes128-sha1', 12, [6, 128], [5, 2]),
  esp('aes192-sha1', 12, [6, 192], [5, 2]),
  esp('aes256-sha1', 12, [6, 256], [5, 2]),
  esp('aes128-sha256', 12, [6, 128], [5, 5]),
  esp('aes128-sha384', 12, [6, 128], [5, 6]),
  esp('aes128-sha512', 12, [6, 128], [5, 7]),
  esp('aes128-aesxcbc', 12, [6, 128], [5, 9]),
  esp('aes128ctr-sha1', 13, [6, 128], [5, 2]),
  esp('aes256ctr-sha1', 13, [6, 256], [5, 2]),
  esp('aes128ccm8', 14, [6, 128]),
  esp('aes128ccm12', 15, [6, 128]),
  esp('aes128ccm16', 16, [6, 128]),
  esp('aes128gcm8', 18, [6, 128]),
  esp('aes128gcm12', 19, [6, 128]),
  esp('aes128gcm16', 20, [6, 128]),
  esp('aes256gcm16', 20, [6, 256]),
  esp('aes128gmac', 23, [6, 128]),
  esp('aes256gmac', 23, [6, 256]),
  ah('md5', 2, [5, 1]),
  ah('sha1', 3, [5, 2]),
  ah('sha256', 5, [5, 5]),
  ah('sha384', 6, [5, 6]),
  ah('sha512', 7, [5, 7]),
  ah('aesxcbc', 9, [5, 9]),
];

for (const { text, protocol, id, attributes } of CASES) {
  test(`${protocol} ${text} is transform ${id}, both ways`, () => {
    const numbers = attributes.map(([type, value]) => `${type}=${value}`).join(' ');
    assert.deepEqual(written(text, protocol), [`${protocol.toUpperCase()} ${id} 4=1 ${numbers}`]);
    const proposals = offered(protocol, id, short(4, 1), ...attributes.map(([type, value]) => short(type, value)));
    const taken = CASES.filter((one) => one.protocol === protocol && takes(one.text, protocol, proposals));
    assert.deepEqual(
      taken.map((one) => one.text),
      [text],
    );
  });
}

const GROUPS = [
  ['modp768', 1],
  ['modp1024', 2],
  ['modp1536', 5],
  ['modp2048', 14],
  ['modp3072', 15],
  ['modp4096', 16],
  ['modp6144', 17],
  ['modp8192', 18],
  ['ecp256', 19],
  ['ecp384', 20],
  ['ecp521', 21],
  ['modp2048s256', 24],
  ['x25519', 31],
] as const;

for (const [word, group] of GROUPS) {
  test(`PFS with ${word} is group ${group}, both ways`, () => {
    const text = `aes128-sha1-${word}`;
    assert.deepEqual(written(text, 'esp', { group }), [`ESP 12 3=${group} 4=1 6=128 5=2`]);
    const proposals = offered('esp', 12, short(4, 1), short(6, 128), short(5, 2), short(3, group));
    assert.ok(takes(text, 'esp', proposals));
    assert.ok(!takes('aes128-sha1', 'esp', proposals));
    assert.ok(!takes(text, 'esp', offered('esp', 12, short(4, 1), short(6, 128), short(5, 2))));
  });
}

test('of several groups one goes out, in all transforms that have it', () => {
  const text = 'aes128-sha1-modp1024-modp2048, 3des-sha1-modp2048, des-sha1-modp768, des-md5';
  assert.deepEqual(written(text, 'esp', { group: 14 }), ['ESP 12 3=14 4=1 6=128 5=2', 'ESP 3 3=14 4=1 5=2']);
  assert.deepEqual(written(text), ['ESP 2 4=1 5=1']);
});

// RFC 4304 §2.2
test('extended sequence numbers are attribute 11, and no value of it but 1 means anything', () => {
  assert.deepEqual(written('aes128-sha1-esn'), ['ESP 12 4=1 11=1 6=128 5=2']);
  assert.deepEqual(written('aes128-sha1-esn-noesn'), ['ESP 12 4=1 11=1 6=128 5=2', 'ESP 12 4=1 6=128 5=2']);
  assert.deepEqual(written('sha256-esn', 'ah'), ['AH 5 4=1 11=1 5=5']);
  const with11 = (value: number) => offered('esp', 12, short(4, 1), short(6, 128), short(5, 2), short(11, value));
  assert.ok(takes('aes128-sha1-esn', 'esp', with11(1)));
  assert.ok(!takes('aes128-sha1-noesn', 'esp', with11(1)));
  assert.ok(!takes('aes128-sha1-esn', 'esp', offered('esp', 12, short(4, 1), short(6, 128), short(5, 2))));
  for (const value of [0, 2, 65_535]) assert.ok(!takes('aes128-sha1-esn-noesn', 'esp', with11(value)), `${value}`);
});

test('encapsulation modes are read and written: four of the RFCs, two of the drafts', () => {
  const modes = [1, 2, 3, 4, 61_443, 61_444];
  for (const encapsulation of modes) {
    assert.deepEqual(written('3des-sha1', 'esp', { encapsulation }), [`ESP 3 4=${encapsulation} 5=2`]);
    const [read] = readQuick(offered('esp', 3, short(4, encapsulation), short(5, 2)));
    assert.equal(read?.encapsulation, encapsulation);
  }
  assert.deepEqual(modes.filter(isTransport), [2, 4, 61_444]);
});

test('no encapsulation mode is taken for a tunnel, and an unknown one for nothing', () => {
  assert.ok(takes('3des-sha1', 'esp', offered('esp', 3, short(5, 2))));
  assert.equal(isTransport(readQuick(offered('esp', 3, short(5, 2)))[0]?.encapsulation ?? 2), false);
  for (const mode of [0, 5, 6, 61_440, 61_442, 61_445, 65_535]) {
    assert.ok(!takes('3des-sha1', 'esp', offered('esp', 3, short(4, mode), short(5, 2))), `${mode}`);
  }
  for (const mode of [1, 2, 3, 4, 61_443, 61_444]) {
    assert.ok(takes('3des-sha1', 'esp', offered('esp', 3, short(4, mode), short(5, 2))), `${mode}`);
  }
});

test('lifetimes in seconds and in kilobytes, short and long', () => {
  const lifeOf = (...attributes: Attribute[]) => readQuick(offered('esp', 3, short(5, 2), ...attributes))[0]?.life;
  assert.deepEqual(lifeOf(short(1, 1), short(2, 3600)), { seconds: 3600, kilobytes: 0 });
  assert.deepEqual(lifeOf(short(1, 1), long(2, 3600)), { seconds: 3600, kilobytes: 0 });
  // What Cisco sends.
  assert.deepEqual(lifeOf(short(1, 1), short(2, 3600), short(1, 2), long(2, 4_608_000)), {
    seconds: 3600,
    kilobytes: 4_608_000,
  });
  assert.deepEqual(lifeOf(short(1, 2), long(2, 0x465000), short(1, 1), long(2, 86_400)), {
    seconds: 86_400,
    kilobytes: 0x465000,
  });
  assert.deepEqual(written('3des-sha1', 'esp', { life: { seconds: 3600, kilobytes: 102_400_000 } }), [
    'ESP 3 4=1 1=1 2=3600 1=2 2=102400000 5=2',
  ]);
});

test('AES without a key length has 128 bits, and 3DES has none to be said', () => {
  assert.ok(takes('aes128-sha1', 'esp', offered('esp', 12, short(5, 2))));
  assert.ok(takes('aes128gcm16', 'esp', offered('esp', 20)));
  assert.ok(!takes('aes256-sha1', 'esp', offered('esp', 12, short(5, 2))));
  assert.ok(!takes('3des-sha1', 'esp', offered('esp', 3, short(5, 2), short(6, 192))));
  assert.ok(!takes('null-sha1', 'esp', offered('esp', 11, short(5, 2), short(6, 128))));
});

test('what is unknown is never chosen: an attribute, an algorithm, a transform, a thing said twice', () => {
  const good = [short(4, 1), short(5, 2)];
  assert.ok(takes('3des-sha1', 'esp', offered('esp', 3, ...good)));
  for (const type of [7, 8, 9, 10, 12, 14, 32_001]) {
    assert.ok(!takes('3des-sha1', 'esp', offered('esp', 3, ...good, short(type, 1))), `${type}`);
    assert.ok(!takes('sha1', 'ah', offered('ah', 3, ...good, short(type, 1))), `AH ${type}`);
  }
  for (const attribute of [0, 3, 4, 8, 10, 14]) {
    assert.ok(!takes('3des-sha1', 'esp', offered('esp', 3, short(4, 1), short(5, attribute))), `${attribute}`);
  }
  for (const id of [0, 1, 4, 6, 7, 22, 28, 255]) assert.ok(!takes('3des-sha1', 'esp', offered('esp', id, ...good)));
  for (const one of good) assert.ok(!takes('3des-sha1', 'esp', offered('esp', 3, ...good, one)), `${one.type} twice`);
  const lives = [short(1, 1), short(2, 60), short(1, 2), short(2, 60)];
  assert.ok(takes('3des-sha1', 'esp', offered('esp', 3, ...good, ...lives)));
});

test('a cipher without integrity is not taken, nor a combined mode with a MAC beside it', () => {
  assert.ok(!takes('3des-sha1', 'esp', offered('esp', 3, short(4, 1))));
  assert.ok(takes('aes128gcm16', 'esp', offered('esp', 20, short(4, 1), short(6, 128))));
  assert.ok(!takes('aes128gcm16', 'esp', offered('esp', 20, short(4, 1), short(6, 128), short(5, 2))));
});

// RFC 2407 §4.4.3
test('an AH transform whose attribute means another algorithm is refused, and one without it', () => {
  assert.ok(takes('sha1', 'ah', offered('ah', 3, short(4, 1), short(5, 2))));
  for (const [id, attribute] of [
    [2, 2],
    [3, 1],
    [3, 5],
    [5, 2],
    [4, 2],
    [0, 2],
  ] as const) {
    assert.ok(
      !takes('md5-sha1-sha256', 'ah', offered('ah', id, short(4, 1), short(5, attribute))),
      `${id} ${attribute}`,
    );
  }
  assert.ok(!takes('sha1', 'ah', offered('ah', 3, short(4, 1))));
});

test('AH with ESP under one number is refused, and either alone beside it is taken', () => {
  const [espOnly] = offered('esp', 3, short(4, 1), short(5, 2));
  const [ahOnly] = offered('ah', 3, short(4, 1), short(5, 2));
  assert.ok(espOnly && ahOnly);
  assert.deepEqual(readQuick([ahOnly, espOnly]), []);
  const alternatives = [ahOnly, { ...espOnly, number: 2 }];
  assert.ok(takes('3des-sha1', 'esp', alternatives));
  assert.ok(takes('sha1', 'ah', alternatives));
  // ESP with compression is for who compresses; the same proposal without it may stand behind.
  const ipcomp = { ...espOnly, protocol: 4, spi: Uint8Array.of(0, 3) };
  assert.deepEqual(readQuick([espOnly, ipcomp]), []);
  const [read, ...more] = readQuick([espOnly, ipcomp, { ...espOnly, number: 2 }]);
  assert.deepEqual([read?.proposal.number, more.length], [2, 0]);
});

test('a peer of many proposals is read in its order, and transforms are counted through all of them', () => {
  const [first] = offered('esp', 12, short(5, 2), short(6, 256));
  const [second] = offered('esp', 3, short(5, 1));
  assert.ok(first && second);
  const reads = readQuick([first, { ...second, number: 2, transforms: [...second.transforms, ...second.transforms] }]);
  assert.deepEqual(
    reads.map(({ as, proposal }) => [as.number, proposal.number]),
    [
      [1, 1],
      [2, 2],
      [3, 2],
    ],
  );
});

test('no more than 60 transforms go out, each once', () => {
  const ciphers = 'aes256-aes192-aes128-aes256ctr-aes192ctr-aes128ctr-3des';
  const lines = written(`${ciphers}-sha512-sha384-sha256-sha1-md5-esn-noesn`);
  assert.equal(lines.length, 60);
  assert.equal(new Set(lines).size, 60);
  assert.equal(written('aes128-sha1, aes128-sha1, aes128-sha1-sha256').length, 2);
});
