// strongSwan's proposal language: `aes256-sha256-modp2048`, several separated by commas, `default`, a trailing `!`.
// What a proposal must have besides is RFC 7296 §3.3: a group and a PRF in IKE, combined modes by themselves.

import { nearest } from '../bytes/nearest.ts';
import { INTEG, KE, PRF } from '../crypto/ids.ts';
import type { Offer } from '../ike/connection.ts';
import { algorithmOf, keywordOf, keywords, sameTransform, transformOf } from '../ike/transforms.ts';
import { ESN, TRANSFORM } from '../ike/wire/constants.ts';
import type { Transform } from '../ike/wire/payload.ts';
import { AEAD_PRFS, DEFAULT_AH, DEFAULT_ESP, DEFAULT_ESP_V1, DEFAULT_IKE, DEFAULT_IKE_V1 } from './defaults.ts';

export type ProposalProtocol = 'ike' | 'esp' | 'ah';

export type Proposals =
  | { readonly ok: true; readonly offers: readonly Offer[] }
  | {
      readonly ok: false;
      /** A sentence that names the word. */
      readonly message: string;
      readonly word: string;
      /** Keywords that may have been meant. */
      readonly near: readonly string[];
    };

/** The proposal's number is one byte, and no peer reads this many. */
const MOST = 64;

const PRF_OF = new Map<number, number>([
  [INTEG.HMAC_MD5_96, PRF.HMAC_MD5],
  [INTEG.HMAC_SHA1_96, PRF.HMAC_SHA1],
  [INTEG.HMAC_SHA2_256_128, PRF.HMAC_SHA2_256],
  [INTEG.HMAC_SHA2_384_192, PRF.HMAC_SHA2_384],
  [INTEG.HMAC_SHA2_512_256, PRF.HMAC_SHA2_512],
  [INTEG.AES_XCBC_96, PRF.AES128_XCBC],
  [INTEG.AES_CMAC_96, PRF.AES128_CMAC],
]);

/** Words of strongSwan's that are right, for algorithms that this gateway does not have. */
const NOT_HERE =
  /^(blowfish|camellia|cast128|serpent|twofish|camelliaxcbc|prfcamelliaxcbc|chacha20poly1305compat|sha1_160|md5_128|modp1024s160|modp2048s224|ecp(192|224)|ecp\d+bp|ke\d_.*|mlkem\d+|modpnull)/;

/** `version` is that of the connection: 0 takes both and counts as 2 here. */
export function parseProposals(
  text: string | readonly string[],
  protocol: ProposalProtocol,
  version: 0 | 1 | 2,
): Proposals {
  const items = typeof text === 'string' ? text.split(',') : text.flatMap((item) => item.split(','));
  const offers: Offer[] = [];
  for (const item of items) {
    const written = item.trim().replace(/\s*!$/, '');
    if (written === '') continue;
    if (written.toLowerCase() === 'default') {
      offers.push(...defaultOffers(protocol, version));
      continue;
    }
    const proposal = parseProposal(written, protocol, version);
    if (!proposal.ok) return proposal;
    offers.push(...proposal.offers);
  }
  if (offers.length === 0) return refused(items.join(','), 'no proposal is written here');
  if (offers.length > MOST) return refused(items[MOST] ?? '', `more than ${MOST} proposals`);
  return { ok: true, offers };
}

export function defaultOffers(protocol: ProposalProtocol, version: 0 | 1 | 2): readonly Offer[] {
  return defaultTexts(protocol, version).flatMap((text) => {
    const proposal = parseProposal(text, protocol, version);
    if (!proposal.ok) throw new Error(`the default proposal is wrong: ${proposal.message}`);
    return proposal.offers;
  });
}

function defaultTexts(protocol: ProposalProtocol, version: 0 | 1 | 2): readonly string[] {
  switch (protocol) {
    case 'ike':
      return version === 1 ? DEFAULT_IKE_V1 : DEFAULT_IKE;
    case 'esp':
      return version === 1 ? DEFAULT_ESP_V1 : DEFAULT_ESP;
    case 'ah':
      return DEFAULT_AH;
  }
}

/** Thousands of connections say the same few things: each is kept once. */
const parsed = new Map<string, Proposals>();
const MOST_KEPT = 256;

function parseProposal(text: string, protocol: ProposalProtocol, version: 0 | 1 | 2): Proposals {
  const key = `${protocol} ${version} ${text}`;
  const known = parsed.get(key);
  if (known) return known;
  const result = readProposal(text, protocol, version);
  if (!result.ok) return result;
  if (parsed.size >= MOST_KEPT) parsed.clear();
  parsed.set(key, result);
  return result;
}

