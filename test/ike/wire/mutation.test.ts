// Codecs under mutation: whatever is done to a message, nothing but WireError comes out of the parser, and what it
// accepts can be encoded again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat, unhex } from '../../../src/bytes/bytes.ts';
import { WireError } from '../../../src/bytes/error.ts';
import { EXCHANGE, NOTIFY, PAYLOAD, PROTOCOL, TRANSFORM } from '../../../src/ike/wire/constants.ts';
import {
  encodeMessage,
  encodePayloads,
  encryptedPrefix,
  type HeaderFields,
  MAX_PAYLOADS,
  parseMessage,
  parsePayloads,
} from '../../../src/ike/wire/message.ts';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { headerFields, octet, octets, payloads, withChain } from '../../support/wire.ts';

const fields: HeaderFields = {
  spiI: unhex('01 02 03 04 05 06 07 08'),
  spiR: new Uint8Array(8),
  exchange: EXCHANGE.IKE_SA_INIT,
  initiator: true,
  response: false,
  messageId: 0,
};

const none = new Uint8Array();
const v4 = { protocol: 6, startPort: 1, endPort: 2, start: unhex('0a 00 00 00'), end: unhex('0a 00 00 ff') };
const v6 = { protocol: 0, startPort: 0, endPort: 65535, start: new Uint8Array(16), end: new Uint8Array(16).fill(255) };

/** Every payload that we know, in one chain. */
const everything: readonly Payload[] = [
  {
    tag: 'SA',
    proposals: [
      {
        number: 1,
        protocol: PROTOCOL.IKE,
        spi: none,
        transforms: [
          { type: TRANSFORM.ENCR, id: 12, keyBits: 256 },
          { type: TRANSFORM.PRF, id: 5 },
        ],
      },
      {
        number: 2,
        protocol: PROTOCOL.ESP,
        spi: unhex('c0 ff ee 01'),
        transforms: [{ type: TRANSFORM.ENCR, id: 20, keyBits: 128 }],
      },
    ],
  },
  { tag: 'KE', group: 31, data: new Uint8Array(32).fill(7) },
  { tag: 'IDi', id: { type: 1, data: unhex('0a 00 00 01') } },
  { tag: 'IDr', id: { type: 2, data: unhex('67 77') } },
  { tag: 'CERT', encoding: 4, data: unhex('30 00') },
  { tag: 'CERTREQ', encoding: 4, data: none },
  { tag: 'AUTH', method: 2, data: new Uint8Array(32) },
  { tag: 'Nonce', data: new Uint8Array(16) },
  { tag: 'N', protocol: 3, spi: unhex('c0 ff ee 01'), kind: NOTIFY.REKEY_SA, data: none },
  { tag: 'D', protocol: PROTOCOL.ESP, spis: [unhex('c0 ff ee 01'), unhex('c0 ff ee 02')] },
  { tag: 'V', data: unhex('aa') },
  { tag: 'TSi', selectors: [v4, v6] },
  { tag: 'TSr', selectors: [v4] },
  { tag: 'CP', kind: 1, attributes: [{ type: 1, value: none }] },
  { tag: 'EAP', data: unhex('01 01 00 05 01') },
  { tag: 'unknown', id: 200, critical: true, data: unhex('aa bb') },
];

