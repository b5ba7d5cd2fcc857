// Headers and chains, with a first message of main mode as routers send it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex, unhex } from '../../../../src/bytes/bytes.ts';
import { EXCHANGE, PAYLOAD } from '../../../../src/ike/v1/wire/constants.ts';
import {
  decodeHeader,
  encodeChain,
  encodeEncrypted,
  encodeMessage,
  type HeaderFields,
  MAX_PAYLOADS,
  parseChain,
  parseMessage,
} from '../../../../src/ike/v1/wire/message.ts';
import { refused } from '../../../support/wire.ts';
import { withChain } from '../../../support/wire1.ts';
import { MAIN_MODE_1, main1, main1Fields, QUICK_MODE_1, quick1 } from './fixtures.ts';

const fields: HeaderFields = {
  spiI: unhex('c0 c1 c2 c3 c4 c5 c6 c7'),
  spiR: unhex('d0 d1 d2 d3 d4 d5 d6 d7'),
  exchange: EXCHANGE.QUICK_MODE,
  messageId: 0x01020304,
};

const CLEAR = { padded: false };
const PADDED = { padded: true };

test('the first message of main mode is read', () => {
  const { header, chain, body } = parseMessage(MAIN_MODE_1);
  assert.deepEqual(header, { ...main1Fields, nextPayload: PAYLOAD.SA, encrypted: false, commit: false });
  assert.deepEqual(chain?.payloads, main1);
  assert.deepEqual(body, MAIN_MODE_1.subarray(28));
});

test('the first message of main mode is written', () => {
  assert.equal(hex(encodeMessage(main1Fields, main1)), hex(MAIN_MODE_1));
});

test('the bytes of each payload stand beside it, header and all: the hashes are over those', () => {
  const { chain } = parseMessage(MAIN_MODE_1);
  assert.deepEqual(
    chain?.raw.map(({ length }) => length),
    [96, 20, 20, 20, 20, 24],
  );
  assert.deepEqual(chain?.raw[0], MAIN_MODE_1.subarray(28, 28 + 96));
  assert.deepEqual(concat(...(chain?.raw ?? [])), MAIN_MODE_1.subarray(28));
  for (const piece of chain?.raw ?? []) assert.equal(piece.buffer, MAIN_MODE_1.buffer);
});

test('the first message of quick mode is read once it is decrypted, whatever the padding', () => {
  for (const padding of ['', '00', '00 00 00 03', 'ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff 0f']) {
    const { payloads, raw } = parseChain(PAYLOAD.HASH, concat(QUICK_MODE_1, unhex(padding)), PADDED);
    assert.deepEqual(payloads, quick1);
    assert.deepEqual(concat(...raw), QUICK_MODE_1);
  }
  assert.throws(() => parseChain(PAYLOAD.HASH, concat(QUICK_MODE_1, unhex('00')), CLEAR), refused('trailing', 132));
});

test('the first message of quick mode is written', () => {
  const { first, bytes } = encodeChain(quick1);
  assert.equal(first, PAYLOAD.HASH);
  assert.equal(hex(bytes), hex(QUICK_MODE_1));
});

test('an encrypted message keeps its ciphertext, and says what will be its first payload', () => {
  const ciphertext = new Uint8Array(48).fill(0xa5);
  const datagram = encodeEncrypted(fields, PAYLOAD.HASH, ciphertext);
  const start = 'c0c1c2c3c4c5c6c7 d0d1d2d3d4d5d6d7 08 10 20 01 01020304 0000004c';
  assert.equal(hex(datagram), hex(concat(unhex(start), ciphertext)));
  const { header, chain, body } = parseMessage(datagram);
  assert.deepEqual(header, { ...fields, nextPayload: PAYLOAD.HASH, encrypted: true, commit: false });
  assert.equal(chain, undefined);
  assert.deepEqual(body, ciphertext);
  assert.equal(body.buffer, datagram.buffer);
});

