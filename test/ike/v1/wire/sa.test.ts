// The SA payload: nesting, counts and attributes (RFC 2407 §4.6.1, RFC 2408 §3.3–§3.6).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex, unhex } from '../../../../src/bytes/bytes.ts';
import { PAYLOAD, PROTOCOL } from '../../../../src/ike/v1/wire/constants.ts';
import { encodeChain, parseChain } from '../../../../src/ike/v1/wire/message.ts';
import type { Attribute, Proposal } from '../../../../src/ike/v1/wire/payload.ts';
import { MAX_ATTRIBUTES, MAX_PROPOSALS, MAX_TRANSFORMS } from '../../../../src/ike/v1/wire/sa.ts';
import { refused } from '../../../support/wire.ts';
import { alone } from '../../../support/wire1.ts';
import { long, short } from './fixtures.ts';

const none = new Uint8Array();
/** DOI and situation. */
const IPSEC = '00 00 00 01 00 00 00 01';

/** What stands behind the situation. Offsets in errors count the 12 bytes before it. */
function decode(proposals: string | Uint8Array): readonly Proposal[] {
  return decodeBody(concat(unhex(IPSEC), typeof proposals === 'string' ? unhex(proposals) : proposals));
}

function decodeBody(body: Uint8Array): readonly Proposal[] {
  const [payload] = parseChain(PAYLOAD.SA, alone(body), { padded: false }).payloads;
  assert.equal(payload?.tag, 'SA');
  return payload.proposals;
}

function encode(proposals: readonly Proposal[]): Uint8Array {
  return encodeChain([{ tag: 'SA', proposals }]).bytes.subarray(12);
}

test('proposals are read and written as the figures lay them out', () => {
  // ESP and IPComp together, or AH alone.
  const text = `
    02 00 00 20  01 03 04 02  c0 ff ee 01
      03 00 00 08 01 0c 00 00
      00 00 00 0c 02 03 00 00  80 05 00 02
    02 00 00 16  01 04 02 01  12 34
      00 00 00 0c 01 02 00 00  80 04 00 01
    00 00 00 14  02 02 04 01  c0 ff ee 02
      00 00 00 08 01 03 00 00
  `;
  const proposals: readonly Proposal[] = [
    {
      number: 1,
      protocol: PROTOCOL.ESP,
      spi: unhex('c0 ff ee 01'),
      transforms: [
        { number: 1, id: 12, attributes: [] },
        { number: 2, id: 3, attributes: [short(5, 2)] },
      ],
    },
    {
      number: 1,
      protocol: PROTOCOL.IPCOMP,
      spi: unhex('12 34'),
      transforms: [{ number: 1, id: 2, attributes: [short(4, 1)] }],
    },
    {
      number: 2,
      protocol: PROTOCOL.AH,
      spi: unhex('c0 ff ee 02'),
      transforms: [{ number: 1, id: 3, attributes: [] }],
    },
  ];
  assert.deepEqual(decode(text), proposals);
  assert.equal(hex(encode(proposals)), hex(unhex(text)));
});

test('another DOI, or another situation, is refused', () => {
  const proposal = '00 00 00 10 01 01 00 01 00 00 00 08 01 01 00 00';
  assert.equal(decodeBody(unhex(`00 00 00 01 00 00 00 01 ${proposal}`)).length, 1);
  for (const doi of ['00 00 00 00', '00 00 00 02', '01 00 00 01', 'ff ff ff ff']) {
    assert.throws(() => decodeBody(unhex(`${doi} 00 00 00 01 ${proposal}`)), refused('bad-value', 4));
  }
  // SIT_SECRECY and SIT_INTEGRITY have labels behind them.
  for (const situation of ['00 00 00 00', '00 00 00 02', '00 00 00 03', '00 00 00 05', '80 00 00 01']) {
    assert.throws(() => decodeBody(unhex(`00 00 00 01 ${situation} ${proposal}`)), refused('bad-value', 8));
  }
});

test('an SA payload without a proposal is refused', () => {
  assert.throws(() => decode(''), refused('truncated', 12));
});

