// ID payloads: names in phase 1, selectors in quick mode (RFC 2407 §4.6.2).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compare, utf8 } from '../../../src/bytes/bytes.ts';
import { parseIp, prefixRange } from '../../../src/bytes/ip.ts';
import { formatSelector, parseSelector } from '../../../src/ike/ts.ts';
import { hostOf, identityOf, idOf, idOfSelector, selectorOf } from '../../../src/ike/v1/id.ts';
import { ID } from '../../../src/ike/v1/wire/constants.ts';
import type { Id } from '../../../src/ike/v1/wire/payload.ts';
import type { Selector } from '../../../src/ike/wire/ts.ts';
import { octet, octets, word } from '../../support/wire.ts';

function selector(text: string): Selector {
  const source = parseSelector(text);
  assert.equal(source?.kind, 'fixed', text);
  return source.selector;
}

function ip(text: string): Uint8Array {
  const bytes = parseIp(text);
  assert.ok(bytes, text);
  return bytes;
}

function payload(type: number, data: readonly Uint8Array[], protocol = 0, port = 0): Id {
  return { type, protocol, port, data: Uint8Array.from(data.flatMap((part) => [...part])) };
}

const SELECTORS: readonly (readonly [text: string, id: Id])[] = [
  ['10.1.0.1', payload(ID.IPV4_ADDR, [ip('10.1.0.1')])],
  ['10.1.0.0/24', payload(ID.IPV4_ADDR_SUBNET, [ip('10.1.0.0'), ip('255.255.255.0')])],
  ['10.1.0.0/23', payload(ID.IPV4_ADDR_SUBNET, [ip('10.1.0.0'), ip('255.255.254.0')])],
  ['0.0.0.0/0', payload(ID.IPV4_ADDR_SUBNET, [ip('0.0.0.0'), ip('0.0.0.0')])],
  ['10.1.0.1-10.1.0.9', payload(ID.IPV4_ADDR_RANGE, [ip('10.1.0.1'), ip('10.1.0.9')])],
  ['fd00::1', payload(ID.IPV6_ADDR, [ip('fd00::1')])],
  ['fd00:1::/64', payload(ID.IPV6_ADDR_SUBNET, [ip('fd00:1::'), ip('ffff:ffff:ffff:ffff::')])],
  ['::/0', payload(ID.IPV6_ADDR_SUBNET, [ip('::'), ip('::')])],
  ['fd00::1-fd00::3', payload(ID.IPV6_ADDR_RANGE, [ip('fd00::1'), ip('fd00::3')])],
  ['10.1.0.0/24[tcp]', payload(ID.IPV4_ADDR_SUBNET, [ip('10.1.0.0'), ip('255.255.255.0')], 6)],
  ['10.1.0.1[tcp/443]', payload(ID.IPV4_ADDR, [ip('10.1.0.1')], 6, 443)],
  ['10.1.0.1[udp/1701]', payload(ID.IPV4_ADDR, [ip('10.1.0.1')], 17, 1701)],
];

for (const [text, id] of SELECTORS) {
  test(`${text} is ID type ${id.type}, both ways`, () => {
    assert.deepEqual(idOfSelector(selector(text)), id);
    assert.deepEqual(selectorOf(id), selector(text));
  });
}

const addresses = fc.constantFrom(4, 16).chain((size) =>
  fc.oneof(
    octets(size).map((start) => ({ start, end: start })),
    fc.tuple(octets(size), fc.nat({ max: size * 8 })).map(([address, length]) => prefixRange({ address, length })),
    fc
      .tuple(octets(size), octets(size))
      .map(([a, b]) => (compare(a, b) <= 0 ? { start: a, end: b } : { start: b, end: a })),
  ),
);

// An ID payload has room for one port, and 0 there means all of them.
const ports = fc.oneof(
  fc.constant({ startPort: 0, endPort: 0xffff }),
  word.filter((port) => port > 0).map((port) => ({ startPort: port, endPort: port })),
);

test('a selector of one port or all of them survives an ID payload', () => {
  fc.assert(
    fc.property(addresses, octet, ports, (range, protocol, some) => {
      const one: Selector = { protocol, ...some, start: range.start, end: range.end };
      assert.deepEqual(selectorOf(idOfSelector(one)), one, formatSelector(one));
    }),
  );
});

