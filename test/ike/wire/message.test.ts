// Headers, chains and the frame of the encrypted payload, with a whole message from RFC 7634.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, unhex } from '../../../src/bytes/bytes.ts';
import { EXCHANGE, NOTIFY, PAYLOAD } from '../../../src/ike/wire/constants.ts';
import {
  decodeHeader,
  encodeMessage,
  encodePayloads,
  encryptedPrefix,
  type HeaderFields,
  MAX_PAYLOADS,
  parseMessage,
  parsePayloads,
} from '../../../src/ike/wire/message.ts';
import { refused, withChain } from '../../support/wire.ts';

// RFC 7634 Appendix B: the packet, of which the first 32 bytes are the AAD, and its plaintext without padding.
const RFC7634 = unhex(`
  c0 c1 c2 c3 c4 c5 c6 c7  d0 d1 d2 d3 d4 d5 d6 d7
  2e 20 25 00 00 00 00 09  00 00 00 45 29 00 00 29
  10 11 12 13 14 15 16 17  61 03 94 70 1f 8d 01 7f
  7c 12 92 48 89 6b 71 bf  e2 52 36 ef d7 cd c6 70
  66 90 63 15 b2
`);
const RFC7634_INNER = unhex('00 00 00 0c 00 00 40 01 00 00 00 0a');

const fields: HeaderFields = {
  spiI: unhex('c0 c1 c2 c3 c4 c5 c6 c7'),
  spiR: unhex('d0 d1 d2 d3 d4 d5 d6 d7'),
  exchange: EXCHANGE.INFORMATIONAL,
  initiator: false,
  response: false,
  messageId: 9,
};

test('the message of RFC 7634 is read', () => {
  const { header, payloads, encrypted } = parseMessage(RFC7634);
  assert.deepEqual(header, { ...fields, nextPayload: PAYLOAD.SK, major: 2, minor: 0 });
  assert.deepEqual(payloads, []);
  assert.deepEqual(encrypted, { inner: PAYLOAD.N, aad: RFC7634.subarray(0, 32), body: RFC7634.subarray(32) });
});

test('the message of RFC 7634 is written', () => {
  const { first, bytes } = encodePayloads([
    {
      tag: 'N',
      protocol: 0,
      spi: unhex(''),
      kind: NOTIFY.SET_WINDOW_SIZE,
      data: unhex('00 00 00 0a'),
    },
  ]);
  assert.equal(hex(bytes), hex(RFC7634_INNER));
  assert.deepEqual(encryptedPrefix(fields, first, 37), RFC7634.subarray(0, 32));
});

test('what is inside the message of RFC 7634 is read', () => {
  assert.deepEqual(parsePayloads(PAYLOAD.N, RFC7634_INNER), [
    { tag: 'N', protocol: 0, spi: unhex(''), kind: 16385, data: unhex('00 00 00 0a') },
  ]);
});

test('a datagram shorter than a header is refused, whatever its length', () => {
  for (let length = 0; length < 28; length++) {
    assert.throws(() => decodeHeader(RFC7634.subarray(0, length)), refused('truncated', length));
    assert.throws(() => parseMessage(RFC7634.subarray(0, length)), refused('truncated', length));
  }
});

test('a header length other than that of the datagram is refused', () => {
  for (const length of [0, 27, 28, RFC7634.length - 1, RFC7634.length + 1, 0x7fffffff, 0xffffffff]) {
    const datagram = RFC7634.slice();
    new DataView(datagram.buffer).setUint32(24, length);
    assert.throws(() => parseMessage(datagram), refused('bad-length', 24));
  }
});

test('a header alone is a message without payloads', () => {
  const datagram = encodeMessage(fields, []);
  assert.equal(datagram.length, 28);
  assert.deepEqual(parseMessage(datagram).payloads, []);
});

test('another major version is refused, but its header can be read for the answer', () => {
  for (const version of [0x00, 0x10, 0x30, 0xf0]) {
    const datagram = RFC7634.slice();
    datagram[17] = version;
    assert.throws(() => parseMessage(datagram), refused('bad-version', 17));
    assert.equal(decodeHeader(datagram).major, version >> 4);
    assert.deepEqual(decodeHeader(datagram).spiI, fields.spiI);
  }
});

test('the minor version, the version flag and reserved flags are ignored', () => {
  const datagram = RFC7634.slice();
  datagram[17] = 0x2f;
  datagram[19] = 0xd7;
  const { header } = parseMessage(datagram);
  assert.deepEqual([header.minor, header.initiator, header.response], [15, false, false]);
});

test('the flags tell who began the IKE SA and whether this is an answer', () => {
  for (const [initiator, response, flags] of [
    [true, false, 0x08],
    [false, true, 0x20],
    [true, true, 0x28],
  ] as const) {
    const datagram = encodeMessage({ ...fields, initiator, response }, []);
    assert.equal(datagram[19], flags);
    const { header } = parseMessage(datagram);
    assert.deepEqual([header.initiator, header.response], [initiator, response]);
  }
});

function around(nextPayload: number, chain: Uint8Array): Uint8Array {
  return withChain(fields, nextPayload, chain);
}