/** Undefined when refused; anything but a WireError passes through and fails the test. */
function accepted(datagram: Uint8Array): readonly Payload[] | undefined {
  try {
    const { payloads: list, encrypted } = parseMessage(datagram);
    if (encrypted) parsePayloads(encrypted.inner, encrypted.body);
    return list;
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function innerAccepted(first: number, bytes: Uint8Array): readonly Payload[] | undefined {
  try {
    return parsePayloads(first, bytes);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

/** What was let in can be encoded, and comes back the same. */
function assertStable(list: readonly Payload[]): void {
  const { first, bytes } = encodePayloads(list);
  const again = parsePayloads(first, bytes);
  assert.deepEqual(again, list.map(withoutMark));
}

/** The attribute that marked a transform is gone once encoded. */
function withoutMark(payload: Payload): Payload {
  if (payload.tag !== 'SA') return payload;
  return {
    ...payload,
    proposals: payload.proposals.map((proposal) => ({
      ...proposal,
      transforms: proposal.transforms.map(({ unknownAttribute: _, ...transform }) => transform),
    })),
  };
}

/** The header's length made right again, so that the mutation reaches the payloads. */
function mended(datagram: Uint8Array): Uint8Array {
  const copy = datagram.slice();
  if (copy.length >= 28) new DataView(copy.buffer).setUint32(24, copy.length);
  return copy;
}

const whole = encodeMessage(fields, everything);
const chain = whole.subarray(28);
const sealed = concat(encryptedPrefix(fields, PAYLOAD.SA, chain.length), chain);
const fragment = concat(encryptedPrefix(fields, PAYLOAD.SA, chain.length, { number: 1, total: 2 }), chain);

test('the message that is to be mutated is accepted', () => {
  assert.deepEqual(accepted(whole), everything);
  assert.deepEqual(accepted(sealed), []);
  assert.deepEqual(accepted(fragment), []);
});

test('a message cut anywhere is refused', () => {
  for (const message of [whole, sealed, fragment]) {
    for (let length = 0; length < message.length; length++) {
      const cut = message.subarray(0, length);
      assert.equal(accepted(cut), undefined);
      assert.equal(accepted(mended(cut)), undefined);
    }
  }
});

test('a chain cut anywhere is refused', () => {
  for (let length = 0; length < chain.length; length++) {
    assert.equal(innerAccepted(PAYLOAD.SA, chain.subarray(0, length)), undefined);
  }
});

test('a message with any one bit flipped is refused or makes sense', () => {
  for (const message of [whole, sealed, fragment]) {
    for (let bit = 0; bit < 8 * message.length; bit++) {
      const flipped = message.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (0x80 >> (bit & 7));
      const list = accepted(flipped);
      if (list) assertStable(list);
    }
  }
});

test('a message with any byte, or any two, at an extreme is refused or makes sense', () => {
  for (const message of [whole, sealed, fragment]) {
    for (let at = 0; at < message.length - 1; at++) {
      for (const [high, low] of [
        [0, 0],
        [0, 1],
        [0, 3],
        [0, 4],
        [0xff, 0xff],
        [0x7f, 0xff],
        [0x80, 0],
        [message[at], 0xff],
      ] as const) {
        const changed = message.slice();
        changed[at] = high as number;
        changed[at + 1] = low;
        const list = accepted(changed);
        if (list) assertStable(list);
      }
    }
  }
});

test('a message with bytes taken out or put in is refused or makes sense', () => {
  for (let at = 28; at <= whole.length; at++) {
    for (const count of [1, 2, 4, 8]) {
      const without = mended(concat(whole.subarray(0, at), whole.subarray(at + count)));
      const withMore = mended(concat(whole.subarray(0, at), new Uint8Array(count).fill(0xff), whole.subarray(at)));
      for (const message of [without, withMore]) {
        const list = accepted(message);
        if (list) assertStable(list);
      }
    }
  }
});

test('two messages spliced anywhere are refused or make sense', () => {
  fc.assert(
    fc.property(payloads, payloads, fc.nat(), fc.nat(), (a, b, i, j) => {
      const head = encodeMessage(fields, a);
      const tail = encodeMessage(fields, b);
      const list = accepted(
        mended(concat(head.subarray(0, i % (head.length + 1)), tail.subarray(j % (tail.length + 1)))),
      );
      if (list) assertStable(list);
    }),
    { numRuns: 500 },
  );
});

test('a body read as every other payload type is refused or makes sense', () => {
  for (const payload of everything) {
    const { bytes } = encodePayloads([payload]);
    for (let type = 0; type < 256; type++) {
      const list = innerAccepted(type, bytes);
      if (list) assertStable(list);
      accepted(withChain(fields, type, bytes));
    }
  }
});

test('an IKEv1 message is refused for its version', () => {
  // Main Mode, a vendor id only.
  const datagram = withChain({ ...fields, exchange: 2 }, 13, unhex('00 00 00 14 afcad71368a1f1c96b8696fc77570100'));
  datagram[17] = 0x10;
  assert.equal(accepted(datagram), undefined);
  // Its payloads under our version number are nothing that we know.
  datagram[17] = 0x20;
  assert.deepEqual(
    accepted(datagram)?.map(({ tag }) => tag),
    ['unknown'],
  );
});

test('unknown payloads before a fragment are counted, and too many of them refused', () => {
  const before = (count: number) => {
    const unknown = Array.from(
      { length: count },
      () => ({ tag: 'unknown', id: 200, critical: false, data: none }) as const,
    );
    const { first, bytes } = encodePayloads([
      ...unknown,
      { tag: 'unknown', id: PAYLOAD.SKF, critical: false, data: unhex('00 01 00 01') },
    ]);
    return withChain(fields, first, bytes);
  };
  assert.equal(accepted(before(40))?.length, 40);
  assert.equal(accepted(before(MAX_PAYLOADS - 1))?.length, MAX_PAYLOADS - 1);
  assert.equal(accepted(before(MAX_PAYLOADS)), undefined);
});

test('payloads that name each other in a circle end with the bytes', () => {
  const circle = unhex('2b 00 00 04'.repeat(30));
  assert.equal(innerAccepted(PAYLOAD.V, circle), undefined);
});

test('noise behind a good header is refused or makes sense', () => {
  fc.assert(
    fc.property(headerFields, octet, octets(0, 120), (header, next, noise) => {
      const list = accepted(withChain(header, next, noise));
      if (list) assertStable(list);
      innerAccepted(next, noise);
    }),
    { numRuns: 1000 },
  );
});

test('a good payload with noise in it is refused or makes sense', () => {
  fc.assert(
    fc.property(payloads, fc.array(fc.tuple(fc.nat(), octet), { maxLength: 4 }), (list, changes) => {
      const message = encodeMessage(fields, list);
      for (const [at, value] of changes) message[16 + (at % (message.length - 16))] = value;
      const result = accepted(mended(message));
      if (result) assertStable(result);
    }),
    { numRuns: 1000 },
  );
});

test('the largest SA payload that the limits allow is read, and one proposal more is not', () => {
  const transforms = Array.from({ length: 120 }, (_, id) => ({ type: TRANSFORM.KE, id }));
  const proposals = Array.from({ length: 64 }, (_, i) => ({
    number: i + 1,
    protocol: PROTOCOL.IKE,
    spi: none,
    transforms,
  }));
  const { first, bytes } = encodePayloads([{ tag: 'SA', proposals }]);
  assert.equal(innerAccepted(first, bytes)?.length, 1);
  const more = encodePayloads([
    { tag: 'SA', proposals: [...proposals, { number: 65, protocol: 1, spi: none, transforms }] },
  ]);
  assert.equal(innerAccepted(more.first, more.bytes), undefined);
});

test('what is decoded borrows the datagram and never copies it', () => {
  const list = accepted(whole);
  for (const payload of list ?? []) {
    if ('data' in payload) assert.equal(payload.data.buffer, whole.buffer);
  }
});
