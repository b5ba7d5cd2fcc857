// Combined modes: AES-GCM (RFC 4106, RFC 5282), AES-CCM (RFC 4309, RFC 5282), ChaCha20-Poly1305 (RFC 7634). And AES-GMAC,
// which hides nothing (RFC 4543).

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concat } from '../bytes/bytes.ts';
import { equalSecret } from './compare.ts';
import type { CipherShape, Protection } from './types.ts';

export type Mode = 'gcm' | 'ccm' | 'chacha20-poly1305';

/** Borrows `key` and `salt`: when their owner wipes them, the protection ends. */
export function aead(mode: Mode, shape: CipherShape, key: Uint8Array, salt: Uint8Array): Protection {
  const { ivSize, icvSize, blockSize } = shape;
  const algorithm = mode === 'chacha20-poly1305' ? mode : `aes-${key.length * 8}-${mode}`;
  const nonceFor = (iv: Uint8Array) => nonceOf(salt, iv, ivSize);
  return {
    ivSize,
    icvSize,
    blockSize,
    counterIv: true,
    seal(iv, aad, plain) {
      // One set of types serves: the three modes have the same methods, and CCM is the one that needs the length.
      const cipher = createCipheriv(algorithm as 'aes-128-ccm', key, nonceFor(iv), { authTagLength: icvSize });
      cipher.setAAD(aad, { plaintextLength: plain.length });
      const sealed = new Uint8Array(plain.length + icvSize);
      sealed.set(cipher.update(plain));
      cipher.final();
      sealed.set(cipher.getAuthTag(), plain.length);
      return sealed;
    },
    open(iv, aad, sealed) {
      const length = sealed.length - icvSize;
      if (length < 0 || iv.length !== ivSize) return undefined;
      const cipher = createDecipheriv(algorithm as 'aes-128-ccm', key, nonceFor(iv), { authTagLength: icvSize });
      cipher.setAuthTag(sealed.subarray(length));
      cipher.setAAD(aad, { plaintextLength: length });
      // CCM tells of a wrong tag in `update`, the others in `final`: both by throwing.
      try {
        const plain = cipher.update(sealed.subarray(0, length));
        cipher.final();
        return new Uint8Array(plain);
      } catch {
        return undefined;
      }
    },
  };
}

/**
 * ENCR_NULL_AUTH_AES_GMAC: AES-GCM over nothing, with all of the packet as its AAD (RFC 4543 §3.3). That the IV belongs to
 * it is shown by draft-mcgrew-gcm-test-01 and done by Linux.
 */
export function gmac(shape: CipherShape, key: Uint8Array, salt: Uint8Array): Protection {
  const { ivSize, icvSize, blockSize } = shape;
  const icv = (iv: Uint8Array, aad: Uint8Array, text: Uint8Array): Uint8Array => {
    const nonce = nonceOf(salt, iv, ivSize);
    const cipher = createCipheriv(`aes-${key.length * 8}-gcm` as 'aes-128-gcm', key, nonce, { authTagLength: icvSize });
    cipher.setAAD(concat(aad, iv, text));
    cipher.final();
    return cipher.getAuthTag();
  };
  return {
    ivSize,
    icvSize,
    blockSize,
    counterIv: true,
    seal: (iv, aad, plain) => concat(plain, icv(iv, aad, plain)),
    open(iv, aad, sealed) {
      if (sealed.length < icvSize || iv.length !== ivSize) return undefined;
      const text = sealed.slice(0, sealed.length - icvSize);
      return equalSecret(icv(iv, aad, text), sealed.subarray(text.length)) ? text : undefined;
    },
  };
}

function nonceOf(salt: Uint8Array, iv: Uint8Array, ivSize: number): Uint8Array {
  if (iv.length !== ivSize) throw new Error(`the IV has ${iv.length} bytes, not ${ivSize}`);
  return concat(salt, iv);
}
