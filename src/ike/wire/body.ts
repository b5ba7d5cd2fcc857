// What stands behind a generic payload header, by payload type: the small payloads here, the larger ones in files of
// their own (RFC 7296 §3.3–§3.16). A body must be used up to its last byte.

import { WireError } from '../../bytes/error.ts';
import type { Reader } from '../../bytes/reader.ts';
import type { Writer } from '../../bytes/writer.ts';
import { ID, PAYLOAD } from './constants.ts';
import { decodeCp, encodeCp } from './cp.ts';
import { decodeDelete, decodeNotify, encodeDelete, encodeNotify } from './notify.ts';
import type { Identity, Payload } from './payload.ts';
import { decodeSa, encodeSa } from './sa.ts';
import { decodeTs, encodeTs } from './ts.ts';

/** RFC 7296 §3.9. */
const NONCE_MIN = 16;
const NONCE_MAX = 256;

export function decodeBody(type: number, critical: boolean, reader: Reader): Payload {
  switch (type) {
    case PAYLOAD.SA:
      return { tag: 'SA', proposals: decodeSa(reader) };
    case PAYLOAD.KE:
      return decodeKe(reader);
    case PAYLOAD.IDi:
      return { tag: 'IDi', id: decodeId(reader) };
    case PAYLOAD.IDr:
      return { tag: 'IDr', id: decodeId(reader) };
    case PAYLOAD.CERT:
      return { tag: 'CERT', encoding: reader.u8(), data: reader.rest() };
    case PAYLOAD.CERTREQ:
      return { tag: 'CERTREQ', encoding: reader.u8(), data: reader.rest() };
    case PAYLOAD.AUTH:
      return decodeAuth(reader);
    case PAYLOAD.Nonce:
      return decodeNonce(reader);
    case PAYLOAD.N:
      return decodeNotify(reader);
    case PAYLOAD.D:
      return decodeDelete(reader);
    case PAYLOAD.V:
      return { tag: 'V', data: reader.rest() };
    case PAYLOAD.TSi:
      return { tag: 'TSi', selectors: decodeTs(reader) };
    case PAYLOAD.TSr:
      return { tag: 'TSr', selectors: decodeTs(reader) };
    case PAYLOAD.CP:
      return decodeCp(reader);
    case PAYLOAD.EAP:
      return decodeEap(reader);
    default:
      return { tag: 'unknown', id: type, critical, data: reader.rest() };
  }
}

function decodeKe(reader: Reader): Payload {
  const group = reader.u16();
  reader.skip(2);
  if (reader.left === 0) throw new WireError('bad-length', reader.offset);
  return { tag: 'KE', group, data: reader.rest() };
}

function decodeId(reader: Reader): Identity {
  const type = reader.u8();
  reader.skip(3);
  const at = reader.offset;
  const data = reader.rest();
  if (type === ID.IPV4_ADDR && data.length !== 4) throw new WireError('bad-length', at);
  if (type === ID.IPV6_ADDR && data.length !== 16) throw new WireError('bad-length', at);
  return { type, data };
}

function decodeAuth(reader: Reader): Payload {
  const method = reader.u8();
  reader.skip(3);
  return { tag: 'AUTH', method, data: reader.rest() };
}

function decodeNonce(reader: Reader): Payload {
  if (reader.left < NONCE_MIN || reader.left > NONCE_MAX) throw new WireError('bad-length', reader.offset);
  return { tag: 'Nonce', data: reader.rest() };
}

/** The message inside says its own length (RFC 3748 §4), which §3.16 wants to be that of the payload's body. */
function decodeEap(reader: Reader): Payload {
  const at = reader.offset;
  const length = reader.left;
  const data = reader.rest();
  if (length < 4) throw new WireError('truncated', at);
  const said = ((data[2] as number) << 8) | (data[3] as number);
  if (said !== length) throw new WireError('bad-length', at + 2);
  return { tag: 'EAP', data };
}

export function encodeBody(writer: Writer, payload: Payload): void {
  switch (payload.tag) {
    case 'SA':
      encodeSa(writer, payload.proposals);
      return;
    case 'KE':
      writer.u16(payload.group).zeros(2).bytes(payload.data);
      return;
    case 'IDi':
    case 'IDr':
      writer.u8(payload.id.type).zeros(3).bytes(payload.id.data);
      return;
    case 'CERT':
    case 'CERTREQ':
      writer.u8(payload.encoding).bytes(payload.data);
      return;
    case 'AUTH':
      writer.u8(payload.method).zeros(3).bytes(payload.data);
      return;
    case 'N':
      encodeNotify(writer, payload);
      return;
    case 'D':
      encodeDelete(writer, payload);
      return;
    case 'TSi':
    case 'TSr':
      encodeTs(writer, payload.selectors);
      return;
    case 'CP':
      encodeCp(writer, payload);
      return;
    case 'Nonce':
    case 'V':
    case 'EAP':
    case 'unknown':
      writer.bytes(payload.data);
      return;
  }
}
