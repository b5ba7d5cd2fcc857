// Choosing proposals (RFC 7296 §2.7, §3.3): what we offer, which of the peer's proposals we take, and whether an
// answer is one of those that we sent. A refusal comes with the pairings that failed and why.

import { INTEG, KE } from '../crypto/ids.ts';
import type { Offer } from './connection.ts';
import { algorithmOf, kindOf, sameTransform, transformName } from './transforms.ts';
import type { Miss } from './why.ts';
import { ESN, PROTOCOL, TRANSFORM } from './wire/constants.ts';
import type { Proposal, Transform } from './wire/payload.ts';

/** What was negotiated, by transform id; 0 where there is none. */
export interface Suite {
  readonly encr: number;
  readonly keyBits: number | undefined;
  readonly integ: number;
  readonly prf: number;
  readonly ke: number;
  readonly esn: boolean;
}

export interface Selected {
  readonly ok: true;
  /** Index of our offer. */
  readonly ours: number;
  /** Number and SPI of the proposal that was taken. */
  readonly number: number;
  readonly spi: Uint8Array;
  /** Exactly one of each type that the proposal has: what the answer carries. */
  readonly chosen: readonly Transform[];
  readonly suite: Suite;
}

export type Selection = Selected | { readonly ok: false; readonly misses: readonly Miss[] };

export type Answered = Selected | { readonly ok: false; readonly why: string };

export interface Matching {
  readonly protocol: number;
  /** In IKE_AUTH the child has no key exchange of its own (RFC 7296 §1.2). */
  readonly omitKe?: boolean;
}

/** A refusal is read by a person: enough pairings to see the pattern, however many proposals came. */
const MAX_MISSES = 64;
const MAX_NAMES = 16;

const TYPES = new Map<number, readonly number[]>([
  [PROTOCOL.IKE, [TRANSFORM.ENCR, TRANSFORM.PRF, TRANSFORM.INTEG, TRANSFORM.KE]],
  [PROTOCOL.ESP, [TRANSFORM.ENCR, TRANSFORM.INTEG, TRANSFORM.KE, TRANSFORM.ESN]],
  [PROTOCOL.AH, [TRANSFORM.INTEG, TRANSFORM.KE, TRANSFORM.ESN]],
]);

const NO_KE: Transform = { type: TRANSFORM.KE, id: KE.NONE };
const NO_INTEG: Transform = { type: TRANSFORM.INTEG, id: INTEG.NONE };
const NO_ESN: Transform = { type: TRANSFORM.ESN, id: ESN.NO };

/** Our offers as they go out, numbered from 1: number n is offer n − 1. */
export function offerProposals(
  offers: readonly Offer[],
  protocol: number,
  spi: Uint8Array,
  { omitKe = false }: { readonly omitKe?: boolean } = {},
): Proposal[] {
  return offers.map((offer, i) => ({ number: i + 1, protocol, spi, transforms: offered(offer, { protocol, omitKe }) }));
}

function offered(offer: Offer, { protocol, omitKe = false }: Matching): Transform[] {
  return typesOf(protocol).flatMap((type) => {
    const some = ofType(offer.transforms, type);
    if (type === TRANSFORM.KE && omitKe) return [];
    // RFC 7296 §3.3.3: mandatory in ESP and AH.
    if (type === TRANSFORM.ESN && some.length === 0) return [NO_ESN];
    return some;
  });
}

/** The first of our offers that one of their proposals meets; in it, our order decides among the alternatives. */
export function selectProposal(offers: readonly Offer[], theirs: readonly Proposal[], matching: Matching): Selection {
  const misses: Miss[] = [];
  for (const [ours, offer] of offers.entries()) {
    for (const proposal of theirs) {
      const match = pair(offer.transforms, proposal, matching);
      if (match.ok) return { ...match, ours, number: proposal.number, spi: proposal.spi };
      if (misses.length >= MAX_MISSES) continue;
      misses.push(...match.failures.map((failure) => ({ ours, theirs: proposal.number, ...failure })));
    }
  }
  return { ok: false, misses: misses.slice(0, MAX_MISSES) };
}

