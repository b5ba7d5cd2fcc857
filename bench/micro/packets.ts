// Addresses, tunnels and packets for the small benches: the same in every run.

import { concat } from '../../src/bytes/bytes.ts';
import { parseIp, prefixRange } from '../../src/bytes/ip.ts';
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
