// What the C lane writes to the inside: joined, so that the kernel has less to do, and cut again by the kernel the very
// packets that its twin writes one by one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GSO, SA, SOURCE, USE, USE_ALL } from '../../src/esp/layout.ts';
import { ACK, CWR, FIN, ipv4, ipv6, PSH, SYN, tcp, text, udp, whole } from '../esp/packets.ts';
import { isV4, sealHeader, upperAt, view } from '../esp/twin/ip.ts';
import { sealed } from '../esp/twin/seal.ts';
import { segments } from '../esp/twin/split.ts';
import { seeded } from '../support/random.ts';
import { anything } from './anything.ts';
import { type Both, SLOT, withBoth } from './both.ts';

const VNET = 10;
const NEEDS_CHECKSUM = 1;
/** Of a virtio header: TCP over IPv4 and IPv6, UDP. */
const KINDS = new Map<number, number>([
  [1, GSO.TCP],
  [4, GSO.TCP],
  [5, GSO.UDP],
]);

/** Both open and deliver these; what the C lane has written to its device is the answer. */
function delivered(both: Both, packets: readonly Uint8Array[], source: number): Uint8Array[] {
  const context = both.sas.out(SLOT);
  assert.ok(context);
  const esps = packets.flatMap((packet, i) => sealed(context, packet, GSO.NONE, 0, i + 1, seeded(i)));
  both.open(
    esps.map(({ bytes }) => bytes),
    source,
    {},
  );
  both.written.length = 0;
  for (const lane of [both.native, both.twin]) lane.deliver(esps.length);
  return both.drain(SOURCE.TUN);
}

/** As the kernel takes it from a device with virtio headers. */
function cut(written: Uint8Array): readonly Uint8Array[] {
  const header = view(written.subarray(0, VNET));
  const packet = written.slice(VNET);
  const type = header.getUint8(1);
  if (type === 0) {
    assert.equal(header.getUint8(0), 0, 'a checksum is left to the kernel');
    return [packet];
  }
  const gso = KINDS.get(type);
  const mss = header.getUint16(4, true);
  assert.ok(gso !== undefined);
  assert.equal(type === 4, gso === GSO.TCP && !isV4(packet));
  assert.equal(header.getUint8(0), NEEDS_CHECKSUM);
  const at = upperAt(packet, gso === GSO.TCP ? 6 : 17);
  assert.equal(header.getUint16(6, true), at);
  assert.equal(header.getUint16(8, true), gso === GSO.TCP ? 16 : 6);
  const data = gso === GSO.TCP ? ((packet[(at ?? 0) + 12] as number) >> 4) * 4 : 8;
  assert.equal(header.getUint16(2, true), (at ?? 0) + data);
  assert.ok(packet.length - (at ?? 0) - data > mss, 'a super-packet of one packet');
  return segments(packet, gso, mss);
}

/** Where a packet may not be fragmented its id says nothing (RFC 6864 §4.1). */
function withoutId(packet: Uint8Array): Uint8Array {
  if (!isV4(packet) || ((packet[6] as number) & 0x40) === 0) return packet;
  const plain = packet.slice();
  const right = sumIsRight(plain);
  view(plain).setUint16(4, 0);
  if (right) sealHeader(plain);
  return plain;
}

function sumIsRight(packet: Uint8Array): boolean {
  const sealedAgain = packet.slice();
  sealHeader(sealedAgain);
  return view(sealedAgain).getUint16(10) === view(packet).getUint16(10);
}

/** What the inside receives is the same; the number of writes is the answer. */
function same(both: Both, packets: readonly Uint8Array[], source: number = SOURCE.UDP4): number {
  const written = delivered(both, packets, source);
  assert.deepEqual(written.flatMap(cut).map(withoutId), both.written.map(withoutId));
  return written.length;
}

interface Stream {
  readonly v6: boolean;
  readonly port: number;
  readonly size: number;
  readonly count: number;
  readonly df: boolean;
  readonly ids: number;
}

