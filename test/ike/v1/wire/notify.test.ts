// Notifications and deletes (RFC 2408 §3.14, §3.15).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex, unhex } from '../../../../src/bytes/bytes.ts';
import { NOTIFY, PAYLOAD, PROTOCOL } from '../../../../src/ike/v1/wire/constants.ts';
import { encodeChain, parseChain } from '../../../../src/ike/v1/wire/message.ts';
import type { Payload } from '../../../../src/ike/v1/wire/payload.ts';
import { refused } from '../../../support/wire.ts';
import { alone } from '../../../support/wire1.ts';

const DOI = '00 00 00 01';
const COOKIES = '11 12 13 14 15 16 17 18 21 22 23 24 25 26 27 28';

/** Offsets in errors count the generic header's four bytes. */
function decode(type: number, body: string | Uint8Array): Payload {
  const bytes = typeof body === 'string' ? unhex(body) : body;
  const [payload] = parseChain(type, alone(bytes), { padded: false }).payloads;
  assert.ok(payload);
  return payload;
}

function encode(payload: Payload): string {
  return hex(encodeChain([payload]).bytes.subarray(4));
}

test('a notification carries an SPI of the size it says, and the rest is data', () => {
  const body = `${DOI} 01 10 8d 28 ${COOKIES} 00 00 00 07`;
  const payload = {
    tag: 'N',
    protocol: PROTOCOL.ISAKMP,
    spi: unhex(COOKIES),
    kind: NOTIFY.R_U_THERE,
    data: unhex('00 00 00 07'),
  } as const;
  assert.deepEqual(decode(PAYLOAD.N, body), payload);
  assert.equal(encode(payload), hex(unhex(body)));
  for (const cut of ['', '03', '03 04 00', '03 04 00 0e', '03 04 00 0e c0 ff ee', '03 ff 00 0e c0 ff ee 01']) {
    assert.throws(() => decode(PAYLOAD.N, `${DOI} ${cut}`), refused('truncated'));
  }
});

test('a notification with any protocol and any SPI size that fits can be read, and written again', () => {
  for (const protocol of [0, 1, 4, 255]) {
    for (const size of [0, 3, 4, 8, 16, 255]) {
      const body = concat(unhex(DOI), Uint8Array.of(protocol, size, 0, 14), new Uint8Array(size).fill(0xee));
      assert.equal(encode(decode(PAYLOAD.N, body)), hex(body));
    }
  }
});

test('the DOI of ISAKMP is taken for that of IPsec, which is what we write, and any other refused', () => {
  for (const [type, rest] of [
    [PAYLOAD.N, '01 00 00 0e'],
    [PAYLOAD.D, '03 04 00 01 c0 ff ee 01'],
  ] as const) {
    for (const doi of ['00 00 00 00', '00 00 00 01']) {
      assert.equal(encode(decode(type, `${doi} ${rest}`)), hex(unhex(`${DOI} ${rest}`)));
    }
    for (const doi of ['00 00 00 02', '01 00 00 01', 'ff ff ff ff']) {
      assert.throws(() => decode(type, `${doi} ${rest}`), refused('bad-value', 4));
    }
  }
});

test('a delete for the ISAKMP SA names it by its cookies', () => {
  const body = `${DOI} 01 10 00 01 ${COOKIES}`;
  const payload = { tag: 'D', protocol: PROTOCOL.ISAKMP, spis: [unhex(COOKIES)] } as const;
  assert.deepEqual(decode(PAYLOAD.D, body), payload);
  assert.equal(encode(payload), hex(unhex(body)));
  for (const size of [0, 4, 8, 15, 17, 255]) {
    const wrong = concat(unhex(DOI), Uint8Array.of(1, size, 0, 1), new Uint8Array(size));
    assert.throws(() => decode(PAYLOAD.D, wrong), refused('bad-length', 9));
  }
});

test('a delete for AH or ESP has as many SPIs of four bytes as it counts', () => {
  for (const protocol of ['02', '03']) {
    const body = `${DOI} ${protocol} 04 00 02 00 00 01 00 c0 ff ee 01`;
    const spis = [unhex('00 00 01 00'), unhex('c0 ff ee 01')];
    const payload = { tag: 'D', protocol: Number(protocol), spis } as const;
    assert.deepEqual(decode(PAYLOAD.D, body), payload);
    assert.equal(encode(payload), hex(unhex(body)));
    for (const size of ['00', '03', '08', '10', 'ff']) {
      assert.throws(() => decode(PAYLOAD.D, `${DOI} ${protocol} ${size} 00 01 00 00 01 00`), refused('bad-length', 9));
    }
    for (const count of ['00 02', '00 03', '40 01', 'ff ff']) {
      assert.throws(() => decode(PAYLOAD.D, `${DOI} ${protocol} 04 ${count} 00 00 01 00`), refused('bad-length', 10));
    }
    for (const rest of ['', '00', '00 00 01', '00 00 01 00 00', '00 00 01 00 00 00 01 01']) {
      assert.throws(() => decode(PAYLOAD.D, `${DOI} ${protocol} 04 00 01 ${rest}`), refused('bad-length', 10));
    }
  }
});

test('a delete of nothing is refused', () => {
  assert.throws(() => decode(PAYLOAD.D, `${DOI} 01 10 00 00`), refused('bad-value', 10));
  assert.throws(() => decode(PAYLOAD.D, `${DOI} 03 04 00 00`), refused('bad-value', 10));
  assert.throws(() => decode(PAYLOAD.D, `${DOI} 03 04 00 00 c0 ff ee 01`), refused('bad-value', 10));
});

test('a delete for another protocol is refused, and of our own a mistake', () => {
  for (const protocol of ['00', '04', 'ff']) {
    assert.throws(() => decode(PAYLOAD.D, `${DOI} ${protocol} 04 00 01 00 00 01 00`), refused('bad-value', 8));
  }
  const spis = [unhex('00 00 01 00')];
  assert.throws(() => encode({ tag: 'D', protocol: PROTOCOL.IPCOMP, spis }), /protocol 4/);
});

test('a payload full of SPIs is read and written', () => {
  const spis = Array.from({ length: 16_380 }, (_, i) => Uint8Array.of(1, 0, i >> 8, i & 0xff));
  const { first, bytes } = encodeChain([{ tag: 'D', protocol: PROTOCOL.ESP, spis }]);
  assert.equal(bytes.length, 65_532);
  assert.deepEqual(parseChain(first, bytes, { padded: false }).payloads, [{ tag: 'D', protocol: 3, spis }]);
});
