// What a SYN announces as its largest segment, lowered to what fits the tunnel (RFC 9293 §3.7.1).

import { amended, TCP, upperAt, view } from './ip.ts';

const SYN = 0x02;

/** In place; 0 lowers nothing. */
export function clamp(packet: Uint8Array, limit: number): void {
  const at = upperAt(packet, TCP);
  if (limit === 0 || at === undefined || at + 20 > packet.length) return;
  const tcp = packet.subarray(at);
  const fields = view(tcp);
  const header = (fields.getUint8(12) >> 4) * 4;
  if ((fields.getUint8(13) & SYN) === 0 || header < 20 || header > tcp.length) return;
  const value = valueAt(tcp.subarray(0, header));
  if (value === undefined) return;
  const given = fields.getUint16(value);
  if (given <= limit) return;
  fields.setUint16(value, limit);
  fields.setUint16(16, amended(fields.getUint16(16), given, limit, value % 2 === 1));
}

/** Where the option of kind 2 and length 4 has its value. Behind an option that is none nothing is looked for. */
function valueAt(header: Uint8Array): number | undefined {
  let at = 20;
  while (at < header.length && header[at] !== 0) {
    if (header[at] === 1) {
      at++;
      continue;
    }
    const length = header[at + 1] ?? 0;
    if (length < 2) return undefined;
    if (header[at] === 2 && length === 4 && at + 4 <= header.length) return at + 2;
    at += length;
  }
  return undefined;
}
