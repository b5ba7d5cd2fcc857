// Key exchange on noble's curves, and on plain bigints modulo primes that are computed from pi as their RFCs define them.

import { x448 } from '@noble/curves/ed448.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { concat, hex, unhex } from '../../src/bytes/bytes.ts';
import { KE } from '../../src/crypto/ids.ts';
import { modp2048Order256 } from '../../src/crypto/primes.ts';
import type { KeyExchange } from '../../src/crypto/types.ts';

export function nobleExchange(group: number): KeyExchange | undefined {
  switch (group) {
    case KE.ECP_256:
      return weierstrass(group, p256, 32);
    case KE.ECP_384:
      return weierstrass(group, p384, 48);
    case KE.ECP_521:
      return weierstrass(group, p521, 66);
    case KE.CURVE25519:
      return montgomery(group, x25519, 32);
    case KE.CURVE448:
      return montgomery(group, x448, 56);
    case KE.MODP_2048_256: {
      const { prime, generator, order } = modp2048Order256();
      return modular(group, integer(prime), integer(generator), order && integer(order));
    }
    default: {
      const offset = OFFSETS[group];
      return offset && modular(group, primeOf(...offset), 2n);
    }
  }
}

/** Bits and the small number that makes it prime: RFC 2409 §6.1 and §6.2, RFC 3526 §2 to §7. */
const OFFSETS: Readonly<Record<number, readonly [bits: number, offset: number]>> = {
  [KE.MODP_768]: [768, 149686],
  [KE.MODP_1024]: [1024, 129093],
  [KE.MODP_1536]: [1536, 741804],
  [KE.MODP_2048]: [2048, 124476],
  [KE.MODP_3072]: [3072, 1690314],
  [KE.MODP_4096]: [4096, 240904],
  [KE.MODP_6144]: [6144, 929484],
  [KE.MODP_8192]: [8192, 4743158],
};

/** 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + offset). */
export function primeOf(bits: number, offset: number): bigint {
  const n = BigInt(bits);
  return 2n ** n - 2n ** (n - 64n) - 1n + 2n ** 64n * (pi(n - 130n) + BigInt(offset));
}

/** pi * 2^bits by Machin's formula, with 64 bits to spare. */
function pi(bits: bigint): bigint {
  const scale = bits + 64n;
  const arctan = (inverse: bigint): bigint => {
    let power = (1n << scale) / inverse;
    let sum = power;
    for (let n = 3n, sign = -1n; power > 0n; n += 2n, sign = -sign) {
      power /= inverse * inverse;
      sum += (sign * power) / n;
    }
    return sum;
  };
  return (4n * (4n * arctan(5n) - arctan(239n))) >> 64n;
}

function modular(group: number, prime: bigint, generator: bigint, order?: bigint): KeyExchange {
  const publicSize = prime.toString(16).length / 2;
  return {
    group,
    publicSize,
    generate() {
      const secret = crypto.getRandomValues(new Uint8Array(31));
      return { secret, public: bytesOf(power(generator, integer(secret), prime), publicSize) };
    },
    agree(pair, theirs) {
      const y = integer(theirs);
      if (theirs.length !== publicSize || y <= 1n || y >= prime - 1n) return undefined;
      if (order && power(y, order, prime) !== 1n) return undefined;
      return bytesOf(power(y, integer(pair.secret), prime), publicSize);
    },
  };
}

function weierstrass(group: number, curve: typeof p256, size: number): KeyExchange {
  return {
    group,
    publicSize: 2 * size,
    generate() {
      const { secretKey } = curve.keygen();
      return { secret: secretKey, public: curve.getPublicKey(secretKey, false).slice(1) };
    },
    agree(pair, theirs) {
      if (theirs.length !== 2 * size) return undefined;
      try {
        const point = curve.getSharedSecret(pair.secret, concat(Uint8Array.of(4), theirs), false);
        return point.slice(1, 1 + size);
      } catch {
        return undefined;
      }
    },
  };
}

function montgomery(group: number, curve: typeof x25519, size: number): KeyExchange {
  return {
    group,
    publicSize: size,
    generate() {
      const { secretKey, publicKey } = curve.keygen();
      return { secret: secretKey, public: publicKey };
    },
    agree(pair, theirs) {
      if (theirs.length !== size) return undefined;
      try {
        return curve.getSharedSecret(pair.secret, theirs);
      } catch {
        return undefined;
      }
    },
  };
}

export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let square = base, e = exponent; e > 0n; e >>= 1n, square = (square * square) % modulus)
    if (e & 1n) result = (result * square) % modulus;
  return result;
}

export function integer(bytes: Uint8Array): bigint {
  return BigInt(`0x${hex(bytes)}`);
}

export function bytesOf(value: bigint, size: number): Uint8Array {
  return unhex(value.toString(16).padStart(2 * size, '0'));
}
