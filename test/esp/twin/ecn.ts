// Explicit congestion notification through the tunnel, normal mode (RFC 6040). Into the tunnel the outer field is a
// copy of the inner one (§4.1); out of it both are combined (§4.2).

import { amended, classOf, isV4, view } from './ip.ts';

const NOT_ECT = 0;
const ECT1 = 1;
const ECT0 = 2;
const CE = 3;
export const ECN = 3;

/** The field of the packet to deliver; undefined when the packet must be dropped. */
export function combine(inner: number, outer: number): number | undefined {
  if ((outer & ECN) === CE) return (inner & ECN) === NOT_ECT ? undefined : CE;
  return (outer & ECN) === ECT1 && (inner & ECN) === ECT0 ? ECT1 : inner & ECN;
}

/** Writes the field into a well-formed packet. */
export function mark(packet: Uint8Array, ecn: number): void {
  dress(packet, (classOf(packet) & ~ECN) | ecn);
}

/** Writes DSCP and ECN, and the IPv4 checksum that goes with them: a wrong one stays wrong (RFC 1624). */
export function dress(packet: Uint8Array, both: number): void {
  const fields = view(packet);
  if (!isV4(packet)) {
    fields.setUint16(0, (fields.getUint16(0) & 0xf00f) | (both << 4));
    return;
  }
  fields.setUint16(10, amended(fields.getUint16(10), fields.getUint8(1), both));
  fields.setUint8(1, both);
}
