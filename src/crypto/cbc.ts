// CBC ciphers: AES (RFC 3602), Triple-DES (RFC 2451) and DES (RFC 2405).

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concat } from '../bytes/bytes.ts';
import type { Cipher } from './separate.ts';

export function aesCbc(key: Uint8Array): Cipher {
  return cbc(`aes-${key.length * 8}-cbc`, key, 16);
}

export function tripleDesCbc(key: Uint8Array): Cipher {
  return cbc('des-ede3-cbc', key, 8);
}

/** OpenSSL 3 keeps DES in its legacy provider only; EDE with three equal keys is DES, because E(D(E(x))) = E(x). */
export function desCbc(key: Uint8Array): Cipher {
  return cbc('des-ede3-cbc', concat(key, key, key), 8);
}

function cbc(algorithm: string, key: Uint8Array, blockSize: number): Cipher {
  return {
    ivSize: blockSize,
    blockSize,
    counterIv: false,
    encrypt(iv, plain) {
      if (plain.length === 0 || plain.length % blockSize !== 0) throw new Error('CBC takes whole blocks');
      return createCipheriv(algorithm, key, iv).setAutoPadding(false).update(plain);
    },
    decrypt(iv, text) {
      if (text.length === 0 || text.length % blockSize !== 0) return undefined;
      return new Uint8Array(createDecipheriv(algorithm, key, iv).setAutoPadding(false).update(text));
    },
  };
}
