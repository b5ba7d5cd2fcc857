import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { Inner } from '../../src/esp/packet.ts';
import { ipv4, ipv6, udp } from './packets.ts';

function parsed(bytes: Uint8Array): Inner {
  const inner = new Inner();
  assert.equal(inner.parse(bytes), true);
  return inner;
}

function refused(bytes: Uint8Array): void {
  assert.equal(new Inner().parse(bytes), false);
}

/** An extension header of `size` bytes (a multiple of 8). */
function extension(next: number, size = 8): Uint8Array {
  const header = new Uint8Array(size);
  header[0] = next;
  header[1] = size / 8 - 1;
  return header;
}

function fragment(next: number, offset: number, more = true): Uint8Array {
  return Uint8Array.of(next, 0, (offset * 8) >> 8, ((offset * 8) & 0xff) | (more ? 1 : 0), 0, 0, 0, 1);
}

test('ports and protocol of UDP over IPv4 are read', () => {
  const inner = parsed(ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53), { tos: 0xb9 }));
  assert.deepEqual([inner.version, inner.protocol, inner.sourcePort, inner.destinationPort], [4, 17, 5000, 53]);
  assert.equal(inner.portsKnown, true);
  assert.equal(inner.trafficClass, 0xb9);
});

test('what follows the IP length is padding and no part of the packet', () => {
  const packet = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2));
  assert.deepEqual(parsed(concat(packet, new Uint8Array(100))).packet, packet);
});

test('IPv4 options move the ports', () => {
  const packet = concat(ipv4('10.1.0.1', '10.2.0.1', new Uint8Array(0)), new Uint8Array(4), udp(7, 8));
  packet[0] = 0x46;
  packet[3] = packet.length;
  assert.deepEqual([parsed(packet).sourcePort, parsed(packet).destinationPort], [7, 8]);
});

test('ICMP type and code stand in both ports', () => {
  const inner = parsed(ipv4('10.1.0.1', '10.2.0.1', Uint8Array.of(3, 13, 0, 0, 0, 0, 0, 0), { protocol: 1 }));
  assert.deepEqual([inner.sourcePort, inner.destinationPort], [0x030d, 0x030d]);
});

test('later fragments have no ports, first fragments do', () => {
  const first = parsed(ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53), { more: true }));
  assert.deepEqual([first.portsKnown, first.laterFragment], [true, false]);
  assert.deepEqual([first.fragment, first.unseen], [true, false]);
  const later = parsed(ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53), { offset: 185 }));
  assert.deepEqual([later.portsKnown, later.laterFragment, later.sourcePort], [false, true, 0]);
  assert.deepEqual([later.fragment, later.unseen, later.header], [true, true, 20]);
  assert.equal(parsed(ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53), { offset: 0x1000 })).laterFragment, true);
});

test('IPv6 extension headers are walked to the upper protocol', () => {
  const chain = concat(
    extension(60),
    extension(43, 24),
    extension(44),
    fragment(51, 0),
    Uint8Array.of(17, 4),
    new Uint8Array(22),
  );
  const inner = parsed(ipv6('fd00:1::1', 'fd00:2::1', concat(chain, udp(5000, 53)), 0, 0xb9));
  assert.deepEqual([inner.version, inner.protocol, inner.sourcePort, inner.destinationPort], [6, 17, 5000, 53]);
  assert.equal(inner.trafficClass, 0xb9);
});

test('a later IPv6 fragment tells its protocol and no ports', () => {
  const inner = parsed(ipv6('fd00:1::1', 'fd00:2::1', concat(fragment(17, 100), udp(1, 2)), 44));
  assert.deepEqual([inner.protocol, inner.portsKnown, inner.laterFragment], [17, false, true]);
});

test('an IPv6 packet with a fragment header that is whole is no fragment', () => {
  const atomic = parsed(ipv6('fd00:1::1', 'fd00:2::1', concat(fragment(17, 0, false), udp(1, 2)), 44));
  assert.deepEqual([atomic.fragment, atomic.portsKnown, atomic.header], [false, true, 48]);
});

test('what fragments hide is told: ports behind the first, a protocol behind an extension header', () => {
  const later = (next: number) => parsed(ipv6('fd00:1::1', 'fd00:2::1', concat(fragment(next, 100), udp(1, 2)), 44));
  assert.equal(later(17).unseen, true);
  assert.equal(later(60).unseen, true);
  assert.equal(later(50).unseen, false);
  // IPv4 has no extension headers: these are protocols without ports.
  for (const protocol of [0, 43, 44, 50, 51, 60]) {
    assert.equal(parsed(ipv4('10.1.0.1', '10.2.0.1', udp(1, 2), { protocol, offset: 9 })).unseen, false);
  }
  assert.equal(parsed(ipv4('10.1.0.1', '10.2.0.1', new Uint8Array(3), { more: true })).unseen, true);
});

test('fragments of one datagram have one identification', () => {
  const first = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2), { more: true });
  first[4] = 0xab;
  first[5] = 0xcd;
  assert.equal(parsed(first).identification, 0xabcd);
  const second = concat(fragment(17, 3), udp(1, 2));
  second.set([0xfe, 0xdc, 0xba, 0x98], 4);
  assert.equal(parsed(ipv6('fd00:1::1', 'fd00:2::1', second, 44)).identification, 0xfedcba98 | 0);
});

