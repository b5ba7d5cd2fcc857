// The SA payload: nesting, counts and attributes (RFC 7296 §3.3).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex, unhex } from '../../../src/bytes/bytes.ts';
import { ENCR, INTEG, KE, PRF } from '../../../src/crypto/ids.ts';
import { PAYLOAD, PROTOCOL, TRANSFORM } from '../../../src/ike/wire/constants.ts';
import { encodePayloads, parsePayloads } from '../../../src/ike/wire/message.ts';
import type { Payload, Proposal } from '../../../src/ike/wire/payload.ts';
import { MAX_PROPOSALS } from '../../../src/ike/wire/sa.ts';
import { refused } from '../../support/wire.ts';

/** Offsets in errors count the generic header's four bytes. */
function decode(text: string): readonly Proposal[] {
  return decodeBytes(unhex(text));
}

function decodeBytes(body: Uint8Array): readonly Proposal[] {
  const length = body.length + 4;
  const [payload] = parsePayloads(PAYLOAD.SA, concat(Uint8Array.of(0, 0, length >> 8, length & 0xff), body));
  assert.equal(payload?.tag, 'SA');
  return payload.proposals;
}

function encode(proposals: readonly Proposal[]): Uint8Array {
  return encodePayloads([{ tag: 'SA', proposals }]).bytes.subarray(4);
}

// Laid out by hand from the figures of RFC 7296 §3.3.1 and §3.3.2.
const IKE = `
  02 00 00 2c  01 01 00 04
    03 00 00 0c 01 00 00 0c 80 0e 01 00
    03 00 00 08 02 00 00 05
    03 00 00 08 03 00 00 0c
    00 00 00 08 04 00 00 0e
  00 00 00 24  02 01 00 03
    03 00 00 0c 01 00 00 14 80 0e 00 80
    03 00 00 08 02 00 00 05
    00 00 00 08 04 00 00 1f
`;

const PROPOSALS: readonly Proposal[] = [
  {
    number: 1,
    protocol: PROTOCOL.IKE,
    spi: unhex(''),
    transforms: [
      { type: TRANSFORM.ENCR, id: ENCR.AES_CBC, keyBits: 256 },
      { type: TRANSFORM.PRF, id: PRF.HMAC_SHA2_256 },
      { type: TRANSFORM.INTEG, id: INTEG.HMAC_SHA2_256_128 },
      { type: TRANSFORM.KE, id: KE.MODP_2048 },
    ],
  },
  {
    number: 2,
    protocol: PROTOCOL.IKE,
    spi: unhex(''),
    transforms: [
      { type: TRANSFORM.ENCR, id: ENCR.AES_GCM_16, keyBits: 128 },
      { type: TRANSFORM.PRF, id: PRF.HMAC_SHA2_256 },
      { type: TRANSFORM.KE, id: KE.CURVE25519 },
    ],
  },
];

test('two proposals are read and written as the figures lay them out', () => {
  assert.deepEqual(decode(IKE), PROPOSALS);
  assert.equal(hex(encode(PROPOSALS)), hex(unhex(IKE)));
});

test('a proposal for ESP has its SPI before the transforms', () => {
  const [proposal] = decode('00 00 00 14  01 03 04 01  c0 ff ee 01  00 00 00 08 05 00 00 00');
  assert.deepEqual(proposal?.spi, unhex('c0 ff ee 01'));
  assert.deepEqual(proposal?.transforms, [{ type: TRANSFORM.ESN, id: 0 }]);
});

test('an SA payload without a proposal is refused', () => {
  assert.throws(() => decode(''), refused('truncated'));
});

test('a transform count other than the transforms that stand there is refused', () => {
  const proposal = (count: string) =>
    `00 00 00 18  01 01 00 ${count}  03 00 00 08 02 00 00 05  00 00 00 08 04 00 00 0e`;
  assert.equal(decode(proposal('02'))[0]?.transforms.length, 2);
  for (const count of ['00', '01', '03', 'ff']) {
    assert.throws(() => decode(proposal(count)), refused(count === '00' ? 'trailing' : 'bad-value'));
  }
});

test('a proposal without transforms is read, and is for selection to refuse', () => {
  assert.deepEqual(decode('00 00 00 08  01 01 00 00')[0]?.transforms, []);
});

test('Last Substruc has two values, and says whether more follows', () => {
  const proposals = (last: string) => `${last} 00 00 08 01 01 00 00  00 00 00 08 02 01 00 00`;
  assert.equal(decode(proposals('02')).length, 2);
  assert.throws(() => decode(proposals('00')), refused('trailing'));
  for (const last of ['01', '03', 'ff']) assert.throws(() => decode(proposals(last)), refused('bad-value', 4));
  assert.throws(() => decode('02 00 00 08 01 01 00 00'), refused('truncated'));

  const transforms = (a: string, b: string) =>
    `00 00 00 18  01 01 00 02  ${a} 00 00 08 02 00 00 05  ${b} 00 00 08 04 00 00 0e`;
  assert.equal(decode(transforms('03', '00')).length, 1);
  for (const [a, b] of [
    ['00', '00'],
    ['03', '03'],
    ['02', '00'],
    ['03', '02'],
  ] as const) {
    assert.throws(() => decode(transforms(a, b)), refused('bad-value'));
  }
});

