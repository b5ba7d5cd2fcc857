// Netlink messages as bytes: header, attributes, answers (linux/netlink.h). Everything is in the host's byte order, but
// for the numbers in netfilter's attributes.

import { endianness } from 'node:os';
import { WireError } from '../bytes/error.ts';
import { SystemError } from './error.ts';

const LITTLE = endianness() === 'LE';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
export const NLM_F_DUMP = 0x300;
/** The table changed while it was dumped: what came may be incomplete. */
export const NLM_F_DUMP_INTR = 0x10;

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

const HEADER = 16;
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly body: Uint8Array;
}

export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array;
}

export type Attributes = ReadonlyMap<number, Uint8Array>;

export function encode({ type, flags, seq, body }: Message): Uint8Array {
  const bytes = new Uint8Array(HEADER + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, LITTLE);
  view.setUint16(4, type, LITTLE);
  view.setUint16(6, flags, LITTLE);
  view.setUint32(8, seq, LITTLE);
  bytes.set(body, HEADER);
  return bytes;
}

/** All messages of one datagram; bodies borrow it. */
export function decode(bytes: Uint8Array): Message[] {
  const view = viewOf(bytes);
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < HEADER) throw new WireError('truncated', at);
    const length = view.getUint32(at, LITTLE);
    if (length < HEADER || length > bytes.length - at) throw new WireError('bad-length', at);
    messages.push({
      type: view.getUint16(at + 4, LITTLE),
      flags: view.getUint16(at + 6, LITTLE),
      seq: view.getUint32(at + 8, LITTLE),
      body: bytes.subarray(at + HEADER, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** Fixed fields and, behind them, attributes: each padded to four bytes. */
export function encodeBody(fixed: Uint8Array, attributes: readonly Attribute[]): Uint8Array {
  const size = attributes.reduce((sum, { value }) => sum + align(4 + value.length), align(fixed.length));
  const bytes = new Uint8Array(size);
  const view = viewOf(bytes);
  bytes.set(fixed);
  let at = align(fixed.length);
  for (const { type, value } of attributes) {
    view.setUint16(at, 4 + value.length, LITTLE);
    view.setUint16(at + 2, type, LITTLE);
    bytes.set(value, at + 4);
    at += align(4 + value.length);
  }
  return bytes;
}

/** The last one of a type counts, as in the kernel. */
export function decodeAttributes(body: Uint8Array, start: number): Attributes {
  const view = viewOf(body);
  const attributes = new Map<number, Uint8Array>();
  for (let at = align(start); at < body.length; ) {
    if (body.length - at < 4) throw new WireError('truncated', at);
    const length = view.getUint16(at, LITTLE);
    if (length < 4 || length > body.length - at) throw new WireError('bad-length', at);
    attributes.set(view.getUint16(at + 2, LITTLE) & TYPE_MASK, body.subarray(at + 4, at + length));
    at += align(length);
  }
  return attributes;
}

export function nested(type: number, attributes: readonly Attribute[]): Attribute {
  return { type: type | NESTED, value: encodeBody(new Uint8Array(0), attributes) };
}

export function u8(type: number, value: number): Attribute {
  return { type, value: Uint8Array.of(value) };
}

export function u32(type: number, value: number): Attribute {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, LITTLE);
  return { type, value: bytes };
}

/** In network order; a negative number is taken for what it is in 32 bits. */
export function be32(type: number, value: number): Attribute {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value);
  return { type, value: bytes };
}

/** Zero-terminated. */
export function text(type: number, value: string): Attribute {
  return { type, value: new TextEncoder().encode(`${value}\0`) };
}

export function readU32(bytes: Uint8Array | undefined): number | undefined {
  return bytes?.length === 4 ? viewOf(bytes).getUint32(0, LITTLE) : undefined;
}

export function readText(bytes: Uint8Array | undefined): string | undefined {
  if (!bytes) return undefined;
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/**
 * What an NLMSG_ERROR or NLMSG_DONE says: undefined when it acknowledges. The kernel's own words (extended
 * acknowledgement) become the hint.
 */
export function decodeError({ flags, type, body }: Message, request: string): SystemError | undefined {
  const view = viewOf(body);
  if (body.length < 4) throw new WireError('truncated', 0);
  const errno = -view.getInt32(0, LITTLE);
  if (errno <= 0) return undefined;
  return new SystemError(request, errno, (flags & NLM_F_ACK_TLVS) !== 0 ? words(body, flags, type) : '');
}

function words(body: Uint8Array, flags: number, type: number): string {
  if (type === NLMSG_DONE) return readText(decodeAttributes(body, 4).get(NLMSGERR_ATTR_MSG)) ?? '';
  if (body.length < 4 + HEADER) throw new WireError('truncated', 4);
  // The request's header comes back, and all of the request unless it was capped.
  const echoed = (flags & NLM_F_CAPPED) !== 0 ? HEADER : viewOf(body).getUint32(4, LITTLE);
  return readText(decodeAttributes(body, 4 + echoed).get(NLMSGERR_ATTR_MSG)) ?? '';
}

/** A struct of fixed fields: each is a width in bytes and a value. */
export function fields(...list: readonly (readonly [width: 1 | 2 | 4, value: number])[]): Uint8Array {
  const bytes = new Uint8Array(list.reduce((sum, [width]) => sum + width, 0));
  const view = viewOf(bytes);
  let at = 0;
  for (const [width, value] of list) {
    if (width === 1) view.setUint8(at, value);
    else if (width === 2) view.setUint16(at, value, LITTLE);
    else view.setUint32(at, value, LITTLE);
    at += width;
  }
  return bytes;
}

/** Reads one fixed field; the body must be long enough for it. */
export function field(body: Uint8Array, at: number, width: 1 | 2 | 4): number {
  if (body.length < at + width) throw new WireError('truncated', at);
  const view = viewOf(body);
  if (width === 1) return view.getUint8(at);
  return width === 2 ? view.getUint16(at, LITTLE) : view.getUint32(at, LITTLE);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function align(length: number): number {
  return (length + 3) & ~3;
}
