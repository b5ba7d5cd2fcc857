// The algorithms by their IKEv2 transform ids, and prf+ (RFC 7296 §2.13).
//
// Each is the fastest correct one that Node 20 has. `bench/crypto.ts` measures them against noble (pure JavaScript);
// node:crypto (OpenSSL) was chosen throughout, by these factors at 300 and at 1400 bytes:
//   AES-GCM 6 and 10, ChaCha20-Poly1305 2 and 3, AES-CBC or AES-CTR with SHA2-256 2.5 and 5;
//   HMAC 4 to 5.5 and 5 to 7; AES-CMAC 1.2 and 2.7 (below 100 bytes noble is 1.4 times as fast, but its AES looks secret
//   bytes up in tables).
// Key exchange, generation and agreement together: X25519 15, X448 11, P-256 25, P-384 2.7, P-521 2.3, MODP 6 to 7.
//   Of the ways through node:crypto: agreeing on keys from JWK is 6 times as fast as from DER; for P-256 createECDH is
//   1.5 times as fast as that, for P-384 and P-521 it is 1.6 times slower. MODP
//   runs on one context per group, with its secret set and taken away: 20 to 30 ms saved per use in groups 1 and 2, which
//   OpenSSL would prove prime each time; group 24 it knows by its numbers. DER would cost group 24 another 1.1 ms.

import { aead, gmac, type Mode } from './aead.ts';
import { aesCbc, desCbc, tripleDesCbc } from './cbc.ts';
import { cmacIntegrity, cmacPrf } from './cmac.ts';
import { aesCtr, nullCipher } from './ctr.ts';
import { modp } from './dh.ts';
import { ecp256, ecp384, ecp521 } from './ecp.ts';
import { hmacIntegrity, hmacPrf } from './hmac.ts';
import { ENCR, INTEG, KE, PRF } from './ids.ts';
import { x448, x25519 } from './montgomery.ts';
import { modp768, modp1024, modp2048Order256, namedModp } from './primes.ts';
import { type Cipher, encryptThenMac } from './separate.ts';
import type { CipherShape, Integrity, KeyExchange, Prf, Protection, ProtectionKeys } from './types.ts';
import { xcbcIntegrity, xcbcPrf } from './xcbc.ts';

/** Undefined when we have no such cipher, or it needs a key length and this is none it has. */
export function cipherShape(encrId: number, keyBits?: number): CipherShape | undefined {
  const cipher = CIPHERS.get(encrId);
  if (!cipher) return undefined;
  const bits = cipher.bits.length === 1 ? cipher.bits[0] : cipher.bits.find((offered) => offered === keyBits);
  if (bits === undefined) return undefined;
  const { saltSize, ivSize, blockSize, icvSize } = cipher;
  return { id: encrId, keySize: bits / 8, saltSize, ivSize, blockSize, icvSize, aead: icvSize > 0 };
}

export function prf(id: number): Prf | undefined {
  return PRFS.get(id);
}

export function integrity(id: number): Integrity | undefined {
  return INTEGRITIES.get(id);
}

export function keyExchange(group: number): KeyExchange | undefined {
  return GROUPS.get(group);
}

/** Borrows the keys: when their owner wipes them, the protection ends. */
export function protection(keys: ProtectionKeys): Protection {
  const cipher = CIPHERS.get(keys.encr);
  const shape = cipherShape(keys.encr, keys.keyBits);
  if (!cipher || !shape) throw new Error(`no cipher ${keys.encr} with a key of ${keys.keyBits} bits`);
  if (keys.encrKey.length !== shape.keySize + shape.saltSize) throw new Error('the encryption key has a wrong length');
  const key = keys.encrKey.subarray(0, shape.keySize);
  const salt = keys.encrKey.subarray(shape.keySize);
  if (cipher.mode) {
    if (keys.integ !== INTEG.NONE) throw new Error('a combined mode takes no integrity algorithm');
    return cipher.mode === 'gmac' ? gmac(shape, key, salt) : aead(cipher.mode, shape, key, salt);
  }
  const mac = INTEGRITIES.get(keys.integ);
  if (!mac) throw new Error(`cipher ${keys.encr} needs an integrity algorithm, and ${keys.integ} is none`);
  if (keys.integKey.length !== mac.keySize) throw new Error('the integrity key has a wrong length');
  return encryptThenMac(cipher.make(key, salt), mac, keys.integKey);
}

/** RFC 7296 §2.13: T1 = prf(K, S | 0x01), Tn = prf(K, Tn-1 | S | n); n is one octet, which bounds the output. */
export function prfPlus(prf: Prf, key: Uint8Array, seed: Uint8Array, length: number): Uint8Array {
  if (length > 255 * prf.size) throw new Error('prf+ cannot give so much');
  const output = new Uint8Array(length);
  let block = new Uint8Array(0);
  for (let at = 0, n = 1; at < length; at += prf.size, n++) {
    block = new Uint8Array(prf.compute(key, block, seed, Uint8Array.of(n)));
    output.set(block.subarray(0, length - at), at);
  }
  return output;
}

interface Sizes {
  /** Key lengths; where there is one only, it is not negotiated. */
  readonly bits: readonly number[];
  readonly saltSize: number;
  readonly ivSize: number;
  readonly blockSize: number;
  readonly icvSize: number;
}