test('lengths below the fixed part, or beyond what encloses them, are refused', () => {
  for (const length of ['00 00', '00 03', '00 07']) {
    assert.throws(() => decode(`00 00 ${length} 01 01 00 00`), refused('bad-length', 6));
    assert.throws(() => decode(`00 00 00 10 01 01 00 01 00 00 ${length} 02 00 00 05`), refused('bad-length', 14));
  }
  for (const length of ['00 09', 'ff ff']) {
    assert.throws(() => decode(`00 00 ${length} 01 01 00 00`), refused('truncated'));
    assert.throws(() => decode(`00 00 00 10 01 01 00 01 00 00 ${length} 02 00 00 05`), refused('truncated'));
  }
  // The transform may not reach into the next proposal.
  const reaching = '02 00 00 10 01 01 00 01  00 00 00 10 02 00 00 05  00 00 00 08 02 01 00 00';
  assert.throws(() => decode(reaching), refused('truncated'));
});

test('bytes behind the last transform or the last proposal are refused', () => {
  assert.throws(() => decode('00 00 00 09 01 01 00 00 00'), refused('trailing'));
  assert.throws(() => decode('00 00 00 08 01 01 00 00 00'), refused('trailing'));
});

test('the SPI has the size that its protocol demands', () => {
  const sized = (protocol: number, size: number) =>
    concat(Uint8Array.of(0, 0, 0, 8 + size, 1, protocol, size, 0), new Uint8Array(size));
  for (const [protocol, sizes] of [
    [PROTOCOL.IKE, [0, 8]],
    [PROTOCOL.AH, [4]],
    [PROTOCOL.ESP, [4]],
    [0, [0, 1, 4, 8, 247]],
    [200, [0, 1, 4, 8, 247]],
  ] as const) {
    for (let size = 0; size < 248; size++) {
      if ((sizes as readonly number[]).includes(size)) {
        assert.equal(decodeBytes(sized(protocol, size))[0]?.spi.length, size);
      } else if (protocol >= 1 && protocol <= 3) {
        assert.throws(() => decodeBytes(sized(protocol, size)), refused('bad-length', 10));
      }
    }
  }
});

test('proposal numbers go up, so that an answer can name one', () => {
  const numbered = (a: string, b: string) => `02 00 00 08 ${a} 01 00 00  00 00 00 08 ${b} 01 00 00`;
  assert.equal(decode(numbered('01', '02')).length, 2);
  assert.equal(decode(numbered('01', '07')).length, 2);
  for (const [a, b] of [
    ['01', '01'],
    ['02', '01'],
    ['00', '01'],
    ['ff', '00'],
  ] as const) {
    assert.throws(() => decode(numbered(a, b)), refused('bad-value'));
  }
});

test('an answer may hold a single proposal of any number', () => {
  assert.equal(decode('00 00 00 08 09 01 00 00')[0]?.number, 9);
});

test('a payload has at most 64 proposals', () => {
  const many = (count: number) => {
    const body = new Uint8Array(8 * count);
    for (let i = 0; i < count; i++) body.set([i < count - 1 ? 2 : 0, 0, 0, 8, i + 1, 1, 0, 0], 8 * i);
    return body;
  };
  assert.equal(MAX_PROPOSALS, 64);
  assert.equal(decodeBytes(many(64)).length, 64);
  assert.throws(() => decodeBytes(many(65)), refused('too-many'));
  assert.throws(() => decodeBytes(many(255)), refused('too-many'));
});

function transformWith(attributes: string): string {
  const size = 8 + unhex(attributes).length;
  const byte = (value: number) => value.toString(16).padStart(2, '0');
  return `00 00 00 ${byte(8 + size)} 01 01 00 01  00 00 00 ${byte(size)} 01 00 00 0c ${attributes}`;
}

test('a key length of any value is read; whether it makes sense is for selection to say', () => {
  for (const [text, keyBits] of [
    ['00 00', 0],
    ['01 00', 256],
    ['ff ff', 65535],
  ] as const) {
    const [proposal] = decode(transformWith(`80 0e ${text}`));
    assert.deepEqual(proposal?.transforms, [{ type: TRANSFORM.ENCR, id: ENCR.AES_CBC, keyBits }]);
  }
});

test('a key length twice, or in the long form, is refused', () => {
  assert.throws(() => decode(transformWith('80 0e 01 00 80 0e 01 00')), refused('duplicate', 24));
  assert.throws(() => decode(transformWith('00 0e 00 02 01 00')), refused('bad-value', 20));
});

test('an unknown attribute is skipped in either form and marks its transform', () => {
  for (const unknown of ['80 0d 01 00', '00 0d 00 02 aa bb', '7f ff 00 00']) {
    for (const attributes of [`${unknown} 80 0e 00 80`, `80 0e 00 80 ${unknown}`]) {
      assert.deepEqual(decode(transformWith(attributes))[0]?.transforms, [
        { type: TRANSFORM.ENCR, id: ENCR.AES_CBC, keyBits: 128, unknownAttribute: true },
      ]);
    }
  }
});

test('an attribute that does not fit into its transform is refused', () => {
  for (const attributes of ['80', '80 0e', '80 0e 01', '00 0d 00 01', '00 0d ff ff aa']) {
    assert.throws(() => decode(transformWith(attributes)), refused('truncated'));
  }
});

test('255 transforms fit into a proposal and 256 are our own mistake', () => {
  const payload = (count: number): Payload => ({
    tag: 'SA',
    proposals: [
      {
        number: 1,
        protocol: PROTOCOL.IKE,
        spi: unhex(''),
        transforms: Array.from({ length: count }, (_, id) => ({ type: TRANSFORM.KE, id })),
      },
    ],
  });
  const { first, bytes } = encodePayloads([payload(255)]);
  assert.deepEqual(parsePayloads(first, bytes), [payload(255)]);
  assert.throws(() => encodePayloads([payload(256)]), /255 transforms/);
});
