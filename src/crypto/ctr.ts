// AES in counter mode for ESP (RFC 3686) and IKEv2 (RFC 5930).

import { createCipheriv } from 'node:crypto';
import type { Cipher } from './separate.ts';

/** The counter block is salt, IV and a 32-bit counter that begins at one (RFC 3686 §4). */
export function aesCtr(key: Uint8Array, salt: Uint8Array): Cipher {
  const algorithm = `aes-${key.length * 8}-ctr`;
  const apply = (iv: Uint8Array, text: Uint8Array): Uint8Array => {
    const block = new Uint8Array(16);
    block.set(salt);
    block.set(iv, 4);
    block[15] = 1;
    return new Uint8Array(createCipheriv(algorithm, key, block).update(text));
  };
  return { ivSize: 8, blockSize: 1, counterIv: true, encrypt: apply, decrypt: apply };
}

/** ENCR_NULL (RFC 2410): nothing is hidden, and there is no IV to choose. */
export const nullCipher: Cipher = {
  ivSize: 0,
  blockSize: 1,
  counterIv: true,
  encrypt: (_iv, plain) => plain.slice(),
  decrypt: (_iv, text) => text.slice(),
};
