// Transport mode on the way in: the packet that was there before, with an IP header made of the outer one (RFC 4303
// §3.4.4, RFC 3948 §3.1.2).

import { concat } from '../../../src/bytes/bytes.ts';
import { MESSAGE } from '../../../src/esp/layout.ts';
import { sealHeader, TCP, UDP, upperChecksum, view } from './ip.ts';

const LARGEST = 0xffff;
const HOPS = 64;
const DONT_FRAGMENT = 0x4000;

/** `message` are the words of the datagram that it came in. Undefined where it would be too large for IP. */
export function rebuilt(
  message: Int32Array,
  payload: Uint8Array,
  next: number,
  natted: boolean,
): Uint8Array | undefined {
  const word = (index: number) => message[index] as number;
  const v4 = (word(MESSAGE.KIND) & 15) === 4;
  const header = v4 ? 20 : 40;
  if (header + payload.length > LARGEST) return undefined;
  const packet = concat(new Uint8Array(header), payload);
  const fields = view(packet);
  const both = word(MESSAGE.CLASS) & 0xff;
  const hops = word(MESSAGE.HOPS) & 0xff || HOPS;
  if (v4) {
    fields.setUint16(0, 0x4500 | both);
    fields.setUint16(2, packet.length);
    fields.setUint16(6, DONT_FRAGMENT);
    fields.setUint16(8, (hops << 8) | next);
    fields.setInt32(12, word(MESSAGE.REMOTE));
    fields.setInt32(16, word(MESSAGE.LOCAL));
    sealHeader(packet);
  } else {
    fields.setUint16(0, 0x6000 | (both << 4));
    fields.setUint16(4, payload.length);
    fields.setUint16(6, (next << 8) | hops);
    for (let i = 0; i < 4; i++) {
      fields.setInt32(8 + 4 * i, word(MESSAGE.REMOTE + i));
      fields.setInt32(24 + 4 * i, word(MESSAGE.LOCAL + i));
    }
  }
  if (natted) correct(packet, header, next);
  return packet;
}

/** A NAT on the way changed the addresses that the checksum counts; the ICV has said that the rest is right. */
function correct(packet: Uint8Array, at: number, protocol: number): void {
  if (protocol !== TCP && protocol !== UDP) return;
  const field = at + (protocol === TCP ? 16 : 6);
  if (field + 2 > packet.length) return;
  const none = protocol === UDP && view(packet).getUint16(field) === 0;
  if (!none) view(packet).setUint16(field, upperChecksum(packet, at, protocol));
}
