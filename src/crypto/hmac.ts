// HMAC (RFC 2104) as PRF and as integrity algorithm: RFC 2403, RFC 2404 and RFC 4868.

import { createHmac } from 'node:crypto';
import type { Integrity, Prf } from './types.ts';

export type Hash = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512';

export function hmacPrf(id: number, hash: Hash, size: number): Prf {
  return { id, size, keySize: size, compute: (key, ...data) => hmac(hash, key, data, size) };
}

export function hmacIntegrity(id: number, hash: Hash, keySize: number, icvSize: number): Integrity {
  return { id, keySize, icvSize, compute: (key, ...data) => hmac(hash, key, data, icvSize) };
}

function hmac(hash: Hash, key: Uint8Array, data: readonly Uint8Array[], size: number): Uint8Array {
  const context = createHmac(hash, key);
  for (const part of data) context.update(part);
  return new Uint8Array(context.digest().subarray(0, size));
}
