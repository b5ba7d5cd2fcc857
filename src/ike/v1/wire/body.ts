// What stands behind a generic payload header, by payload type: the small payloads here, the larger ones in files of
// their own (RFC 2408 §3.7–§3.16, RFC 2407 §4.6.2, RFC 3947 §3.2, §5.2). A body must be used up to its last byte.

import { WireError } from '../../../bytes/error.ts';
import type { Reader } from '../../../bytes/reader.ts';
import type { Writer } from '../../../bytes/writer.ts';
import { ID, PAYLOAD } from './constants.ts';
import { decodeDelete, decodeNotify, encodeDelete, encodeNotify } from './notify.ts';
import type { Id, Payload } from './payload.ts';
import { decodeSa, encodeSa } from './sa.ts';

type NatOa = Extract<Payload, { tag: 'NATOA' }>;
type Fragment = Extract<Payload, { tag: 'FRAG' }>;

/** RFC 2409 §5. */
const NONCE_MIN = 8;
const NONCE_MAX = 256;

const LAST_FRAGMENT = 0x01;

export function decodeBody(type: number, reader: Reader): Payload {
  switch (type) {
    case PAYLOAD.SA:
      return { tag: 'SA', proposals: decodeSa(reader) };
    case PAYLOAD.KE:
      return decodeKe(reader);
    case PAYLOAD.ID:
      return { tag: 'ID', id: decodeId(reader) };
    case PAYLOAD.CERT:
      return { tag: 'CERT', encoding: reader.u8(), data: reader.rest() };
    case PAYLOAD.CR:
      return { tag: 'CR', encoding: reader.u8(), data: reader.rest() };
    case PAYLOAD.HASH:
      return { tag: 'HASH', data: reader.rest() };
    case PAYLOAD.SIG:
      return { tag: 'SIG', data: reader.rest() };
    case PAYLOAD.NONCE:
      return decodeNonce(reader);
    case PAYLOAD.N:
      return decodeNotify(reader);
    case PAYLOAD.D:
      return decodeDelete(reader);
    case PAYLOAD.VID:
      return { tag: 'VID', data: reader.rest() };
    case PAYLOAD.NATD:
    case PAYLOAD.NATD_DRAFT:
      return { tag: 'NATD', draft: type === PAYLOAD.NATD_DRAFT, data: reader.rest() };
    case PAYLOAD.NATOA:
    case PAYLOAD.NATOA_DRAFT:
      return decodeNatOa(reader, type === PAYLOAD.NATOA_DRAFT);
    case PAYLOAD.FRAG:
      return decodeFragment(reader);
    default:
      return { tag: 'unknown', id: type, data: reader.rest() };
  }
}

function decodeKe(reader: Reader): Payload {
  if (reader.left === 0) throw new WireError('bad-length', reader.offset);
  return { tag: 'KE', data: reader.rest() };
}

function decodeId(reader: Reader): Id {
  const type = reader.u8();
  const protocol = reader.u8();
  const port = reader.u16();
  const size = idSize(type);
  if (size === undefined ? reader.left === 0 : reader.left !== size) throw new WireError('bad-length', reader.offset);
  return { type, protocol, port, data: reader.rest() };
}

/** RFC 2407 §4.6.2.1; undefined for what is no address. */
function idSize(type: number): number | undefined {
  switch (type) {
    case ID.IPV4_ADDR:
      return 4;
    case ID.IPV4_ADDR_SUBNET:
    case ID.IPV4_ADDR_RANGE:
      return 8;
    case ID.IPV6_ADDR:
      return 16;
    case ID.IPV6_ADDR_SUBNET:
    case ID.IPV6_ADDR_RANGE:
      return 32;
    default:
      return undefined;
  }
}

function decodeNonce(reader: Reader): Payload {
  if (reader.left < NONCE_MIN || reader.left > NONCE_MAX) throw new WireError('bad-length', reader.offset);
  return { tag: 'NONCE', data: reader.rest() };
}

function decodeNatOa(reader: Reader, draft: boolean): NatOa {
  const type = reader.u8();
  if (type !== ID.IPV4_ADDR && type !== ID.IPV6_ADDR) throw new WireError('bad-value', reader.offset - 1);
  reader.skip(3);
  if (reader.left !== idSize(type)) throw new WireError('bad-length', reader.offset);
  return { tag: 'NATOA', draft, address: reader.rest() };
}

function decodeFragment(reader: Reader): Fragment {
  const id = reader.u16();
  const number = reader.u8();
  const last = (reader.u8() & LAST_FRAGMENT) !== 0;
  if (reader.left === 0) throw new WireError('truncated', reader.offset);
  return { tag: 'FRAG', id, number, last, data: reader.rest() };
}

export function encodeBody(writer: Writer, payload: Payload): void {
  switch (payload.tag) {
    case 'SA':
      encodeSa(writer, payload.proposals);
      return;
    case 'ID':
      writer.u8(payload.id.type).u8(payload.id.protocol).u16(payload.id.port).bytes(payload.id.data);
      return;
    case 'CERT':
    case 'CR':
      writer.u8(payload.encoding).bytes(payload.data);
      return;
    case 'N':
      encodeNotify(writer, payload);
      return;
    case 'D':
      encodeDelete(writer, payload);
      return;
    case 'NATOA':
      writer.u8(payload.address.length === 4 ? ID.IPV4_ADDR : ID.IPV6_ADDR).zeros(3);
      writer.bytes(payload.address);
      return;
    case 'FRAG':
      writer.u16(payload.id).u8(payload.number);
      writer.u8(payload.last ? LAST_FRAGMENT : 0).bytes(payload.data);
      return;
    case 'KE':
    case 'HASH':
    case 'SIG':
    case 'NONCE':
    case 'VID':
    case 'NATD':
    case 'unknown':
      writer.bytes(payload.data);
      return;
  }
}

export function payloadType(payload: Payload): number {
  switch (payload.tag) {
    case 'NATD':
      return payload.draft ? PAYLOAD.NATD_DRAFT : PAYLOAD.NATD;
    case 'NATOA':
      return payload.draft ? PAYLOAD.NATOA_DRAFT : PAYLOAD.NATOA;
    case 'unknown':
      return payload.id;
    default:
      return PAYLOAD[payload.tag];
  }
}
