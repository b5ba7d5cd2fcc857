// What is on the wire between two gateways, made by hand: ESP as it is or in UDP, over either family.

import { concat } from '../../src/bytes/bytes.ts';
import { protection } from '../../src/crypto/registry.ts';
import { checksum } from '../../src/esp/icmp.ts';
import type { SaKeys } from '../../src/ike/effects.ts';
import { ipv4, ipv6 } from '../esp/packets.ts';
import { NEXT_IPV4, NEXT_IPV6, seal } from '../esp/twin/frame.ts';

const UDP = 17;
const ESP = 50;
const NAT_PORT = 4500;

export interface Way {
  readonly from: string;
  readonly to: string;
  readonly udp?: boolean;
  /** DSCP and ECN. */
  readonly class?: number;
}

/** The IP packet that carries this, a datagram's payload or an ESP packet. */
export function outer(payload: Uint8Array, { from, to, udp = false, class: tos = 0 }: Way): Uint8Array {
  const body = udp ? concat(udpHeader(payload.length), payload) : payload;
  const protocol = udp ? UDP : ESP;
  if (!from.includes(':')) return ipv4(from, to, body, { protocol, tos });
  const packet = ipv6(from, to, body, protocol, tos);
  // RFC 8200 §8.1: over IPv6 there is no UDP without a checksum.
  if (udp) new DataView(packet.buffer).setUint16(46, pseudoChecksum(packet, body.length, UDP) || 0xffff);
  return packet;
}

/** Over addresses, length and protocol beside what follows the IPv6 header. */
export function pseudoChecksum(packet: Uint8Array, length: number, protocol: number): number {
  return checksum(packet.subarray(8), length + protocol);
}

function udpHeader(length: number): Uint8Array {
  const header = new Uint8Array(8);
  const view = new DataView(header.buffer);
  view.setUint16(0, NAT_PORT);
  view.setUint16(2, NAT_PORT);
  view.setUint16(4, header.length + length);
  return header;
}

/** What begins as ESP does; the rest is nothing that anybody sealed. */
export function garbage(spi: number, seq: number, size = 64): Uint8Array {
  const esp = Uint8Array.from({ length: size }, (_, i) => (i * 31 + seq) & 0xff);
  const view = new DataView(esp.buffer);
  if (size >= 4) view.setUint32(0, spi);
  if (size >= 8) view.setUint32(4, seq);
  return esp;
}

/** A packet in tunnel mode as the peer seals it. Ciphers whose IV is a counter only. */
export function sealed({ spi, keys }: SaKeys, seq: number, packet: Uint8Array): Uint8Array {
  const by = protection(keys);
  const iv = new Uint8Array(by.ivSize);
  new DataView(iv.buffer).setUint32(by.ivSize - 4, seq);
  return seal(by, spi, seq, iv, packet, (packet[0] as number) >> 4 === 4 ? NEXT_IPV4 : NEXT_IPV6);
}
