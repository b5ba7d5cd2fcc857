// Traffic selectors as values and as TSi and TSr payloads carry them (RFC 7296 §3.13).

import { compare } from '../../bytes/bytes.ts';
import { WireError } from '../../bytes/error.ts';
import type { Reader } from '../../bytes/reader.ts';
import type { Writer } from '../../bytes/writer.ts';

export interface Selector {
  /** IP protocol, 0 for any. */
  readonly protocol: number;
  /** For ICMP and ICMPv6 the port is type << 8 | code (RFC 4301 §4.4.1.1). 0–65535 is any, 65535–0 is OPAQUE. */
  readonly startPort: number;
  readonly endPort: number;
  /** 4 bytes for TS_IPV4_ADDR_RANGE (7), 16 for TS_IPV6_ADDR_RANGE (8); both ends have the same length. */
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

const TS_IPV4_ADDR_RANGE = 7;
const TS_IPV6_ADDR_RANGE = 8;

/** Type, protocol, length and the two ports. */
const FIXED = 8;

/** Selectors of an unknown type are left out, as §3.13.1 has it: the list may come out empty. */
export function decodeTs(reader: Reader): Selector[] {
  const count = reader.u8();
  reader.skip(3);
  const selectors: Selector[] = [];
  for (let i = 0; i < count; i++) {
    const selector = decodeSelector(reader);
    if (selector) selectors.push(selector);
  }
  reader.end();
  return selectors;
}

function decodeSelector(reader: Reader): Selector | undefined {
  const at = reader.offset;
  const type = reader.u8();
  const protocol = reader.u8();
  const length = reader.u16();
  const size = addressSize(type);
  if (length < 4 || (size !== undefined && length !== FIXED + 2 * size)) throw new WireError('bad-length', at + 2);
  const body = reader.slice(length - 4);
  if (size === undefined) return undefined;
  const startPort = body.u16();
  const endPort = body.u16();
  const opaque = startPort === 0xffff && endPort === 0;
  if (startPort > endPort && !opaque) throw new WireError('bad-value', at + 4);
  const start = body.bytes(size);
  const end = body.bytes(size);
  if (compare(start, end) > 0) throw new WireError('bad-value', at + FIXED);
  return { protocol, startPort, endPort, start, end };
}

function addressSize(type: number): number | undefined {
  switch (type) {
    case TS_IPV4_ADDR_RANGE:
      return 4;
    case TS_IPV6_ADDR_RANGE:
      return 16;
    default:
      return undefined;
  }
}

export function encodeTs(writer: Writer, selectors: readonly Selector[]): void {
  if (selectors.length > 0xff) throw new Error(`${selectors.length} selectors do not fit into one payload`);
  writer.u8(selectors.length).zeros(3);
  for (const { protocol, startPort, endPort, start, end } of selectors) {
    writer.u8(start.length === 4 ? TS_IPV4_ADDR_RANGE : TS_IPV6_ADDR_RANGE).u8(protocol);
    writer.u16(FIXED + 2 * start.length);
    writer.u16(startPort).u16(endPort).bytes(start).bytes(end);
  }
}