/** The responder's answer: one of our proposals, by its number, with one transform of each type it had. */
export function checkAnswer(sent: readonly Proposal[], answer: readonly Proposal[]): Answered {
  const [taken, ...more] = answer;
  if (!taken || more.length > 0) return { ok: false, why: `the answer has ${answer.length} proposals, not one` };
  const ours = sent.findIndex((proposal) => proposal.number === taken.number);
  const proposal = sent[ours];
  if (!proposal) return { ok: false, why: `the answer takes proposal ${taken.number}, which we did not send` };
  if (taken.protocol !== proposal.protocol) {
    return { ok: false, why: `the answer is for protocol ${taken.protocol}, not ${proposal.protocol}` };
  }
  const types = new Set<number>();
  for (const { type } of taken.transforms) {
    if (types.has(type)) return { ok: false, why: `the answer leaves the choice of ${kindOf(type)} open` };
    types.add(type);
  }
  const match = pair(proposal.transforms, taken, { protocol: proposal.protocol });
  if (match.ok) return { ...match, ours, number: taken.number, spi: taken.spi };
  const [failure] = match.failures;
  const { kind = 'other', want = [], got = [] } = failure ?? {};
  return { ok: false, why: `the answer has ${kind} ${list(got)} where we offered ${list(want)}` };
}

/** Whether keys of a known size can be made for it, and nothing goes unprotected. */
export function suiteIsSound(suite: Suite, protocol: 'ike' | 'esp' | 'ah'): boolean {
  const encr = algorithmOf({ type: TRANSFORM.ENCR, id: suite.encr });
  const integ = suite.integ === INTEG.NONE ? undefined : algorithmOf({ type: TRANSFORM.INTEG, id: suite.integ });
  const prf = algorithmOf({ type: TRANSFORM.PRF, id: suite.prf });
  const ke = algorithmOf({ type: TRANSFORM.KE, id: suite.ke });
  if (!ke) return false;
  if (protocol === 'ah') return suite.encr === 0 && integ !== undefined;
  if (!encr) return false;
  if (suite.keyBits === undefined ? encr.keySizes.length > 0 : !encr.keySizes.includes(suite.keyBits)) return false;
  // RFC 7296 §3.3: combined modes bring their own integrity; the others must have it beside them.
  if (encr.aead ? suite.integ !== INTEG.NONE : !integ) return false;
  if (protocol === 'esp') return true;
  return !encr.childOnly && !integ?.childOnly && prf !== undefined && suite.ke !== KE.NONE && !suite.esn;
}

/** The groups of all offers, most wanted first. */
export function groupsOf(offers: readonly Offer[]): number[] {
  const groups = offers.flatMap((offer) => ofType(offer.transforms, TRANSFORM.KE).map((transform) => transform.id));
  return [...new Set(groups)].filter((group) => group !== KE.NONE);
}

/** The same offers, with this group first in each that has it: after INVALID_KE_PAYLOAD (RFC 7296 §1.3). */
export function withPreferredGroup(offers: readonly Offer[], group: number): Offer[] {
  const isIt = ({ type, id }: Transform) => type === TRANSFORM.KE && id === group;
  return offers.map((offer) => ({
    ...offer,
    transforms: [...offer.transforms.filter(isIt), ...offer.transforms.filter((transform) => !isIt(transform))],
  }));
}

export function suiteOf(transforms: readonly Transform[]): Suite {
  const one = (type: number) => transforms.find((transform) => transform.type === type);
  const encr = one(TRANSFORM.ENCR);
  return {
    encr: encr?.id ?? 0,
    keyBits: encr?.keyBits,
    integ: one(TRANSFORM.INTEG)?.id ?? INTEG.NONE,
    prf: one(TRANSFORM.PRF)?.id ?? 0,
    ke: one(TRANSFORM.KE)?.id ?? KE.NONE,
    esn: one(TRANSFORM.ESN)?.id === ESN.YES,
  };
}

/** The transforms of a suite, as a proposal would carry them. */
export function transformsOf({ encr, keyBits, integ, prf, ke }: Suite): Transform[] {
  const sized = keyBits !== undefined && (algorithmOf({ type: TRANSFORM.ENCR, id: encr })?.keySizes.length ?? 0) > 0;
  const optional = (type: number, id: number): Transform[] => (id === 0 ? [] : [{ type, id }]);
  return [
    ...optional(TRANSFORM.ENCR, encr).map((cipher) => (sized ? { ...cipher, keyBits } : cipher)),
    ...optional(TRANSFORM.INTEG, integ),
    ...optional(TRANSFORM.PRF, prf),
    ...optional(TRANSFORM.KE, ke),
  ];
}

