// AES-XCBC-MAC (RFC 3566) as AES-XCBC-MAC-96 and as AES-XCBC-PRF-128 (RFC 4434).

import { aesBlocks, cbcMac } from './cbcmac.ts';
import type { Integrity, Prf } from './types.ts';

const SIZE = 16;
const ZERO = new Uint8Array(SIZE);

/** What K1, K2 and K3 are encryptions of (RFC 3566 §4). */
const CONSTANTS = new Uint8Array(3 * SIZE).map((_, i) => 1 + Math.floor(i / SIZE));

export function xcbcPrf(id: number): Prf {
  return { id, size: SIZE, keySize: SIZE, compute: (key, ...data) => xcbc(fit(key), data) };
}

export function xcbcIntegrity(id: number, icvSize: number): Integrity {
  return { id, keySize: SIZE, icvSize, compute: (key, ...data) => xcbc(key, data).slice(0, icvSize) };
}

/** RFC 4434 §2: a shorter key is padded with zeros, a longer one becomes its own MAC under the zero key. */
function fit(key: Uint8Array): Uint8Array {
  if (key.length === SIZE) return key;
  if (key.length > SIZE) return xcbc(ZERO, [key]);
  const padded = new Uint8Array(SIZE);
  padded.set(key);
  return padded;
}

function xcbc(key: Uint8Array, data: readonly Uint8Array[]): Uint8Array {
  const keys = aesBlocks(key, CONSTANTS);
  return cbcMac(keys.subarray(0, SIZE), data, keys.subarray(SIZE, 2 * SIZE), keys.subarray(2 * SIZE));
}
