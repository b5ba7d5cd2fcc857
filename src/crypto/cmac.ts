// AES-CMAC (RFC 4493) as AES-CMAC-96 (RFC 4494) and as AES-CMAC-PRF-128 (RFC 4615).

import { aesBlocks, cbcMac } from './cbcmac.ts';
import type { Integrity, Prf } from './types.ts';

const SIZE = 16;
const ZERO = new Uint8Array(SIZE);

export function cmacPrf(id: number): Prf {
  return { id, size: SIZE, keySize: SIZE, compute: (key, ...data) => cmac(fit(key), data) };
}

export function cmacIntegrity(id: number, icvSize: number): Integrity {
  return { id, keySize: SIZE, icvSize, compute: (key, ...data) => cmac(key, data).slice(0, icvSize) };
}

/** RFC 4615 §3: a key of another length becomes the CMAC of itself under the zero key. */
function fit(key: Uint8Array): Uint8Array {
  return key.length === SIZE ? key : cmac(ZERO, [key]);
}

function cmac(key: Uint8Array, data: readonly Uint8Array[]): Uint8Array {
  const k1 = double(aesBlocks(key, ZERO));
  return cbcMac(key, data, k1, double(k1));
}

/** Multiplication by x in GF(2^128), without a branch on the secret bit (RFC 4493 §2.3). */
function double(block: Uint8Array): Uint8Array {
  const shifted = new Uint8Array(SIZE);
  for (let i = 0; i < SIZE; i++) shifted[i] = ((block[i] as number) << 1) | ((block[i + 1] ?? 0) >> 7);
  shifted[SIZE - 1] = (shifted[SIZE - 1] as number) ^ (0x87 & -((block[0] as number) >> 7));
  return shifted;
}
