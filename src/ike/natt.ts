// NAT detection in IKEv2: RFC 7296 §2.23.

import { createHash } from 'node:crypto';
import { same } from '../bytes/bytes.ts';
import { parseIp, type SocketAddress } from '../bytes/ip.ts';

/** SHA-1 of SPIs, address and port; SHA-1 hides nothing here, it only keeps the notify short. */
export function natHash(spiI: Uint8Array, spiR: Uint8Array, address: SocketAddress): Uint8Array {
  const ip = parseIp(address.ip);
  if (!ip) throw new Error(`not an address: ${address.ip}`);
  const port = Uint8Array.of(address.port >> 8, address.port & 0xff);
  return createHash('sha1').update(spiI).update(spiR).update(ip).update(port).digest();
}

/** True when none of the hashes is that of `address`: somebody changed it on the way. */
export function natSeen(hashes: readonly Uint8Array[], expected: Uint8Array): boolean {
  return hashes.length > 0 && !hashes.some((hash) => same(hash, expected));
}