test('a datagram shorter than a header is refused, whatever its version', () => {
  for (const version of [0x10, 0x20]) {
    const datagram = MAIN_MODE_1.slice();
    datagram[17] = version;
    for (let length = 0; length < 28; length++) {
      assert.throws(() => decodeHeader(datagram.subarray(0, length)), refused('truncated', length));
      assert.throws(() => parseMessage(datagram.subarray(0, length)), refused('truncated', length));
    }
  }
});

test('a header length other than that of the datagram is refused', () => {
  const right = MAIN_MODE_1.length;
  for (const length of [0, 27, 28, right - 1, right + 1, right + 0x10000, 0x7fffffff, 0xffffffff]) {
    const datagram = MAIN_MODE_1.slice();
    new DataView(datagram.buffer).setUint32(24, length);
    assert.throws(() => parseMessage(datagram), refused('bad-length', 24));
  }
});

test('another major version is refused, another minor version is not', () => {
  for (const version of [0x00, 0x01, 0x20, 0x30, 0x90, 0xf0]) {
    const datagram = MAIN_MODE_1.slice();
    datagram[17] = version;
    assert.throws(() => decodeHeader(datagram), refused('bad-version', 17));
    assert.throws(() => parseMessage(datagram), refused('bad-version', 17));
  }
  const datagram = MAIN_MODE_1.slice();
  datagram[17] = 0x1f;
  assert.deepEqual(parseMessage(datagram).chain?.payloads, main1);
});

test('of the flags two are looked at', () => {
  for (let flags = 0; flags < 256; flags++) {
    const datagram = MAIN_MODE_1.slice();
    datagram[19] = flags;
    const { header, chain } = parseMessage(datagram);
    assert.equal(header.encrypted, (flags & 1) !== 0);
    assert.equal(header.commit, (flags & 2) !== 0);
    assert.equal(chain === undefined, header.encrypted);
  }
});

test('a fragment is in the clear, whatever its header says', () => {
  const datagram = withChain(fields, PAYLOAD.FRAG, unhex('00 00 00 09 00 01 02 01 aa'));
  for (const flags of [0x00, 0x01]) {
    datagram[19] = flags;
    const { header, chain } = parseMessage(datagram);
    assert.equal(header.encrypted, false);
    assert.deepEqual(chain?.payloads, [{ tag: 'FRAG', id: 1, number: 2, last: true, data: unhex('aa') }]);
  }
});

test('a header alone is a message without payloads', () => {
  const datagram = encodeMessage(fields, []);
  assert.equal(datagram.length, 28);
  assert.deepEqual(parseMessage(datagram).chain, { payloads: [], raw: [] });
});

function around(nextPayload: number, chain: Uint8Array): Uint8Array {
  return withChain(fields, nextPayload, chain);
}

test('a payload shorter than its own header, or longer than the rest, is refused for every type', () => {
  for (let type = 1; type < 256; type++) {
    if (type === PAYLOAD.P || type === PAYLOAD.T) continue;
    for (const length of [0, 1, 2, 3]) {
      const chain = unhex(`00 00 00 0${length} 00 00 00 00`);
      assert.throws(() => parseMessage(around(type, chain)), refused('bad-length', 30));
      assert.throws(() => parseChain(type, chain, PADDED), refused('bad-length', 2));
    }
    for (const length of ['00 09', 'ff ff']) {
      const chain = unhex(`00 00 ${length} 00 00 00 00`);
      assert.throws(() => parseMessage(around(type, chain)), refused('truncated', 32));
      assert.throws(() => parseChain(type, chain, PADDED), refused('truncated', 4));
    }
  }
});

test('the reserved byte of a generic header is ignored', () => {
  const { payloads } = parseChain(PAYLOAD.VID, unhex('00 ff 00 05 aa'), CLEAR);
  assert.deepEqual(payloads, [{ tag: 'VID', data: unhex('aa') }]);
});

