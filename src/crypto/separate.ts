// A cipher and a separate MAC as one protection: encrypt, then authenticate (RFC 4303 §3.3.2, RFC 7296 §3.14).

import { concat } from '../bytes/bytes.ts';
import { equalSecret } from './compare.ts';
import type { Integrity, Protection } from './types.ts';

/** Confidentiality alone, under a key it was made with. */
export interface Cipher {
  readonly ivSize: number;
  readonly blockSize: number;
  readonly counterIv: boolean;
  /** Throws when `plain` is not padded to `blockSize`: that is a fault of ours. */
  encrypt(iv: Uint8Array, plain: Uint8Array): Uint8Array;
  /** Undefined when the text cannot have come from `encrypt`. */
  decrypt(iv: Uint8Array, text: Uint8Array): Uint8Array | undefined;
}

const NONE = new Uint8Array(0);

/** Borrows `integKey`: when the owner wipes it, the protection ends. */
export function encryptThenMac(cipher: Cipher, integrity: Integrity, integKey: Uint8Array): Protection {
  const { ivSize, blockSize, counterIv } = cipher;
  const { icvSize } = integrity;
  return {
    ivSize,
    icvSize,
    blockSize,
    counterIv,
    seal(iv, aad, plain, tail = NONE) {
      const text = cipher.encrypt(iv, plain);
      return concat(text, integrity.compute(integKey, aad, iv, text, tail));
    },
    open(iv, aad, sealed, tail = NONE) {
      if (iv.length !== ivSize || sealed.length < icvSize) return undefined;
      const text = sealed.subarray(0, sealed.length - icvSize);
      const icv = sealed.subarray(sealed.length - icvSize);
      if (!equalSecret(icv, integrity.compute(integKey, aad, iv, text, tail))) return undefined;
      return cipher.decrypt(iv, text);
    },
  };
}
