// The smaller payloads: sizes, counts and values that their sections of RFC 7296 demand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex, unhex } from '../../../src/bytes/bytes.ts';
import { ID, NOTIFY, PAYLOAD, PROTOCOL } from '../../../src/ike/wire/constants.ts';
import { encodePayloads, parsePayloads } from '../../../src/ike/wire/message.ts';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { refused } from '../../support/wire.ts';

/** Offsets in errors count the generic header's four bytes. */
function decode(type: number, body: string | Uint8Array): Payload {
  const bytes = typeof body === 'string' ? unhex(body) : body;
  const length = bytes.length + 4;
  const [payload] = parsePayloads(type, concat(Uint8Array.of(0, 0, length >> 8, length & 0xff), bytes));
  assert.ok(payload);
  return payload;
}

function encode(payload: Payload): string {
  return hex(encodePayloads([payload]).bytes.subarray(4));
}

const TS = [PAYLOAD.TSi, PAYLOAD.TSr];

test('selectors are read and written as the figures lay them out', () => {
  const text = `
    02 00 00 00
    07 06 00 10 00 50 00 51  0a 00 00 00 0a 00 00 ff
    08 00 00 28 00 00 ff ff  fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
                             fd 00 00 00 00 00 00 00 ff ff ff ff ff ff ff ff
  `;
  const selectors = [
    { protocol: 6, startPort: 80, endPort: 81, start: unhex('0a 00 00 00'), end: unhex('0a 00 00 ff') },
    {
      protocol: 0,
      startPort: 0,
      endPort: 65535,
      start: unhex('fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00'),
      end: unhex('fd 00 00 00 00 00 00 00 ff ff ff ff ff ff ff ff'),
    },
  ];
  assert.deepEqual(decode(PAYLOAD.TSi, text), { tag: 'TSi', selectors });
  assert.deepEqual(decode(PAYLOAD.TSr, text), { tag: 'TSr', selectors });
  assert.equal(encode({ tag: 'TSi', selectors }), hex(unhex(text)));
});

test('the count of selectors and the selectors that stand there must agree', () => {
  const one = '07 00 00 10 00 00 ff ff 0a 00 00 00 0a 00 00 ff';
  for (const type of TS) {
    assert.throws(() => decode(type, `00 00 00 00 ${one}`), refused('trailing', 8));
    assert.throws(() => decode(type, `02 00 00 00 ${one}`), refused('truncated'));
    assert.throws(() => decode(type, `ff 00 00 00 ${one}`), refused('truncated'));
    assert.deepEqual(decode(type, '00 00 00 00'), { tag: type === PAYLOAD.TSi ? 'TSi' : 'TSr', selectors: [] });
  }
});

test('a selector of a known type has exactly the length of that type', () => {
  for (const type of ['07', '08']) {
    const right = type === '07' ? 16 : 40;
    for (const length of [0, 3, 4, 8, 15, 16, 17, 39, 40, 41]) {
      const body = concat(unhex(`01 00 00 00 ${type} 00 00`), Uint8Array.of(length), new Uint8Array(37));
      if (length === right) continue;
      assert.throws(() => decode(PAYLOAD.TSi, body), refused('bad-length', 10));
    }
  }
});

test('a selector of an unknown type is left out', () => {
  // 9 is TS_FC_ADDR_RANGE (RFC 4595), 10 is TS_SECLABEL (RFC 9478).
  const text = `
    03 00 00 00
    09 00 00 18 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    07 11 00 10 00 00 ff ff 0a 00 00 00 0a 00 00 ff
    0a 00 00 07 61 62 63
  `;
  const payload = decode(PAYLOAD.TSi, text);
  assert.ok(payload.tag === 'TSi');
  assert.deepEqual(
    payload.selectors.map(({ protocol }) => protocol),
    [17],
  );
  assert.throws(() => decode(PAYLOAD.TSi, '01 00 00 00 09 00 00 03'), refused('bad-length', 10));
  assert.throws(() => decode(PAYLOAD.TSi, '01 00 00 00 09 00 00 05'), refused('truncated'));
});

