// Notify and Delete payloads (RFC 7296 §3.10, §3.11).

import { WireError } from '../../bytes/error.ts';
import type { Reader } from '../../bytes/reader.ts';
import type { Writer } from '../../bytes/writer.ts';
import { PROTOCOL } from './constants.ts';
import type { Payload } from './payload.ts';

type Notify = Extract<Payload, { tag: 'N' }>;
type Delete = Extract<Payload, { tag: 'D' }>;

const SPI_SIZE = 4;

/** The SPI has any size here: what it must be depends on the kind, and unknown kinds are ignored, not refused. */
export function decodeNotify(reader: Reader): Notify {
  const protocol = reader.u8();
  const spiSize = reader.u8();
  const kind = reader.u16();
  const spi = reader.bytes(spiSize);
  return { tag: 'N', protocol, spi, kind, data: reader.rest() };
}

export function encodeNotify(writer: Writer, { protocol, spi, kind, data }: Notify): void {
  writer.u8(protocol).u8(spi.length).u16(kind).bytes(spi).bytes(data);
}

export function decodeDelete(reader: Reader): Delete {
  const at = reader.offset;
  const protocol = reader.u8();
  const size = reader.u8();
  const count = reader.u16();
  const spis: Uint8Array[] = [];
  switch (protocol) {
    case PROTOCOL.IKE:
      // The SA is that of the message; some senders count it as one SPI of no bytes, so the count is not looked at.
      if (size !== 0) throw new WireError('bad-length', at + 1);
      break;
    case PROTOCOL.AH:
    case PROTOCOL.ESP:
      if (size !== SPI_SIZE) throw new WireError('bad-length', at + 1);
      if (count * size !== reader.left) throw new WireError('bad-length', at + 2);
      for (let i = 0; i < count; i++) spis.push(reader.bytes(size));
      break;
    default:
      throw new WireError('bad-value', at);
  }
  reader.end();
  return { tag: 'D', protocol, spis };
}

export function encodeDelete(writer: Writer, { protocol, spis }: Delete): void {
  writer.u8(protocol).u8(protocol === PROTOCOL.IKE ? 0 : SPI_SIZE);
  writer.u16(spis.length);
  for (const spi of spis) writer.bytes(spi);
}
