// `get-algorithms`: what this gateway can negotiate, in charon's sections and by strongSwan's names.

import { ALGORITHMS, type Algorithm } from '../../ike/transforms.ts';
import type { Command } from './channel.ts';
import { section } from './section.ts';
import type { Section } from './vici.ts';

const PROVIDER = 'espalier';

/** Not negotiated in transforms of their own: hashes of NAT detection and of signatures, and what keys are made with. */
const HASHES = ['HASH_SHA1', 'HASH_SHA2_256', 'HASH_SHA2_384', 'HASH_SHA2_512', 'HASH_MD5'];
const KDFS = ['KDF_PRF', 'KDF_PRF_PLUS'];
const RNGS = ['RNG_WEAK', 'RNG_STRONG', 'RNG_TRUE'];

export function algorithms(): readonly (readonly [string, Command])[] {
  return [['get-algorithms', () => all()]];
}

function all(): Section {
  return section(
    ['encryption', of(({ kind, aead }) => kind === 'encr' && !aead)],
    ['integrity', of(({ kind }) => kind === 'integ')],
    ['aead', of(({ kind, aead }) => kind === 'encr' && aead)],
    ['hasher', provided(HASHES)],
    ['prf', of(({ kind }) => kind === 'prf')],
    ['xof', provided([])],
    ['kdf', provided(KDFS)],
    ['drbg', provided([])],
    ['dh', of(({ kind, id }) => kind === 'ke' && id !== NONE)],
    ['rng', provided(RNGS)],
    ['nonce-gen', provided(['NONCE_GEN'])],
  );
}

/** The id of "no key exchange". */
const NONE = 0;

function of(wanted: (algorithm: Algorithm) => boolean): Section {
  return provided(ALGORITHMS.filter(wanted).map(({ name }) => name));
}

function provided(names: readonly string[]): Section {
  return section(...names.map((name) => [name, PROVIDER] as const));
}
