import assert from 'node:assert/strict';
import { endianness } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import { WireError } from '../../src/bytes/error.ts';
import { formatIp, type Prefix, parsePrefix, prefixRange } from '../../src/bytes/ip.ts';
import { addAddress, linkNamed, quietLink, readAddress, readLink, setLink } from '../../src/net/link.ts';
import { decode, decodeAttributes, decodeError, encode, encodeBody, type Message } from '../../src/net/netlink.ts';
import {
  AF_INET,
  AF_INET6,
  addRoute,
  addRule,
  deleteRoute,
  type Request,
  type Route,
  type Rule,
  readRoute,
  readRule,
  routeTo,
} from '../../src/net/rtnetlink.ts';

const big = endianness() === 'BE' ? 'the bytes are written down for little-endian hosts' : false;

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  assert.ok(parsed);
  return parsed;
}

function message({ type, flags, body }: Request): Message {
  return { type, flags, seq: 7, body };
}

const PLAIN = { noNullPrototype: true };
const octets = fc.uint8Array({ maxLength: 40 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

test('messages come back as they were encoded, several in one datagram', () => {
  const any = fc.record(
    {
      type: fc.integer({ min: 0, max: 0xffff }),
      flags: fc.integer({ min: 0, max: 0xffff }),
      seq: u32,
      // A body always fills whole words: attributes are padded.
      body: fc
        .integer({ min: 0, max: 10 })
        .chain((words) => fc.uint8Array({ minLength: 4 * words, maxLength: 4 * words })),
    },
    PLAIN,
  );
  fc.assert(
    fc.property(fc.array(any, { maxLength: 4 }), (messages) => {
      const bytes = new Uint8Array(messages.flatMap((one) => [...encode(one)]));
      assert.deepEqual(
        decode(bytes).map((one) => ({ ...one, body: one.body.slice() })),
        messages,
      );
    }),
  );
});

test('attributes come back as they were encoded', () => {
  const attribute = fc.record({ type: fc.integer({ min: 0, max: 0x3fff }), value: octets }, PLAIN);
  const list = fc.uniqueArray(attribute, { selector: ({ type }) => type, maxLength: 6 });
  fc.assert(
    fc.property(octets, list, (fixed, attributes) => {
      const decoded = decodeAttributes(encodeBody(fixed, attributes), fixed.length);
      assert.deepEqual(
        [...decoded].map(([type, value]) => ({ type, value: value.slice() })),
        attributes,
      );
    }),
  );
});

test('bytes that no kernel would send are WireErrors and nothing else', () => {
  const readers = [decode, (bytes: Uint8Array) => decodeAttributes(bytes, 0)];
  const parsers = [readLink, readAddress, readRoute, readRule];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const one = { type: 2, flags: 0x200, seq: 1, body: bytes };
      for (const read of [...readers, ...parsers.map((parse) => () => parse(one)), () => decodeError(one, 'x')]) {
        try {
          read(bytes);
        } catch (error) {
          assert.ok(error instanceof WireError, String(error));
        }
      }
    }),
    { numRuns: 1000 },
  );
});

// The layouts are those of linux/netlink.h, linux/rtnetlink.h, linux/fib_rules.h and linux/if_link.h.

test('a link is brought up with its MTU', { skip: big }, () => {
  const request = setLink({ index: 3, mtu: 1400, up: true });
  assert.equal(
    hex(encode({ ...message(request), seq: 5 })),
    hex(
      unhex(`28000000 1300 0500 05000000 00000000
        00 00 0000 03000000 01000000 01000000
        0800 0400 78050000`),
    ),
  );
});

test('a link is told to make no IPv6 address', { skip: big }, () => {
  assert.equal(
    hex(quietLink(3).body),
    hex(unhex('00000000 03000000 00000000 00000000 1000 1a80 0c00 0a80 0500 0800 01000000')),
  );
});

test('a link is asked for by its name', { skip: big }, () => {
  assert.equal(
    hex(linkNamed('esp0').body),
    hex(unhex('00000000 00000000 00000000 00000000 0900 0300 65737030 00000000')),
  );
});

test('a route names table, destination, device and source', { skip: big }, () => {
  const request = addRoute({
    destination: prefix('10.2.3.4/16'),
    table: 220,
    protocol: 220,
    type: 'unicast',
    oif: 5,
    source: prefix('10.1.0.1').address,
    metric: 9,
  });
  assert.equal(request.type, 24);
  assert.equal(request.flags, 0x505);
  assert.equal(
    hex(request.body),
    hex(
      unhex(`02 10 00 00 dc dc fd 01 00000000
        0800 0f00 dc000000
        0800 0100 0a020000
        0800 0400 05000000
        0800 0700 0a010001
        0800 0600 09000000`),
    ),
  );
});