test('a range that ends before it begins is refused, except the ports of OPAQUE', () => {
  const body = (ports: string, addresses: string) => `01 00 00 00 07 06 00 10 ${ports} ${addresses}`;
  const fine = '0a 00 00 00 0a 00 00 ff';
  for (const ports of ['00 51 00 50', 'ff ff ff fe', 'ff fe 00 00', '00 01 00 00']) {
    assert.throws(() => decode(PAYLOAD.TSi, body(ports, fine)), refused('bad-value', 12));
  }
  assert.throws(() => decode(PAYLOAD.TSi, body('00 00 ff ff', '0a 00 00 01 0a 00 00 00')), refused('bad-value', 16));
  const opaque = decode(PAYLOAD.TSi, body('ff ff 00 00', fine));
  assert.ok(opaque.tag === 'TSi');
  assert.deepEqual([opaque.selectors[0]?.startPort, opaque.selectors[0]?.endPort], [65535, 0]);
});

test('256 selectors are our own mistake', () => {
  const selector = { protocol: 0, startPort: 0, endPort: 65535, start: unhex('00000000'), end: unhex('ffffffff') };
  const selectors = Array.from({ length: 255 }, () => selector);
  const { first, bytes } = encodePayloads([{ tag: 'TSr', selectors }]);
  assert.deepEqual(parsePayloads(first, bytes), [{ tag: 'TSr', selectors }]);
  assert.throws(() => encodePayloads([{ tag: 'TSr', selectors: [...selectors, selector] }]), /256 selectors/);
});

test('a notify carries an SPI of the size it says, and the rest is data', () => {
  assert.deepEqual(decode(PAYLOAD.N, '03 04 40 09 c0 ff ee 01'), {
    tag: 'N',
    protocol: PROTOCOL.ESP,
    spi: unhex('c0 ff ee 01'),
    kind: NOTIFY.REKEY_SA,
    data: unhex(''),
  });
  for (const body of ['', '03', '03 04 40', '03 04 40 09', '03 04 40 09 c0 ff ee', '03 ff 40 09 c0 ff ee 01']) {
    assert.throws(() => decode(PAYLOAD.N, body), refused('truncated'));
  }
});

test('a notify with any protocol and any SPI size that fits can be read, and written again', () => {
  for (const protocol of [0, 1, 255]) {
    for (const size of [0, 3, 8, 255]) {
      const body = concat(Uint8Array.of(protocol, size, 0x40, 0x09), new Uint8Array(size).fill(0xee));
      assert.equal(encode(decode(PAYLOAD.N, body)), hex(body));
    }
  }
});

test('a delete for the IKE SA has no SPI, whatever it counts', () => {
  for (const count of ['00 00', '00 01', 'ff ff']) {
    assert.deepEqual(decode(PAYLOAD.D, `01 00 ${count}`), { tag: 'D', protocol: PROTOCOL.IKE, spis: [] });
  }
  assert.throws(() => decode(PAYLOAD.D, '01 08 00 01 00 00 00 00 00 00 00 00'), refused('bad-length', 5));
  assert.throws(() => decode(PAYLOAD.D, '01 00 00 00 00'), refused('trailing', 8));
  assert.equal(encode({ tag: 'D', protocol: PROTOCOL.IKE, spis: [] }), '01000000');
});

test('a delete for AH or ESP has as many SPIs of four bytes as it counts', () => {
  for (const protocol of ['02', '03']) {
    assert.deepEqual(decode(PAYLOAD.D, `${protocol} 04 00 02 00 00 01 00 c0 ff ee 01`), {
      tag: 'D',
      protocol: Number(protocol),
      spis: [unhex('00 00 01 00'), unhex('c0 ff ee 01')],
    });
    for (const size of ['00', '03', '08', 'ff']) {
      assert.throws(() => decode(PAYLOAD.D, `${protocol} ${size} 00 01 00 00 01 00`), refused('bad-length', 5));
    }
    for (const count of ['00 00', '00 02', 'ff ff']) {
      assert.throws(() => decode(PAYLOAD.D, `${protocol} 04 ${count} 00 00 01 00`), refused('bad-length', 6));
    }
  }
});

