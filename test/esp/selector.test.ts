import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { Inner } from '../../src/esp/packet.ts';
import { Selectors } from '../../src/esp/selector.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';
import { permitted } from './oracle.ts';
import { ipv4, ipv6, selector, udp } from './packets.ts';

function parsed(bytes: Uint8Array): Inner {
  const inner = new Inner();
  assert.equal(inner.parse(bytes), true);
  return inner;
}

function permits(sources: readonly Selector[], destinations: readonly Selector[], inner: Inner): boolean {
  const selectors = new Selectors();
  selectors.set(3, destinations, sources);
  return selectors.permits(3, inner);
}

test('selectors compare addresses, protocol and ports', () => {
  const inner = parsed(ipv4('10.1.0.7', '10.2.0.1', udp(5000, 53)));
  const any = [selector('0.0.0.0/0')];
  const dns = [selector('10.2.0.0/16', 17, 53, 53)];
  assert.equal(permits(any, any, inner), true);
  assert.equal(permits(any, dns, inner), true);
  assert.equal(permits([selector('10.1.0.0-10.1.0.6')], any, inner), false);
  assert.equal(permits([selector('10.1.0.0-10.1.0.7')], any, inner), true);
  assert.equal(permits([selector('10.1.0.8-10.1.0.9')], any, inner), false);
  assert.equal(permits([selector('::/0')], any, inner), false);
  assert.equal(permits(any, [selector('10.2.0.0/16', 6, 53, 53)], inner), false);
  assert.equal(permits(any, [selector('10.2.0.0/16', 17, 54, 60)], inner), false);
  assert.equal(permits([], any, inner), false);
});

test('a later fragment passes only where ports do not matter', () => {
  const inner = parsed(ipv4('10.1.0.7', '10.2.0.1', udp(5000, 53), { offset: 10 }));
  const any = [selector('0.0.0.0/0')];
  assert.equal(permits(any, [selector('0.0.0.0/0', 17)], inner), true);
  assert.equal(permits(any, [selector('0.0.0.0/0', 17, 0, 1000)], inner), false);
  // OPAQUE (RFC 7296 §3.13.1)
  assert.equal(permits(any, [selector('0.0.0.0/0', 17, 0xffff, 0)], inner), true);
  const whole = parsed(ipv4('10.1.0.7', '10.2.0.1', udp(5000, 53)));
  assert.equal(permits(any, [selector('0.0.0.0/0', 17, 0xffff, 0)], whole), false);
});

test('a fragment whose ports would decide is told from one that is outside', () => {
  const selectors = new Selectors();
  selectors.set(
    0,
    [selector('10.2.0.0/16', 17, 53, 53), selector('fd00:2::/32', 17, 53, 53)],
    [selector('10.1.0.0/16'), selector('fd00:1::/32')],
  );
  const later = (source: string, protocol: number) =>
    parsed(ipv4(source, '10.2.0.1', udp(5000, 53), { offset: 10, protocol }));
  const fragment = (next: number) => Uint8Array.of(next, 0, 0, 80, 0, 0, 0, 1);
  const later6 = (next: number) => parsed(ipv6('fd00:1::1', 'fd00:2::1', concat(fragment(next), udp(1, 2)), 44));
  for (const [inner, expected] of [
    [later('10.1.0.7', 17), true],
    [later('10.1.0.7', 6), false],
    [later('10.1.0.7', 60), false],
    [later('10.7.0.7', 17), false],
    [later6(17), true],
    // Behind a destination options header anything may come.
    [later6(60), true],
    [later6(6), false],
  ] as const) {
    assert.equal(selectors.permits(0, inner), false);
    assert.equal(selectors.undecided(0, inner), expected);
  }
  const whole = parsed(ipv4('10.1.0.7', '10.2.0.1', udp(5000, 54)));
  assert.deepEqual([selectors.permits(0, whole), selectors.undecided(0, whole)], [false, false]);
});

test('a slot that is cleared, or was never set, permits nothing; its neighbours stay', () => {
  const inner = parsed(ipv4('10.1.0.7', '10.2.0.1', udp(5000, 53)));
  const any = [selector('0.0.0.0/0'), selector('::/0')];
  const selectors = new Selectors();
  const slots = [0, 1, 63, 64, 1000];
  for (const slot of slots) assert.equal(selectors.permits(slot, inner), false);
  for (const slot of slots) selectors.set(slot, any, any);
  selectors.clear(64);
  selectors.clear(64);
  selectors.clear(100_000);
  for (const slot of slots) assert.equal(selectors.permits(slot, inner), slot !== 64);
  selectors.set(1000, any, [selector('10.7.0.0/16')]);
  assert.equal(selectors.permits(1000, inner), false);
  assert.equal(selectors.permits(63, inner), true);
});

test('compiled selectors permit what the list of them permits', () => {
  const octet = fc.constantFrom(0, 1, 127, 128, 255);
  const address = fc.oneof(
    fc.tuple(octet, octet).map(([a, b]) => Uint8Array.of(10, a, 0, b)),
    fc.tuple(octet, octet, octet, octet).map(([a, b, c, d]) => Uint8Array.of(...v6Head(a), b, 0, 0, 0, c, 0, 0, d)),
  );
  const port = fc.constantFrom(0, 52, 53, 54, 0xffff);
  const one = fc
    .record({ a: address, b: address, protocol: fc.constantFrom(0, 6, 17, 47), startPort: port, endPort: port })
    .filter(
      ({ a, b, startPort, endPort }) =>
        a.length === b.length && (startPort <= endPort || startPort - endPort === 0xffff),
    )
    .map(({ a, b, ...rest }): Selector => ({ ...rest, ...ordered(a, b) }));
  const packet = fc
    .record({ a: address, b: address, protocol: fc.constantFrom(6, 17, 47), port, offset: fc.constantFrom(0, 0, 9) })
    .filter(({ a, b }) => a.length === b.length);
  const side = fc.array(one, { maxLength: 4 });
  const changes = fc.array(fc.tuple(fc.nat(3), side, side), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(changes, fc.array(packet, { minLength: 1, maxLength: 8 }), (all, packets) => {
      const selectors = new Selectors();
      const lists = new Map<number, (typeof all)[number]>();
      for (const each of all) {
        selectors.set(...each);
        lists.set(each[0], each);
      }
      for (const { a, b, protocol, port, offset } of packets) {
        const inner = parsed(
          a.length === 4
            ? ipv4(a.join('.'), b.join('.'), udp(port, 53), { protocol, offset })
            : ipv6(colons(a), colons(b), udp(port, 53), protocol),
        );
        for (const [slot, [, local, remote]] of lists) {
          assert.equal(selectors.permits(slot, inner), permitted(remote, local, inner));
        }
      }
    }),
    { numRuns: 500 },
  );
});

function v6Head(a: number): number[] {
  return [0xfd, 0, 0, 0, a, 0, 0, 0];
}

function ordered(a: Uint8Array, b: Uint8Array): { start: Uint8Array; end: Uint8Array } {
  return Buffer.compare(a, b) <= 0 ? { start: a, end: b } : { start: b, end: a };
}

function colons(address: Uint8Array): string {
  return Array.from({ length: 8 }, (_, i) =>
    Buffer.from(address)
      .readUInt16BE(2 * i)
      .toString(16),
  ).join(':');
}
