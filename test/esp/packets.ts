// IP packets, addresses and selectors from their text, for the tests of the data plane.

import { concat } from '../../src/bytes/bytes.ts';
import { parseIp, parsePrefix, prefixRange } from '../../src/bytes/ip.ts';
import { checksum } from '../../src/esp/icmp.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';

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
}

export function ipv4(source: string, destination: string, payload: Uint8Array, fields: Fields = {}): Uint8Array {
  const packet = concat(new Uint8Array(20), payload);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x45);
  view.setUint8(1, fields.tos ?? 0);
  view.setUint16(2, packet.length);
  view.setUint16(6, (fields.more ? 0x2000 : 0) | (fields.offset ?? 0));
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
