// Keys of an ISAKMP SA and of the SAs of quick mode, and the hashes that prove them: RFC 2409 §5, §5.5, appendix B.

import { createHash } from 'node:crypto';
import { concat } from '../../bytes/bytes.ts';
import { INTEG, PRF } from '../../crypto/ids.ts';
import { cipherShape, integrity, prf as prfOf } from '../../crypto/registry.ts';
import type { Prf, ProtectionKeys } from '../../crypto/types.ts';
import type { Suite } from '../select.ts';
import { macOf } from '../transforms.ts';

export interface Keys {
  readonly skeyid: Uint8Array;
  readonly skeyidD: Uint8Array;
  readonly skeyidA: Uint8Array;
  /** Cut or stretched from SKEYID_e to what the cipher takes. */
  readonly cipherKey: Uint8Array;
}

/** What both sides have said until the key exchange is done. */
export interface Exchange {
  readonly spiI: Uint8Array;
  readonly spiR: Uint8Array;
  readonly nonceI: Uint8Array;
  readonly nonceR: Uint8Array;
  readonly publicI: Uint8Array;
  readonly publicR: Uint8Array;
  readonly shared: Uint8Array;
}

const HASHES = new Map<number, string>([
  [PRF.HMAC_MD5, 'md5'],
  [PRF.HMAC_SHA1, 'sha1'],
  [PRF.HMAC_SHA2_256, 'sha256'],
  [PRF.HMAC_SHA2_384, 'sha384'],
  [PRF.HMAC_SHA2_512, 'sha512'],
]);

/** The negotiated hash; HMAC of it is the PRF, for none other is ever negotiated. */
export function hash(suite: Suite, ...data: readonly Uint8Array[]): Uint8Array {
  const name = HASHES.get(suite.prf);
  if (name === undefined) throw new Error(`no hash for PRF ${suite.prf}`);
  const digest = createHash(name);
  for (const part of data) digest.update(part);
  return digest.digest();
}

function suitePrf(suite: Suite): Prf {
  const prf = prfOf(suite.prf);
  if (!prf) throw new Error(`no PRF ${suite.prf}`);
  return prf;
}

/** With a pre-shared key; with signatures SKEYID would be prf(Ni | Nr, g^xy). */
export function phase1Keys(suite: Suite, exchange: Exchange, secret: Uint8Array): Keys {
  const prf = suitePrf(suite);
  const { nonceI, nonceR, shared, spiI, spiR } = exchange;
  const skeyid = prf.compute(secret, nonceI, nonceR);
  const skeyidD = prf.compute(skeyid, shared, spiI, spiR, Uint8Array.of(0));
  const skeyidA = prf.compute(skeyid, skeyidD, shared, spiI, spiR, Uint8Array.of(1));
  const skeyidE = prf.compute(skeyid, skeyidA, shared, spiI, spiR, Uint8Array.of(2));
  const shape = cipherShape(suite.encr, suite.keyBits);
  if (!shape) throw new Error(`no cipher ${suite.encr} with ${suite.keyBits} bits`);
  const cipherKey = stretch(prf, skeyidE, shape.keySize);
  skeyidE.fill(0);
  return { skeyid, skeyidD, skeyidA, cipherKey };
}

/** RFC 2409 appendix B: where SKEYID_e is too short, Ka = K1 | K2 | …, K1 = prf(SKEYID_e, 0), Kn = prf(SKEYID_e, Kn-1). */
function stretch(prf: Prf, skeyidE: Uint8Array, size: number): Uint8Array {
  if (skeyidE.length >= size) return skeyidE.slice(0, size);
  const blocks: Uint8Array[] = [];
  let block: Uint8Array = Uint8Array.of(0);
  for (let got = 0; got < size; got += prf.size) {
    block = prf.compute(skeyidE, block);
    blocks.push(block);
  }
  return concat(...blocks).slice(0, size);
}

/** HASH_I, and with `responder` HASH_R. `saI` and `id` are bodies of payloads, without their generic headers. */
export function authHash(
  suite: Suite,
  keys: Keys,
  { publicI, publicR, spiI, spiR }: Exchange,
  saI: Uint8Array,
  id: Uint8Array,
  responder: boolean,
): Uint8Array {
  const said = responder ? [publicR, publicI, spiR, spiI] : [publicI, publicR, spiI, spiR];
  return suitePrf(suite).compute(keys.skeyid, ...said, saI, id);
}

/** HASH(1), (2) and (3) of quick mode and the hash of an informational exchange: under SKEYID_a. */
export function messageHash(suite: Suite, keys: Keys, ...data: readonly Uint8Array[]): Uint8Array {
  return suitePrf(suite).compute(keys.skeyidA, ...data);
}

/** Of the first encrypted message of phase 1. */
export function firstIv(suite: Suite, publicI: Uint8Array, publicR: Uint8Array): Uint8Array {
  return hash(suite, publicI, publicR).subarray(0, blockSize(suite));
}

/** Of the first message of an exchange of phase 2. */
export function exchangeIv(suite: Suite, lastBlock: Uint8Array, messageId: Uint8Array): Uint8Array {
  return hash(suite, lastBlock, messageId).subarray(0, blockSize(suite));
}

export function blockSize(suite: Suite): number {
  const shape = cipherShape(suite.encr, suite.keyBits);
  if (!shape) throw new Error(`no cipher ${suite.encr}`);
  return shape.blockSize;
}

export interface QuickExchange {
  readonly protocol: number;
  readonly nonceI: Uint8Array;
  readonly nonceR: Uint8Array;
  /** With PFS. */
  readonly shared: Uint8Array | undefined;
}

/** RFC 2409 §5.5: KEYMAT of one direction; `spi` is the receiver's. */
export function quickKeys(
  ike: { readonly suite: Suite; readonly keys: Keys },
  child: Suite,
  { protocol, nonceI, nonceR, shared }: QuickExchange,
  spi: Uint8Array,
  shortSha256: boolean,
): ProtectionKeys {
  const prf = suitePrf(ike.suite);
  const shape = child.encr === 0 ? { keySize: 0, saltSize: 0 } : cipherShape(child.encr, child.keyBits);
  if (!shape) throw new Error(`no cipher ${child.encr} with ${child.keyBits} bits`);
  const encr = shape.keySize + shape.saltSize;
  const integ = child.integ === 0 ? 0 : (integrity(macOf(child.integ))?.keySize ?? 0);
  const seed = concat(shared ?? new Uint8Array(0), Uint8Array.of(protocol), spi, nonceI, nonceR);
  const blocks: Uint8Array[] = [];
  let block = new Uint8Array(0);
  for (let got = 0; got < encr + integ; got += prf.size) {
    block = new Uint8Array(prf.compute(ike.keys.skeyidD, block, seed));
    blocks.push(block);
  }
  const material = concat(...blocks);
  const short = shortSha256 && child.integ === INTEG.HMAC_SHA2_256_128;
  return {
    encr: child.encr,
    keyBits: child.keyBits,
    integ: short ? INTEG.HMAC_SHA2_256_96 : macOf(child.integ),
    encrKey: material.slice(0, encr),
    integKey: material.slice(encr, encr + integ),
  };
}
