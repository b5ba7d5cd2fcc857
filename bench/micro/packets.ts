// Addresses, tunnels and packets for the small benches: the same in every run.

import { concat } from '../../src/bytes/bytes.ts';
import { parseIp, prefixRange } from '../../src/bytes/ip.ts';
import { checksum } from '../../src/esp/icmp.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';

/** Whole numbers below `limit`, by Numerical Recipes' generator. */
export function numbers(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

export function address(text: string): Uint8Array {
  const bytes = parseIp(text);
  if (!bytes) throw new Error(`no address: ${text}`);
  return bytes;
}

export function network(start: Uint8Array, length: number): Selector {
  return { protocol: 0, startPort: 0, endPort: 0xffff, ...prefixRange({ address: start, length }) };
}

export interface Tunnel {
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
  /** One address behind it. */
  readonly host: Uint8Array;
}

/** Sites of one company: most are a /24 of 10.0.0.0/8, some a prefix of another length elsewhere. */
export function tunnels4(count: number): readonly Tunnel[] {
  const next = numbers(12_345);
  const taken = new Set<string>();
  const local = [network(address('10.71.1.0'), 24)];
  const all: Tunnel[] = [];
  while (all.length < count) {
    const inside = all.length % 10 < 7;
    const length = inside ? 24 : 12 + next(17);
    const host = Uint8Array.of(inside ? 10 : 11 + next(180), next(256), next(256), 1 + next(254));
    const selector = network(host, length);
    const name = `${selector.start.join('.')}/${length}`;
    if (taken.has(name)) continue;
    taken.add(name);
    all.push({ local, remote: [selector], host });
  }
  return all;
}

/** A /64 each, of one /32. */
export function tunnels6(count: number): readonly Tunnel[] {
  const next = numbers(54_321);
  const local = [network(address('2001:db8:ffff::'), 48)];
  return Array.from({ length: count }, (_, i) => {
    const host = address('2001:db8::1');
    host.set([i >> 8, i & 0xff, next(256), next(256)], 4);
    return { local, remote: [network(host, 64)], host };
  });
}

/** An IP packet with `payload` bytes of zeros behind the ports. */
export function packet(source: Uint8Array, destination: Uint8Array, protocol = 17, payload = 64): Uint8Array {
  const body = new Uint8Array(payload + 8);
  body.set([0x13, 0x88, 0, 53]);
  return source.length === 4
    ? packet4(source, destination, protocol, body)
    : packet6(source, destination, protocol, body);
}

function packet4(source: Uint8Array, destination: Uint8Array, protocol: number, body: Uint8Array): Uint8Array {
  const bytes = concat(new Uint8Array(12), source, destination, body);
  bytes.set([0x45, 0, bytes.length >> 8, bytes.length & 0xff]);
  bytes.set([64, protocol], 8);
  return bytes;
}

export function packet6(source: Uint8Array, destination: Uint8Array, next: number, body: Uint8Array): Uint8Array {
  const bytes = concat(new Uint8Array(8), source, destination, body);
  bytes.set([0x60, 0, 0, 0, body.length >> 8, body.length & 0xff, next, 64]);
  return bytes;
}

/** Packets one behind the other at multiples of 64 bytes, as they lie in the arena that the TUN is read into. */
export interface Arena {
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
  readonly lengths: Int32Array;
}

export function arena(packets: readonly Uint8Array[]): Arena {
  const offsets = new Int32Array(packets.length);
  let end = 0;
  for (const [i, { length }] of packets.entries()) {
    offsets[i] = end;
    end += Math.ceil(length / 64) * 64;
  }
  const bytes = new Uint8Array(end);
  for (const [i, each] of packets.entries()) bytes.set(each, offsets[i] as number);
  return { bytes, offsets, lengths: Int32Array.from(packets, ({ length }) => length) };
}

/** TCP or UDP over IPv4 with good checksums and this much payload, which begins `from` bytes into a stream. */
export function superSegment(source: Uint8Array, destination: Uint8Array, tcp: boolean, payload: number, from: number) {
  const upper = tcp ? 20 : 8;
  const bytes = new Uint8Array(20 + upper + payload);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, bytes.length);
  view.setUint16(6, 0x4000);
  view.setUint8(8, 64);
  view.setUint8(9, tcp ? 6 : 17);
  bytes.set(source, 12);
  bytes.set(destination, 16);
  view.setUint16(10, checksum(bytes.subarray(0, 20)));
  view.setUint16(20, 5001);
  view.setUint16(22, 5001);
  bytes.fill(0x5a, 20 + upper);
  if (tcp) {
    view.setUint32(24, 1000 + from);
    view.setUint16(32, 0x5010);
    view.setUint16(34, 500);
  } else {
    view.setUint16(24, upper + payload);
  }
  const words = (at: number) => view.getUint16(at);
  const pseudo = words(12) + words(14) + words(16) + words(18) + (tcp ? 6 : 17) + upper + payload;
  view.setUint16(tcp ? 36 : 26, checksum(bytes.subarray(20), pseudo));
  return bytes;
}
