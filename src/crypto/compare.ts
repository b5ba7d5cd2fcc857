// Comparison of secrets in constant time: ICVs, AUTH data, hashes, cookies, tokens.

import { timingSafeEqual } from 'node:crypto';

/** Takes a time that depends on the lengths only, and a length is never secret here. */
export function equalSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