test('bytes behind the last payload are refused, unless they are padding', () => {
  assert.throws(() => parseMessage(around(0, unhex('00'))), refused('trailing', 28));
  assert.throws(() => parseMessage(around(PAYLOAD.VID, unhex('00 00 00 04 00'))), refused('trailing', 32));
  assert.throws(() => parseChain(0, unhex('00'), CLEAR), refused('trailing', 0));
  assert.throws(() => parseChain(PAYLOAD.VID, unhex('00 00 00 05 aa bb'), CLEAR), refused('trailing', 5));
  assert.deepEqual(parseChain(0, unhex('00'), PADDED), { payloads: [], raw: [] });
  assert.deepEqual(parseChain(PAYLOAD.VID, unhex('00 00 00 05 aa bb'), PADDED), {
    payloads: [{ tag: 'VID', data: unhex('aa') }],
    raw: [unhex('00 00 00 05 aa')],
  });
});

test('a chain that ends before its last payload is refused', () => {
  assert.throws(() => parseMessage(around(PAYLOAD.VID, unhex('0d 00 00 04'))), refused('truncated', 32));
  assert.throws(() => parseChain(PAYLOAD.VID, unhex(''), CLEAR), refused('truncated', 0));
  assert.throws(() => parseChain(PAYLOAD.VID, unhex('0d 00 00 04 0d 00'), PADDED), refused('truncated', 6));
});

test('proposals and transforms outside an SA payload are refused', () => {
  for (const type of [PAYLOAD.P, PAYLOAD.T]) {
    assert.throws(() => parseChain(type, unhex('00 00 00 08 01 01 00 00'), PADDED), refused('unexpected', 0));
    const behind = Uint8Array.of(type, 0, 0, 4, 0, 0, 0, 8, 1, 1, 0, 0);
    assert.throws(() => parseChain(PAYLOAD.VID, behind, CLEAR), refused('unexpected', 4));
    assert.throws(() => parseMessage(around(PAYLOAD.VID, behind)), refused('unexpected', 32));
  }
});

test('payload types that we do not know are kept, those of IKEv2 among them', () => {
  const known = new Set<number>(Object.values(PAYLOAD));
  for (let type = 1; type < 256; type++) {
    if (known.has(type) && type !== PAYLOAD.ATTR) continue;
    const { payloads } = parseChain(type, unhex('00 00 00 06 aa bb'), CLEAR);
    assert.deepEqual(payloads, [{ tag: 'unknown', id: type, data: unhex('aa bb') }]);
  }
});

/** `count` empty vendor ids. */
function vendorIds(count: number): Uint8Array {
  const chain = new Uint8Array(4 * count);
  for (let i = 0; i < count; i++) chain.set([i < count - 1 ? PAYLOAD.VID : 0, 0, 0, 4], 4 * i);
  return chain;
}

test('a chain has at most 64 payloads', () => {
  assert.equal(MAX_PAYLOADS, 64);
  assert.equal(parseChain(PAYLOAD.VID, vendorIds(64), CLEAR).payloads.length, 64);
  assert.equal(parseMessage(around(PAYLOAD.VID, vendorIds(64))).chain?.payloads.length, 64);
  for (const count of [65, 100_000]) {
    for (const form of [CLEAR, PADDED]) {
      assert.throws(() => parseChain(PAYLOAD.VID, vendorIds(count), form), refused('too-many', 256));
    }
    assert.throws(() => parseMessage(around(PAYLOAD.VID, vendorIds(count))), refused('too-many', 28 + 256));
  }
});

test('an error names the place in the datagram, however deep it is', () => {
  // SA, proposal 1 with one transform whose next payload is 1.
  const chain = unhex('00 00 00 1c  00 00 00 01 00 00 00 01  00 00 00 10 01 01 00 01  01 00 00 08 01 01 00 00');
  assert.throws(() => parseMessage(around(PAYLOAD.SA, chain)), refused('bad-value', 28 + 20));
});

test('a payload of our own that no length field can hold is our fault, not the peer’s', () => {
  const tooLong = { tag: 'VID', data: new Uint8Array(0x10000 - 4) } as const;
  assert.throws(() => encodeChain([tooLong]), /65536 bytes/);
  assert.throws(() => encodeMessage(fields, [tooLong]), /65536 bytes/);
  assert.equal(encodeChain([{ tag: 'VID', data: new Uint8Array(0xffff - 4) }]).bytes.length, 0xffff);
});
