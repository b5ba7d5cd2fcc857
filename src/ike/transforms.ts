// The transforms of this gateway: wire ids (RFC 7296 §3.3.2, RFC 8247), the words of strongSwan's proposals, and the
// names that strongSwan prints. What is not here is never offered and never chosen.

import { ENCR, INTEG, KE, PRF } from '../crypto/ids.ts';
import { ESN, TRANSFORM } from './wire/constants.ts';
import type { Transform } from './wire/payload.ts';

/** `other` is a transform type this gateway does not know; it occurs only where a peer's proposal is explained. */
export type TransformKind = 'encr' | 'prf' | 'integ' | 'ke' | 'esn' | 'other';

export interface Algorithm {
  readonly kind: Exclude<TransformKind, 'other'>;
  readonly type: number;
  readonly id: number;
  /** As strongSwan displays it, without the key length. */
  readonly name: string;
  /** Bits that the Key Length attribute may have; empty where the attribute is forbidden (RFC 7296 §3.3.5). */
  readonly keySizes: readonly number[];
  readonly aead: boolean;
  /** For old peers: in no default, and worth a line in the log where it is negotiated. */
  readonly weak: boolean;
  /** For children alone: it hides nothing, or is for old data planes. Never in IKE. */
  readonly childOnly: boolean;
}

/** The first keyword of a transform is the one that we write. */
interface Entry {
  readonly algorithm: Algorithm;
  readonly keywords: readonly (readonly [word: string, keyBits?: number])[];
}

const AES = [128, 192, 256] as const;
const PLAIN = { keySizes: [], aead: false, childOnly: false } as const;

/** strongSwan's, of the range for private use: IANA has given it no number. */
const HMAC_SHA2_256_96 = 1026;

const ENTRIES: readonly Entry[] = [
  encr(ENCR.AES_GCM_16, 'AES_GCM_16', aes('gcm16', 'gcm128', 'gcm'), { aead: true }),
  encr(ENCR.AES_GCM_12, 'AES_GCM_12', aes('gcm12', 'gcm96'), { aead: true }),
  encr(ENCR.AES_GCM_8, 'AES_GCM_8', aes('gcm8', 'gcm64'), { aead: true, weak: true }),
  encr(ENCR.CHACHA20_POLY1305, 'CHACHA20_POLY1305', [['chacha20poly1305']], { aead: true }),
  encr(ENCR.AES_CCM_16, 'AES_CCM_16', aes('ccm16', 'ccm128', 'ccm'), { aead: true }),
  encr(ENCR.AES_CCM_12, 'AES_CCM_12', aes('ccm12', 'ccm96'), { aead: true }),
  encr(ENCR.AES_CCM_8, 'AES_CCM_8', aes('ccm8', 'ccm64'), { aead: true, weak: true }),
  encr(ENCR.AES_CBC, 'AES_CBC', [...aes(''), ['aes', 128]]),
  encr(ENCR.AES_CTR, 'AES_CTR', aes('ctr')),
  encr(ENCR.DES3, '3DES_CBC', [['3des']], { weak: true }),
  encr(ENCR.DES, 'DES_CBC', [['des']], { weak: true }),
  encr(ENCR.NULL, 'NULL', [['null']], { weak: true, childOnly: true }),
  // Authenticates and does not encrypt, as NULL with a MAC does.
  encr(ENCR.NULL_AUTH_AES_GMAC, 'NULL_AES_GMAC', aes('gmac'), { aead: true, weak: true, childOnly: true }),

  integ(INTEG.HMAC_SHA2_256_128, 'HMAC_SHA2_256_128', ['sha256', 'sha2_256']),
  integ(INTEG.HMAC_SHA2_384_192, 'HMAC_SHA2_384_192', ['sha384', 'sha2_384']),
  integ(INTEG.HMAC_SHA2_512_256, 'HMAC_SHA2_512_256', ['sha512', 'sha2_512']),
  integ(INTEG.HMAC_SHA1_96, 'HMAC_SHA1_96', ['sha1', 'sha']),
  integ(INTEG.HMAC_MD5_96, 'HMAC_MD5_96', ['md5'], { weak: true }),
  integ(INTEG.AES_XCBC_96, 'AES_XCBC_96', ['aesxcbc']),
  integ(INTEG.AES_CMAC_96, 'AES_CMAC_96', ['aescmac']),
  integ(HMAC_SHA2_256_96, 'HMAC_SHA2_256_96', ['sha256_96', 'sha2_256_96'], { weak: true, childOnly: true }),

  prf(PRF.HMAC_SHA2_256, 'PRF_HMAC_SHA2_256', 'prfsha256'),
  prf(PRF.HMAC_SHA2_384, 'PRF_HMAC_SHA2_384', 'prfsha384'),
  prf(PRF.HMAC_SHA2_512, 'PRF_HMAC_SHA2_512', 'prfsha512'),
  prf(PRF.HMAC_SHA1, 'PRF_HMAC_SHA1', 'prfsha1'),
  prf(PRF.HMAC_MD5, 'PRF_HMAC_MD5', 'prfmd5', true),
  prf(PRF.AES128_XCBC, 'PRF_AES128_XCBC', 'prfaesxcbc'),
  prf(PRF.AES128_CMAC, 'PRF_AES128_CMAC', 'prfaescmac'),

  ke(KE.CURVE25519, 'CURVE_25519', ['x25519', 'curve25519']),
  ke(KE.CURVE448, 'CURVE_448', ['x448', 'curve448']),
  ke(KE.ECP_256, 'ECP_256', ['ecp256']),
  ke(KE.ECP_384, 'ECP_384', ['ecp384']),
  ke(KE.ECP_521, 'ECP_521', ['ecp521']),
  ke(KE.MODP_2048, 'MODP_2048', ['modp2048']),
  ke(KE.MODP_3072, 'MODP_3072', ['modp3072']),
  ke(KE.MODP_4096, 'MODP_4096', ['modp4096']),
  ke(KE.MODP_6144, 'MODP_6144', ['modp6144']),
  ke(KE.MODP_8192, 'MODP_8192', ['modp8192']),
  // RFC 8247 §2.4: SHOULD NOT, because of how its parameters came to be; some clouds know nothing better.
  ke(KE.MODP_2048_256, 'MODP_2048_256', ['modp2048s256'], true),
  ke(KE.MODP_1536, 'MODP_1536', ['modp1536'], true),
  ke(KE.MODP_1024, 'MODP_1024', ['modp1024'], true),
  ke(KE.MODP_768, 'MODP_768', ['modp768'], true),
  // In ESP beside groups: the peer may do without PFS.
  ke(KE.NONE, 'NONE', ['none', 'modpnone']),

  esn(ESN.NO, 'NO_EXT_SEQ', 'noesn'),
  esn(ESN.YES, 'EXT_SEQ', 'esn'),
];

