// The Encrypted payload, whole and in fragments: RFC 7296 §3.14, RFC 5282, RFC 7383.

import { concat } from '../../bytes/bytes.ts';
import { WireError } from '../../bytes/error.ts';
import { protection } from '../../crypto/registry.ts';
import type { Protection, Random } from '../../crypto/types.ts';
import type { Suite } from '../select.ts';
import { encodePayloads, encryptedPrefix, type HeaderFields } from '../wire/message.ts';
import type { Encrypted, Payload } from '../wire/payload.ts';
import type { IkeKeys } from './state.ts';

/** RFC 7383 §2.5: numbers of fragments are 16 bits wide; nobody needs that many. */
const MAX_FRAGMENTS = 64;
const IKE_HEADER = 28;
const SK_HEADER = 4;
const SKF_HEADER = 8;

export interface Channel {
  readonly send: Protection;
  readonly receive: Protection;
}

/** `original` is true on the side that began this IKE SA and so owns SK_*i. */
export function channel(suite: Suite, keys: IkeKeys, original: boolean): Channel {
  const make = (encrKey: Uint8Array, integKey: Uint8Array) =>
    protection({ encr: suite.encr, keyBits: suite.keyBits, integ: suite.integ, encrKey, integKey });
  const initiator = make(keys.skEi, keys.skAi);
  const responder = make(keys.skEr, keys.skAr);
  return original ? { send: initiator, receive: responder } : { send: responder, receive: initiator };
}

export interface Sealing {
  readonly protection: Protection;
  readonly header: HeaderFields;
  readonly payloads: readonly Payload[];
  /** The largest message wanted; undefined when the peer takes no fragments. */
  readonly maximum: number | undefined;
  readonly random: Random;
  /** A number never given before under this key. */
  readonly nextIv: () => number;
}

/** The datagrams of one message. */
export function seal(sealing: Sealing): Uint8Array[] {
  const { first, bytes } = encodePayloads(sealing.payloads);
  const { protection, maximum } = sealing;
  const whole = IKE_HEADER + SK_HEADER + bodyLength(protection, bytes.length);
  if (maximum === undefined || whole <= maximum) return [sealBody(sealing, first, bytes)];
  const room = fragmentRoom(protection, maximum);
  const total = Math.ceil(bytes.length / room);
  if (total > MAX_FRAGMENTS)
    throw new Error(`a message of ${bytes.length} bytes does not fit ${MAX_FRAGMENTS} fragments`);
  return Array.from({ length: total }, (_, i) =>
    sealBody(sealing, i === 0 ? first : 0, bytes.subarray(i * room, (i + 1) * room), { number: i + 1, total }),
  );
}

function fragmentRoom(protection: Protection, maximum: number): number {
  const body = maximum - IKE_HEADER - SKF_HEADER - protection.ivSize - protection.icvSize;
  return body - (body % protection.blockSize) - 1;
}

function bodyLength(protection: Protection, plain: number): number {
  return protection.ivSize + padded(protection, plain) + protection.icvSize;
}

/** Plaintext, padding and the pad length octet. */
function padded(protection: Protection, plain: number): number {
  return Math.ceil((plain + 1) / protection.blockSize) * protection.blockSize;
}

function sealBody(
  { protection, header, random, nextIv }: Sealing,
  inner: number,
  plain: Uint8Array,
  fragment?: { number: number; total: number },
): Uint8Array {
  const text = new Uint8Array(padded(protection, plain.length));
  text.set(plain);
  text[text.length - 1] = text.length - plain.length - 1;
  const iv = protection.counterIv ? counterIv(protection.ivSize, nextIv()) : random(protection.ivSize);
  const prefix = encryptedPrefix(header, inner, bodyLength(protection, plain.length), fragment);
  return concat(prefix, iv, protection.seal(iv, prefix, text));
}

function counterIv(size: number, value: number): Uint8Array {
  const iv = new Uint8Array(size);
  const view = new DataView(iv.buffer);
  if (size >= 8) view.setUint32(size - 8, Math.floor(value / 0x1_0000_0000));
  if (size >= 4) view.setUint32(size - 4, value >>> 0);
  return iv;
}

/** What was encrypted, without its padding; undefined when the ICV is wrong. */
export function open(protection: Protection, { aad, body }: Encrypted): Uint8Array | undefined {
  const { ivSize, icvSize } = protection;
  if (body.length < ivSize + icvSize) return undefined;
  const text = protection.open(body.subarray(0, ivSize), aad, body.subarray(ivSize));
  if (!text) return undefined;
  const padding = text.at(-1);
  if (padding === undefined || padding + 1 > text.length) throw new WireError('bad-length', aad.length);
  return text.subarray(0, text.length - padding - 1);
}
