// RFC 2409 by the letter, with node:crypto and nothing of src/ike: what keys, hashes and IVs must be. An eavesdropper who
// knows the pre-shared key and the secret of the key exchange reads a whole negotiation with it.

import { createDecipheriv, createHash, createHmac } from 'node:crypto';

export type Hash = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512';

export function prf(hash: Hash, key: Uint8Array, ...data: readonly Uint8Array[]): Buffer {
  return createHmac(hash, key).update(Buffer.concat(data)).digest();
}

/** What is not encrypted, and what only the two sides know. */
export interface Negotiated {
  readonly hash: Hash;
  readonly spiI: Uint8Array;
  readonly spiR: Uint8Array;
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
  readonly gxi: Uint8Array;
  readonly gxr: Uint8Array;
  readonly gxy: Uint8Array;
}

export interface Skeyids {
  readonly skeyid: Buffer;
  readonly d: Buffer;
  readonly a: Buffer;
  readonly e: Buffer;
}

/** §5. */
export function skeyids(
  { hash, spiI, spiR, gxy }: Pick<Negotiated, 'hash' | 'spiI' | 'spiR' | 'gxy'>,
  skeyid: Buffer,
): Skeyids {
  const d = prf(hash, skeyid, gxy, spiI, spiR, Buffer.of(0));
  const a = prf(hash, skeyid, d, gxy, spiI, spiR, Buffer.of(1));
  const e = prf(hash, skeyid, a, gxy, spiI, spiR, Buffer.of(2));
  return { skeyid, d, a, e };
}

/** Appendix B. */
export function cipherKey(hash: Hash, e: Uint8Array, size: number): Buffer {
  if (e.length >= size) return Buffer.from(e.subarray(0, size));
  const k1 = prf(hash, e, Buffer.of(0));
  const k2 = prf(hash, e, k1);
  const k3 = prf(hash, e, k2);
  return Buffer.concat([k1, k2, k3]).subarray(0, size);
}

/** §5.1: HASH_I and HASH_R. */
export function authHashes(
  { hash, spiI, spiR, gxi, gxr }: Negotiated,
  { skeyid }: Skeyids,
  saI: Uint8Array,
  idI: Uint8Array,
  idR: Uint8Array,
): { readonly hashI: Buffer; readonly hashR: Buffer } {
  return {
    hashI: prf(hash, skeyid, gxi, gxr, spiI, spiR, saI, idI),
    hashR: prf(hash, skeyid, gxr, gxi, spiR, spiI, saI, idR),
  };
}

/** Appendix B: of the first encrypted message of phase 1. */
export function firstIv({ hash, gxi, gxr }: Negotiated, size: number): Buffer {
  return createHash(hash).update(gxi).update(gxr).digest().subarray(0, size);
}

/** Appendix B: of the first message of an exchange behind it. */
export function exchangeIv(hash: Hash, lastBlock: Uint8Array, messageId: Uint8Array, size: number): Buffer {
  return createHash(hash).update(lastBlock).update(messageId).digest().subarray(0, size);
}

/** §5.5: as much as is asked for. */
export function keymat(
  { hash, d }: { readonly hash: Hash; readonly d: Uint8Array },
  seed: readonly Uint8Array[],
  size: number,
): Buffer {
  let block = prf(hash, d, ...seed);
  let all = block;
  while (all.length < size) {
    block = prf(hash, d, block, ...seed);
    all = Buffer.concat([all, block]);
  }
  return all.subarray(0, size);
}

/** OpenSSL's name of a cipher of phase 1. */
export type Cipher = 'des-ede3-cbc' | 'aes-128-cbc' | 'aes-192-cbc' | 'aes-256-cbc';

export function decrypt(cipher: Cipher, key: Uint8Array, iv: Uint8Array, body: Uint8Array): Buffer {
  const decipher = createDecipheriv(cipher, key, iv).setAutoPadding(false);
  return Buffer.concat([decipher.update(body), decipher.final()]);
}

/** RFC 2408 §3.2: the bodies of a chain by type, in order, and the payloads with their headers. */
export function chainOf(first: number, bytes: Uint8Array): { type: number; body: Uint8Array; raw: Uint8Array }[] {
  const payloads: { type: number; body: Uint8Array; raw: Uint8Array }[] = [];
  const view = Buffer.from(bytes);
  let at = 0;
  for (let type = first; type !== 0; ) {
    const length = view.readUInt16BE(at + 2);
    payloads.push({ type, body: view.subarray(at + 4, at + length), raw: view.subarray(at, at + length) });
    type = view.readUInt8(at);
    at += length;
  }
  return payloads;
}
