// What two implementations of cryptography have in common, so that one set of tests runs on both.

import { integrity, keyExchange, prf, protection } from '../../src/crypto/registry.ts';
import type { Integrity, KeyExchange, Prf, Protection, ProtectionKeys } from '../../src/crypto/types.ts';
import { noble } from './noble.ts';

export interface Suite {
  readonly name: string;
  prf(id: number): Prf | undefined;
  integrity(id: number): Integrity | undefined;
  protection(keys: ProtectionKeys): Protection;
  keyExchange(group: number): KeyExchange | undefined;
}

export const native: Suite = { name: 'node:crypto', prf, integrity, protection, keyExchange };

export const suites: readonly Suite[] = [native, noble];

/** Fails the test when there is none. */
export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('not implemented');
  return value;
}
