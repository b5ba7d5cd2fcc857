// Notification and Delete payloads (RFC 2408 §3.14, §3.15, RFC 2407 §4.6.3).

import { WireError } from '../../../bytes/error.ts';
import type { Reader } from '../../../bytes/reader.ts';
import type { Writer } from '../../../bytes/writer.ts';
import { DOI_IPSEC, PROTOCOL } from './constants.ts';
import type { Payload } from './payload.ts';

type Notify = Extract<Payload, { tag: 'N' }>;
type Delete = Extract<Payload, { tag: 'D' }>;

/** RFC 2408 §3.14: the DOI of ISAKMP itself, which some devices put in place of IPsec's. */
const DOI_ISAKMP = 0;

/** The SPI has any size here: what it must be depends on the kind, and unknown kinds are ignored, not refused. */
export function decodeNotify(reader: Reader): Notify {
  skipDoi(reader);
  const protocol = reader.u8();
  const spiSize = reader.u8();
  const kind = reader.u16();
  const spi = reader.bytes(spiSize);
  return { tag: 'N', protocol, spi, kind, data: reader.rest() };
}

export function encodeNotify(writer: Writer, { protocol, spi, kind, data }: Notify): void {
  writer.u32(DOI_IPSEC).u8(protocol).u8(spi.length).u16(kind).bytes(spi).bytes(data);
}

export function decodeDelete(reader: Reader): Delete {
  skipDoi(reader);
  const at = reader.offset;
  const protocol = reader.u8();
  const size = reader.u8();
  const count = reader.u16();
  const right = spiSize(protocol);
  if (right === undefined) throw new WireError('bad-value', at);
  if (size !== right) throw new WireError('bad-length', at + 1);
  if (count === 0) throw new WireError('bad-value', at + 2);
  if (count * size !== reader.left) throw new WireError('bad-length', at + 2);
  const spis: Uint8Array[] = [];
  for (let i = 0; i < count; i++) spis.push(reader.bytes(size));
  return { tag: 'D', protocol, spis };
}

export function encodeDelete(writer: Writer, { protocol, spis }: Delete): void {
  const size = spiSize(protocol);
  if (size === undefined) throw new Error(`nothing of protocol ${protocol} can be deleted`);
  writer.u32(DOI_IPSEC).u8(protocol).u8(size).u16(spis.length);
  for (const spi of spis) writer.bytes(spi);
}

function skipDoi(reader: Reader): void {
  const at = reader.offset;
  const doi = reader.u32();
  if (doi !== DOI_IPSEC && doi !== DOI_ISAKMP) throw new WireError('bad-value', at);
}

/** RFC 2408 §3.15: an ISAKMP SA is named by its two cookies. */
function spiSize(protocol: number): number | undefined {
  switch (protocol) {
    case PROTOCOL.ISAKMP:
      return 16;
    case PROTOCOL.AH:
    case PROTOCOL.ESP:
      return 4;
    default:
      return undefined;
  }
}