test('a proposal without transforms is refused', () => {
  assert.throws(() => decode('00 00 00 08 01 01 00 00'), refused('bad-value', 19));
  assert.throws(() => decode('00 00 00 10 01 01 00 00 00 00 00 08 01 01 00 00'), refused('bad-value', 19));
});

test('a transform count other than the transforms that stand there is refused', () => {
  const proposal = (count: string) =>
    `00 00 00 18  01 01 00 ${count}  03 00 00 08 01 01 00 00  00 00 00 08 02 01 00 00`;
  assert.equal(decode(proposal('02'))[0]?.transforms.length, 2);
  for (const [count, at] of [
    ['01', 20],
    ['03', 28],
    ['ff', 28],
  ] as const) {
    assert.throws(() => decode(proposal(count)), refused('bad-value', at));
  }
  assert.throws(() => decode('00 00 00 10 01 01 00 02 03 00 00 08 01 01 00 00'), refused('truncated', 28));
});

test('proposals are chained by 2 and 0, transforms by 3 and 0', () => {
  const one = '00 00 00 08 01 01 00 00';
  const proposals = (next: string) => `${next} 00 00 10 01 01 00 01 ${one}  00 00 00 10 02 01 00 01 ${one}`;
  assert.equal(decode(proposals('02')).length, 2);
  assert.throws(() => decode(proposals('00')), refused('trailing', 28));
  for (const next of ['01', '03', '04', 'ff']) assert.throws(() => decode(proposals(next)), refused('bad-value', 12));
  assert.throws(() => decode(`02 00 00 10 01 01 00 01 ${one}`), refused('truncated', 28));

  const transforms = (a: string, b: string) =>
    `00 00 00 18  01 01 00 02  ${a} 00 00 08 01 01 00 00  ${b} 00 00 08 02 01 00 00`;
  assert.equal(decode(transforms('03', '00')).length, 1);
  for (const [a, b, at] of [
    ['00', '00', 20],
    ['02', '00', 20],
    ['ff', '00', 20],
    ['03', '03', 28],
    ['03', '02', 28],
  ] as const) {
    assert.throws(() => decode(transforms(a, b)), refused('bad-value', at));
  }
});

test('lengths below the fixed part, or beyond what encloses them, are refused', () => {
  const transform = (length: string) => `00 00 00 10 01 01 00 01 00 00 ${length} 01 01 00 00`;
  for (const length of ['00 00', '00 03', '00 07']) {
    assert.throws(() => decode(`00 00 ${length} 01 01 00 01`), refused('bad-length', 14));
    assert.throws(() => decode(transform(length)), refused('bad-length', 22));
  }
  for (const length of ['00 11', 'ff ff']) {
    assert.throws(() => decode(`00 00 ${length} 01 01 00 01 00 00 00 08 01 01 00 00`), refused('truncated', 16));
    assert.throws(() => decode(transform(length)), refused('truncated', 24));
  }
  // The transform may not reach into the next proposal.
  const reaching = '02 00 00 10 01 01 00 01 00 00 00 10 01 01 00 00  00 00 00 10 02 01 00 01 00 00 00 08 01 01 00 00';
  assert.throws(() => decode(reaching), refused('truncated', 24));
});

test('bytes behind the last transform or the last proposal are refused', () => {
  assert.throws(() => decode('00 00 00 11 01 01 00 01 00 00 00 08 01 01 00 00 00'), refused('trailing', 28));
  assert.throws(() => decode('00 00 00 10 01 01 00 01 00 00 00 08 01 01 00 00 00'), refused('trailing', 28));
});

test('the reserved bytes are ignored', () => {
  const [proposal] = decode('00 ff 00 10 01 01 00 01 00 ff 00 08 01 01 ff ff');
  assert.deepEqual(proposal?.transforms, [{ number: 1, id: 1, attributes: [] }]);
});

test('the SPI has the size it says, and fits into the proposal', () => {
  for (const size of [0, 4, 8, 16, 255]) {
    const spi = new Uint8Array(size).fill(0xee);
    const length = 16 + size;
    const header = Uint8Array.of(0, 0, length >> 8, length & 0xff, 1, 1, size, 1);
    assert.deepEqual(decode(concat(header, spi, unhex('00 00 00 08 01 01 00 00')))[0]?.spi, spi);
  }
  for (const size of ['09', 'ff']) {
    assert.throws(() => decode(`00 00 00 10 01 01 ${size} 01 00 00 00 08 01 01 00 00`), refused('truncated', 20));
  }
});

