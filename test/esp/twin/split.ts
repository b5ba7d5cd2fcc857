// Super-packets cut as the kernel cuts them: TCP (net/ipv4/tcp_offload.c) and UDP (net/ipv4/udp_offload.c).

import { concat } from '../../../src/bytes/bytes.ts';
import { GSO } from '../../../src/esp/layout.ts';
import { isV4, sealHeader, TCP, UDP, upperAt, upperChecksum, view } from './ip.ts';

const FLAGS = 13;
const FIN_PSH = 0x09;
const CWR = 0x80;
/** More headers than this no lane takes. */
const HEADERS_MAX = 256;

/** The packets; none where this is not what it says. */
export function segments(packet: Uint8Array, gso: number, mss: number): readonly Uint8Array[] {
  if (gso === GSO.NONE || gso === GSO.WHOLE) return [packet];
  const protocol = gso === GSO.TCP ? TCP : UDP;
  const at = upperAt(packet, protocol);
  const headers = at === undefined ? undefined : headersOf(packet, at, protocol);
  if (at === undefined || headers === undefined || mss <= 0) return [];
  const payload = packet.subarray(headers);
  const count = Math.ceil(payload.length / mss);
  return Array.from({ length: count }, (_, k) => {
    const one = concat(packet.subarray(0, headers), payload.subarray(k * mss, (k + 1) * mss));
    const fields = view(one);
    if (isV4(one)) {
      fields.setUint16(2, one.length);
      fields.setUint16(4, fields.getUint16(4) + k);
      sealHeader(one);
    } else {
      fields.setUint16(4, one.length - 40);
    }
    if (protocol === TCP) {
      fields.setUint32(at + 4, fields.getUint32(at + 4) + k * mss);
      const drop = (k < count - 1 ? FIN_PSH : 0) | (k > 0 ? CWR : 0);
      fields.setUint8(at + FLAGS, fields.getUint8(at + FLAGS) & ~drop);
      fields.setUint16(at + 16, upperChecksum(one, at, TCP));
    } else {
      fields.setUint16(at + 4, one.length - at);
      fields.setUint16(at + 6, upperChecksum(one, at, UDP));
    }
    return one;
  });
}

function headersOf(packet: Uint8Array, at: number, protocol: number): number | undefined {
  if (protocol === TCP && at + 20 > packet.length) return undefined;
  const own = protocol === UDP ? 8 : ((packet[at + 12] as number) >> 4) * 4;
  const headers = at + own;
  return own >= (protocol === UDP ? 8 : 20) && headers < packet.length && headers <= HEADERS_MAX ? headers : undefined;
}
