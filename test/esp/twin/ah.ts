// AH around packets and off them (RFC 4302): everything in clear, and an ICV over it and over what does not change of the
// outer header.

import { concat } from '../../../src/bytes/bytes.ts';
import type { Integrity } from '../../../src/crypto/types.ts';
import { FAILED, MESSAGE } from '../../../src/esp/layout.ts';
import { view } from './ip.ts';

const PROTOCOL = 51;
const FIXED = 12;
const V4_HEADER = 20;
const LARGEST = 0xffff;
const HOPS = 64;
const TWO32 = 2 ** 32;

export interface Mac {
  readonly integrity: Integrity;
  readonly key: Uint8Array;
}

export interface AhPacket {
  readonly spi: number;
  readonly seq: number;
  readonly extended: boolean;
  /** As net/native.ts lays it out. */
  readonly path: Uint8Array;
  readonly class: number;
  readonly df: boolean;
}

/** In IPv4 with its IP header, which the kernel takes from us; undefined where it would be too large. */
export function sealAh(mac: Mac, about: AhPacket, payload: Uint8Array, next: number): Uint8Array | undefined {
  const { spi, seq, extended, path } = about;
  const v4 = path[0] === 4;
  const { icvSize } = mac.integrity;
  // RFC 4302 §2.2: to 32 bits, or to 64 in IPv6.
  const unit = v4 ? 4 : 8;
  const header = new Uint8Array(Math.ceil((FIXED + icvSize) / unit) * unit);
  const fields = view(header);
  fields.setUint8(0, next);
  fields.setUint8(1, header.length / 4 - 2);
  fields.setUint32(4, spi);
  fields.setUint32(8, seq);
  const ip = v4 ? outer4(about, header.length + payload.length) : new Uint8Array(0);
  if (ip.length + header.length + payload.length > LARGEST) return undefined;
  const [local, remote] = [path.subarray(4, 20), path.subarray(20, 36)];
  const stable = v4 ? muted4(ip) : muted6(local, remote, header.length + payload.length);
  header.set(mac.integrity.compute(mac.key, stable, header, payload, high(seq, extended)), FIXED);
  return concat(ip, header, payload);
}

/** The payload and its protocol. `outer` is the IPv4 header that it came with; `message` are the datagram's words. */
export function openAh(
  mac: Mac,
  bytes: Uint8Array,
  seq: number,
  extended: boolean,
  outer: Uint8Array,
  message: Int32Array,
): { readonly payload: Uint8Array; readonly next: number } | number {
  const { icvSize } = mac.integrity;
  const least = FIXED + icvSize;
  if (bytes.length < least) return FAILED.SHORT;
  const size = ((bytes[1] as number) + 2) * 4;
  // Some align to 64 bits in IPv4, too.
  if (size < least || size > least + 7 || size > bytes.length) return FAILED.MISALIGNED;
  const v4 = ((message[MESSAGE.KIND] as number) & 15) === 4;
  // Options are not understood: which of them change is a study of its own (RFC 4302 appendix A1).
  if (v4 && outer.length !== V4_HEADER) return FAILED.BAD_ICV;
  const header = bytes.slice(0, size).fill(0, FIXED, least);
  const payload = bytes.slice(size);
  const addresses = v4 ? [] : [words(message, MESSAGE.REMOTE), words(message, MESSAGE.LOCAL)];
  const stable = v4 ? muted4(outer) : muted6(addresses[0] ?? outer, addresses[1] ?? outer, bytes.length);
  const icv = mac.integrity.compute(mac.key, stable, header, payload, high(seq, extended));
  if (!icv.every((byte, i) => byte === bytes[FIXED + i])) return FAILED.BAD_ICV;
  return { payload, next: bytes[0] as number };
}

/** RFC 4302 §2.5.1: the high half of an extended number, which nobody sends. */
function high(seq: number, extended: boolean): Uint8Array {
  const bytes = new Uint8Array(extended ? 4 : 0);
  if (extended) view(bytes).setUint32(0, seq / TWO32);
  return bytes;
}

function outer4({ path, class: both, df, seq }: AhPacket, payload: number): Uint8Array {
  const ip = new Uint8Array(V4_HEADER);
  const fields = view(ip);
  fields.setUint16(0, 0x4500 | both);
  fields.setUint16(2, V4_HEADER + payload);
  // Never zero, which the kernel would replace.
  fields.setUint16(4, (seq % 0xffff) + 1);
  fields.setUint16(6, df ? 0x4000 : 0);
  fields.setUint16(8, (HOPS << 8) | PROTOCOL);
  ip.set(path.subarray(4, 8), 12);
  ip.set(path.subarray(20, 24), 16);
  return ip;
}

/** RFC 4302 §3.3.3.1.1.1: type of service, flags and offset, time to live and checksum count as zero. */
function muted4(ip: Uint8Array): Uint8Array {
  const muted = ip.slice();
  for (const at of [1, 6, 7, 8, 10, 11]) muted[at] = 0;
  return muted;
}

/** RFC 4302 §3.3.3.1.2.1: class, flow label and hop limit count as zero. */
function muted6(source: Uint8Array, destination: Uint8Array, payload: number): Uint8Array {
  const ip = concat(new Uint8Array(8), source, destination);
  const fields = view(ip);
  fields.setUint16(0, 0x6000);
  fields.setUint16(4, payload);
  fields.setUint8(6, PROTOCOL);
  return ip;
}

function words(message: Int32Array, at: number): Uint8Array {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 4; i++) view(bytes).setInt32(4 * i, message[at + i] as number);
  return bytes;
}
