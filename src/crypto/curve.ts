// Elliptic-curve Diffie-Hellman on key objects that are read from and written as JWK (RFC 7517, RFC 8037).
// JWK is the cheap way in: OpenSSL 3 finds a decoder for DER by trial, which costs several agreements' worth of time.

import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type JsonWebKey,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from 'node:crypto';
import type { KeyExchange, KeyPair } from './types.ts';

export interface Curve {
  readonly kty: 'EC' | 'OKP';
  readonly crv: string;
  /** Bytes of a coordinate, of a secret and of the shared secret. */
  readonly size: number;
  generate(): KeyPairKeyObjectResult;
}

export function curveExchange(group: number, curve: Curve): KeyExchange {
  const publicSize = curve.kty === 'EC' ? 2 * curve.size : curve.size;
  // Spares the import of a key we made ourselves. It is taken out by its first use: no key is used twice.
  const made = new WeakMap<Uint8Array, KeyObject>();
  return {
    group,
    publicSize,
    generate() {
      const { privateKey } = curve.generate();
      const { d, x, y } = privateKey.export({ format: 'jwk' });
      const pair = { secret: bytesOf(d), public: join(bytesOf(x), y) };
      made.set(pair.secret, privateKey);
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

/** A copy: small buffers are cut from a pool that others write to. */
function bytesOf(text: string | undefined): Uint8Array {
  if (text === undefined) throw new Error('the key has no such member');
  return new Uint8Array(Buffer.from(text, 'base64url'));
}

function join(x: Uint8Array, y: string | undefined): Uint8Array {
  if (y === undefined) return x;
  const point = new Uint8Array(2 * x.length);
  point.set(x);
  point.set(bytesOf(y), x.length);
  return point;
}
