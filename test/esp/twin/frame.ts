// The ESP packet: header, IV, payload, padding, trailer, ICV (RFC 4303 §2, §3.3, §3.4). Knows neither SAs nor policies.

import { concat } from '../../../src/bytes/bytes.ts';
import type { Protection } from '../../../src/crypto/types.ts';

/** SPI and sequence number. */
const HEADER = 8;
/** Pad length and next header. */
const TRAILER = 2;
const TWO32 = 2 ** 32;

export const NEXT_IPV4 = 4;
export const NEXT_IPV6 = 41;
export const NEXT_NONE = 59;

/**
 * Where the high half of an extended sequence number takes part: not at all, inside the AAD of a combined mode (RFC 4106
 * §5), or behind what a separate MAC covers (RFC 4303 §2.2.1).
 */
export type Extended = 'no' | 'aad' | 'tail';

export interface Opened {
  readonly nextHeader: number;
  /** Without padding; what follows an inner packet in it is TFC padding (RFC 4303 §2.7). */
  readonly payload: Uint8Array;
}

export function seal(
  protection: Protection,
  spi: number,
  seq: number,
  iv: Uint8Array,
  payload: Uint8Array,
  nextHeader: number,
  extended: Extended = 'no',
): Uint8Array {
  const header = concat(word(spi), word(seq));
  const plain = padded(protection, payload, nextHeader);
  const sealed = protection.seal(iv, aad(header, seq, extended), plain, tail(seq, extended));
  return concat(header, iv, sealed);
}

function aad(header: Uint8Array, seq: number, extended: Extended): Uint8Array {
  if (extended !== 'aad') return header;
  return concat(header.subarray(0, 4), word(seq / TWO32), header.subarray(4));
}

function tail(seq: number, extended: Extended): Uint8Array {
  return extended === 'tail' ? word(seq / TWO32) : new Uint8Array(0);
}

/** The low 32 bits, big-endian. */
function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** RFC 4303 §2.4: padding of 1, 2, 3 … so that the ciphertext ends on a 4-byte and a cipher block boundary. */
function padded(protection: Protection, payload: Uint8Array, nextHeader: number): Uint8Array {
  const unit = alignment(protection);
  const padding = (unit - ((payload.length + TRAILER) % unit)) % unit;
  const plain = new Uint8Array(payload.length + padding + TRAILER);
  plain.set(payload);
  for (let i = 1; i <= padding; i++) plain[payload.length + i - 1] = i;
  plain[plain.length - 2] = padding;
  plain[plain.length - 1] = nextHeader;
  return plain;
}

/** What can be said of a packet's length before any cryptography. */
export function fault(protection: Protection, esp: Uint8Array): 'short' | 'misaligned' | undefined {
  const text = esp.length - HEADER - protection.ivSize - protection.icvSize;
  if (text < TRAILER) return 'short';
  return text % alignment(protection) === 0 ? undefined : 'misaligned';
}

/**
 * Decrypts a packet without `fault`. The result holds the trailer still, which `unpad` takes off. `seq` is the whole
 * sequence number.
 */
export function open(
  protection: Protection,
  esp: Uint8Array,
  seq = seqOf(esp),
  extended: Extended = 'no',
): Uint8Array | undefined {
  const text = HEADER + protection.ivSize;
  const header = esp.subarray(0, HEADER);
  const iv = esp.subarray(HEADER, text);
  return protection.open(iv, aad(header, seq, extended), esp.subarray(text), tail(seq, extended));
}

/** RFC 4303 §2.4 lets the receiver inspect the padding; nothing may hide in it here. */
export function unpad(plain: Uint8Array): Opened | 'bad-padding' {
  const end = plain.length - TRAILER;
  const padding = plain[end] as number;
  const start = end - padding;
  if (start < 0) return 'bad-padding';
  for (let i = 1; i <= padding; i++) if (plain[start + i - 1] !== i) return 'bad-padding';
  return { nextHeader: plain[end + 1] as number, payload: plain.subarray(0, start) };
}

export function spiOf(esp: Uint8Array): number {
  return u32(esp, 0);
}

export function seqOf(esp: Uint8Array): number {
  return u32(esp, 4);
}

function u32(bytes: Uint8Array, at: number): number {
  return ((u16(bytes, at) << 16) | u16(bytes, at + 2)) >>> 0;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function alignment(protection: Protection): number {
  return Math.max(4, protection.blockSize);
}
