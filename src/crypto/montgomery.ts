// Curve25519 and Curve448 for IKEv2 (RFC 8031, RFC 7748).

import { createPrivateKey, randomBytes } from 'node:crypto';
import { curveExchange } from './curve.ts';
import type { KeyExchange } from './types.ts';

export function x25519(group: number): KeyExchange {
  return montgomery(group, 'X25519', 32);
}

export function x448(group: number): KeyExchange {
  return montgomery(group, 'X448', 56);
}

function montgomery(group: number, crv: string, size: number): KeyExchange {
  // Any value will do: OpenSSL computes the public key from the secret and does not read this one.
  const unread = Buffer.alloc(size, 9).toString('base64url');
  const generate = () => {
    const secret = new Uint8Array(randomBytes(size));
    const d = Buffer.from(secret.buffer).toString('base64url');
    const key = createPrivateKey({ key: { kty: 'OKP', crv, d, x: unread }, format: 'jwk' });
    const { x = '' } = key.export({ format: 'jwk' });
    // A copy: small buffers are cut from a pool that others write to.
    return { secret, public: new Uint8Array(Buffer.from(x, 'base64url')), key };
  };
  return curveExchange(group, { kty: 'OKP', crv, size, generate });
}