type Failure = Pick<Miss, 'kind' | 'want' | 'got'>;

type Match =
  | { readonly ok: true; readonly chosen: Transform[]; readonly suite: Suite }
  | { readonly ok: false; readonly failures: Failure[] };

/** One offer of ours against one proposal of theirs. */
function pair(ours: readonly Transform[], theirs: Proposal, { protocol, omitKe = false }: Matching): Match {
  if (theirs.protocol !== protocol) return { ok: false, failures: [] };
  const types = typesOf(protocol);
  const chosen: Transform[] = [];
  const failures: Failure[] = [];

  // RFC 7296 §3.3.6: a type that we do not know, or that does not belong here, makes the proposal unacceptable.
  const strange = theirs.transforms.filter((transform) => !types.includes(transform.type));
  if (strange.length > 0) failures.push({ kind: 'other', want: [], got: names(strange) });

  for (const type of types) {
    const { want, got } = sides(type, ours, theirs.transforms, { omitKe, chosen });
    // Where "none" is a value, leaving the type out says the same.
    const implied = impliedNone(type, protocol, chosen);
    const mine = want.length > 0 || !implied ? want : [implied];
    const yours = got.length > 0 || !implied ? got : [implied];
    const common = mine.filter((transform) => yours.some((other) => sameTransform(transform, other)));
    const [taken] = common;
    if (!taken) {
      if (type === TRANSFORM.INTEG && integFollows(failures, mine, yours)) continue;
      failures.push({ kind: kindOf(type), want: names(mine), got: names(yours) });
    } else if (got.length > 0) {
      chosen.push(taken);
    }
  }
  if (failures.length > 0) return { ok: false, failures };
  const suite = suiteOf(chosen);
  if (suiteIsSound(suite, nameOf(protocol))) return { ok: true, chosen, suite };
  return { ok: false, failures: [{ kind: 'encr', want: names(ofType(ours, TRANSFORM.ENCR)), got: names(chosen) }] };
}

function sides(
  type: number,
  ours: readonly Transform[],
  theirs: readonly Transform[],
  { omitKe, chosen }: { readonly omitKe: boolean; readonly chosen: readonly Transform[] },
): { want: readonly Transform[]; got: readonly Transform[] } {
  const want = ofType(ours, type);
  const got = ofType(theirs, type);
  // Old peers list groups in IKE_AUTH although nothing can come of them (RFC 7296 §1.2): not a reason to refuse.
  if (type === TRANSFORM.KE && omitKe) return { want: [], got: got.filter((transform) => transform.id === KE.NONE) };
  if (type === TRANSFORM.INTEG && isAead(chosen)) return { want: [], got };
  return { want, got };
}

/** The value that an absent type has. ESN is mandatory (RFC 7296 §3.3.3), but old devices leave it out and mean no. */
function impliedNone(type: number, protocol: number, chosen: readonly Transform[]): Transform | undefined {
  if (type === TRANSFORM.KE && protocol !== PROTOCOL.IKE) return NO_KE;
  if (type === TRANSFORM.ESN) return NO_ESN;
  if (type === TRANSFORM.INTEG && isAead(chosen)) return NO_INTEG;
  return undefined;
}

function isAead(chosen: readonly Transform[]): boolean {
  return chosen.some((transform) => transform.type === TRANSFORM.ENCR && algorithmOf(transform)?.aead);
}

/** Combined mode against cipher and MAC: that the MAC is missing follows from the cipher and need not be said. */
function integFollows(failures: readonly Failure[], mine: readonly Transform[], yours: readonly Transform[]): boolean {
  return failures.some((failure) => failure.kind === 'encr') && (mine.length === 0 || yours.length === 0);
}

function ofType(transforms: readonly Transform[], type: number): Transform[] {
  return transforms.filter((transform) => transform.type === type);
}

function typesOf(protocol: number): readonly number[] {
  return TYPES.get(protocol) ?? [];
}

function nameOf(protocol: number): 'ike' | 'esp' | 'ah' {
  return protocol === PROTOCOL.IKE ? 'ike' : protocol === PROTOCOL.AH ? 'ah' : 'esp';
}

function names(transforms: readonly Transform[]): string[] {
  return [...new Set(transforms.slice(0, MAX_NAMES).map(transformName))];
}

function list(words: readonly string[]): string {
  return words.length > 0 ? words.join(' or ') : 'nothing';
}