test('the rule for unmarked packets is inverted', { skip: big }, () => {
  const request = addRule({
    family: AF_INET6,
    priority: 220,
    protocol: 220,
    source: undefined,
    iif: undefined,
    mark: { value: 0xdc, mask: 0xffffffff, not: true },
    action: { type: 'table', table: 220 },
  });
  assert.equal(request.type, 32);
  assert.equal(request.flags, 0x605);
  assert.equal(
    hex(request.body),
    hex(
      unhex(`0a 00 00 00 dc 00 00 01 02000000
        0800 0600 dc000000
        0500 1500 dc000000
        0800 0f00 dc000000
        0800 0a00 dc000000
        0800 1000 ffffffff`),
    ),
  );
});

const anyPrefix = fc.oneof(
  fc.record({ address: fc.uint8Array({ minLength: 4, maxLength: 4 }), length: fc.integer({ min: 1, max: 32 }) }, PLAIN),
  fc.record(
    { address: fc.uint8Array({ minLength: 16, maxLength: 16 }), length: fc.integer({ min: 1, max: 128 }) },
    PLAIN,
  ),
);

function whole({ address, length }: Prefix): Prefix {
  return { address: prefixRange({ address, length }).start, length };
}

test('routes come back as they were asked for, without host bits', () => {
  fc.assert(
    fc.property(
      anyPrefix,
      fc.constantFrom('unicast', 'blackhole', 'throw'),
      fc.integer({ min: 1, max: 0xffffffff }),
      fc.option(u32, { nil: undefined }),
      (destination, type, table, metric) => {
        const route: Route = { destination, table, protocol: 4, type, oif: 2, source: destination.address, metric };
        for (const make of [addRoute, deleteRoute]) {
          assert.deepEqual(readRoute(message(make(route))), { ...route, destination: whole(destination) });
        }
      },
    ),
  );
});

test('rules come back as they were asked for', () => {
  const action = fc.oneof(
    fc.record({ type: fc.constant('table' as const), table: fc.integer({ min: 1, max: 0xffffffff }) }, PLAIN),
    fc.record({ type: fc.constant('goto' as const), priority: u32 }, PLAIN),
    fc.constant({ type: 'blackhole' as const }),
  );
  const mark = fc.option(fc.record({ value: u32, mask: u32, not: fc.boolean() }, PLAIN), { nil: undefined });
  const iif = fc.option(fc.stringMatching(/^[a-z0-9]{1,15}$/), { nil: undefined });
  fc.assert(
    fc.property(anyPrefix, u32, action, mark, iif, (source, priority, does, marked, from) => {
      const family = source.address.length === 4 ? AF_INET : AF_INET6;
      const rule: Rule = { family, priority, protocol: 220, source, iif: from, mark: marked, action: does };
      assert.deepEqual(readRule(message(addRule(rule))), { ...rule, source: whole(source) });
    }),
  );
});

test('addresses come back as they were asked for', () => {
  fc.assert(
    fc.property(anyPrefix, (any) => {
      assert.deepEqual(readAddress(message(addAddress({ index: 4, prefix: any }))), { index: 4, prefix: any });
    }),
  );
});

test('the other end of a point-to-point link is not our address', () => {
  const body = encodeBody(unhex('02 20 80 00 03000000'), [
    { type: 1, value: prefix('192.0.2.2').address },
    { type: 2, value: prefix('192.0.2.1').address },
  ]);
  const address = readAddress({ type: 20, flags: 0, seq: 1, body });
  assert.equal(address && formatIp(address.prefix.address), '192.0.2.1');
});

test('a source is asked for with the mark of our sockets', { skip: big }, () => {
  assert.equal(
    hex(routeTo(prefix('192.0.2.1').address, 0xdc).body),
    hex(unhex('02 20 00 00 00 00 00 00 00000000 0800 0100 c0000201 0800 1000 dc000000')),
  );
});

test('an acknowledgement is no error', () => {
  assert.equal(decodeError({ type: 2, flags: 0x100, seq: 1, body: new Uint8Array(20) }, 'RTM_NEWROUTE'), undefined);
});

test("a refusal carries errno, the request's name and the kernel's own words", { skip: big }, () => {
  const words = [{ type: 1, value: new TextEncoder().encode('Invalid prefsrc address\0') }];
  const capped = encodeBody(unhex('eaffffff 1c000000 1800 0506 07000000 00000000'), words);
  const error = decodeError({ type: 2, flags: 0x300, seq: 7, body: capped }, 'RTM_NEWROUTE');
  assert.deepEqual(
    [error?.errno, error?.code, error?.syscall, error?.hint],
    [22, 'EINVAL', 'RTM_NEWROUTE', 'Invalid prefsrc address'],
  );
  // The same with the whole request in between: a header and twelve bytes.
  const echoed = encodeBody(unhex(`eaffffff 1c000000 1800 0506 07000000 00000000 ${'00'.repeat(12)}`), words);
  assert.equal(decodeError({ type: 2, flags: 0x200, seq: 7, body: echoed }, 'x')?.hint, 'Invalid prefsrc address');
});