type CipherEntry = Sizes &
  ({ readonly mode: Mode | 'gmac' } | { readonly mode?: never; make(key: Uint8Array, salt: Uint8Array): Cipher });

const AES = [128, 192, 256] as const;

const gcm = (icvSize: number): CipherEntry => ({
  mode: 'gcm',
  ...{ bits: AES, saltSize: 4, ivSize: 8, blockSize: 1, icvSize },
});

const ccm = (icvSize: number): CipherEntry => ({
  mode: 'ccm',
  ...{ bits: AES, saltSize: 3, ivSize: 8, blockSize: 1, icvSize },
});

const cbc = (make: (key: Uint8Array) => Cipher, bits: readonly number[], blockSize: number): CipherEntry => ({
  make,
  ...{ bits, saltSize: 0, ivSize: blockSize, blockSize, icvSize: 0 },
});

const CIPHERS: ReadonlyMap<number, CipherEntry> = new Map<number, CipherEntry>([
  [ENCR.DES, cbc(desCbc, [64], 8)],
  [ENCR.DES3, cbc(tripleDesCbc, [192], 8)],
  [ENCR.NULL, { make: () => nullCipher, bits: [0], saltSize: 0, ivSize: 0, blockSize: 1, icvSize: 0 }],
  [ENCR.AES_CBC, cbc(aesCbc, AES, 16)],
  [ENCR.AES_CTR, { make: aesCtr, bits: AES, saltSize: 4, ivSize: 8, blockSize: 1, icvSize: 0 }],
  [ENCR.AES_CCM_8, ccm(8)],
  [ENCR.AES_CCM_12, ccm(12)],
  [ENCR.AES_CCM_16, ccm(16)],
  [ENCR.AES_GCM_8, gcm(8)],
  [ENCR.AES_GCM_12, gcm(12)],
  [ENCR.AES_GCM_16, gcm(16)],
  [ENCR.NULL_AUTH_AES_GMAC, { ...gcm(16), mode: 'gmac' }],
  [
    ENCR.CHACHA20_POLY1305,
    { mode: 'chacha20-poly1305', bits: [256], saltSize: 4, ivSize: 8, blockSize: 1, icvSize: 16 },
  ],
]);

const PRFS = byId([
  hmacPrf(PRF.HMAC_MD5, 'md5', 16),
  hmacPrf(PRF.HMAC_SHA1, 'sha1', 20),
  xcbcPrf(PRF.AES128_XCBC),
  hmacPrf(PRF.HMAC_SHA2_256, 'sha256', 32),
  hmacPrf(PRF.HMAC_SHA2_384, 'sha384', 48),
  hmacPrf(PRF.HMAC_SHA2_512, 'sha512', 64),
  cmacPrf(PRF.AES128_CMAC),
]);

const INTEGRITIES = byId([
  hmacIntegrity(INTEG.HMAC_MD5_96, 'md5', 16, 12),
  hmacIntegrity(INTEG.HMAC_SHA1_96, 'sha1', 20, 12),
  xcbcIntegrity(INTEG.AES_XCBC_96, 12),
  cmacIntegrity(INTEG.AES_CMAC_96, 12),
  hmacIntegrity(INTEG.HMAC_SHA2_256_128, 'sha256', 32, 16),
  hmacIntegrity(INTEG.HMAC_SHA2_384_192, 'sha384', 48, 24),
  hmacIntegrity(INTEG.HMAC_SHA2_512_256, 'sha512', 64, 32),
  hmacIntegrity(INTEG.HMAC_SHA2_256_96, 'sha256', 32, 12),
]);

const GROUPS: ReadonlyMap<number, KeyExchange> = new Map(
  [
    modp(KE.MODP_768, 96, modp768),
    modp(KE.MODP_1024, 128, modp1024),
    modp(KE.MODP_1536, 192, () => namedModp('modp5', 32)),
    modp(KE.MODP_2048, 256, () => namedModp('modp14', 32)),
    modp(KE.MODP_3072, 384, () => namedModp('modp15', 36)),
    modp(KE.MODP_4096, 512, () => namedModp('modp16', 42)),
    modp(KE.MODP_6144, 768, () => namedModp('modp17', 48)),
    modp(KE.MODP_8192, 1024, () => namedModp('modp18', 52)),
    ecp256(KE.ECP_256),
    ecp384(KE.ECP_384),
    ecp521(KE.ECP_521),
    modp(KE.MODP_2048_256, 256, modp2048Order256),
    x25519(KE.CURVE25519),
    x448(KE.CURVE448),
  ].map((exchange) => [exchange.group, exchange]),
);

/** What this program can do, by id; a cipher once per key length, and undefined where it has one only. */
export const supported: {
  readonly encr: readonly { readonly id: number; readonly keyBits: number | undefined }[];
  readonly prf: readonly number[];
  readonly integ: readonly number[];
  readonly ke: readonly number[];
} = {
  encr: [...CIPHERS].flatMap(([id, { bits }]) =>
    bits.map((keyBits) => ({ id, keyBits: bits.length === 1 ? undefined : keyBits })),
  ),
  prf: [...PRFS.keys()],
  integ: [...INTEGRITIES.keys()],
  ke: [...GROUPS.keys()],
};

function byId<T extends { readonly id: number }>(entries: readonly T[]): ReadonlyMap<number, T> {
  return new Map(entries.map((entry) => [entry.id, entry]));
}
