// A key exchange for tests: both sides get the same secret from two public values, and nobody else is meant not to.

import { createHash } from 'node:crypto';
import { compare } from '../../src/bytes/bytes.ts';
import type { KeyPair, Random } from '../../src/crypto/types.ts';

const SIZE = 32;

export function cheapPair(random: Random): KeyPair {
  const secret = random(SIZE);
  return { secret, public: secret };
}

export function cheapAgree(pair: KeyPair, theirs: Uint8Array): Uint8Array | undefined {
  if (theirs.length !== SIZE) return undefined;
  const [low, high] = compare(pair.public, theirs) < 0 ? [pair.public, theirs] : [theirs, pair.public];
  return createHash('sha256').update(low).update(high).digest();
}
