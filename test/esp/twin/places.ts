// Where a lane's arena has what, and how it describes a datagram: native/lane.h in numbers.

import { parseIp } from '../../../src/bytes/ip.ts';
import { BATCH, KIND_UDP, MESSAGE, MESSAGE_WORDS } from '../../../src/esp/layout.ts';
import { view } from './ip.ts';
import type { Datagram } from './mail.ts';

export const CELL = 64;
export const HEADROOM = 64;
/** A datagram's place, and the next one's. */
export const RX_STRIDE = HEADROOM + 65_536 + 448;
/** Behind the datagrams: packets of transport mode, made anew. */
export const REBUILT_AT = BATCH * RX_STRIDE;
/** In front of each of them is room for a virtio header. */
export const VNET = 10;

/** The words of message `i`. */
export function describe(messages: Int32Array, i: number, datagram: Datagram, udp: boolean): void {
  const words = messages.subarray(i * MESSAGE_WORDS, (i + 1) * MESSAGE_WORDS).fill(0);
  const remote = address(datagram.remote.ip);
  words[MESSAGE.KIND] = (remote.length === 4 ? 4 : 6) | (udp ? KIND_UDP : 0);
  words[MESSAGE.CLASS] = datagram.class ?? datagram.outer?.[1] ?? 0;
  words[MESSAGE.PORT] = udp ? datagram.remote.port : 0;
  words[MESSAGE.HOPS] = (datagram.hops ?? datagram.outer?.[8] ?? 0) | ((datagram.outer?.length ?? 0) << 8);
  for (const [at, bytes] of [
    [MESSAGE.REMOTE, remote],
    [MESSAGE.LOCAL, address(datagram.local)],
  ] as const) {
    for (let k = 0; k < bytes.length; k += 4) words[at + k / 4] = view(bytes).getInt32(k);
  }
}

function address(text: string): Uint8Array {
  const bytes = parseIp(text);
  if (!bytes) throw new Error(`no address: ${text}`);
  return bytes;
}
