// ICMP errors as routers send them, and as strangers forge them.

import { concat } from '../../src/bytes/bytes.ts';
import { checksum } from '../../src/esp/icmp.ts';
import { ipv4, ipv6 } from '../esp/packets.ts';

const ICMP = 1;
const ICMPV6 = 58;
const ESP = 50;
/** As much of the packet in question as is quoted: its headers, and where ESP is what it is. */
const QUOTED = 96;

/** "Fragmentation needed" or "packet too big", about a packet that `to` sent. */
export function tooBig(mtu: number, quoted: Uint8Array, from: string, to: string): Uint8Array {
  const message = concat(new Uint8Array(8), quoted.subarray(0, QUOTED));
  const view = new DataView(message.buffer);
  if (!to.includes(':')) {
    view.setUint8(0, 3);
    view.setUint8(1, 4);
    view.setUint16(6, mtu);
    view.setUint16(2, checksum(message));
    return ipv4(from, to, message, { protocol: ICMP });
  }
  view.setUint8(0, 2);
  view.setUint32(4, mtu);
  const packet = ipv6(from, to, message, ICMPV6);
  // RFC 8200 §8.1: the pseudo-header is the addresses, the length and the protocol.
  const sum = checksum(packet.subarray(8), message.length + ICMPV6);
  new DataView(packet.buffer).setUint16(42, sum);
  return packet;
}

/** A packet of protocol 50 between these ends, of which only the beginning matters. */
export function espPacket(spi: number, seq: number, from: string, to: string, size = 64): Uint8Array {
  const esp = new Uint8Array(size);
  const view = new DataView(esp.buffer);
  view.setUint32(0, spi);
  view.setUint32(4, seq);
  return from.includes(':') ? ipv6(from, to, esp, ESP) : ipv4(from, to, esp, { protocol: ESP });
}

/** The same in UDP, both ports 4500. */
export function udpPacket(payload: Uint8Array, from: string, to: string, ports = [4500, 4500] as const): Uint8Array {
  const datagram = concat(new Uint8Array(8), payload);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, ports[0]);
  view.setUint16(2, ports[1]);
  view.setUint16(4, datagram.length);
  if (!from.includes(':')) return ipv4(from, to, datagram);
  const packet = ipv6(from, to, datagram);
  // Over IPv6 there is no UDP without a checksum.
  new DataView(packet.buffer).setUint16(46, checksum(packet.subarray(8), datagram.length + 17) || 0xffff);
  return packet;
}