function transformWith(attributes: string): string {
  const size = 8 + unhex(attributes).length;
  const byte = (value: number) => value.toString(16).padStart(2, '0');
  return `00 00 00 ${byte(8 + size)} 01 01 00 01  00 00 00 ${byte(size)} 01 01 00 00 ${attributes}`;
}

test('an attribute keeps its form, and comes as often as it stands there', () => {
  for (const [text, attribute] of [
    ['80 0e 01 00', short(14, 256)],
    ['80 0e 00 00', short(14, 0)],
    ['ff ff ff ff', short(0x7fff, 0xffff)],
    ['00 0e 00 02 01 00', long(14, '01 00')],
    ['00 0c 00 04 00 01 51 80', long(12, '00 01 51 80')],
    ['00 0c 00 00', long(12, '')],
    ['7f ff 00 01 aa', long(0x7fff, 'aa')],
  ] as const) {
    const attributes: Attribute[] = [attribute, attribute];
    const proposals = decode(transformWith(`${text} ${text}`));
    assert.deepEqual(proposals[0]?.transforms, [{ number: 1, id: 1, attributes }]);
    assert.equal(hex(encode(proposals)), hex(unhex(transformWith(`${text} ${text}`))));
  }
});

test('an attribute that does not fit into its transform is refused', () => {
  for (const attributes of ['80', '80 0e', '80 0e 01', '00', '00 0c 00', '00 0c 00 01', '00 0c ff ff aa']) {
    assert.throws(() => decode(transformWith(attributes)), refused('truncated'));
    assert.throws(() => decode(transformWith(`80 01 00 07 ${attributes}`)), refused('truncated'));
  }
});

function proposalsOf(counts: readonly number[], attributes = 0): Uint8Array {
  const transform = { number: 1, id: 1, attributes: Array.from({ length: attributes }, () => short(1, 7)) };
  return encode(
    counts.map((count) => ({
      number: 1,
      protocol: PROTOCOL.ISAKMP,
      spi: none,
      transforms: Array.from({ length: count }, () => transform),
    })),
  );
}

test('a payload has at most 64 proposals', () => {
  assert.equal(MAX_PROPOSALS, 64);
  const ones = (count: number) => proposalsOf(Array.from({ length: count }, () => 1));
  assert.equal(decode(ones(64)).length, 64);
  for (const count of [65, 255, 4000]) {
    assert.throws(() => decode(ones(count)), refused('too-many', 12 + 64 * 16));
  }
});

test('a payload has at most 256 transforms, in whatever proposals', () => {
  assert.equal(MAX_TRANSFORMS, 256);
  for (const counts of [
    [255, 1],
    [128, 128],
    [64, 64, 64, 64],
  ]) {
    assert.equal(decode(proposalsOf(counts)).length, counts.length);
    // The count of the last proposal, 9 bytes before its single transform.
    const more = proposalsOf([...counts, 1]);
    assert.throws(() => decode(more), refused('too-many', 12 + more.length - 9));
  }
  assert.throws(() => decode(proposalsOf([255, 255])), refused('too-many', 12 + 8 + 255 * 8 + 7));
});

test('a transform has at most 32 attributes', () => {
  assert.equal(MAX_ATTRIBUTES, 32);
  assert.equal(decode(proposalsOf([1], 32))[0]?.transforms[0]?.attributes.length, 32);
  for (const count of [33, 10_000]) {
    assert.throws(() => decode(proposalsOf([1], count)), refused('too-many', 12 + 16 + 32 * 4));
  }
});

test('256 transforms in a proposal, and a short attribute that is none, are our own mistake', () => {
  assert.equal(decode(proposalsOf([255])).length, 1);
  assert.throws(() => proposalsOf([256]), /255 transforms/);
  for (const size of [0, 1, 3, 4]) {
    const attributes = [{ type: 1, value: new Uint8Array(size), short: true }];
    const transforms = [{ number: 1, id: 1, attributes }];
    assert.throws(() => encode([{ number: 1, protocol: 1, spi: none, transforms }]), /no short attribute/);
  }
});