function encr(
  id: number,
  name: string,
  keywords: Entry['keywords'],
  traits: { aead?: true; weak?: true; childOnly?: true } = {},
): Entry {
  const keySizes = [...new Set(keywords.flatMap(([, bits]) => (bits === undefined ? [] : [bits])))];
  const { aead = false, weak = false, childOnly = false } = traits;
  return { algorithm: { kind: 'encr', type: TRANSFORM.ENCR, id, name, keySizes, aead, weak, childOnly }, keywords };
}

function aes(...suffixes: readonly string[]): [string, number][] {
  return suffixes.flatMap((suffix) => AES.map((bits): [string, number] => [`aes${bits}${suffix}`, bits]));
}

function integ(
  id: number,
  name: string,
  words: readonly string[],
  { weak = false, childOnly = false }: { weak?: boolean; childOnly?: boolean } = {},
): Entry {
  return {
    algorithm: { ...PLAIN, kind: 'integ', type: TRANSFORM.INTEG, id, name, weak, childOnly },
    keywords: each(words),
  };
}

function prf(id: number, name: string, word: string, weak = false): Entry {
  return { algorithm: { ...PLAIN, kind: 'prf', type: TRANSFORM.PRF, id, name, weak }, keywords: [[word]] };
}

function ke(id: number, name: string, words: readonly string[], weak = false): Entry {
  return { algorithm: { ...PLAIN, kind: 'ke', type: TRANSFORM.KE, id, name, weak }, keywords: each(words) };
}

function esn(id: number, name: string, word: string): Entry {
  return { algorithm: { ...PLAIN, kind: 'esn', type: TRANSFORM.ESN, id, name, weak: false }, keywords: [[word]] };
}

function each(words: readonly string[]): [string][] {
  return words.map((word) => [word]);
}

/** Every algorithm of this gateway. */
export const ALGORITHMS: readonly Algorithm[] = ENTRIES.map((entry) => entry.algorithm);

const byId = new Map(ALGORITHMS.map((algorithm) => [key(algorithm), algorithm]));

const transforms = new Map(
  ENTRIES.flatMap(({ algorithm: { type, id }, keywords }) =>
    keywords.map(([word, keyBits]): [string, Transform] => [
      word,
      keyBits === undefined ? { type, id } : { type, id, keyBits },
    ]),
  ),
);