test('a delete for another protocol is refused', () => {
  for (const protocol of ['00', '04', 'ff']) {
    assert.throws(() => decode(PAYLOAD.D, `${protocol} 04 00 01 00 00 01 00`), refused('bad-value', 4));
  }
});

test('a nonce has 16 to 256 bytes', () => {
  for (const size of [0, 1, 15, 257, 1000]) {
    assert.throws(() => decode(PAYLOAD.Nonce, new Uint8Array(size)), refused('bad-length', 4));
  }
  for (const size of [16, 32, 256]) {
    assert.deepEqual(decode(PAYLOAD.Nonce, new Uint8Array(size)), { tag: 'Nonce', data: new Uint8Array(size) });
  }
});

test('a key exchange names its group and has a value', () => {
  assert.deepEqual(decode(PAYLOAD.KE, '00 1f ff ff aa'), { tag: 'KE', group: 31, data: unhex('aa') });
  for (const group of ['00 00', '04 00', '04 10', 'ff ff']) {
    assert.equal(decode(PAYLOAD.KE, `${group} 00 00 aa`).tag, 'KE');
  }
  assert.throws(() => decode(PAYLOAD.KE, '00 1f 00 00'), refused('bad-length', 8));
  assert.throws(() => decode(PAYLOAD.KE, '00 1f 00'), refused('truncated'));
});

test('an identity that is an address has the size of an address', () => {
  for (const [type, right] of [
    [ID.IPV4_ADDR, 4],
    [ID.IPV6_ADDR, 16],
  ] as const) {
    for (let size = 0; size <= 17; size++) {
      const body = concat(Uint8Array.of(type, 0, 0, 0), new Uint8Array(size));
      if (size === right) assert.equal(decode(PAYLOAD.IDi, body).tag, 'IDi');
      else assert.throws(() => decode(PAYLOAD.IDr, body), refused('bad-length', 8));
    }
  }
});

test('any other identity is kept byte for byte, however odd', () => {
  const odd = ['', '=', 'a=b,c\0d', '%any', '__proto__', 'constructor', '$(reboot)\n\u001b[2J', 'x'.repeat(60_000)];
  for (const text of odd) {
    const data = new TextEncoder().encode(text);
    for (const type of [0, ID.FQDN, ID.RFC822_ADDR, ID.DER_ASN1_DN, ID.KEY_ID, ID.NULL, 255]) {
      const payload = decode(PAYLOAD.IDi, concat(Uint8Array.of(type, 1, 2, 3), data));
      assert.deepEqual(payload, { tag: 'IDi', id: { type, data } });
    }
  }
});

test('payloads without their fixed part are refused', () => {
  for (const type of [PAYLOAD.IDi, PAYLOAD.IDr, PAYLOAD.AUTH, PAYLOAD.CP, PAYLOAD.TSi, PAYLOAD.D, PAYLOAD.EAP]) {
    for (const body of ['', '01', '01 00', '01 00 00']) {
      assert.throws(() => decode(type, body), refused('truncated'));
    }
  }
  assert.throws(() => decode(PAYLOAD.CERT, ''), refused('truncated'));
  assert.throws(() => decode(PAYLOAD.CERTREQ, ''), refused('truncated'));
});

test('configuration attributes are read to the end, without their reserved bit', () => {
  assert.deepEqual(decode(PAYLOAD.CP, '01 00 00 00  80 01 00 04 0a 00 00 01  00 03 00 00'), {
    tag: 'CP',
    kind: 1,
    attributes: [
      { type: 1, value: unhex('0a 00 00 01') },
      { type: 3, value: unhex('') },
    ],
  });
  for (const attribute of ['00', '00 01', '00 01 00', '00 01 00 01', '00 01 ff ff aa']) {
    assert.throws(() => decode(PAYLOAD.CP, `01 00 00 00 ${attribute}`), refused('truncated'));
  }
});

test('an EAP message has the length that it says', () => {
  assert.deepEqual(decode(PAYLOAD.EAP, '03 01 00 04'), { tag: 'EAP', data: unhex('03 01 00 04') });
  for (const length of ['00 00', '00 03', '00 05', 'ff ff']) {
    assert.throws(() => decode(PAYLOAD.EAP, `03 01 ${length}`), refused('bad-length', 6));
  }
});
