// Proposals as IKEv1 writes them: every combination is a transform of its own, with attributes (RFC 2409 appendix A,
// RFC 2407 §4.4, §4.5, RFC 4304 §2.2). Inside, the numbers are those of IKEv2, so that choosing and explaining are the
// same for both.

import { ENCR, INTEG, KE, PRF } from '../../crypto/ids.ts';
import type { Offer, Protocol } from '../connection.ts';
import { ESN, PROTOCOL as PROTOCOL2, TRANSFORM } from '../wire/constants.ts';
import type { Proposal as Proposal2, Transform as Transform2 } from '../wire/payload.ts';
import {
  AUTHENTICATION,
  ENCAPSULATION,
  IKE_ATTRIBUTE,
  KEY_IKE,
  LIFE,
  PROTOCOL,
  SA_ATTRIBUTE,
} from './wire/constants.ts';
import type { Attribute, Proposal, Transform } from './wire/payload.ts';

/** Old devices choke on long lists (FEATURES §4.3). */
export const MOST_TRANSFORMS = 60;

/** Of an SA, as one of the sides wants it; 0 for no limit. */
export interface Life {
  readonly seconds: number;
  readonly kilobytes: number;
}

// --- phase 1 -----------------------------------------------------------------------------------------------------------

const IKE_ENCR = new Map<number, number>([
  [ENCR.DES, 1],
  [ENCR.DES3, 5],
  [ENCR.AES_CBC, 7],
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

/** A transform of the peer in the terms of `select.ts`; its number is counted through all proposals, from 1. */
export interface Read {
  readonly proposal: Proposal;
  readonly transform: Transform;
  readonly as: Proposal2;
  readonly life: Life;
  /** Quick mode's ENCAPSULATION; 0 in phase 1, or where it is left out. */
  readonly encapsulation: number;
  /** Phase 1's AUTHENTICATION. */
  readonly authentication: number;
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
      const encr = [...IKE_ENCR].find(([, id]) => id === value(IKE_ATTRIBUTE.ENCRYPTION))?.[0] ?? UNKNOWN;
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

/** No transform id that means anything. */
const UNKNOWN = 0xffff;
/** RFC 3602 §6: where no key length is written, AES has this one. */
const AES_BITS = 128;

function cipher(id: number, keyBits: number | undefined, strange: boolean): Transform2 {
  const bits = keyBits ?? (SIZED.has(id) ? AES_BITS : undefined);
  return {
    type: TRANSFORM.ENCR,
    id,
    ...(bits === undefined || !SIZED.has(id) ? {} : { keyBits: bits }),
    // A key length for a cipher that has one only.
    ...(strange || (keyBits !== undefined && !SIZED.has(id)) ? { unknownAttribute: true as const } : {}),
  };
}

const SIZED: ReadonlySet<number> = new Set([
  ENCR.AES_CBC,
  ENCR.AES_CTR,
  ENCR.AES_CCM_8,
  ENCR.AES_CCM_12,
  ENCR.AES_CCM_16,
  ENCR.AES_GCM_8,
  ENCR.AES_GCM_12,
  ENCR.AES_GCM_16,
  ENCR.NULL_AUTH_AES_GMAC,
]);

// --- quick mode ----------------------------------------------------------------------------------------------------------

/** IKEv2 has the same numbers but for GMAC, and none for ChaCha20-Poly1305 in IKEv1. */
const ESP_TRANSFORM = new Map<number, number>([
  ...[ENCR.DES, ENCR.DES3, ENCR.NULL, ENCR.AES_CBC, ENCR.AES_CTR].map((id): [number, number] => [id, id]),
  ...[ENCR.AES_CCM_8, ENCR.AES_CCM_12, ENCR.AES_CCM_16].map((id): [number, number] => [id, id]),
  ...[ENCR.AES_GCM_8, ENCR.AES_GCM_12, ENCR.AES_GCM_16].map((id): [number, number] => [id, id]),
  [ENCR.NULL_AUTH_AES_GMAC, 23],
]);

interface Mac {
  readonly integ: number;
  readonly attribute: number;
  readonly ah: number;
}

const MACS: readonly Mac[] = [
  { integ: INTEG.HMAC_MD5_96, attribute: 1, ah: 2 },
  { integ: INTEG.HMAC_SHA1_96, attribute: 2, ah: 3 },
  { integ: INTEG.HMAC_SHA2_256_128, attribute: 5, ah: 5 },
  { integ: INTEG.HMAC_SHA2_384_192, attribute: 6, ah: 6 },
  { integ: INTEG.HMAC_SHA2_512_256, attribute: 7, ah: 7 },
  { integ: INTEG.AES_XCBC_96, attribute: 9, ah: 9 },
];

export interface Wish {
  readonly protocol: Protocol;
  readonly spi: Uint8Array;
  /** 0 without PFS: quick mode has one key exchange, so all transforms have one group. */
  readonly group: number;
  readonly encapsulation: number;
  readonly life: Life;
}

export function quickProposals(offers: readonly Offer[], wish: Wish): Proposal[] {
  const transforms: Transform[] = [];
  const add = (id: number, attributes: Attribute[]) => {
    const known = transforms.some((one) => one.id === id && sameAttributes(one, attributes));
    if (!known && transforms.length < MOST_TRANSFORMS)
      transforms.push({ number: transforms.length + 1, id, attributes });
  };
  for (const offer of withGroup(offers, wish.group)) {
    const esns = ofType(offer, TRANSFORM.ESN);
    for (const esn of esns.length > 0 ? esns : [NO_ESN]) {
      const common = [...quickAttributes(wish), ...(esn.id === ESN.YES ? [short(SA_ATTRIBUTE.ESN, 1)] : [])];
      for (const { id, attributes } of combinations(offer, wish.protocol)) add(id, [...common, ...attributes]);
    }
  }
  const protocol = wish.protocol === 'ah' ? PROTOCOL.AH : PROTOCOL.ESP;
  return [{ number: 1, protocol, spi: wish.spi, transforms }];
}

const NO_ESN: Transform2 = { type: TRANSFORM.ESN, id: ESN.NO };

function withGroup(offers: readonly Offer[], group: number): readonly Offer[] {
  const groups = (offer: Offer) => ofType(offer, TRANSFORM.KE).map(({ id }) => id);
  const fits = (ids: readonly number[]) =>
    group === KE.NONE ? ids.every((id) => id === KE.NONE) || ids.includes(KE.NONE) : ids.includes(group);
  return offers.filter((offer) => fits(groups(offer)));
}

function combinations(offer: Offer, protocol: Protocol): { id: number; attributes: Attribute[] }[] {
  const macs = ofType(offer, TRANSFORM.INTEG).flatMap(({ id }) => MACS.find(({ integ }) => integ === id) ?? []);
  const mac = ({ attribute }: Mac) => short(SA_ATTRIBUTE.AUTHENTICATION, attribute);
  if (protocol === 'ah') return macs.map((one) => ({ id: one.ah, attributes: [mac(one)] }));
  return ofType(offer, TRANSFORM.ENCR).flatMap(({ id: encr, keyBits }) => {
    const id = ESP_TRANSFORM.get(encr);
    if (id === undefined) return [];
    const length = keyBits === undefined ? [] : [short(SA_ATTRIBUTE.KEY_LENGTH, keyBits)];
    if (COMBINED.has(encr)) return [{ id, attributes: length }];
    return macs.map((one) => ({ id, attributes: [...length, mac(one)] }));
  });
}

const COMBINED: ReadonlySet<number> = new Set([
  ENCR.AES_CCM_8,
  ENCR.AES_CCM_12,
  ENCR.AES_CCM_16,
  ENCR.AES_GCM_8,
  ENCR.AES_GCM_12,
  ENCR.AES_GCM_16,
  ENCR.NULL_AUTH_AES_GMAC,
]);

function quickAttributes({ group, encapsulation, life }: Wish): Attribute[] {
  return [
    ...(group === KE.NONE ? [] : [short(SA_ATTRIBUTE.GROUP, group)]),
    short(SA_ATTRIBUTE.ENCAPSULATION, encapsulation),
    ...lives(life, SA_ATTRIBUTE.LIFE_TYPE, SA_ATTRIBUTE.LIFE_DURATION),
  ];
}

/** Proposals that share a number belong together, AH with ESP or with IPComp: those are not for us. */
export function readQuick(proposals: readonly Proposal[]): Read[] {
  const read: Read[] = [];
  for (const proposal of proposals) {
    const together = proposals.some((other) => other !== proposal && other.number === proposal.number);
    if (together || (proposal.protocol !== PROTOCOL.ESP && proposal.protocol !== PROTOCOL.AH)) continue;
    for (const transform of proposal.transforms) read.push(readQuickTransform(proposal, transform, read.length + 1));
  }
  return read;
}

function readQuickTransform(proposal: Proposal, transform: Transform, count: number): Read {
  const values = new Map(transform.attributes.map(({ type, value }) => [type, number(value)]));
  const value = (type: number) => values.get(type) ?? 0;
  const ah = proposal.protocol === PROTOCOL.AH;
  const strange =
    transform.attributes.some(({ type }) => !SA_KNOWN.has(type)) ||
    twice(transform.attributes, SA_ATTRIBUTE.LIFE_TYPE, SA_ATTRIBUTE.LIFE_DURATION);
  const encr = [...ESP_TRANSFORM].find(([, id]) => id === transform.id)?.[0] ?? UNKNOWN;
  const mac = MACS.find(({ attribute }) => attribute === value(SA_ATTRIBUTE.AUTHENTICATION));
  // RFC 2407 §4.4.3: an AH transform and its authentication attribute must mean the same.
  const integ = ah && mac?.ah !== transform.id ? undefined : mac;
  const said = values.has(SA_ATTRIBUTE.AUTHENTICATION);
  const transforms: Transform2[] = [
    ...(ah ? [] : [cipher(encr, values.get(SA_ATTRIBUTE.KEY_LENGTH), strange)]),
    ...(said || ah
      ? [
          {
            type: TRANSFORM.INTEG,
            id: integ?.integ ?? UNKNOWN,
            ...(ah && strange ? { unknownAttribute: true as const } : {}),
          },
        ]
      : []),
    ...(values.has(SA_ATTRIBUTE.GROUP) ? [{ type: TRANSFORM.KE, id: value(SA_ATTRIBUTE.GROUP) }] : []),
    { type: TRANSFORM.ESN, id: value(SA_ATTRIBUTE.ESN) === 1 ? ESN.YES : ESN.NO },
  ];
  return {
    proposal,
    transform,
    as: { number: count, protocol: ah ? PROTOCOL2.AH : PROTOCOL2.ESP, spi: proposal.spi, transforms },
    life: lifeOf(transform.attributes, SA_ATTRIBUTE.LIFE_TYPE, SA_ATTRIBUTE.LIFE_DURATION),
    encapsulation: value(SA_ATTRIBUTE.ENCAPSULATION),
    authentication: 0,
  };
}

const SA_KNOWN: ReadonlySet<number> = new Set([
  SA_ATTRIBUTE.LIFE_TYPE,
  SA_ATTRIBUTE.LIFE_DURATION,
  SA_ATTRIBUTE.GROUP,
  SA_ATTRIBUTE.ENCAPSULATION,
  SA_ATTRIBUTE.AUTHENTICATION,
  SA_ATTRIBUTE.KEY_LENGTH,
  SA_ATTRIBUTE.ESN,
]);

export function isTransport(encapsulation: number): boolean {
  return (
    encapsulation === ENCAPSULATION.TRANSPORT ||
    encapsulation === ENCAPSULATION.UDP_TRANSPORT ||
    encapsulation === ENCAPSULATION.UDP_TRANSPORT_DRAFT
  );
}

// --- attributes ----------------------------------------------------------------------------------------------------------

function ofType(offer: Offer, type: number): Transform2[] {
  return offer.transforms.filter((transform) => transform.type === type);
}

function short(type: number, value: number): Attribute {
  return { type, value: Uint8Array.of(value >> 8, value & 0xff), short: true };
}

function long(type: number, value: number): Attribute {
  if (value <= 0xffff) return short(type, value);
  return { type, value: Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value), short: false };
}

function lives({ seconds, kilobytes }: Life, type: number, duration: number): Attribute[] {
  return [
    ...(seconds > 0 ? [short(type, LIFE.SECONDS), long(duration, seconds)] : []),
    ...(kilobytes > 0 ? [short(type, LIFE.KILOBYTES), long(duration, kilobytes)] : []),
  ];
}

/** Those of quick mode, alone. */
export function lifeAttributes(life: Life): Attribute[] {
  return lives(life, SA_ATTRIBUTE.LIFE_TYPE, SA_ATTRIBUTE.LIFE_DURATION);
}

/** Of any length; what does not fit into a number is as good as for ever. */
function number(value: Uint8Array): number {
  return value.reduce((sum, byte) => Math.min(Number.MAX_SAFE_INTEGER, sum * 256 + byte), 0);
}

/** Each duration is of the type before it. */
export function lifeOf(attributes: readonly Attribute[], type: number, duration: number): Life {
  let unit = 0;
  const life = { seconds: 0, kilobytes: 0 };
  for (const attribute of attributes) {
    const value = number(attribute.value);
    if (attribute.type === type) unit = value;
    else if (attribute.type === duration && unit === LIFE.SECONDS) life.seconds = value;
    else if (attribute.type === duration && unit === LIFE.KILOBYTES) life.kilobytes = value;
  }
  return life;
}

/** An attribute that says two things says nothing; lifetimes alone come in pairs, once for each unit. */
function twice(attributes: readonly Attribute[], ...lives: readonly number[]): boolean {
  const types = attributes.map(({ type }) => type).filter((type) => !lives.includes(type));
  return new Set(types).size !== types.length;
}

function sameAttributes({ attributes }: Transform, others: readonly Attribute[]): boolean {
  const text = (list: readonly Attribute[]) => list.map(({ type, value }) => `${type}:${value.join('.')}`).join();
  return text(attributes) === text(others);
}
