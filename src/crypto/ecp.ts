// Random ECP groups (RFC 5903): a KE payload carries x and y, the shared secret is x alone with its leading zeros.

import { createECDH } from 'node:crypto';
import { curveExchange } from './curve.ts';
import { leftPad } from './dh.ts';
import type { KeyExchange, KeyPair } from './types.ts';

export function ecp384(group: number): KeyExchange {
  return curveExchange(group, { kty: 'EC', crv: 'P-384', size: 48, generate: () => generate('secp384r1', 48) });
}

export function ecp521(group: number): KeyExchange {
  return curveExchange(group, { kty: 'EC', crv: 'P-521', size: 66, generate: () => generate('secp521r1', 66) });
}

function generate(curve: string, size: number): KeyPair {
  const ecdh = createECDH(curve);
  const point = ecdh.generateKeys();
  return { secret: leftPad(ecdh.getPrivateKey(), size), public: new Uint8Array(point.subarray(1)) };
}

const UNCOMPRESSED = 0x04;

/** P-256 is so fast in OpenSSL that key objects would cost more than the agreement; ECDH takes the bytes as they are. */
export function ecp256(group: number): KeyExchange {
  const size = 32;
  return {
    group,
    publicSize: 2 * size,
    generate: () => generate('prime256v1', size),
    agree(pair, theirs) {
      if (theirs.length !== 2 * size) return undefined;
      const point = new Uint8Array(1 + 2 * size);
      point[0] = UNCOMPRESSED;
      point.set(theirs, 1);
      const ecdh = createECDH('prime256v1');
      ecdh.setPrivateKey(pair.secret);
      // Throws for a point that is not on the curve (RFC 6989 §2.3).
      try {
        return leftPad(ecdh.computeSecret(point), size);
      } catch {
        return undefined;
      }
    },
  };
}
