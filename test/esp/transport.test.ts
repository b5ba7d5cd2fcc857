// Transport mode (RFC 4303 §3.1.1, §3.4.4): the packet's own IP header stays outside, and is made anew from the outer one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/bytes/bytes.ts';
import { GSO } from '../../src/esp/layout.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import { dropped, type End, pair, sent } from './end.ts';
import { ipv4, ipv6, selector, tcp, text, udp, whole } from './packets.ts';
import { LEFT, RIGHT } from './support.ts';
import { unpad } from './twin/frame.ts';
import { view } from './twin/ip.ts';

const NAT = { ip: '203.0.113.7', port: 4500 };

function ends(over: Partial<ChildSa> = {}): { readonly left: End; readonly right: End } {
  const selectors = { localTs: [selector(`${LEFT.ip}/32`)], remoteTs: [selector(`${RIGHT.ip}/32`)] };
  return pair({ mode: 'transport', ...selectors, ...over });
}

/** As it is rebuilt: DF, no id. */
function between(source: string, destination: string, payload: Uint8Array, protocol: 6 | 17): Uint8Array {
  return whole(ipv4(source, destination, payload, { protocol, df: true }), protocol);
}

const DATAGRAM = between(LEFT.ip, RIGHT.ip, udp(1, 2), 17);

test('what travels is the payload alone, and what arrives is the packet', () => {
  const { left, right } = ends();
  const { bytes } = sent(left.outbound(DATAGRAM, 0));
  // Eight bytes of header, eight of IV, sixteen of ICV, and the trailer.
  assert.equal(bytes.length, 8 + 8 + Math.ceil((DATAGRAM.length - 20 + 2) / 4) * 4 + 16);
  assert.deepEqual(right.inbound(bytes, LEFT, true, 0), { tag: 'deliver', packet: DATAGRAM, id: 1 });
});

test('an empty payload travels, too', () => {
  const { left, right } = ends();
  const empty = ipv4(LEFT.ip, RIGHT.ip, new Uint8Array(0), { protocol: 253, df: true });
  const { bytes } = sent(left.outbound(empty, 0));
  assert.deepEqual(right.inbound(bytes, LEFT, true, 0), { tag: 'deliver', packet: empty, id: 1 });
});

test('fragments become the datagram that they are of, and travel with the last of them', () => {
  const { left, right } = ends();
  const datagram = udp(1, 2, 'x'.repeat(3000));
  const first = ipv4(LEFT.ip, RIGHT.ip, datagram.subarray(0, 1480), { more: true });
  const second = ipv4(LEFT.ip, RIGHT.ip, datagram.subarray(1480, 2960), { more: true, offset: 185 });
  const last = ipv4(LEFT.ip, RIGHT.ip, datagram.subarray(2960), { offset: 370 });
  assert.deepEqual(left.outbound(first, 0), { tag: 'wait' });
  assert.deepEqual(left.outbound(last, 0), { tag: 'wait' });
  const { bytes } = sent(left.outbound(second, 0));
  const whole = ipv4(LEFT.ip, RIGHT.ip, datagram, { df: true });
  assert.deepEqual(right.inbound(bytes, LEFT, true, 0), { tag: 'deliver', packet: whole, id: 1 });
  assert.equal(left.stats(1)?.packetsOut, 1);
});

test('a fragment that cannot be one, and packets with options, are not carried, and their SA says so', () => {
  const { left } = ends();
  const fragment = ipv4(LEFT.ip, RIGHT.ip, udp(1, 2).subarray(0, 17), { more: true });
  assert.equal(dropped(left.outbound(fragment, 0)), 'fragment');
  const plain = ipv4(LEFT.ip, RIGHT.ip, Uint8Array.of(1, 1, 1, 0, ...udp(1, 2)));
  plain[0] = 0x46;
  assert.equal(dropped(left.outbound(plain, 0)), 'unsupported');
  assert.equal(left.stats(1)?.drops.unsupported, 1);
  assert.equal(left.stats(1)?.packetsOut, 0);
});

test('fragments become the datagram that they were, which may be cut again outside', () => {
  const { left, right } = ends();
  const datagram = udp(1, 2, 'x'.repeat(3000));
  const part = (from: number, to: number) =>
    ipv4(LEFT.ip, RIGHT.ip, datagram.subarray(from, to), { offset: from / 8, more: to < datagram.length });
  assert.deepEqual(left.cut({ bytes: part(1480, 2960), gso: GSO.NONE, mss: 0 }, 0), []);
  assert.deepEqual(left.cut({ bytes: part(0, 1480), gso: GSO.NONE, mss: 0 }, 0), []);
  const { bytes, df } = sent(left.outbound(part(2960, datagram.length), 0));
  assert.equal(df, false);
  const expected = ipv4(LEFT.ip, RIGHT.ip, datagram, { df: true });
  assert.deepEqual(right.inbound(bytes, LEFT, true, 0), { tag: 'deliver', packet: expected, id: 1 });
  assert.equal(left.stats(1)?.packetsOut, 1);
});

