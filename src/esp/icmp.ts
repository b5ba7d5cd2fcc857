// ICMP errors that the gateway sends to the inside (RFC 792, RFC 1191, RFC 1812 §4.3.2, RFC 4443 §2.4, §3.1, §3.2). They
// come from the address that was to be reached: one of our own would be refused as a martian on its way in. Whoever calls
// limits their rate; each allocates.

import type { Inner } from './packet.ts';

const ICMP = 1;
const ICMPV6 = 58;
const TCP = 6;
const UDP = 17;
const ERROR_HEADER = 8;
const HOP_LIMIT = 64;
/** RFC 1812 §4.3.2.3 and RFC 4443 §2.4 (c): as much of the packet as fits. */
const V4_LARGEST = 576;
const V6_LARGEST = 1280;
/** RFC 1812 §4.3.2.5: internetwork control. */
const PRECEDENCE = 0xc0;
/** RFC 791 and RFC 8200 §5: every link takes packets of this size. */
const V4_LEAST_MTU = 68;
const V6_LEAST_MTU = 1280;
const FIN_PSH = 0x09;

/** "Communication administratively prohibited" for a packet that no policy covers. Undefined when no error may be sent. */
export function prohibited(inner: Inner): Uint8Array | undefined {
  if (!answerable(inner)) return undefined;
  return inner.version === 4 ? error4(inner, 3, 13, 0, 0) : error6(inner, 1, 1, 0, 0);
}

/**
 * "Fragmentation needed", "packet too big". `segment` is how much payload each packet of a super-segment was to carry, 0
 * for a packet of its own: quoted is the first packet that the sender believes to have sent.
 */
export function tooBig(inner: Inner, mtu: number, segment = 0): Uint8Array | undefined {
  if (!answerable(inner)) return undefined;
  if (inner.version === 4) return error4(inner, 3, 4, Math.min(Math.max(mtu, V4_LEAST_MTU), 0xffff), segment);
  // RFC 2473 §7.1: never less, whatever the tunnel can do.
  return error6(inner, 2, 0, Math.max(mtu, V6_LEAST_MTU), segment);
}

/** RFC 1122 §3.2.2, RFC 4443 §2.4 (e). */
function answerable(inner: Inner): boolean {
  if (inner.laterFragment) return false;
  const { version, s0, s1, s2, s3, d0, d1, d2, d3 } = inner;
  const unicast = version === 4 ? unicast4(s0) && unicast4(d0) : unicast6(s0, s1, s2, s3) && unicast6(d0, d1, d2, d3);
  if (!unicast) return false;
  const type = inner.sourcePort >>> 8;
  if (inner.protocol === ICMP) return inner.portsKnown && !V4_ERRORS.has(type);
  if (inner.protocol === ICMPV6) return inner.portsKnown && type >= 128 && type !== V6_REDIRECT;
  return true;
}

/** Unreachable, source quench, redirect, time exceeded, parameter problem. */
const V4_ERRORS: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);
const V6_REDIRECT = 137;

/** One host that can be answered: not multicast, broadcast, loopback or unspecified. */
function unicast4(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

function unicast6(a0: number, a1: number, a2: number, a3: number): boolean {
  return a0 >>> 24 !== 0xff && ((a0 | a1 | a2) !== 0 || a3 >>> 8 !== 0);
}

/** `rest` stands in the word behind the checksum. */
function error4(inner: Inner, type: number, code: number, rest: number, segment: number): Uint8Array {
  const quoted = quote(inner, V4_LARGEST - 20 - ERROR_HEADER, segment);
  const error = new Uint8Array(20 + ERROR_HEADER + quoted.length);
  const view = new DataView(error.buffer);
  view.setUint8(0, 0x45);
  view.setUint8(1, PRECEDENCE);
  view.setUint16(2, error.length);
  view.setUint8(8, HOP_LIMIT);
  view.setUint8(9, ICMP);
  swapAddresses(inner, error, 12, 4);
  view.setUint16(10, checksum(error.subarray(0, 20)));
  view.setUint8(20, type);
  view.setUint8(21, code);
  view.setUint32(24, rest);
  error.set(quoted, 20 + ERROR_HEADER);
  view.setUint16(22, checksum(error.subarray(20)));
  return error;
}

function error6(inner: Inner, type: number, code: number, rest: number, segment: number): Uint8Array {
  const quoted = quote(inner, V6_LARGEST - 40 - ERROR_HEADER, segment);
  const error = new Uint8Array(40 + ERROR_HEADER + quoted.length);
  const view = new DataView(error.buffer);
  view.setUint8(0, 0x60);
  view.setUint16(4, error.length - 40);
  view.setUint8(6, ICMPV6);
  view.setUint8(7, HOP_LIMIT);
  swapAddresses(inner, error, 8, 16);
  view.setUint8(40, type);
  view.setUint8(41, code);
  view.setUint32(44, rest);
  error.set(quoted, 40 + ERROR_HEADER);
  // RFC 8200 §8.1: the pseudo-header is the addresses, the length and the protocol.
  view.setUint16(42, checksum(error.subarray(8), error.length - 40 + ICMPV6));
  return error;
}

/** At most `room` bytes of the packet, or of the first packet that a super-segment is to become. */
function quote(inner: Inner, room: number, segment: number): Uint8Array {
  const payload = payloadAt(inner);
  const length = payload + segment;
  if (segment === 0 || payload === 0 || length >= inner.length) return inner.packet.slice(0, room);
  const first = inner.packet.slice(0, length);
  const view = new DataView(first.buffer);
  if (inner.version === 4) {
    view.setUint16(2, length);
    view.setUint16(10, 0);
    view.setUint16(10, checksum(first.subarray(0, (view.getUint8(0) & 0x0f) * 4)));
  } else {
    view.setUint16(4, length - 40);
  }
  // The last of a TCP super-segment's packets carries FIN and PSH; UDP has a length of its own in each.
  if (inner.protocol === TCP) view.setUint8(inner.header + 13, view.getUint8(inner.header + 13) & ~FIN_PSH);
  else view.setUint16(inner.header + 4, length - inner.header);
  return first.subarray(0, room);
}

/** Where the payload of TCP or UDP starts; 0 where nothing can be split. */
function payloadAt({ bytes, at, header, length, protocol, fragment }: Inner): number {
  if (fragment) return 0;
  if (protocol === UDP && header + 8 <= length) return header + 8;
  if (protocol !== TCP || header + 20 > length) return 0;
  return header + ((bytes[at + header + 12] as number) >> 4) * 4;
}

function swapAddresses({ bytes, at }: Inner, error: Uint8Array, source: number, size: number): void {
  const from = at + source;
  error.set(bytes.subarray(from + size, from + 2 * size), source);
  error.set(bytes.subarray(from, from + size), source + size);
}

/** The Internet checksum (RFC 1071) of `bytes`, with `sum` added. */
export function checksum(bytes: Uint8Array, sum = 0): number {
  let total = sum;
  for (let i = 0; i < bytes.length; i += 2) total += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}
