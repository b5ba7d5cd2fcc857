// Curve25519 and Curve448 for IKEv2 (RFC 8031, RFC 7748).

import { generateKeyPairSync } from 'node:crypto';
import { curveExchange } from './curve.ts';
import type { KeyExchange } from './types.ts';

export function x25519(group: number): KeyExchange {
  const generate = () => generateKeyPairSync('x25519');
  return curveExchange(group, { kty: 'OKP', crv: 'X25519', size: 32, generate });
}

export function x448(group: number): KeyExchange {
  const generate = () => generateKeyPairSync('x448');
  return curveExchange(group, { kty: 'OKP', crv: 'X448', size: 56, generate });
}