test('a burst of datagrams in fragments travels whole, all of it, though it comes in one batch', () => {
  const { left, right } = ends();
  const datagrams = Array.from({ length: 8 }, (_, i) => udp(1, 2, String(i).repeat(1500)));
  const parts = datagrams.flatMap((datagram, i) =>
    [
      ipv4(LEFT.ip, RIGHT.ip, datagram.subarray(0, 1408), { more: true }),
      ipv4(LEFT.ip, RIGHT.ip, datagram.subarray(1408), { offset: 176 }),
    ].map((part) => identified(part, i + 1)),
  );
  left.lane.inside.push(...parts.map((bytes) => ({ bytes, gso: GSO.NONE, mss: 0 })));
  left.pipelines.wake();
  assert.equal(left.drops.fragment, 0);
  const arrived = left.sent.map(({ bytes }) => right.inbound(bytes, LEFT, true, 0));
  assert.deepEqual(
    arrived,
    datagrams.map((datagram) => ({ tag: 'deliver', packet: ipv4(LEFT.ip, RIGHT.ip, datagram, { df: true }), id: 1 })),
  );
});

function identified(packet: Uint8Array, id: number): Uint8Array {
  view(packet).setUint16(4, id);
  return packet;
}

test('datagrams for which there is no room in the batch are counted, and leave nothing behind', () => {
  const { left } = ends();
  const size = 60_000;
  const datagrams = [0, 1, 2, 3, 4].map((i) => ({ id: i + 1, datagram: udp(1, 2, 'x'.repeat(size)) }));
  // All their ends in one batch.
  const parts = [
    ...datagrams.map(({ id, datagram }) =>
      identified(ipv4(LEFT.ip, RIGHT.ip, datagram.subarray(0, size - 8), { more: true }), id),
    ),
    ...datagrams.map(({ id, datagram }) =>
      identified(ipv4(LEFT.ip, RIGHT.ip, datagram.subarray(size - 8), { offset: (size - 8) / 8 }), id),
    ),
  ];
  left.lane.inside.push(...parts.map((bytes) => ({ bytes, gso: GSO.NONE, mss: 0 })));
  left.pipelines.wake();
  assert.deepEqual([left.sent.length, left.stats(1)?.drops.fragment], [4, 1]);
});

test('a datagram of which the fragments hide an extension header is not carried, and its SA says so', () => {
  const hosts = { local: { ...LEFT, ip: '2001:db8::1' }, remote: { ...RIGHT, ip: '2001:db8::2' } };
  const selectors = { localTs: [selector('2001:db8::1/128')], remoteTs: [selector('2001:db8::2/128')] };
  const { left } = ends({ ...hosts, ...selectors });
  const options = Uint8Array.of(17, 0, 1, 4, 0, 0, 0, 0);
  const hidden = concat(options, udp(1, 2, 'x'.repeat(2000)));
  const part = (from: number, to: number) => {
    const more = to < hidden.length ? 1 : 0;
    const header = Uint8Array.of(60, 0, from >> 8, (from & 0xf8) | more, 0, 0, 0, 7);
    return ipv6('2001:db8::1', '2001:db8::2', concat(header, hidden.subarray(from, to)), 44);
  };
  assert.deepEqual(left.outbound(part(0, 1200), 0), { tag: 'wait' });
  assert.equal(dropped(left.outbound(part(1200, hidden.length), 0)), 'unsupported');
  assert.equal(left.stats(1)?.drops.unsupported, 1);
});

test('behind a NAT the checksum is made to fit the addresses that are seen', () => {
  for (const [payload, protocol] of [
    [udp(1, 2), 17],
    [tcp({ data: text(100) }), 6],
  ] as const) {
    const { left } = ends();
    const { right } = ends({ natted: true, local: NAT, localTs: [selector(`${NAT.ip}/32`)] });
    const { bytes } = sent(left.outbound(between(LEFT.ip, RIGHT.ip, payload, protocol), 0));
    const expected = between(NAT.ip, RIGHT.ip, payload, protocol);
    assert.deepEqual(right.inbound(bytes, NAT, true, 0), { tag: 'deliver', packet: expected, id: 1 });
  }
});

test('a UDP checksum that was left out stays left out behind a NAT', () => {
  const { left } = ends();
  const { right } = ends({ natted: true, local: NAT, localTs: [selector(`${NAT.ip}/32`)] });
  const bare = ipv4(LEFT.ip, RIGHT.ip, udp(1, 2), { df: true });
  const expected = ipv4(NAT.ip, RIGHT.ip, udp(1, 2), { df: true });
  const { bytes } = sent(left.outbound(bare, 0));
  assert.deepEqual(right.inbound(bytes, NAT, true, 0), { tag: 'deliver', packet: expected, id: 1 });
});

test('an authentic packet from an address that the selectors do not name is not let in', () => {
  const { left, right } = ends();
  const { bytes } = sent(left.outbound(DATAGRAM, 0));
  assert.equal(dropped(right.inbound(bytes, NAT, true, 0)), 'policy');
});

test('the next header is the protocol of the payload', () => {
  const { left } = ends();
  const { bytes } = sent(left.outbound(DATAGRAM, 0));
  const by = left.pipelines.sas.out(left.slotOf(1))?.by;
  assert.ok(by && 'protection' in by);
  const plain = by.protection.open(bytes.subarray(8, 16), bytes.subarray(0, 8), bytes.subarray(16));
  assert.ok(plain);
  const opened = unpad(plain);
  assert.ok(opened !== 'bad-padding');
  assert.equal(opened.nextHeader, 17);
});