/** Names only, so that a refusal can say what the peer wanted: these are not implemented. */
const FOREIGN = new Map<string, string>([
  ...named(TRANSFORM.ENCR, [
    [1, 'DES_IV64'],
    [4, 'RC5_CBC'],
    [5, 'IDEA_CBC'],
    [6, 'CAST_CBC'],
    [7, 'BLOWFISH_CBC'],
    [23, 'CAMELLIA_CBC'],
    [24, 'CAMELLIA_CTR'],
    [25, 'CAMELLIA_CCM_8'],
    [26, 'CAMELLIA_CCM_12'],
    [27, 'CAMELLIA_CCM_16'],
  ]),
  ...named(TRANSFORM.PRF, [[3, 'PRF_HMAC_TIGER']]),
  ...named(TRANSFORM.INTEG, [
    [0, 'NONE'],
    [6, 'HMAC_MD5_128'],
    [7, 'HMAC_SHA1_160'],
    [9, 'AES_128_GMAC'],
    [10, 'AES_192_GMAC'],
    [11, 'AES_256_GMAC'],
  ]),
  ...named(TRANSFORM.KE, [
    [22, 'MODP_1024_160'],
    [23, 'MODP_2048_224'],
    [25, 'ECP_192'],
    [26, 'ECP_224'],
    [27, 'ECP_224_BP'],
    [28, 'ECP_256_BP'],
    [29, 'ECP_384_BP'],
    [30, 'ECP_512_BP'],
    [35, 'ML_KEM_512'],
    [36, 'ML_KEM_768'],
    [37, 'ML_KEM_1024'],
  ]),
]);

function named(type: number, names: readonly (readonly [number, string])[]): [string, string][] {
  return names.map(([id, name]) => [key({ type, id }), name]);
}

function key({ type, id }: { readonly type: number; readonly id: number }): string {
  return `${type}.${id}`;
}

export function algorithmOf(transform: { readonly type: number; readonly id: number }): Algorithm | undefined {
  return byId.get(key(transform));
}

/** The number by which the crypto layer knows an integrity transform. */
export function macOf(integ: number): number {
  return integ === HMAC_SHA2_256_96 ? INTEG.HMAC_SHA2_256_96 : integ;
}

/** The transform that a word of a proposal stands for. */
export function transformOf(keyword: string): Transform | undefined {
  return transforms.get(keyword);
}

/** All words of proposals, for messages. */
export function keywords(): string[] {
  return [...transforms.keys()];
}

/** The word for a transform; undefined when it is not implemented or its key length is not one it can have. */
export function keywordOf(transform: Transform): string | undefined {
  for (const [word, known] of transforms) if (sameTransform(known, transform)) return word;
  return undefined;
}

/** RFC 7296 §3.3.6: attributes belong to the transform; one that we do not know makes it another transform. */
export function sameTransform(a: Transform, b: Transform): boolean {
  if (a.unknownAttribute || b.unknownAttribute) return false;
  return a.type === b.type && a.id === b.id && a.keyBits === b.keyBits;
}

/** `AES_CBC_128`, `AES_GCM_16_256`, `HMAC_SHA2_256_128`, `MODP_2048`. */
export function transformName(transform: Transform): string {
  const { type, id, keyBits, unknownAttribute } = transform;
  const name = algorithmOf(transform)?.name ?? FOREIGN.get(key(transform)) ?? foreignName(type, id);
  return `${name}${keyBits === undefined ? '' : `_${keyBits}`}${unknownAttribute ? '+unknown-attribute' : ''}`;
}

function foreignName(type: number, id: number): string {
  if (type >= TRANSFORM.ADDKE1 && type <= TRANSFORM.ADDKE7) {
    return `ADDKE${type - TRANSFORM.ADDKE1 + 1}_${transformName({ type: TRANSFORM.KE, id })}`;
  }
  return `${PREFIXES.get(type) ?? `TRANSFORM_${type}`}_${id}`;
}

const PREFIXES = new Map<number, string>([
  [TRANSFORM.ENCR, 'ENCR'],
  [TRANSFORM.PRF, 'PRF'],
  [TRANSFORM.INTEG, 'INTEG'],
  [TRANSFORM.KE, 'KE'],
  [TRANSFORM.ESN, 'ESN'],
]);

export function kindOf(type: number): TransformKind {
  return KINDS.get(type) ?? 'other';
}

const KINDS = new Map<number, TransformKind>([
  [TRANSFORM.ENCR, 'encr'],
  [TRANSFORM.PRF, 'prf'],
  [TRANSFORM.INTEG, 'integ'],
  [TRANSFORM.KE, 'ke'],
  [TRANSFORM.ESN, 'esn'],
]);

/** Those of a proposal's transforms that are for old peers only. */
export function weakOf(transforms: readonly Transform[]): Transform[] {
  return transforms.filter((transform) => algorithmOf(transform)?.weak);
}
