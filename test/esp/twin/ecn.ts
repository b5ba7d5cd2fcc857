// Explicit congestion notification through the tunnel, normal mode (RFC 6040). Into the tunnel the outer field is a
// copy of the inner one (§4.1); out of it both are combined (§4.2).

const NOT_ECT = 0;
const CE = 3;
const ECN = 3;

/** The field of the packet to deliver; undefined when the packet must be dropped. */
export function combine(inner: number, outer: number): number | undefined {
  if ((outer & ECN) !== CE) return inner & ECN;
  return (inner & ECN) === NOT_ECT ? undefined : CE;
}

/** Writes the field into a well-formed packet, and the IPv4 checksum that goes with it (RFC 1624 §3). */
export function mark(packet: Uint8Array, ecn: number): void {
  const before = packet[1] as number;
  if ((packet[0] as number) >> 4 === 6) {
    packet[1] = (before & ~(ECN << 4)) | (ecn << 4);
    return;
  }
  const after = (before & ~ECN) | ecn;
  packet[1] = after;
  const checksum = ((packet[10] as number) << 8) | (packet[11] as number);
  // Version and header length, the word's high byte, stay as they are.
  let sum = (~checksum & 0xffff) + (~before & 0xffff) + after;
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = ~((sum & 0xffff) + (sum >>> 16));
  packet[10] = (sum >>> 8) & 0xff;
  packet[11] = sum & 0xff;
}
