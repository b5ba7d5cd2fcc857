// IP packets as the twin reads and writes them: one field at a time, nothing reused, nothing clever.

export const TCP = 6;
export const UDP = 17;

const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60]);
const MOST_EXTENSIONS = 8;

export function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function isV4(packet: Uint8Array): boolean {
  return (packet[0] as number) >> 4 === 4;
}

/** DSCP and ECN. */
export function classOf(packet: Uint8Array): number {
  return isV4(packet) ? (packet[1] as number) : (view(packet).getUint16(0) >> 4) & 0xff;
}

/** Where TCP or UDP starts in a packet that is no fragment; undefined where there is none of this protocol. */
export function upperAt(packet: Uint8Array, protocol: number): number | undefined {
  if (packet.length < 20) return undefined;
  const fields = view(packet);
  if (isV4(packet)) {
    const header = (fields.getUint8(0) & 15) * 4;
    const whole = (fields.getUint16(6) & 0x3fff) === 0;
    return header >= 20 && header <= packet.length && whole && fields.getUint8(9) === protocol ? header : undefined;
  }
  if (fields.getUint8(0) >> 4 !== 6 || packet.length < 40) return undefined;
  let at = 40;
  let next = fields.getUint8(6);
  for (let count = 0; next !== protocol; count++) {
    if (count === MOST_EXTENSIONS || !EXTENSIONS.has(next) || at + 8 > packet.length) return undefined;
    next = fields.getUint8(at);
    at += (fields.getUint8(at + 1) + 1) * 8;
  }
  return at <= packet.length ? at : undefined;
}

/** RFC 1071: of all bytes as words of 16 bits, the last one filled up with a zero, in ones' complement. */
export function sum(bytes: Uint8Array): number {
  let total = 0;
  for (const [i, byte] of bytes.entries()) total += i % 2 === 0 ? byte * 256 : byte;
  return fold(total);
}

/** To 16 bits; what is a multiple of 65535 becomes 65535, and only nothing stays 0. */
export function fold(total: number): number {
  return total === 0 ? 0 : ((total - 1) % 0xffff) + 1;
}

/** Of the pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1). */
export function pseudo(packet: Uint8Array, protocol: number, length: number): number {
  const addresses = isV4(packet) ? packet.subarray(12, 20) : packet.subarray(8, 40);
  return fold(sum(addresses) + protocol + (length >>> 16) + (length & 0xffff));
}

/** What the checksum field of TCP or UDP in this packet must hold, as if it held nothing now. */
export function upperChecksum(packet: Uint8Array, at: number, protocol: number): number {
  const upper = packet.slice(at);
  view(upper).setUint16(protocol === TCP ? 16 : 6, 0);
  const found = 0xffff - fold(sum(upper) + pseudo(packet, protocol, upper.length));
  // RFC 768: zero would say that there is no checksum.
  return protocol === UDP && found === 0 ? 0xffff : found;
}

/** Makes the IPv4 header's checksum right. */
export function sealHeader(packet: Uint8Array): void {
  const header = packet.subarray(0, ((packet[0] as number) & 15) * 4);
  view(packet).setUint16(10, 0);
  view(packet).setUint16(10, 0xffff - sum(header));
}

/** RFC 1624: the checksum when a word of the text changes. A field at an odd place counts 256 times as much. */
export function amended(checksum: number, before: number, after: number, odd = false): number {
  const total = (0xffff - checksum + (after - before) * (odd ? 256 : 1)) % 0xffff;
  return (0xffff - total) % 0xffff;
}
