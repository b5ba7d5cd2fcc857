// Codecs under mutation: whatever is done to a message, nothing but WireError comes out of the parser, and what it
// accepts can be encoded again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat, unhex } from '../../../../src/bytes/bytes.ts';
import { WireError } from '../../../../src/bytes/error.ts';
import { NOTIFY, PAYLOAD, PROTOCOL } from '../../../../src/ike/v1/wire/constants.ts';
import {
  encodeChain,
  encodeEncrypted,
  encodeMessage,
  parseChain,
  parseMessage,
} from '../../../../src/ike/v1/wire/message.ts';
import type { Payload } from '../../../../src/ike/v1/wire/payload.ts';
import { encodeMessage as encodeIkev2 } from '../../../../src/ike/wire/message.ts';
import { octet, octets } from '../../../support/wire.ts';
import { headerFields, payloads, withChain } from '../../../support/wire1.ts';
import { main1Fields as fields, MAIN_MODE_1, main1, quick1, short } from './fixtures.ts';

const CLEAR = { padded: false };
const PADDED = { padded: true };

/** Every payload that we know, in one chain. */
const everything: readonly Payload[] = [
  ...main1,
  ...quick1,
  { tag: 'KE', data: new Uint8Array(32).fill(7) },
  { tag: 'ID', id: { type: 2, protocol: 17, port: 500, data: unhex('67 77') } },
  { tag: 'ID', id: { type: 8, protocol: 0, port: 0, data: new Uint8Array(32) } },
  { tag: 'CERT', encoding: 4, data: unhex('30 00') },
  { tag: 'CR', encoding: 4, data: unhex('') },
  { tag: 'SIG', data: new Uint8Array(32) },
  { tag: 'N', protocol: 1, spi: new Uint8Array(16), kind: NOTIFY.R_U_THERE, data: unhex('00 00 00 01') },
  { tag: 'D', protocol: PROTOCOL.ESP, spis: [unhex('c0 ff ee 01'), unhex('c0 ff ee 02')] },
  { tag: 'D', protocol: PROTOCOL.ISAKMP, spis: [new Uint8Array(16)] },
  { tag: 'NATD', draft: false, data: new Uint8Array(20) },
  { tag: 'NATOA', draft: true, address: unhex('0a 00 00 01') },
  { tag: 'NATOA', draft: false, address: new Uint8Array(16) },
  { tag: 'FRAG', id: 1, number: 2, last: true, data: unhex('aa') },
  { tag: 'unknown', id: 200, data: unhex('aa bb') },
];

const whole = encodeMessage(fields, everything);
const chain = whole.subarray(28);
const sealed = encodeEncrypted(fields, PAYLOAD.HASH, chain);

/** Undefined when refused; anything but a WireError passes through and fails the test. */
function accepted(datagram: Uint8Array): readonly Payload[] | undefined {
  return unlessRefused(() => parseMessage(datagram).chain?.payloads ?? []);
}

function decrypted(first: number, bytes: Uint8Array): readonly Payload[] | undefined {
  return unlessRefused(() => parseChain(first, bytes, PADDED).payloads);
}

function unlessRefused(parse: () => readonly Payload[]): readonly Payload[] | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

/** What was let in can be encoded, and comes back the same. */
function assertStable(list: readonly Payload[] | undefined): void {
  if (!list) return;
  const { first, bytes } = encodeChain(list);
  assert.deepEqual(parseChain(first, bytes, CLEAR).payloads, list);
}

/** As a message, and its body as if it had been decrypted. */
function assertDecent(datagram: Uint8Array): void {
  assertStable(accepted(datagram));
  assertStable(decrypted(datagram[16] as number, datagram.subarray(28)));
}

/** The header's length made right again, so that the mutation reaches the payloads. */
function mended(datagram: Uint8Array): Uint8Array {
  const copy = datagram.slice();
  if (copy.length >= 28) new DataView(copy.buffer).setUint32(24, copy.length);
  return copy;
}

test('the message that is to be mutated is accepted', () => {
  assert.deepEqual(accepted(whole), everything);
  assert.deepEqual(accepted(sealed), []);
  assert.deepEqual(decrypted(PAYLOAD.SA, chain), everything);
});

test('a message cut anywhere is refused, and an encrypted one unless its header is mended', () => {
  for (let length = 0; length < whole.length; length++) {
    assert.equal(accepted(whole.subarray(0, length)), undefined);
    assert.equal(accepted(mended(whole.subarray(0, length))), undefined);
    assert.equal(accepted(sealed.subarray(0, length)), undefined);
    assert.deepEqual(accepted(mended(sealed.subarray(0, length))), length < 28 ? undefined : []);
  }
});

test('a chain cut anywhere is refused, padded or not', () => {
  for (let length = 0; length < chain.length; length++) {
    for (const form of [CLEAR, PADDED]) {
      const parse = () => parseChain(PAYLOAD.SA, chain.subarray(0, length), form).payloads;
      assert.equal(unlessRefused(parse), undefined);
    }
  }
});

test('a message with any one bit flipped is refused or makes sense', () => {
  for (let bit = 0; bit < 8 * whole.length; bit++) {
    const flipped = whole.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (0x80 >> (bit & 7));
    assertDecent(flipped);
  }
});

