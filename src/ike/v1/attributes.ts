// Attributes of transforms and how both phases read and write them: numbers, lifetimes, the cipher's key length (RFC 2408
// §3.3, RFC 2409 appendix A, RFC 2407 §4.5).

import { ENCR } from '../../crypto/ids.ts';
import type { Offer } from '../connection.ts';
import { TRANSFORM } from '../wire/constants.ts';
import type { Proposal as Proposal2, Transform as Transform2 } from '../wire/payload.ts';
import { LIFE } from './wire/constants.ts';
import type { Attribute, Proposal, Transform } from './wire/payload.ts';

/** Old devices choke on long lists (FEATURES §4.3). */
export const MOST_TRANSFORMS = 60;

/** Of an SA, as one of the sides wants it; 0 for no limit. */
export interface Life {
  readonly seconds: number;
  readonly kilobytes: number;
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

export function ofType(offer: Offer, type: number): Transform2[] {
  return offer.transforms.filter((transform) => transform.type === type);
}

export function short(type: number, value: number): Attribute {
  return { type, value: Uint8Array.of(value >> 8, value & 0xff), short: true };
}

function long(type: number, value: number): Attribute {
  if (value <= 0xffff) return short(type, value);
  return { type, value: Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value), short: false };
}

export function lives({ seconds, kilobytes }: Life, type: number, duration: number): Attribute[] {
  return [
    ...(seconds > 0 ? [short(type, LIFE.SECONDS), long(duration, seconds)] : []),
    ...(kilobytes > 0 ? [short(type, LIFE.KILOBYTES), long(duration, kilobytes)] : []),
  ];
}

/** Of any length; what does not fit into a number is as good as for ever. */
export function number(value: Uint8Array): number {
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
export function twice(attributes: readonly Attribute[], ...lives: readonly number[]): boolean {
  const types = attributes.map(({ type }) => type).filter((type) => !lives.includes(type));
  return new Set(types).size !== types.length;
}

export function sameAttributes({ attributes }: Transform, others: readonly Attribute[]): boolean {
  const text = (list: readonly Attribute[]) => list.map(({ type, value }) => `${type}:${value.join('.')}`).join();
  return text(attributes) === text(others);
}

/** No transform id that means anything. */
export const UNKNOWN = 0xffff;
/** RFC 3602 §6: where no key length is written, AES has this one. */
const AES_BITS = 128;

export function cipher(id: number, keyBits: number | undefined, strange: boolean): Transform2 {
  const fixed = FIXED.has(id);
  const bits = fixed ? undefined : (keyBits ?? (AES.has(id) ? AES_BITS : undefined));
  return {
    type: TRANSFORM.ENCR,
    id,
    ...(bits === undefined ? {} : { keyBits: bits }),
    // A key length for a cipher that has one only.
    ...(strange || (keyBits !== undefined && fixed) ? { unknownAttribute: true as const } : {}),
  };
}

const FIXED: ReadonlySet<number> = new Set([ENCR.DES, ENCR.DES3, ENCR.NULL]);

/** Ciphers that need no integrity algorithm beside them. */
export const COMBINED: ReadonlySet<number> = new Set([
  ENCR.AES_CCM_8,
  ENCR.AES_CCM_12,
  ENCR.AES_CCM_16,
  ENCR.AES_GCM_8,
  ENCR.AES_GCM_12,
  ENCR.AES_GCM_16,
  ENCR.NULL_AUTH_AES_GMAC,
]);

const AES: ReadonlySet<number> = new Set([ENCR.AES_CBC, ENCR.AES_CTR, ...COMBINED]);

/** IKEv2's numbers of what we have not got: an operator is to read what the peer offers. */
export const FOREIGN = { RC5: 4, IDEA: 5, CAST: 6, BLOWFISH: 7, CAMELLIA: 23 } as const;
