// Proposals of phase 1: every combination is a transform of its own, with attributes (RFC 2409 appendix A). Inside, the
// numbers are those of IKEv2, so that choosing and explaining are the same for both.

import { ENCR, INTEG, KE, PRF } from '../../crypto/ids.ts';
import type { Offer } from '../connection.ts';
import { PROTOCOL as PROTOCOL2, TRANSFORM } from '../wire/constants.ts';
import type { Transform as Transform2 } from '../wire/payload.ts';
import {
  cipher,
  FOREIGN,
  type Life,
  lifeOf,
  lives,
  MOST_TRANSFORMS,
  number,
  ofType,
  type Read,
  sameAttributes,
  short,
  twice,
  UNKNOWN,
} from './attributes.ts';
import { AUTHENTICATION, IKE_ATTRIBUTE, KEY_IKE, PROTOCOL } from './wire/constants.ts';
import type { Attribute, Proposal, Transform } from './wire/payload.ts';

const IKE_ENCR = new Map<number, number>([
  [ENCR.DES, 1],
  [ENCR.DES3, 5],
  [ENCR.AES_CBC, 7],
]);

/** To be read only. */
const IKE_FOREIGN = new Map<number, number>([
  [2, FOREIGN.IDEA],
  [3, FOREIGN.BLOWFISH],
  [4, FOREIGN.RC5],
  [6, FOREIGN.CAST],
  [8, FOREIGN.CAMELLIA],
]);

interface Hash {
  readonly id: number;
  readonly integ: number;
  readonly prf: number;
}

const HASHES: readonly Hash[] = [
  { id: 1, integ: INTEG.HMAC_MD5_96, prf: PRF.HMAC_MD5 },
  { id: 2, integ: INTEG.HMAC_SHA1_96, prf: PRF.HMAC_SHA1 },
  { id: 4, integ: INTEG.HMAC_SHA2_256_128, prf: PRF.HMAC_SHA2_256 },
  { id: 5, integ: INTEG.HMAC_SHA2_384_192, prf: PRF.HMAC_SHA2_384 },
  { id: 6, integ: INTEG.HMAC_SHA2_512_256, prf: PRF.HMAC_SHA2_512 },
];

/** What of a connection's proposals phase 1 can say: one hash for integrity and PRF, and no combined modes. */
export function ikeOffers(offers: readonly Offer[]): Offer[] {
  return offers.flatMap((offer) => {
    const of = (type: number) => offer.transforms.filter((transform) => transform.type === type);
    const encr = of(TRANSFORM.ENCR).filter(({ id }) => IKE_ENCR.has(id));
    const hashes = of(TRANSFORM.INTEG).flatMap(({ id }) => HASHES.find(({ integ }) => integ === id) ?? []);
    const ke = of(TRANSFORM.KE).filter(({ id }) => id !== KE.NONE);
    if (encr.length === 0 || hashes.length === 0 || ke.length === 0) return [];
    const transforms = [
      ...encr,
      ...hashes.map(({ prf }) => ({ type: TRANSFORM.PRF, id: prf })),
      ...hashes.map(({ integ }) => ({ type: TRANSFORM.INTEG, id: integ })),
      ...ke,
    ];
    return [{ text: offer.text, transforms }];
  });
}

/** One proposal with every combination; with `group` those alone that have it, as aggressive mode needs it. */
export function ikeProposals(offers: readonly Offer[], life: Life, group?: number): Proposal[] {
  const transforms: Transform[] = [];
  for (const offer of ikeOffers(offers)) {
    for (const encr of ofType(offer, TRANSFORM.ENCR)) {
      for (const integ of ofType(offer, TRANSFORM.INTEG)) {
        for (const ke of ofType(offer, TRANSFORM.KE)) {
          if (group !== undefined && ke.id !== group) continue;
          const attributes = ikeAttributes(encr, integ.id, ke.id, life);
          if (transforms.length < MOST_TRANSFORMS && !transforms.some((one) => sameAttributes(one, attributes)))
            transforms.push({ number: transforms.length + 1, id: KEY_IKE, attributes });
        }
      }
    }
  }
  return [{ number: 1, protocol: PROTOCOL.ISAKMP, spi: new Uint8Array(0), transforms }];
}

function ikeAttributes(encr: Transform2, integ: number, group: number, life: Life): Attribute[] {
  const hash = HASHES.find((one) => one.integ === integ);
  return [
    short(IKE_ATTRIBUTE.ENCRYPTION, IKE_ENCR.get(encr.id) ?? 0),
    ...(encr.keyBits === undefined ? [] : [short(IKE_ATTRIBUTE.KEY_LENGTH, encr.keyBits)]),
    short(IKE_ATTRIBUTE.HASH, hash?.id ?? 0),
    short(IKE_ATTRIBUTE.GROUP, group),
    short(IKE_ATTRIBUTE.AUTHENTICATION, AUTHENTICATION.PRE_SHARED_KEY),
    ...lives(life, IKE_ATTRIBUTE.LIFE_TYPE, IKE_ATTRIBUTE.LIFE_DURATION),
  ];
}

export function readIke(proposals: readonly Proposal[]): Read[] {
  const read: Read[] = [];
  for (const proposal of proposals) {
    if (proposal.protocol !== PROTOCOL.ISAKMP) continue;
    for (const transform of proposal.transforms) {
      const values = new Map(transform.attributes.map(({ type, value }) => [type, number(value)]));
      const value = (type: number) => values.get(type) ?? 0;
      const strange =
        transform.id !== KEY_IKE ||
        transform.attributes.some(({ type }) => !IKE_KNOWN.has(type)) ||
        twice(transform.attributes, IKE_ATTRIBUTE.LIFE_TYPE, IKE_ATTRIBUTE.LIFE_DURATION);
      const hash = HASHES.find(({ id }) => id === value(IKE_ATTRIBUTE.HASH));
      const encr = encrOf(value(IKE_ATTRIBUTE.ENCRYPTION));
      const transforms: Transform2[] = [
        cipher(encr, values.get(IKE_ATTRIBUTE.KEY_LENGTH), strange),
        { type: TRANSFORM.PRF, id: hash?.prf ?? UNKNOWN },
        { type: TRANSFORM.INTEG, id: hash?.integ ?? UNKNOWN },
        { type: TRANSFORM.KE, id: value(IKE_ATTRIBUTE.GROUP) },
      ];
      read.push({
        proposal,
        transform,
        as: { number: read.length + 1, protocol: PROTOCOL2.IKE, spi: proposal.spi, transforms },
        life: lifeOf(transform.attributes, IKE_ATTRIBUTE.LIFE_TYPE, IKE_ATTRIBUTE.LIFE_DURATION),
        encapsulation: 0,
        authentication: value(IKE_ATTRIBUTE.AUTHENTICATION),
      });
    }
  }
  return read;
}

function encrOf(number: number): number {
  const ours = [...IKE_ENCR].find(([, id]) => id === number);
  return ours?.[0] ?? IKE_FOREIGN.get(number) ?? UNKNOWN;
}

const IKE_KNOWN: ReadonlySet<number> = new Set([
  IKE_ATTRIBUTE.ENCRYPTION,
  IKE_ATTRIBUTE.HASH,
  IKE_ATTRIBUTE.AUTHENTICATION,
  IKE_ATTRIBUTE.GROUP,
  IKE_ATTRIBUTE.GROUP_TYPE,
  IKE_ATTRIBUTE.LIFE_TYPE,
  IKE_ATTRIBUTE.LIFE_DURATION,
  IKE_ATTRIBUTE.KEY_LENGTH,
]);