test('a payload shorter than its own header, or longer than the rest, is refused for every type', () => {
  for (let type = 1; type < 256; type++) {
    for (const length of [0, 1, 2, 3]) {
      const chain = unhex(`00 00 00 0${length} 00 00 00 00`);
      assert.throws(() => parseMessage(around(type, chain)), refused('bad-length', 30));
    }
    for (const length of ['00 09', 'ff ff']) {
      const chain = unhex(`00 00 ${length} 00 00 00 00`);
      assert.throws(() => parseMessage(around(type, chain)), refused('truncated', 32));
    }
  }
});

test('bytes behind the last payload are refused', () => {
  assert.throws(() => parseMessage(around(0, unhex('00'))), refused('trailing', 28));
  assert.throws(() => parseMessage(around(PAYLOAD.V, unhex('00 00 00 04 00'))), refused('trailing', 32));
  assert.throws(() => parsePayloads(0, unhex('00')), refused('trailing', 0));
  assert.throws(() => parsePayloads(PAYLOAD.V, unhex('00 00 00 05 aa bb')), refused('trailing', 5));
});

test('a chain that ends before its last payload is refused', () => {
  assert.throws(() => parseMessage(around(PAYLOAD.V, unhex('2b 00 00 04'))), refused('truncated', 32));
  assert.throws(() => parsePayloads(PAYLOAD.V, unhex('')), refused('truncated', 0));
});

test('nothing may follow the encrypted payload', () => {
  assert.throws(() => parseMessage(around(PAYLOAD.SK, unhex('2b 00 00 08 01 02 03 04 00'))), refused('trailing', 36));
  const fragment = unhex('2b 00 00 08 00 01 00 01 00 00 00 04');
  assert.throws(() => parseMessage(around(PAYLOAD.SKF, fragment)), refused('trailing', 36));
});

test('an encrypted payload inside an encrypted payload is refused', () => {
  for (const type of [PAYLOAD.SK, PAYLOAD.SKF]) {
    assert.throws(() => parsePayloads(type, unhex('00 00 00 08 00 01 00 01')), refused('unexpected', 0));
    const behind = Uint8Array.of(type, 0, 0, 4, 0, 0, 0, 8, 0, 1, 0, 1);
    assert.throws(() => parsePayloads(PAYLOAD.V, behind), refused('unexpected', 4));
  }
});

test('a fragment without a number, or numbered beyond the total, is refused', () => {
  for (const numbers of ['00 00 00 00', '00 00 00 01', '00 02 00 01', '00 01 00 00', 'ff ff ff fe']) {
    const chain = unhex(`2b 00 00 08 ${numbers}`);
    assert.throws(() => parseMessage(around(PAYLOAD.SKF, chain)), refused('bad-value', 32));
  }
  assert.throws(() => parseMessage(around(PAYLOAD.SKF, unhex('2b 00 00 07 00 01 00'))), refused('truncated'));
});

test('an unknown payload is kept with its critical bit, for the caller to answer', () => {
  const chain = unhex('c8 80 00 05 aa 00 00 00 04');
  assert.deepEqual(parsePayloads(199, chain), [
    { tag: 'unknown', id: 199, critical: true, data: unhex('aa') },
    { tag: 'unknown', id: 200, critical: false, data: unhex('') },
  ]);
});

test('the critical bit of a payload that we know, and reserved bits, are ignored', () => {
  assert.deepEqual(parsePayloads(PAYLOAD.V, unhex('00 ff 00 05 aa')), [{ tag: 'V', data: unhex('aa') }]);
});

test('payload types of IKEv1 mean nothing here', () => {
  for (let type = 1; type < 33; type++) {
    assert.equal(parsePayloads(type, unhex('00 00 00 04'))[0]?.tag, 'unknown');
  }
});

/** `count` empty vendor ids. */
function vendorIds(count: number): Uint8Array {
  const chain = new Uint8Array(4 * count);
  for (let i = 0; i < count; i++) chain.set([i < count - 1 ? PAYLOAD.V : 0, 0, 0, 4], 4 * i);
  return chain;
}

test('a chain has at most 64 payloads', () => {
  assert.equal(MAX_PAYLOADS, 64);
  assert.equal(parsePayloads(PAYLOAD.V, vendorIds(64)).length, 64);
  assert.equal(parseMessage(around(PAYLOAD.V, vendorIds(64))).payloads.length, 64);
  for (const count of [65, 100_000]) {
    assert.throws(() => parsePayloads(PAYLOAD.V, vendorIds(count)), refused('too-many', 256));
    assert.throws(() => parseMessage(around(PAYLOAD.V, vendorIds(count))), refused('too-many', 28 + 256));
  }
});

test('an error names the place in the datagram, however deep it is', () => {
  // SA, proposal 1 with one transform whose "Last Substruc" is 1.
  const chain = unhex('00 00 00 14  00 00 00 10 01 01 00 01  01 00 00 08 01 00 00 0c');
  assert.throws(() => parseMessage(around(PAYLOAD.SA, chain)), refused('bad-value', 28 + 12));
});

test('a payload of our own that no length field can hold is our fault, not the peer’s', () => {
  const tooLong = { tag: 'V', data: new Uint8Array(0x10000 - 4) } as const;
  assert.throws(() => encodePayloads([tooLong]), /65536 bytes/);
  assert.throws(() => encryptedPrefix(fields, 0, 0x10000 - 4), /65536 bytes/);
  assert.equal(encodePayloads([{ tag: 'V', data: new Uint8Array(0xffff - 4) }]).bytes.length, 0xffff);
});
