// Combined modes: AES-GCM (RFC 4106, RFC 5282), AES-CCM (RFC 4309, RFC 5282), ChaCha20-Poly1305 (RFC 7634).

import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { CipherShape, Protection } from './types.ts';

export type Mode = 'gcm' | 'ccm' | 'chacha20-poly1305';

/** Borrows `key` and `salt`: when their owner wipes them, the protection ends. */
export function aead(mode: Mode, shape: CipherShape, key: Uint8Array, salt: Uint8Array): Protection {
  const { ivSize, icvSize, blockSize } = shape;
  const algorithm = mode === 'chacha20-poly1305' ? mode : `aes-${key.length * 8}-${mode}`;
  const nonceFor = (iv: Uint8Array): Uint8Array => {
    if (iv.length !== ivSize) throw new Error(`the IV has ${iv.length} bytes, not ${ivSize}`);
    const nonce = new Uint8Array(salt.length + ivSize);
    nonce.set(salt);
    nonce.set(iv, salt.length);
    return nonce;
  };
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
