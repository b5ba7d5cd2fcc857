// Addresses as text and bytes (RFC 4291 §2.2, RFC 5952).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compare, hex, unhex } from '../../src/bytes/bytes.ts';
import {
  canonicalIp,
  formatIp,
  formatPrefix,
  formatSocketAddress,
  isV6,
  parseIp,
  parsePrefix,
  prefixRange,
  rangePrefix,
} from '../../src/bytes/ip.ts';

test('an address has one canonical text', () => {
  for (const [text, canonical] of [
    ['192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    // RFC 5952 §1 and §2
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:DB8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd::1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
    // §4.1, §4.2.1
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    // §4.2.2: a single group is not shortened
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    // §4.2.3: the longest run, and of equals the first
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['0:1:0:1:0:1:0:1', '0:1:0:1:0:1:0:1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
    ['fd00::192.0.2.1', 'fd00::c000:201'],
  ] as const) {
    assert.equal(canonicalIp(text), canonical, text);
  }
});

test('what is not an address is not taken for one', () => {
  for (const text of [
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.04',
    '1.2.3.-4',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '1.2.3.4/32',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '[::1]',
    '%any',
    'localhost',
  ]) {
    assert.equal(parseIp(text), undefined, text);
    assert.equal(canonicalIp(text), undefined, text);
  }
});

test('bytes of an address go to text and back', () => {
  const address = fc
    .constantFrom(4, 16)
    .chain((size) => fc.array(fc.constantFrom(0, 0, 0, 1, 0xa0, 0xff), { minLength: size, maxLength: size }));
  fc.assert(
    fc.property(address, (list) => {
      const bytes = Uint8Array.from(list);
      const text = formatIp(bytes);
      assert.deepEqual(parseIp(text), bytes);
      assert.equal(canonicalIp(text), text);
      assert.equal(isV6(text), bytes.length === 16);
    }),
    { numRuns: 500 },
  );
});

test('other lengths are nobody’s address', () => {
  for (const size of [0, 3, 5, 15, 17]) assert.throws(() => formatIp(new Uint8Array(size)), /4 or 16/);
});

test('a prefix has a length that fits, or is one address', () => {
  for (const [text, formatted] of [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::1', '::1/128'],
    ['::/0', '::/0'],
  ] as const) {
    const prefix = parsePrefix(text);
    assert.ok(prefix);
    assert.equal(formatPrefix(prefix), formatted);
  }
  for (const text of ['', '/', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '::/129', '::/1e1', 'x/8']) {
    assert.equal(parsePrefix(text), undefined, text);
  }
});

test('a prefix spans from its first to its last address', () => {
  for (const [text, start, end] of [
    ['10.1.2.3/8', '10.0.0.0', '10.255.255.255'],
    ['10.1.2.131/25', '10.1.2.128', '10.1.2.255'],
    ['10.1.2.3/32', '10.1.2.3', '10.1.2.3'],
    ['10.1.2.3/31', '10.1.2.2', '10.1.2.3'],
    ['10.1.2.3/0', '0.0.0.0', '255.255.255.255'],
    ['2001:db8:ffff::/33', '2001:db8:8000::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['::/0', '::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ] as const) {
    const prefix = parsePrefix(text);
    assert.ok(prefix);
    const range = prefixRange(prefix);
    assert.deepEqual([formatIp(range.start), formatIp(range.end)], [start, end]);
  }
});

test('a range that a prefix spans is that prefix', () => {
  const prefix = fc
    .constantFrom(4, 16)
    .chain((size) => fc.tuple(fc.uint8Array({ minLength: size, maxLength: size }), fc.nat({ max: 8 * size })));
  fc.assert(
    fc.property(prefix, ([address, length]) => {
      const { start, end } = prefixRange({ address, length });
      assert.ok(compare(start, address) <= 0 && compare(address, end) <= 0);
      assert.deepEqual(rangePrefix(start, end), { address: start, length });
    }),
  );
});

test('a range that no prefix spans has none', () => {
  for (const [start, end] of [
    ['0a 00 00 00', '0a 00 00 fe'],
    ['0a 00 00 01', '0a 00 00 ff'],
    ['0a 00 00 01', '0a 00 00 02'],
    ['0a 00 00 00', '0a 00 02 ff'],
    ['0a 00 00 ff', '0a 00 00 00'],
  ] as const) {
    assert.equal(rangePrefix(unhex(start), unhex(end)), undefined);
  }
});

test('a range’s prefix keeps its own bytes', () => {
  const start = unhex('0a 00 00 00');
  const prefix = rangePrefix(start, unhex('0a ff ff ff'));
  start[0] = 0;
  assert.equal(hex(prefix?.address ?? unhex('')), '0a000000');
  assert.equal(prefix?.length, 8);
});

test('a socket address has brackets around IPv6', () => {
  assert.equal(formatSocketAddress({ ip: '192.0.2.1', port: 500 }), '192.0.2.1:500');
  assert.equal(formatSocketAddress({ ip: '2001:db8::1', port: 4500 }), '[2001:db8::1]:4500');
});
