// Whether a packet may be joined with others of its flow: only what the kernel can cut into the same packets again.

import { fold, isV4, pseudo, sum, TCP, UDP, view } from './ip.ts';

const ACK = 0x10;
const PSH = 0x08;

/** Bytes in front of the payload, 0 where it must stay alone. `udp`: whether the kernel can cut UDP. */
export function joinable(packet: Uint8Array, udp: boolean): number {
  if (packet.length < 28) return 0;
  const fields = view(packet);
  const v4 = isV4(packet);
  if (v4) {
    const plain = fields.getUint8(0) === 0x45 && (fields.getUint16(6) & 0x3fff) === 0;
    if (!plain || fields.getUint16(2) !== packet.length || sum(packet.subarray(0, 20)) !== 0xffff) return 0;
  } else if (packet.length < 48 || fields.getUint16(4) + 40 !== packet.length) {
    return 0;
  }
  const at = v4 ? 20 : 40;
  const protocol = fields.getUint8(v4 ? 9 : 6);
  const header = protocol === TCP ? overTcp(packet, at) : protocol === UDP && udp ? overUdp(packet, at) : 0;
  if (header === 0) return 0;
  // Joined packets get new checksums: a wrong one must not become right on the way.
  const upper = packet.subarray(at);
  return fold(sum(upper) + pseudo(packet, protocol, upper.length)) === 0xffff ? header : 0;
}

function overTcp(packet: Uint8Array, at: number): number {
  if (packet.length < at + 20) return 0;
  const header = at + ((packet[at + 12] as number) >> 4) * 4;
  const data = ((packet[at + 13] as number) & ~PSH) === ACK;
  return header >= at + 20 && header < packet.length && data ? header : 0;
}

function overUdp(packet: Uint8Array, at: number): number {
  const fields = view(packet);
  const whole = at + 8 < packet.length && fields.getUint16(at + 4) === packet.length - at;
  return whole && fields.getUint16(at + 6) !== 0 ? at + 8 : 0;
}
