// Proposals of quick mode: a transform for every combination, with attributes (RFC 2407 §4.4, §4.5, RFC 4304 §2.2).
// Inside, the numbers are those of IKEv2.

import { ENCR, INTEG, KE } from '../../crypto/ids.ts';
import type { Offer, Protocol } from '../connection.ts';
import { groupsOf } from '../select.ts';
import { ESN, PROTOCOL as PROTOCOL2, TRANSFORM } from '../wire/constants.ts';
import type { Transform as Transform2 } from '../wire/payload.ts';
import {
  COMBINED,
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
import { ENCAPSULATION, PROTOCOL, SA_ATTRIBUTE } from './wire/constants.ts';
import type { Attribute, Proposal, Transform } from './wire/payload.ts';

/** IKEv2 has the same numbers but for GMAC, and none for ChaCha20-Poly1305 in IKEv1. */
const ESP_TRANSFORM = new Map<number, number>([
  ...[ENCR.DES, ENCR.DES3, ENCR.NULL, ENCR.AES_CBC, ENCR.AES_CTR].map((id): [number, number] => [id, id]),
  ...[ENCR.AES_CCM_8, ENCR.AES_CCM_12, ENCR.AES_CCM_16].map((id): [number, number] => [id, id]),
  ...[ENCR.AES_GCM_8, ENCR.AES_GCM_12, ENCR.AES_GCM_16].map((id): [number, number] => [id, id]),
  [ENCR.NULL_AUTH_AES_GMAC, 23],
]);

/** To be read only. */
const ESP_FOREIGN = new Map<number, number>([
  ...[FOREIGN.RC5, FOREIGN.IDEA, FOREIGN.CAST, FOREIGN.BLOWFISH].map((id): [number, number] => [id, id]),
  [22, FOREIGN.CAMELLIA],
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
      const common = [
        ...quickAttributes(wish),
        ...(esn.id === ESN.YES ? [short(SA_ATTRIBUTE.ESN, LONG_SEQUENCE)] : []),
      ];
      for (const { id, attributes } of combinations(offer, wish.protocol)) add(id, [...common, ...attributes]);
    }
  }
  const protocol = wish.protocol === 'ah' ? PROTOCOL.AH : PROTOCOL.ESP;
  return [{ number: 1, protocol, spi: wish.spi, transforms }];
}

/** In their order; to do without PFS, where an offer can, comes last. */
export function quickGroups(offers: readonly Offer[]): number[] {
  const without = withGroup(offers, KE.NONE).length > 0;
  return [...groupsOf(offers), ...(without ? [KE.NONE] : [])];
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

function quickAttributes({ group, encapsulation, life }: Wish): Attribute[] {
  return [
    ...(group === KE.NONE ? [] : [short(SA_ATTRIBUTE.GROUP, group)]),
    short(SA_ATTRIBUTE.ENCAPSULATION, encapsulation),
    ...lives(life, SA_ATTRIBUTE.LIFE_TYPE, SA_ATTRIBUTE.LIFE_DURATION),
  ];
}

/** Those of quick mode, alone. */
export function lifeAttributes(life: Life): Attribute[] {
  return lives(life, SA_ATTRIBUTE.LIFE_TYPE, SA_ATTRIBUTE.LIFE_DURATION);
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
    !MODES.has(values.get(SA_ATTRIBUTE.ENCAPSULATION) ?? ENCAPSULATION.TUNNEL) ||
    (values.get(SA_ATTRIBUTE.ESN) ?? LONG_SEQUENCE) !== LONG_SEQUENCE ||
    twice(transform.attributes, SA_ATTRIBUTE.LIFE_TYPE, SA_ATTRIBUTE.LIFE_DURATION);
  const encr = encrOf(transform.id);
  const mac = MACS.find(({ attribute }) => attribute === value(SA_ATTRIBUTE.AUTHENTICATION));
  const life = lifeOf(transform.attributes, SA_ATTRIBUTE.LIFE_TYPE, SA_ATTRIBUTE.LIFE_DURATION);
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
    { type: TRANSFORM.ESN, id: value(SA_ATTRIBUTE.ESN) === LONG_SEQUENCE ? ESN.YES : ESN.NO },
  ];
  return {
    proposal,
    transform,
    as: { number: count, protocol: ah ? PROTOCOL2.AH : PROTOCOL2.ESP, spi: proposal.spi, transforms },
    life: { ...life, seconds: life.seconds || UNSAID },
    encapsulation: value(SA_ATTRIBUTE.ENCAPSULATION),
    authentication: 0,
  };
}

function encrOf(number: number): number {
  const ours = [...ESP_TRANSFORM].find(([, id]) => id === number);
  return ours?.[0] ?? ESP_FOREIGN.get(number) ?? UNKNOWN;
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

const MODES: ReadonlySet<number> = new Set(Object.values(ENCAPSULATION));

/** RFC 4304 §2.2: the only value that the attribute has. */
const LONG_SEQUENCE = 1;

/** RFC 2407 §4.5: so many seconds are meant where nothing is said. */
const UNSAID = 28_800;

export function isTransport(encapsulation: number): boolean {
  return (
    encapsulation === ENCAPSULATION.TRANSPORT ||
    encapsulation === ENCAPSULATION.UDP_TRANSPORT ||
    encapsulation === ENCAPSULATION.UDP_TRANSPORT_DRAFT
  );
}
