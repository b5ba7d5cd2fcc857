// IKEv1 messages: header, chain of payloads (RFC 2408 §3.1, §3.2). Nothing here knows a key: an encrypted body comes out
// as it stood in the datagram, and is parsed as a chain once it is decrypted.

import { WireError } from '../../../bytes/error.ts';
import { Reader } from '../../../bytes/reader.ts';
import { Writer } from '../../../bytes/writer.ts';
import { decodeBody, encodeBody, payloadType } from './body.ts';
import { PAYLOAD } from './constants.ts';
import type { Chain, Header, Payload } from './payload.ts';

/** Of a header that we send: the rest follows from what is encoded, and the commit bit is never set. */
export type HeaderFields = Omit<Header, 'nextPayload' | 'encrypted' | 'commit'>;

export interface Message {
  readonly header: Header;
  /** Undefined while the message is encrypted. */
  readonly chain: Chain | undefined;
  /** What stands behind the header: of an encrypted message the ciphertext. */
  readonly body: Uint8Array;
}

/** Per chain. Main mode with a dozen vendor ids and certificates stays well below half of it. */
export const MAX_PAYLOADS = 64;

const HEADER_SIZE = 28;
const GENERIC_SIZE = 4;

const VERSION = 0x10;
const VERSION_OFFSET = 17;
const LENGTH_OFFSET = 24;

const ENCRYPTION = 0x01;
const COMMIT = 0x02;

export function parseMessage(datagram: Uint8Array): Message {
  const header = decodeHeader(datagram);
  const body = datagram.subarray(HEADER_SIZE);
  const chain = header.encrypted ? undefined : readChain(header.nextPayload, body, HEADER_SIZE, false);
  return { header, chain, body };
}

/** Lengths are checked before anything else is read. */
export function decodeHeader(datagram: Uint8Array): Header {
  const reader = new Reader(datagram);
  if (datagram.length < HEADER_SIZE) throw new WireError('truncated', datagram.length);
  const spiI = reader.bytes(8);
  const spiR = reader.bytes(8);
  const nextPayload = reader.u8();
  const version = reader.u8();
  const exchange = reader.u8();
  // The third flag, "authentication only", says nothing that the exchange does not say.
  const flags = reader.u8();
  const messageId = reader.u32();
  if (reader.u32() !== datagram.length) throw new WireError('bad-length', LENGTH_OFFSET);
  if (version >> 4 !== 1) throw new WireError('bad-version', VERSION_OFFSET);
  return {
    spiI,
    spiR,
    nextPayload,
    exchange,
    // Racoon copies the flag of the whole message into each fragment's header, which is in the clear all the same.
    encrypted: (flags & ENCRYPTION) !== 0 && nextPayload !== PAYLOAD.FRAG,
    commit: (flags & COMMIT) !== 0,
    messageId,
  };
}

/** The chain of a decrypted body is `padded`: what stands behind its last payload is not looked at (RFC 2409 appendix B). */
export function parseChain(first: number, bytes: Uint8Array, { padded }: { readonly padded: boolean }): Chain {
  return readChain(first, bytes, 0, padded);
}

/** `base` is where `bytes` begin in the datagram. */
function readChain(first: number, bytes: Uint8Array, base: number, padded: boolean): Chain {
  const reader = new Reader(bytes, base);
  const payloads: Payload[] = [];
  const raw: Uint8Array[] = [];
  let type = first;
  while (type !== PAYLOAD.NONE) {
    if (payloads.length === MAX_PAYLOADS) throw new WireError('too-many', reader.offset);
    // RFC 2408 §3.5, §3.6: these stand inside an SA payload only.
    if (type === PAYLOAD.P || type === PAYLOAD.T) throw new WireError('unexpected', reader.offset);
    const start = reader.pos;
    const next = reader.u8();
    reader.skip(1);
    const length = reader.u16();
    if (length < GENERIC_SIZE) throw new WireError('bad-length', reader.offset - 2);
    payloads.push(decodeBody(type, reader.slice(length - GENERIC_SIZE)));
    raw.push(bytes.subarray(start, reader.pos));
    type = next;
  }
  if (!padded) reader.end();
  return { payloads, raw };
}

/** What is to be encrypted, without padding. */
export function encodeChain(payloads: readonly Payload[]): { first: number; bytes: Uint8Array } {
  const writer = new Writer();
  writeChain(writer, payloads);
  return { first: firstOf(payloads), bytes: writer.done() };
}

/** A message in the clear. */
export function encodeMessage(header: HeaderFields, payloads: readonly Payload[]): Uint8Array {
  const writer = new Writer();
  encodeHeader(writer, header, firstOf(payloads), 0);
  writeChain(writer, payloads);
  writer.patch32(LENGTH_OFFSET, writer.length);
  return writer.done();
}

/** `body` is the chain that begins with a payload of type `first`, padded and encrypted. */
export function encodeEncrypted(header: HeaderFields, first: number, body: Uint8Array): Uint8Array {
  const writer = new Writer();
  encodeHeader(writer, header, first, ENCRYPTION);
  writer.bytes(body);
  writer.patch32(LENGTH_OFFSET, writer.length);
  return writer.done();
}

/** Its length comes last, once it is known. */
function encodeHeader(writer: Writer, header: HeaderFields, next: number, flags: number): void {
  writer.bytes(header.spiI).bytes(header.spiR).u8(next).u8(VERSION).u8(header.exchange).u8(flags);
  writer.u32(header.messageId).zeros(4);
}

function writeChain(writer: Writer, payloads: readonly Payload[]): void {
  payloads.forEach((payload, i) => {
    const start = writer.length;
    writer.u8(firstOf(payloads.slice(i + 1, i + 2))).zeros(3);
    encodeBody(writer, payload);
    const length = writer.length - start;
    if (length > 0xffff) throw new Error(`a payload of ${length} bytes has no length field`);
    writer.patch16(start + 2, length);
  });
}

function firstOf([payload]: readonly Payload[]): number {
  return payload ? payloadType(payload) : PAYLOAD.NONE;
}
