// IP packets, addresses and selectors from their text, for the tests of the data plane.

import { concat } from '../../src/bytes/bytes.ts';
import { parseIp, parsePrefix, prefixRange } from '../../src/bytes/ip.ts';
import { checksum } from '../../src/esp/icmp.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';
import { view as fieldsOf, upperAt, upperChecksum } from './twin/ip.ts';

export function ip(text: string): Uint8Array {
  const bytes = parseIp(text);
  if (!bytes) throw new Error(`no address: ${text}`);
  return bytes;
}

/** `10.0.0.0/8`, `10.0.0.1-10.0.0.9`, with protocol and ports where asked for. */
export function selector(text: string, protocol = 0, startPort = 0, endPort = 0xffff): Selector {
  const [first = '', last] = text.split('-');
  if (last !== undefined) return { protocol, startPort, endPort, start: ip(first), end: ip(last) };
  const prefix = parsePrefix(text);
  if (!prefix) throw new Error(`no prefix: ${text}`);
  return { protocol, startPort, endPort, ...prefixRange(prefix) };
}

interface Fields {
  readonly protocol?: number;
  readonly tos?: number;
  /** Offset in units of 8 bytes. */
  readonly offset?: number;
  readonly more?: boolean;
  readonly df?: boolean;
}

export function ipv4(source: string, destination: string, payload: Uint8Array, fields: Fields = {}): Uint8Array {
  const packet = concat(new Uint8Array(20), payload);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x45);
  view.setUint8(1, fields.tos ?? 0);
  view.setUint16(2, packet.length);
  view.setUint16(6, (fields.df ? 0x4000 : 0) | (fields.more ? 0x2000 : 0) | (fields.offset ?? 0));
  view.setUint8(8, 64);
  view.setUint8(9, fields.protocol ?? 17);
  packet.set(ip(source), 12);
  packet.set(ip(destination), 16);
  view.setUint16(10, checksum(packet.subarray(0, 20)));
  return packet;
}

export function ipv6(source: string, destination: string, payload: Uint8Array, next = 17, traffic = 0): Uint8Array {
  const packet = concat(new Uint8Array(40), payload);
  const view = new DataView(packet.buffer);
  view.setUint32(0, (6 << 28) | (traffic << 20));
  view.setUint16(4, payload.length);
  view.setUint8(6, next);
  view.setUint8(7, 64);
  packet.set(ip(source), 8);
  packet.set(ip(destination), 24);
  return packet;
}

export function udp(from: number, to: number, text = 'a datagram'): Uint8Array {
  const data = new TextEncoder().encode(text);
  const datagram = concat(new Uint8Array(8), data);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, from);
  view.setUint16(2, to);
  view.setUint16(4, datagram.length);
  return datagram;
}

interface Segment {
  readonly flags?: number;
  readonly seq?: number;
  /** Multiples of 4 bytes. */
  readonly options?: Uint8Array;
  readonly data?: Uint8Array;
}

export const FIN = 0x01;
export const SYN = 0x02;
export const PSH = 0x08;
export const ACK = 0x10;
export const CWR = 0x80;

/** A TCP segment whose checksum is wrong until `whole` has seen the packet. */
export function tcp({ flags = ACK, seq = 1000, options = NOTHING, data = NOTHING }: Segment): Uint8Array {
  const segment = concat(new Uint8Array(20), options, data);
  const fields = fieldsOf(segment);
  fields.setUint16(0, 40_000);
  fields.setUint16(2, 443);
  fields.setUint32(4, seq);
  fields.setUint32(8, 77);
  fields.setUint8(12, (5 + options.length / 4) << 4);
  fields.setUint8(13, flags);
  fields.setUint16(14, 0xfaf0);
  return segment;
}

const NOTHING = new Uint8Array(0);

/** With the right checksum of its TCP or UDP. */
export function whole(packet: Uint8Array, protocol: 6 | 17): Uint8Array {
  const at = upperAt(packet, protocol);
  if (at === undefined) throw new Error('no such header');
  const summed = packet.slice();
  fieldsOf(summed).setUint16(at + (protocol === 6 ? 16 : 6), upperChecksum(packet, at, protocol));
  return summed;
}

/** Bytes that differ from place to place. */
export function text(size: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (seed + i * 31 + (i >> 8)) & 0xff);
}