test('a message with any two bytes at an extreme is refused or makes sense', () => {
  for (let at = 0; at < whole.length - 1; at++) {
    for (const [high, low] of [
      [0, 0],
      [0, 1],
      [0, 3],
      [0, 4],
      [0xff, 0xff],
      [0x7f, 0xff],
      [0x80, 0],
      [whole[at], 0xff],
    ] as const) {
      const changed = whole.slice();
      changed[at] = high as number;
      changed[at + 1] = low;
      assertDecent(changed);
    }
  }
});

test('a message with bytes taken out or put in is refused or makes sense', () => {
  for (let at = 28; at <= whole.length; at++) {
    for (const count of [1, 2, 4, 8]) {
      assertDecent(mended(concat(whole.subarray(0, at), whole.subarray(at + count))));
      assertDecent(mended(concat(whole.subarray(0, at), new Uint8Array(count).fill(0xff), whole.subarray(at))));
    }
  }
});

test('two messages spliced anywhere are refused or make sense', () => {
  fc.assert(
    fc.property(payloads, payloads, fc.nat(), fc.nat(), (a, b, i, j) => {
      const head = encodeMessage(fields, a);
      const tail = encodeMessage(fields, b);
      const spliced = concat(head.subarray(0, i % (head.length + 1)), tail.subarray(j % (tail.length + 1)));
      assertStable(accepted(mended(spliced)));
    }),
    { numRuns: 500 },
  );
});

test('a body read as every other payload type is refused or makes sense', () => {
  for (const payload of everything) {
    const { bytes } = encodeChain([payload]);
    for (let type = 0; type < 256; type++) assertDecent(withChain(fields, type, bytes));
  }
});

test('an IKEv2 message is refused for its version, and its payloads mean nothing here', () => {
  const header = { spiI: fields.spiI, spiR: fields.spiR, exchange: 34, initiator: true, response: false, messageId: 0 };
  const datagram = encodeIkev2(header, [
    { tag: 'Nonce', data: new Uint8Array(32) },
    { tag: 'KE', group: 31, data: new Uint8Array(32) },
  ]);
  assert.equal(accepted(datagram), undefined);
  datagram[17] = 0x10;
  assert.deepEqual(
    accepted(datagram)?.map(({ tag }) => tag),
    ['unknown', 'unknown'],
  );
});

test('payloads that name each other in a circle end with the bytes', () => {
  const circle = unhex('0d 00 00 04'.repeat(30));
  assert.equal(decrypted(PAYLOAD.VID, circle), undefined);
  assert.equal(accepted(withChain(fields, PAYLOAD.VID, circle)), undefined);
});

test('noise behind a good header is refused or makes sense', () => {
  fc.assert(
    fc.property(headerFields, octet, octets(0, 120), (header, next, noise) => {
      assertDecent(withChain(header, next, noise));
    }),
    { numRuns: 1000 },
  );
});

test('a good payload with noise in it is refused or makes sense', () => {
  fc.assert(
    fc.property(payloads, fc.array(fc.tuple(fc.nat(), octet), { maxLength: 4 }), (list, changes) => {
      const message = encodeMessage(fields, list);
      for (const [at, value] of changes) message[16 + (at % (message.length - 16))] = value;
      assertDecent(mended(message));
    }),
    { numRuns: 1000 },
  );
});

test('a message inside a payload is data and nothing else', () => {
  const { first, bytes } = encodeChain([{ tag: 'VID', data: MAIN_MODE_1 }]);
  assert.deepEqual(decrypted(first, bytes), [{ tag: 'VID', data: MAIN_MODE_1 }]);
});

const transforms = (count: number, attributes: number) =>
  Array.from({ length: count }, (_, i) => ({
    number: i & 0xff,
    id: 1,
    attributes: Array.from({ length: attributes }, () => short(1, 7)),
  }));

test('the most work that the limits leave to a sender is little, and beyond them there is less', () => {
  const sa = (proposals: number, each: number, attributes: number) =>
    encodeChain([
      {
        tag: 'SA',
        proposals: Array.from({ length: proposals }, () => ({
          number: 1,
          protocol: PROTOCOL.ESP,
          spi: unhex('c0 ff ee 01'),
          transforms: transforms(each, attributes),
        })),
      },
    ]);
  const worst = [sa(64, 4, 32), sa(2, 128, 32), sa(64, 16, 8), sa(2, 255, 30), sa(1, 3, 5000)];
  worst.push({ first: PAYLOAD.VID, bytes: unhex('0d 00 00 04'.repeat(16_000)) });
  assert.deepEqual(
    worst.map(({ first, bytes }) => decrypted(first, bytes)?.length),
    [1, 1, undefined, undefined, undefined, undefined],
  );
  for (const { first, bytes } of worst) {
    const took = Array.from({ length: 5 }, () => {
      const start = performance.now();
      decrypted(first, bytes);
      return performance.now() - start;
    });
    assert.ok(Math.min(...took) < 50, `${Math.min(...took)} ms`);
  }
});

test('what is decoded borrows the datagram and never copies it', () => {
  const { body, chain: parsed } = parseMessage(whole);
  assert.equal(body.buffer, whole.buffer);
  for (const raw of parsed?.raw ?? []) assert.equal(raw.buffer, whole.buffer);
  for (const payload of parsed?.payloads ?? []) {
    if ('data' in payload) assert.equal(payload.data.buffer, whole.buffer);
  }
});
