// The smaller payloads: sizes and values that RFC 2407 §4.6.2, RFC 2408 §3, RFC 2409 §5 and RFC 3947 demand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex, unhex, utf8 } from '../../../../src/bytes/bytes.ts';
import { ID, PAYLOAD } from '../../../../src/ike/v1/wire/constants.ts';
import { encodeChain, parseChain } from '../../../../src/ike/v1/wire/message.ts';
import type { Payload } from '../../../../src/ike/v1/wire/payload.ts';
import { refused } from '../../../support/wire.ts';
import { alone } from '../../../support/wire1.ts';

/** Offsets in errors count the generic header's four bytes. */
function decode(type: number, body: string | Uint8Array): Payload {
  const bytes = typeof body === 'string' ? unhex(body) : body;
  const [payload] = parseChain(type, alone(bytes), { padded: false }).payloads;
  assert.ok(payload);
  return payload;
}

function encode(payload: Payload): { type: number; body: string } {
  const { first, bytes } = encodeChain([payload]);
  return { type: first, body: hex(bytes.subarray(4)) };
}

test('a key exchange has a value', () => {
  assert.deepEqual(decode(PAYLOAD.KE, 'aa'), { tag: 'KE', data: unhex('aa') });
  assert.equal(decode(PAYLOAD.KE, new Uint8Array(1024)).tag, 'KE');
  assert.throws(() => decode(PAYLOAD.KE, ''), refused('bad-length', 4));
});

test('a nonce has 8 to 256 bytes', () => {
  for (const size of [0, 1, 7, 257, 1000]) {
    assert.throws(() => decode(PAYLOAD.NONCE, new Uint8Array(size)), refused('bad-length', 4));
  }
  for (const size of [8, 20, 256]) {
    assert.deepEqual(decode(PAYLOAD.NONCE, new Uint8Array(size)), { tag: 'NONCE', data: new Uint8Array(size) });
  }
});

test('a hash, a signature and a vendor id may have any size, and be empty', () => {
  for (const tag of ['HASH', 'SIG', 'VID'] as const) {
    for (const size of [0, 1, 20, 1000]) {
      assert.deepEqual(decode(PAYLOAD[tag], new Uint8Array(size)), { tag, data: new Uint8Array(size) });
    }
  }
});

test('certificates and requests for them begin with their encoding', () => {
  for (const tag of ['CERT', 'CR'] as const) {
    assert.deepEqual(decode(PAYLOAD[tag], '04 30 00'), { tag, encoding: 4, data: unhex('30 00') });
    assert.deepEqual(decode(PAYLOAD[tag], '04'), { tag, encoding: 4, data: unhex('') });
    assert.throws(() => decode(PAYLOAD[tag], ''), refused('truncated', 4));
    assert.deepEqual(encode({ tag, encoding: 4, data: unhex('30 00') }), { type: PAYLOAD[tag], body: '043000' });
  }
});

test('an identity is read and written as the figure lays it out', () => {
  const id = { type: ID.IPV4_ADDR, protocol: 17, port: 500, data: unhex('c0 00 02 01') };
  assert.deepEqual(decode(PAYLOAD.ID, '01 11 01 f4 c0 00 02 01'), { tag: 'ID', id });
  assert.deepEqual(encode({ tag: 'ID', id }), { type: PAYLOAD.ID, body: '011101f4c0000201' });
});

test('an identity of addresses has the size of its type', () => {
  for (const [type, right] of [
    [ID.IPV4_ADDR, 4],
    [ID.IPV4_ADDR_SUBNET, 8],
    [ID.IPV6_ADDR, 16],
    [ID.IPV6_ADDR_SUBNET, 32],
    [ID.IPV4_ADDR_RANGE, 8],
    [ID.IPV6_ADDR_RANGE, 32],
  ] as const) {
    for (let size = 0; size <= 40; size++) {
      const body = concat(Uint8Array.of(type, 0, 0, 0), new Uint8Array(size));
      if (size === right) assert.equal(decode(PAYLOAD.ID, body).tag, 'ID');
      else assert.throws(() => decode(PAYLOAD.ID, body), refused('bad-length', 8));
    }
  }
});

