// ICMP errors that the gateway sends to the inside (RFC 792, RFC 1812 §4.3.2, RFC 4443 §2.4, §3.1).

import type { Inner } from './packet.ts';

const ICMP = 1;
const ICMPV6 = 58;
const ERROR_HEADER = 8;
const HOP_LIMIT = 64;
/** RFC 1812 §4.3.2.3 and RFC 4443 §2.4 (c): as much of the packet as fits. */
const V4_LARGEST = 576;
const V6_LARGEST = 1280;
/** RFC 1812 §4.3.2.5: internetwork control. */
const PRECEDENCE = 0xc0;

/**
 * "Communication administratively prohibited" for a packet that no policy covers. It comes from the address that was to
 * be reached: an address of our own would be refused as a martian on its way in. Undefined when no error may be sent.
 */
export function prohibited(inner: Inner): Uint8Array | undefined {
  if (!answerable(inner)) return undefined;
  return inner.version === 4 ? error4(inner, 3, 13) : error6(inner, 1, 1);
}

/** RFC 1122 §3.2.2, RFC 4443 §2.4 (e). */
function answerable(inner: Inner): boolean {
  if (inner.laterFragment) return false;
  if (!unicast(inner, inner.sourceAt) || !unicast(inner, inner.destinationAt)) return false;
  const type = inner.sourcePort >>> 8;
  if (inner.protocol === ICMP) return inner.portsKnown && !V4_ERRORS.has(type);
  if (inner.protocol === ICMPV6) return inner.portsKnown && type >= 128 && type !== V6_REDIRECT;
  return true;
}

/** Unreachable, source quench, redirect, time exceeded, parameter problem. */
const V4_ERRORS: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);
const V6_REDIRECT = 137;

/** One host that can be answered: not multicast, broadcast, loopback or unspecified. */
function unicast({ version, bytes }: Inner, at: number): boolean {
  const first = bytes[at] as number;
  if (version === 4) return first !== 0 && first !== 127 && first < 224;
  if (first === 0xff) return false;
  return first !== 0 || bytes.subarray(at, at + 15).some((byte) => byte !== 0);
}

function error4(inner: Inner, type: number, code: number): Uint8Array {
  const quoted = inner.packet.subarray(0, V4_LARGEST - 20 - ERROR_HEADER);
  const error = new Uint8Array(20 + ERROR_HEADER + quoted.length);
  const view = new DataView(error.buffer);
  view.setUint8(0, 0x45);
  view.setUint8(1, PRECEDENCE);
  view.setUint16(2, error.length);
  view.setUint8(8, HOP_LIMIT);
  view.setUint8(9, ICMP);
  swapAddresses(inner, error);
  view.setUint16(10, checksum(error.subarray(0, 20)));
  view.setUint8(20, type);
  view.setUint8(21, code);
  error.set(quoted, 20 + ERROR_HEADER);
  view.setUint16(22, checksum(error.subarray(20)));
  return error;
}

function error6(inner: Inner, type: number, code: number): Uint8Array {
  const quoted = inner.packet.subarray(0, V6_LARGEST - 40 - ERROR_HEADER);
  const error = new Uint8Array(40 + ERROR_HEADER + quoted.length);
  const view = new DataView(error.buffer);
  view.setUint8(0, 0x60);
  view.setUint16(4, error.length - 40);
  view.setUint8(6, ICMPV6);
  view.setUint8(7, HOP_LIMIT);
  swapAddresses(inner, error);
  view.setUint8(40, type);
  view.setUint8(41, code);
  error.set(quoted, 40 + ERROR_HEADER);
  // RFC 8200 §8.1: the pseudo-header is the addresses, the length and the protocol.
  view.setUint16(42, checksum(error.subarray(8), error.length - 40 + ICMPV6));
  return error;
}

function swapAddresses({ bytes, sourceAt, destinationAt, addressSize }: Inner, error: Uint8Array): void {
  error.set(bytes.subarray(destinationAt, destinationAt + addressSize), sourceAt);
  error.set(bytes.subarray(sourceAt, sourceAt + addressSize), destinationAt);
}

/** The Internet checksum (RFC 1071) of `bytes`, with `sum` added. */
export function checksum(bytes: Uint8Array, sum = 0): number {
  let total = sum;
  for (let i = 0; i < bytes.length; i += 2) total += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}
