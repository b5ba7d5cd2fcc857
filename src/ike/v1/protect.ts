// Encryption of messages: CBC with the IV of the exchange, which no message carries (RFC 2409 appendix B). Integrity
// comes from the HASH payload inside.

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concat } from '../../bytes/bytes.ts';
import { ENCR } from '../../crypto/ids.ts';
import type { Suite } from '../select.ts';
import { blockSize } from './keymat.ts';

/** Ciphertext, and its last block: the IV of the message that follows. */
export interface Sealed {
  readonly body: Uint8Array;
  readonly iv: Uint8Array;
}

export function seal(suite: Suite, key: Uint8Array, iv: Uint8Array, plain: Uint8Array): Sealed {
  const size = blockSize(suite);
  const padded = new Uint8Array(Math.ceil(plain.length / size) * size);
  padded.set(plain);
  const { name, cipherKey } = cipherOf(suite, key);
  const body = new Uint8Array(createCipheriv(name, cipherKey, iv).setAutoPadding(false).update(padded));
  return { body, iv: body.slice(-size) };
}

/** Undefined when the length cannot be. Whether the key was the right one only the content tells. */
export function open(
  suite: Suite,
  key: Uint8Array,
  iv: Uint8Array,
  body: Uint8Array,
): { readonly plain: Uint8Array; readonly iv: Uint8Array } | undefined {
  const size = blockSize(suite);
  if (body.length === 0 || body.length % size !== 0) return undefined;
  const { name, cipherKey } = cipherOf(suite, key);
  const plain = new Uint8Array(createDecipheriv(name, cipherKey, iv).setAutoPadding(false).update(body));
  return { plain, iv: body.slice(-size) };
}

/** DES as EDE with three equal keys, because OpenSSL 3 has it in its legacy provider only. */
function cipherOf(suite: Suite, key: Uint8Array): { readonly name: string; readonly cipherKey: Uint8Array } {
  switch (suite.encr) {
    case ENCR.DES:
      return { name: 'des-ede3-cbc', cipherKey: concat(key, key, key) };
    case ENCR.DES3:
      return { name: 'des-ede3-cbc', cipherKey: key };
    case ENCR.AES_CBC:
      return { name: `aes-${key.length * 8}-cbc`, cipherKey: key };
    default:
      throw new Error(`cipher ${suite.encr} is none of phase 1`);
  }
}
