// Configuration payload (RFC 7296 §3.15).

import type { Reader } from '../../bytes/reader.ts';
import type { Writer } from '../../bytes/writer.ts';
import type { Attribute, Payload } from './payload.ts';

type Configuration = Extract<Payload, { tag: 'CP' }>;

/** The top bit of an attribute's type is reserved and ignored (§3.15.1). */
const TYPE_MASK = 0x7fff;

export function decodeCp(reader: Reader): Configuration {
  const kind = reader.u8();
  reader.skip(3);
  const attributes: Attribute[] = [];
  while (reader.left > 0) {
    const type = reader.u16() & TYPE_MASK;
    const length = reader.u16();
    attributes.push({ type, value: reader.bytes(length) });
  }
  return { tag: 'CP', kind, attributes };
}

export function encodeCp(writer: Writer, { kind, attributes }: Configuration): void {
  writer.u8(kind).zeros(3);
  for (const { type, value } of attributes) writer.u16(type).u16(value.length).bytes(value);
}