test('any other identity is kept byte for byte, however odd, but not when there is none', () => {
  const odd = ['=', 'a=b,c\0d', '%any', '__proto__', 'constructor', '$(reboot)\n\u001b[2J', 'x'.repeat(60_000)];
  for (const type of [0, ID.FQDN, ID.USER_FQDN, ID.DER_ASN1_DN, ID.DER_ASN1_GN, ID.KEY_ID, 12, 255]) {
    for (const text of odd) {
      const data = utf8(text);
      const payload = decode(PAYLOAD.ID, concat(Uint8Array.of(type, 17, 1, 0xf4), data));
      assert.deepEqual(payload, { tag: 'ID', id: { type, protocol: 17, port: 500, data } });
    }
    assert.throws(() => decode(PAYLOAD.ID, Uint8Array.of(type, 0, 0, 0)), refused('bad-length', 8));
  }
});

test('a NAT discovery hash is told from that of the drafts, and written so', () => {
  for (const [type, draft] of [
    [20, false],
    [130, true],
  ] as const) {
    const payload = { tag: 'NATD', draft, data: unhex('aa bb') } as const;
    assert.deepEqual(decode(type, 'aa bb'), payload);
    assert.deepEqual(encode(payload), { type, body: 'aabb' });
  }
});

test('an original address is told from that of the drafts, and written so', () => {
  const v6 = 'fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01';
  for (const [type, draft] of [
    [21, false],
    [131, true],
  ] as const) {
    for (const [kind, address] of [
      ['01', '0a 00 00 01'],
      ['05', v6],
    ] as const) {
      const payload = { tag: 'NATOA', draft, address: unhex(address) } as const;
      assert.deepEqual(decode(type, `${kind} 00 00 00 ${address}`), payload);
      assert.deepEqual(decode(type, `${kind} ff ff ff ${address}`), payload);
      assert.deepEqual(encode(payload), { type, body: hex(unhex(`${kind} 00 00 00 ${address}`)) });
    }
  }
});

test('an original address is one address of a type that says its size', () => {
  for (const type of [PAYLOAD.NATOA, PAYLOAD.NATOA_DRAFT]) {
    for (const kind of [0, 2, 4, 6, 7, 8, 11, 255]) {
      const body = concat(Uint8Array.of(kind, 0, 0, 0), new Uint8Array(4));
      assert.throws(() => decode(type, body), refused('bad-value', 4));
    }
    for (let size = 0; size <= 20; size++) {
      for (const [kind, right] of [
        [ID.IPV4_ADDR, 4],
        [ID.IPV6_ADDR, 16],
      ] as const) {
        if (size === right) continue;
        const body = concat(Uint8Array.of(kind, 0, 0, 0), new Uint8Array(size));
        assert.throws(() => decode(type, body), refused('bad-length', 8));
      }
    }
  }
});

test('a fragment is read and written as Cisco lays it out', () => {
  for (const [flags, last] of [
    ['00', false],
    ['01', true],
  ] as const) {
    const payload = { tag: 'FRAG', id: 0x0102, number: 3, last, data: unhex('aa bb') } as const;
    assert.deepEqual(decode(PAYLOAD.FRAG, `01 02 03 ${flags} aa bb`), payload);
    assert.deepEqual(encode(payload), { type: 132, body: `010203${flags}aabb` });
  }
});

test('of a fragment’s flags only the last bit is looked at', () => {
  for (let flags = 0; flags < 256; flags++) {
    const payload = decode(PAYLOAD.FRAG, Uint8Array.of(0, 1, 1, flags, 0xaa));
    assert.equal(payload.tag === 'FRAG' && payload.last, (flags & 1) === 1);
  }
});

test('a fragment without data is refused', () => {
  assert.throws(() => decode(PAYLOAD.FRAG, '00 01 01 01'), refused('truncated', 8));
});

test('payloads without their fixed part are refused', () => {
  const types = ['ID', 'N', 'D', 'NATOA', 'NATOA_DRAFT', 'FRAG', 'SA'] as const;
  for (const type of types) {
    for (const body of ['', '01', '01 00', '01 00 00']) {
      assert.throws(() => decode(PAYLOAD[type], body), refused('truncated'));
    }
  }
});
