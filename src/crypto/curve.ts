// Elliptic-curve Diffie-Hellman on key objects that are read from and written as JWK (RFC 7517, RFC 8037).
// JWK is the cheap way in: OpenSSL 3 finds a decoder for DER by trial, which costs several agreements' worth of time.
//
// Nothing here comes from `generateKeyPairSync`: exporting such a key holds its mutex while it allocates, and a garbage
// collection at that moment ends the generating job, which waits for the same mutex for ever (seen with Node 20.20).

import { createPrivateKey, createPublicKey, diffieHellman, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { KeyExchange, KeyPair } from './types.ts';

export interface Curve {
  readonly kty: 'EC' | 'OKP';
  readonly crv: string;
  /** Bytes of a coordinate, of a secret and of the shared secret. */
  readonly size: number;
  /** With the key object, where making the pair has left one. */
  generate(): KeyPair & { readonly key?: KeyObject };
}

export function curveExchange(group: number, curve: Curve): KeyExchange {
  const publicSize = curve.kty === 'EC' ? 2 * curve.size : curve.size;
  // Spares the import of a key that we made ourselves. Its first use takes it out: no key is used twice.
  const made = new WeakMap<Uint8Array, KeyObject>();
  return {
    group,
    publicSize,
    generate() {
      const { key, ...pair } = curve.generate();
      if (key) made.set(pair.secret, key);
      return pair;
    },
    agree(pair, theirs) {
      if (theirs.length !== publicSize) return undefined;
      const privateKey = made.get(pair.secret) ?? createPrivateKey({ key: secretJwk(curve, pair), format: 'jwk' });
      made.delete(pair.secret);
      // The import refuses a point that is not on the curve, the derivation an all-zero result (RFC 8031 §5).
      try {
        const publicKey = createPublicKey({ key: publicJwk(curve, theirs), format: 'jwk' });
        return new Uint8Array(diffieHellman({ privateKey, publicKey }));
      } catch {
        return undefined;
      }
    },
  };
}

function publicJwk({ kty, crv, size }: Curve, value: Uint8Array): JsonWebKey {
  const x = textOf(value.subarray(0, size));
  return kty === 'EC' ? { kty, crv, x, y: textOf(value.subarray(size)) } : { kty, crv, x };
}

function secretJwk(curve: Curve, pair: KeyPair): JsonWebKey {
  return { ...publicJwk(curve, pair.public), d: textOf(pair.secret) };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url');
}
