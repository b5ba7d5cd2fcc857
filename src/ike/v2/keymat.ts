// Keys of an IKE SA and of its children: RFC 7296 §2.13–§2.18.

import { concat, utf8 } from '../../bytes/bytes.ts';
import { INTEG, PRF } from '../../crypto/ids.ts';
import { cipherShape, integrity, prf as prfOf, prfPlus } from '../../crypto/registry.ts';
import type { Prf, ProtectionKeys } from '../../crypto/types.ts';
import type { Suite } from '../select.ts';
import { macOf } from '../transforms.ts';
import type { Identity } from '../wire/payload.ts';
import type { IkeKeys } from './state.ts';

export interface Exchange {
  readonly shared: Uint8Array;
  readonly nonceI: Uint8Array;
  readonly nonceR: Uint8Array;
}

/** The PRF of a suite; negotiation chose it, so it is there. */
export function suitePrf(suite: Suite): Prf {
  const prf = prfOf(suite.prf);
  if (!prf) throw new Error(`no PRF ${suite.prf}`);
  return prf;
}

/** RFC 7296 §2.14: the keys of a first IKE SA. */
export function firstKeys(suite: Suite, exchange: Exchange, spiI: Uint8Array, spiR: Uint8Array): IkeKeys {
  const prf = suitePrf(suite);
  const { nonceI, nonceR } = exchange;
  // Two PRFs take 64 bits of each nonce here, for backward compatibility, and all of them in prf+.
  const short = prf.id === PRF.AES128_XCBC || prf.id === PRF.AES128_CMAC;
  const key = short ? concat(nonceI.subarray(0, 8), nonceR.subarray(0, 8)) : concat(nonceI, nonceR);
  return cut(suite, prf.compute(key, exchange.shared), exchange, spiI, spiR);
}

/** RFC 7296 §2.18: SKEYSEED by the old SA's PRF and SK_d, the rest by the new suite. */
export function rekeyedKeys(
  old: { readonly suite: Suite; readonly keys: IkeKeys },
  suite: Suite,
  exchange: Exchange,
  spiI: Uint8Array,
  spiR: Uint8Array,
): IkeKeys {
  const seed = suitePrf(old.suite).compute(old.keys.skD, exchange.shared, exchange.nonceI, exchange.nonceR);
  return cut(suite, seed, exchange, spiI, spiR);
}

function cut(suite: Suite, skeyseed: Uint8Array, exchange: Exchange, spiI: Uint8Array, spiR: Uint8Array): IkeKeys {
  const prf = suitePrf(suite);
  const { encr, integ } = keySizes(suite);
  const total = 3 * prf.keySize + 2 * integ + 2 * encr;
  const material = prfPlus(prf, skeyseed, concat(exchange.nonceI, exchange.nonceR, spiI, spiR), total);
  const take = cutter(material);
  return {
    skD: take(prf.keySize),
    skAi: take(integ),
    skAr: take(integ),
    skEi: take(encr),
    skEr: take(encr),
    skPi: take(prf.keySize),
    skPr: take(prf.keySize),
  };
}

/** A combined mode has no integrity keys: four in each session and child, that need not be four objects. */
const NONE = new Uint8Array(0);

function cutter(material: Uint8Array): (size: number) => Uint8Array {
  let at = 0;
  return (size) => {
    at += size;
    return size === 0 ? NONE : material.slice(at - size, at);
  };
}

/** AH has none: all of its key material is for integrity. */
const NO_CIPHER = { keySize: 0, saltSize: 0 } as const;

function keySizes(suite: Suite): { encr: number; integ: number } {
  const shape = suite.encr === 0 ? NO_CIPHER : cipherShape(suite.encr, suite.keyBits);
  if (!shape) throw new Error(`no cipher ${suite.encr} with ${suite.keyBits} bits`);
  const integ = suite.integ === 0 ? 0 : integrity(macOf(suite.integ))?.keySize;
  if (integ === undefined) throw new Error(`no integrity algorithm ${suite.integ}`);
  return { encr: shape.keySize + shape.saltSize, integ };
}

export interface ChildKeys {
  /** From the exchange's initiator to its responder, and back. */
  readonly initiator: ProtectionKeys;
  readonly responder: ProtectionKeys;
}

/**
 * RFC 7296 §2.17: KEYMAT = prf+(SK_d, [g^ir |] Ni | Nr), the initiator's direction first. `shortSha256` is no part of
 * what was negotiated: the key is the same, and the ICV shorter.
 */
export function childKeys(
  ike: { readonly suite: Suite; readonly keys: IkeKeys },
  child: Suite,
  nonceI: Uint8Array,
  nonceR: Uint8Array,
  shared: Uint8Array | undefined,
  shortSha256 = false,
): ChildKeys {
  const { encr, integ } = keySizes(child);
  const seed = concat(shared ?? new Uint8Array(0), nonceI, nonceR);
  const take = cutter(prfPlus(suitePrf(ike.suite), ike.keys.skD, seed, 2 * (encr + integ)));
  const short = shortSha256 && child.integ === INTEG.HMAC_SHA2_256_128;
  const direction = (): ProtectionKeys => ({
    encr: child.encr,
    keyBits: child.keyBits,
    integ: short ? INTEG.HMAC_SHA2_256_96 : macOf(child.integ),
    encrKey: take(encr),
    integKey: take(integ),
  });
  return { initiator: direction(), responder: direction() };
}

const KEY_PAD = utf8('Key Pad for IKEv2');

/** RFC 7296 §2.15: the AUTH value of a shared key. `message` is the signer's own IKE_SA_INIT message. */
export function sharedKeyAuth(
  suite: Suite,
  secret: Uint8Array,
  message: Uint8Array,
  peerNonce: Uint8Array,
  skP: Uint8Array,
  id: Identity,
): Uint8Array {
  const prf = suitePrf(suite);
  const idBody = concat(Uint8Array.of(id.type, 0, 0, 0), id.data);
  return prf.compute(prf.compute(secret, KEY_PAD), message, peerNonce, prf.compute(skP, idBody));
}