function readProposal(text: string, protocol: ProposalProtocol, version: 0 | 1 | 2): Proposals {
  const transforms: Transform[] = [];
  for (const part of text.split('-')) {
    const word = part.trim();
    const transform = transformOf(word.toLowerCase());
    if (!transform) return unknown(word, text);
    if (!transforms.some((other) => sameTransform(other, transform))) transforms.push(transform);
  }
  const problem = findProblem(transforms, text, protocol, version);
  return problem ?? { ok: true, offers: [{ text, transforms: complete(transforms, protocol) }] };
}

function unknown(word: string, text: string): Proposals {
  if (word === '') return refused(word, `"${text}" has nothing between two hyphens`);
  if (NOT_HERE.test(word.toLowerCase())) return refused(word, `"${word}" is not supported by this gateway`);
  return { ok: false, message: `"${word}" is not an algorithm`, word, near: nearest(word, keywords()) };
}

function findProblem(
  transforms: readonly Transform[],
  text: string,
  protocol: ProposalProtocol,
  version: 0 | 1 | 2,
): Proposals | undefined {
  const ciphers = ofType(transforms, TRANSFORM.ENCR);
  const integs = ofType(transforms, TRANSFORM.INTEG);
  const aead = ciphers.find(isAead);
  const classic = ciphers.find((cipher) => !isAead(cipher));

  if (protocol === 'ah') {
    if (ciphers[0])
      return refused(wordOf(ciphers[0]), `AH does not encrypt: "${wordOf(ciphers[0])}" has no place in it`);
    return integs.length > 0 ? undefined : refused(text, `"${text}" names no integrity algorithm, which AH needs`);
  }
  if (ciphers.length === 0) return refused(text, `"${text}" names no encryption algorithm`);
  if (aead && classic) {
    return refused(
      wordOf(aead),
      `"${wordOf(aead)}" and "${wordOf(classic)}" cannot stand in one proposal: write two, separated by a comma`,
    );
  }
  if (classic && integs.length === 0) {
    return refused(
      text,
      `"${text}" names no integrity algorithm, which "${wordOf(classic)}" needs: add for example -sha256`,
    );
  }
  if (protocol === 'esp') return undefined;

  const bare = ciphers.find(isForChildren);
  if (bare) return refused(wordOf(bare), `"${wordOf(bare)}" does not encrypt and is for ESP only`);
  const old = integs.find(isForChildren);
  if (old) return refused(wordOf(old), `"${wordOf(old)}" is for ESP and AH only`);
  if (aead && version === 1) return refused(wordOf(aead), `"${wordOf(aead)}" needs IKEv2 for the IKE SA itself`);
  if (!ofType(transforms, TRANSFORM.KE).some(({ id }) => id !== KE.NONE)) {
    return refused(text, `"${text}" names no group, which IKE needs: add for example -modp2048 or -x25519`);
  }
  return undefined;
}

/** What the text leaves out because it follows, and without what the protocol has no place for. */
function complete(transforms: readonly Transform[], protocol: ProposalProtocol): Transform[] {
  const ciphers = ofType(transforms, TRANSFORM.ENCR);
  const integs = ofType(transforms, TRANSFORM.INTEG);
  const groups = ofType(transforms, TRANSFORM.KE);
  // strongSwan takes the hash named beside an AEAD cipher for the PRF alone.
  const integ = ciphers.some(isAead) ? [] : integs;
  if (protocol !== 'ike') return [...ciphers, ...integ, ...groups, ...sequenceNumbers(transforms)];
  const prfs = ofType(transforms, TRANSFORM.PRF);
  return [
    ...ciphers,
    ...(prfs.length > 0 ? prfs : impliedPrfs(integs)),
    ...integ,
    ...groups.filter(({ id }) => id !== KE.NONE),
  ];
}

function impliedPrfs(integs: readonly Transform[]): Transform[] {
  if (integs.length === 0) return AEAD_PRFS.flatMap((word) => transformOf(word) ?? []);
  return integs.flatMap(({ id }) => {
    const prf = PRF_OF.get(id);
    return prf === undefined ? [] : [{ type: TRANSFORM.PRF, id: prf }];
  });
}

/** As written, most wanted first; 32-bit numbers where nothing is. */
function sequenceNumbers(transforms: readonly Transform[]): Transform[] {
  const written = ofType(transforms, TRANSFORM.ESN);
  return written.length > 0 ? written : [{ type: TRANSFORM.ESN, id: ESN.NO }];
}

function ofType(transforms: readonly Transform[], type: number): Transform[] {
  return transforms.filter((transform) => transform.type === type);
}

function isForChildren(transform: Transform): boolean {
  return algorithmOf(transform)?.childOnly === true;
}

function isAead(transform: Transform): boolean {
  return algorithmOf(transform)?.aead === true;
}

function wordOf(transform: Transform): string {
  return keywordOf(transform) ?? '';
}

function refused(word: string, message: string): Proposals {
  return { ok: false, message, word, near: [] };
}