test('IPv4 says whether it may be fragmented, and IPv6 never may be', () => {
  const packet = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2));
  assert.equal(parsed(packet).dontFragment, false);
  packet[6] = 0x40;
  assert.deepEqual([parsed(packet).dontFragment, parsed(packet).fragment], [true, false]);
  assert.equal(parsed(ipv6('fd00:1::1', 'fd00:2::1', udp(1, 2))).dontFragment, true);
});

test('addresses are read as words, and a packet may start anywhere', () => {
  const around = new Uint8Array(7).fill(0x45);
  const v4 = ipv4('192.0.2.1', '10.2.3.4', udp(5000, 53));
  const v6 = ipv6('fd00:1:2:3:4:5:6:7', '2001:db8::9', udp(5001, 54));
  const bytes = concat(around, v4, around, v6, around);
  const inner = new Inner();
  for (const [at, packet] of [
    [7, v4],
    [14 + v4.length, v6],
  ] as const) {
    assert.equal(inner.parse(bytes, at, packet.length), true);
    assert.deepEqual(inner.packet, packet);
    assert.equal(inner.parse(bytes, at, packet.length - 1), false);
  }
  assert.equal(inner.parse(bytes, 7, v4.length), true);
  assert.deepEqual([inner.s0, inner.s1, inner.s2, inner.s3], [0xc0000201 | 0, 0, 0, 0]);
  assert.deepEqual([inner.d0, inner.d1, inner.d2, inner.d3], [0x0a020304, 0, 0, 0]);
  assert.deepEqual([inner.header, inner.sourcePort, inner.destinationPort], [20, 5000, 53]);
  assert.equal(inner.parse(bytes, 14 + v4.length), true);
  assert.deepEqual([inner.s0, inner.s1, inner.s2, inner.s3], [0xfd000001 | 0, 0x00020003, 0x00040005, 0x00060007]);
  assert.deepEqual([inner.d0, inner.d1, inner.d2, inner.d3], [0x20010db8, 0, 0, 9]);
  assert.deepEqual([inner.header, inner.sourcePort, inner.destinationPort], [40, 5001, 54]);
});

test('no next header is a protocol of its own', () => {
  assert.equal(parsed(ipv6('fd00:1::1', 'fd00:2::1', new Uint8Array(0), 59)).protocol, 59);
});

test('a Mobile IPv6 header type stands in the high byte of the port', () => {
  const inner = parsed(ipv6('fd00:1::1', 'fd00:2::1', Uint8Array.of(59, 0, 5, 0, 0, 0, 0, 0), 135));
  assert.deepEqual([inner.protocol, inner.sourcePort, inner.portsKnown], [135, 0x0500, true]);
});

test('whichever of several arenas a packet is in, it is read from there', () => {
  const arenas = [1, 2, 3].map((net) => ipv4(`10.${net}.0.1`, '10.9.0.1', udp(net, 53)));
  const inner = new Inner();
  for (const which of [0, 1, 0, 1, 2, 0, 2, 1, 1, 0]) {
    const bytes = arenas[which] ?? new Uint8Array(0);
    assert.equal(inner.parse(bytes), true);
    assert.deepEqual([inner.bytes, (inner.s0 >> 16) & 0xff, inner.sourcePort], [bytes, which + 1, which + 1]);
  }
});

test('malformed packets are refused', () => {
  const v4 = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2));
  const v6 = ipv6('fd00:1::1', 'fd00:2::1', udp(1, 2));
  refused(new Uint8Array(0));
  for (const version of [0, 1, 5, 7, 15]) refused(Uint8Array.of((version << 4) | 5, ...v4.subarray(1)));
  for (let length = 0; length < v4.length; length++) refused(v4.subarray(0, length));
  for (let length = 0; length < v6.length; length++) refused(v6.subarray(0, length));
  for (const words of [0, 4, 15]) refused(Uint8Array.of(0x40 | words, ...v4.subarray(1)));
  refused(Uint8Array.of(0x45, 0, 0, 19, ...v4.subarray(4)));
});

test('extension headers that are too many, out of order or cut off are refused', () => {
  const many = (count: number) =>
    concat(...Array.from({ length: count }, (_, i) => extension(i === count - 1 ? 17 : 60)));
  parsed(ipv6('fd00:1::1', 'fd00:2::1', concat(many(8), udp(1, 2)), 60));
  refused(ipv6('fd00:1::1', 'fd00:2::1', concat(many(9), udp(1, 2)), 60));
  refused(ipv6('fd00:1::1', 'fd00:2::1', concat(extension(0), extension(17)), 60));
  refused(ipv6('fd00:1::1', 'fd00:2::1', new Uint8Array(7), 60));
  refused(ipv6('fd00:1::1', 'fd00:2::1', Uint8Array.of(17, 1, 0, 0, 0, 0, 0, 0), 60));
});

test('a packet too short for its ports is a packet without ports', () => {
  const inner = parsed(ipv4('10.1.0.1', '10.2.0.1', new Uint8Array(3)));
  assert.equal(inner.portsKnown, false);
});

test('no bytes make parsing throw or read past the end', () => {
  const start = fc.constantFrom(0x45, 0x46, 0x4f, 0x60);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 120 }), (first, rest) => {
      const bytes = Uint8Array.of(first, ...rest);
      const inner = new Inner();
      if (inner.parse(bytes)) assert.ok(inner.length <= bytes.length && inner.protocol <= 255);
    }),
    { numRuns: 1000 },
  );
});