function packetOf({ v6, df }: Stream, payload: Uint8Array, protocol: 6 | 17, id: number): Uint8Array {
  if (v6) return whole(ipv6('fd00:1::1', 'fd00:2::1', payload, protocol), protocol);
  const packet = ipv4('10.1.0.1', '10.2.0.1', payload, { protocol, df });
  view(packet).setUint16(4, id);
  sealHeader(packet);
  return whole(packet, protocol);
}

/** Segments that follow one another. */
function tcpStream(stream: Stream, flags: (i: number) => number = () => ACK, last = stream.size): Uint8Array[] {
  return Array.from({ length: stream.count }, (_, i) => {
    const size = i === stream.count - 1 ? last : stream.size;
    const segment = tcp({ flags: flags(i), seq: 0xffff_f000 + i * stream.size, data: text(size, i) });
    view(segment).setUint16(0, stream.port);
    return packetOf(stream, segment, 6, stream.ids + i);
  });
}

function udpStream(stream: Stream): Uint8Array[] {
  return Array.from({ length: stream.count }, (_, i) =>
    packetOf(stream, udp(stream.port, 53, 'x'.repeat(stream.size)), 17, stream.ids + i),
  );
}

const STREAM: Stream = { v6: false, port: 1, size: 1000, count: 20, df: true, ids: 5 };
const JOINS = USE_ALL & ~USE.GSO;

test('packets of one stream become one write, and those of two streams in a row two', () =>
  withBoth({ uses: JOINS }, (both) => {
    both.install({ flags: SA.UDP });
    for (const v6 of [false, true]) {
      const stream = { ...STREAM, v6 };
      assert.equal(same(both, tcpStream(stream)), 1);
      assert.equal(same(both, udpStream(stream)), 1);
      assert.equal(
        same(
          both,
          tcpStream(stream, () => ACK, 17),
        ),
        1,
      );
      assert.equal(same(both, [...tcpStream(stream), ...tcpStream({ ...stream, port: 2 })]), 2);
      assert.equal(same(both, [...tcpStream({ ...stream, count: 3 }), ...udpStream({ ...stream, count: 3 })]), 2);
    }
    assert.ok(both.count('joined') > 0);
  }));

test('PSH ends what is joined, and no other flag is joined at all', () =>
  withBoth({ uses: JOINS }, (both) => {
    both.install({ flags: SA.UDP });
    const push = (at: number) => tcpStream({ ...STREAM, count: 6 }, (i) => (i === at ? ACK | PSH : ACK));
    assert.equal(same(both, push(5)), 1);
    assert.equal(same(both, push(2)), 2);
    assert.equal(same(both, push(0)), 2);
    for (const flag of [FIN, SYN, CWR, 0x04, 0x20, 0x40]) {
      const odd = tcpStream({ ...STREAM, count: 6 }, (i) => (i === 3 ? ACK | flag : ACK));
      assert.equal(same(both, odd), 3, `flag ${flag}`);
    }
  }));

test('where ids matter, only those that count up are joined', () =>
  withBoth({ uses: JOINS }, (both) => {
    both.install({ flags: SA.UDP });
    const counting = tcpStream({ ...STREAM, df: false });
    assert.equal(same(both, counting), 1);
    const [first, , third] = counting;
    assert.ok(first && third);
    const gap = tcpStream({ ...STREAM, df: false, count: 2 });
    view(gap[1] as Uint8Array).setUint16(4, 99);
    sealHeader(gap[1] as Uint8Array);
    assert.equal(same(both, gap), 2);
    // From 65535 on to 0.
    assert.equal(same(both, tcpStream({ ...STREAM, df: false, ids: 0xfffe, count: 4 })), 1);
  }));

test('a packet with a wrong checksum stays alone and wrong', () =>
  withBoth({ uses: JOINS }, (both) => {
    both.install({ flags: SA.UDP });
    for (const at of [36, 10, 700]) {
      const packets = tcpStream({ ...STREAM, count: 3 });
      const wrong = packets[1] as Uint8Array;
      wrong[at] = (wrong[at] as number) ^ 0x10;
      assert.equal(same(both, packets), 3, `byte ${at}`);
    }
  }));

