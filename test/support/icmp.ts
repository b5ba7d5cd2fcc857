// ICMP errors as routers send them, and as strangers forge them.

import { concat } from '../../src/bytes/bytes.ts';
import { checksum } from '../../src/esp/icmp.ts';
import { ipv4, ipv6 } from '../esp/packets.ts';
import { pseudoChecksum } from './outer.ts';

const ICMP = 1;
const ICMPV6 = 58;
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
  new DataView(packet.buffer).setUint16(42, pseudoChecksum(packet, message.length, ICMPV6));
  return packet;
}