test('whatever an ID payload holds, it is read or refused', () => {
  fc.assert(
    fc.property(fc.nat({ max: 12 }), octet, word, octets(0, 40), (type, protocol, port, data) => {
      const sizes: Readonly<Record<number, number>> = { 1: 4, 4: 8, 5: 16, 6: 32, 7: 8, 8: 32 };
      const size = sizes[type];
      if (size !== undefined && data.length < size) return;
      const read = selectorOf({ type, protocol, port, data: size === undefined ? data : data.slice(0, size) });
      if (size === undefined) assert.equal(read, undefined);
      else if (read) assert.ok(compare(read.start, read.end) <= 0);
    }),
  );
});

test('a mask with holes, a range that ends before it begins, and a name are no selectors', () => {
  assert.equal(selectorOf(payload(ID.IPV4_ADDR_SUBNET, [ip('10.1.0.0'), ip('255.0.255.0')])), undefined);
  assert.equal(selectorOf(payload(ID.IPV4_ADDR_SUBNET, [ip('10.1.0.0'), ip('0.0.0.255')])), undefined);
  assert.equal(selectorOf(payload(ID.IPV6_ADDR_SUBNET, [ip('fd00::'), ip('ffff::1')])), undefined);
  assert.equal(selectorOf(payload(ID.IPV4_ADDR_RANGE, [ip('10.1.0.9'), ip('10.1.0.1')])), undefined);
  for (const type of [0, ID.FQDN, ID.USER_FQDN, ID.DER_ASN1_DN, ID.DER_ASN1_GN, ID.KEY_ID, 12, 255]) {
    assert.equal(selectorOf(payload(type, [utf8('abcd')])), undefined, `${type}`);
  }
});

test('host bits behind a mask do not count', () => {
  const id = payload(ID.IPV4_ADDR_SUBNET, [ip('10.1.0.77'), ip('255.255.255.0')]);
  assert.deepEqual(selectorOf(id), selector('10.1.0.0/24'));
  const one = payload(ID.IPV4_ADDR_SUBNET, [ip('10.1.0.77'), ip('255.255.255.255')]);
  assert.deepEqual(selectorOf(one), selector('10.1.0.77'));
});

// RFC 2409 §5.5
test('without ID payloads a quick mode is for the gateways themselves', () => {
  assert.deepEqual(hostOf('192.0.2.1'), selector('192.0.2.1'));
  assert.deepEqual(hostOf('2001:db8::1'), selector('2001:db8::1'));
});

const NAMES = [ID.IPV4_ADDR, ID.FQDN, ID.USER_FQDN, ID.IPV6_ADDR, ID.DER_ASN1_DN, ID.DER_ASN1_GN, ID.KEY_ID] as const;

test('a name goes out with protocol and port 0, and comes back with those that devices put there', () => {
  for (const type of NAMES) {
    const data = type === ID.IPV4_ADDR ? ip('192.0.2.1') : type === ID.IPV6_ADDR ? ip('2001:db8::1') : utf8('gw.test');
    const id = idOf({ type, data });
    assert.deepEqual(id, { type, protocol: 0, port: 0, data });
    for (const [protocol, port] of [
      [0, 0],
      [17, 500],
      [17, 4500],
      [17, 0],
    ] as const) {
      assert.deepEqual(identityOf({ ...id, protocol, port }), { type, data }, `${type} ${protocol}/${port}`);
    }
  }
});

test('any other protocol or port makes it no name', () => {
  const id = idOf({ type: ID.FQDN, data: utf8('gw.test') });
  for (const [protocol, port] of [
    [0, 500],
    [0, 4500],
    [0, 1],
    [17, 1],
    [17, 501],
    [17, 65_535],
    [6, 0],
    [6, 500],
    [50, 0],
    [255, 4500],
  ] as const) {
    assert.equal(identityOf({ ...id, protocol, port }), undefined, `${protocol}/${port}`);
  }
});

test('a subnet, a range and what has no meaning are no names', () => {
  for (const type of [0, 4, 6, 7, 8, 12, 255]) {
    assert.equal(identityOf({ type, protocol: 0, port: 0, data: new Uint8Array(8) }), undefined, `${type}`);
  }
});

test('an identity outlives the datagram it came in', () => {
  const data = utf8('gw.test');
  const identity = identityOf(idOf({ type: ID.FQDN, data }));
  data.fill(0);
  assert.deepEqual(identity?.data, utf8('gw.test'));
});