test('a stream longer than a packet can be is written in several', () =>
  withBoth({ uses: JOINS }, (both) => {
    both.install({ flags: SA.UDP });
    assert.equal(same(both, tcpStream({ ...STREAM, size: 4200, count: 17 })), 2);
    assert.equal(same(both, tcpStream({ ...STREAM, size: 10, count: 64 })), 1);
  }));

const streams = fc
  .record({
    v6: fc.boolean(),
    port: fc.integer({ min: 1, max: 2 }),
    size: fc.constantFrom(1, 17, 100, 500),
    count: fc.integer({ min: 1, max: 6 }),
    df: fc.boolean(),
    ids: fc.constantFrom(0, 7, 0xfffd),
    kind: fc.constantFrom('tcp', 'push', 'udp'),
    last: fc.constantFrom(1, 16, 17, 501),
  })
  .map(({ kind, last, ...stream }) => {
    if (kind === 'udp') return udpStream(stream);
    return tcpStream(stream, (i) => (kind === 'push' && i % 3 === 2 ? ACK | PSH : ACK), last);
  });

/** Streams with gaps, repetitions, reordering, damage, and other packets in between. */
const traffic = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 4, arbitrary: streams },
        anything.map((packet) => [packet]),
      ),
      { maxLength: 5 },
    ),
    fc.array(fc.tuple(fc.nat(40), fc.constantFrom('drop', 'repeat', 'swap', 'damage'), fc.nat()), { maxLength: 4 }),
  )
  .map(([parts, harms]) => {
    const packets = parts.flat();
    for (const [where, harm, which] of harms) {
      const at = packets.length === 0 ? 0 : where % packets.length;
      const packet = packets[at];
      if (!packet) continue;
      if (harm === 'drop') packets.splice(at, 1);
      if (harm === 'repeat') packets.splice(at, 0, packet);
      if (harm === 'swap' && at > 0) packets.splice(at - 1, 2, packet, packets[at - 1] as Uint8Array);
      // Not where the lengths stand, or it would be no packet any more.
      if (harm === 'damage' && packet.length > 30) packet[28 + (which % (packet.length - 28))] = which & 0xff;
    }
    return packets;
  });

for (const [name, uses] of [
  ['joined', JOINS],
  ['joined without UDP', JOINS & ~USE.USO],
] as const) {
  test(`whatever comes in whatever order is the same packets inside, ${name}`, () =>
    withBoth({ uses }, (both) => {
      for (const [flags, version, source] of [
        [SA.UDP, 4, SOURCE.UDP4],
        [SA.UDP | SA.TRANSPORT, 6, SOURCE.UDP6],
      ] as const) {
        both.install({ flags, version });
        fc.assert(
          fc.property(traffic, (packets) => void same(both, plainFor(flags, packets), source)),
          { numRuns: 400 },
        );
        both.remove();
      }
    }));
}

/** Transport mode is given whole packets without options only. */
function plainFor(flags: number, packets: readonly Uint8Array[]): readonly Uint8Array[] {
  if ((flags & SA.TRANSPORT) === 0) return packets;
  return packets.filter((packet) => isV4(packet) && packet[0] === 0x45 && (view(packet).getUint16(6) & 0x3fff) === 0);
}

test('without virtio headers every packet is written by itself, as its twin writes it', () =>
  withBoth({ uses: USE.MMSG }, (both) => {
    both.install({ flags: SA.UDP });
    fc.assert(
      fc.property(traffic, (packets) => {
        assert.deepEqual(delivered(both, packets, SOURCE.UDP4), both.written);
      }),
      { numRuns: 200 },
    );
    assert.equal(both.count('joined'), 0);
  }));

test('a packet of our own is written as it is', () => {
  for (const uses of [JOINS, 0]) {
    withBoth({ uses }, (both) => {
      const packet = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2));
      for (const lane of [both.native, both.twin]) lane.inject(packet);
      const written = both.drain(SOURCE.TUN);
      assert.deepEqual(uses === 0 ? written : written.flatMap(cut), [packet]);
      assert.deepEqual(both.written, [packet]);
    });
  }
});
