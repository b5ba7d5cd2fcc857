// IKEv2 messages: header, chain of payloads, and the frame of the encrypted payload (RFC 7296 §3.1, §3.2, §3.14;
// RFC 7383 §2.5). Nothing here knows a key: what is encrypted comes out as it stood in the datagram.

import { WireError } from '../../bytes/error.ts';
import { Reader } from '../../bytes/reader.ts';
import { Writer } from '../../bytes/writer.ts';
import { decodeBody, encodeBody } from './body.ts';
import { PAYLOAD } from './constants.ts';
import type { Encrypted, Header, Message, Payload } from './payload.ts';

/** Of a header that we send: the version is always 2.0, and the next payload follows from what is encoded. */
export type HeaderFields = Omit<Header, 'nextPayload' | 'major' | 'minor'>;

/** Per chain. The longest exchange in use, IKE_AUTH with certificates, stays well below half of it. */
export const MAX_PAYLOADS = 64;

const HEADER_SIZE = 28;
const GENERIC_SIZE = 4;
const FRAGMENT_SIZE = 4;

const VERSION = 0x20;
const VERSION_OFFSET = 17;
const LENGTH_OFFSET = 24;

const INITIATOR = 0x08;
const RESPONSE = 0x20;
const CRITICAL = 0x80;

export function parseMessage(datagram: Uint8Array): Message {
  const header = decodeHeader(datagram);
  if (header.major !== 2) throw new WireError('bad-version', VERSION_OFFSET);
  const reader = new Reader(datagram);
  reader.skip(HEADER_SIZE);
  const payloads: Payload[] = [];
  let next = header.nextPayload;
  while (next !== PAYLOAD.NONE) {
    const generic = decodeGeneric(reader, payloads.length);
    if (next === PAYLOAD.SK || next === PAYLOAD.SKF) {
      // RFC 7296 §3.14, RFC 7383 §2.5: always the last one; its next payload is the first one inside.
      reader.end();
      return { header, payloads, encrypted: decodeEncrypted(next, generic, datagram) };
    }
    payloads.push(decodeBody(next, generic.critical, generic.body));
    next = generic.next;
  }
  reader.end();
  return { header, payloads };
}

/**
 * Any major version that keeps this header, so that INVALID_MAJOR_VERSION can be answered. Lengths are checked before
 * anything else is read.
 */
export function decodeHeader(datagram: Uint8Array): Header {
  const reader = new Reader(datagram);
  if (datagram.length < HEADER_SIZE) throw new WireError('truncated', datagram.length);
  const spiI = reader.bytes(8);
  const spiR = reader.bytes(8);
  const nextPayload = reader.u8();
  const version = reader.u8();
  const exchange = reader.u8();
  const flags = reader.u8();
  const messageId = reader.u32();
  if (reader.u32() !== datagram.length) throw new WireError('bad-length', LENGTH_OFFSET);
  return {
    spiI,
    spiR,
    nextPayload,
    major: version >> 4,
    minor: version & 0x0f,
    exchange,
    initiator: (flags & INITIATOR) !== 0,
    response: (flags & RESPONSE) !== 0,
    messageId,
  };
}

/** The chain inside an encrypted payload, once decrypted and without padding. */
export function parsePayloads(first: number, bytes: Uint8Array): Payload[] {
  const reader = new Reader(bytes);
  const payloads: Payload[] = [];
  let next = first;
  while (next !== PAYLOAD.NONE) {
    if (next === PAYLOAD.SK || next === PAYLOAD.SKF) throw new WireError('unexpected', reader.offset);
    const generic = decodeGeneric(reader, payloads.length);
    payloads.push(decodeBody(next, generic.critical, generic.body));
    next = generic.next;
  }
  reader.end();
  return payloads;
}

interface Generic {
  readonly next: number;
  readonly critical: boolean;
  readonly body: Reader;
}

/** RFC 7296 §3.2. `before` is how many payloads of the chain were read already. */
function decodeGeneric(reader: Reader, before: number): Generic {
  if (before >= MAX_PAYLOADS) throw new WireError('too-many', reader.offset);
  const next = reader.u8();
  const critical = (reader.u8() & CRITICAL) !== 0;
  const length = reader.u16();
  if (length < GENERIC_SIZE) throw new WireError('bad-length', reader.offset - 2);
  return { next, critical, body: reader.slice(length - GENERIC_SIZE) };
}

function decodeEncrypted(type: number, { next: inner, body }: Generic, datagram: Uint8Array): Encrypted {
  if (type === PAYLOAD.SK) {
    return { inner, aad: datagram.subarray(0, body.offset), body: body.rest() };
  }
  const number = body.u16();
  const total = body.u16();
  // RFC 7383 §2.6
  if (number === 0 || number > total) throw new WireError('bad-value', body.offset - FRAGMENT_SIZE);
  return { inner, aad: datagram.subarray(0, body.offset), body: body.rest(), fragment: { number, total } };
}

export function encodePayloads(payloads: readonly Payload[]): { first: number; bytes: Uint8Array } {
  const writer = new Writer();
  encodeChain(writer, payloads);
  return { first: firstOf(payloads), bytes: writer.done() };
}

/** A message without encryption: IKE_SA_INIT, and the few notifies that are sent outside an SA. */
export function encodeMessage(header: HeaderFields, payloads: readonly Payload[]): Uint8Array {
  const writer = new Writer();
  encodeHeader(writer, header, firstOf(payloads), 0);
  encodeChain(writer, payloads);
  writer.patch32(LENGTH_OFFSET, writer.length);
  return writer.done();
}

/**
 * An encrypted message up to its IV, with every length final: the message begins with it and an AEAD authenticates it
 * (RFC 5282 §5.1). `bodyLength` counts IV, ciphertext and ICV, which the caller appends.
 */
export function encryptedPrefix(
  header: HeaderFields,
  inner: number,
  bodyLength: number,
  fragment?: { readonly number: number; readonly total: number },
): Uint8Array {
  const length = GENERIC_SIZE + (fragment ? FRAGMENT_SIZE : 0) + bodyLength;
  const writer = new Writer();
  encodeHeader(writer, header, fragment ? PAYLOAD.SKF : PAYLOAD.SK, HEADER_SIZE + length);
  writer.u8(inner).zeros(1).u16(payloadLength(length));
  if (fragment) writer.u16(fragment.number).u16(fragment.total);
  return writer.done();
}

function encodeHeader(writer: Writer, header: HeaderFields, next: number, length: number): void {
  writer.bytes(header.spiI).bytes(header.spiR).u8(next).u8(VERSION).u8(header.exchange);
  writer.u8((header.initiator ? INITIATOR : 0) | (header.response ? RESPONSE : 0));
  writer.u32(header.messageId).u32(length);
}

function encodeChain(writer: Writer, payloads: readonly Payload[]): void {
  payloads.forEach((payload, i) => {
    const start = writer.length;
    const critical = payload.tag === 'unknown' && payload.critical;
    writer
      .u8(firstOf(payloads.slice(i + 1, i + 2)))
      .u8(critical ? CRITICAL : 0)
      .zeros(2);
    encodeBody(writer, payload);
    writer.patch16(start + 2, payloadLength(writer.length - start));
  });
}

function firstOf([payload]: readonly Payload[]): number {
  if (!payload) return PAYLOAD.NONE;
  return payload.tag === 'unknown' ? payload.id : PAYLOAD[payload.tag];
}

function payloadLength(length: number): number {
  if (length > 0xffff) throw new Error(`a payload of ${length} bytes has no length field`);
  return length;
}
