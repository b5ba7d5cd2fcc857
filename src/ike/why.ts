// Explains refusals: from what both sides wanted to a `Reason` that says what to change, and where. Every text that
// comes from a peer passes `formatIdentity` or the tables of `transforms.ts`; no secret is ever part of one.

import type { SocketAddress } from '../bytes/ip.ts';
import type { IdentityPattern, Offer, Place, SharedKey } from './connection.ts';
import { describeIdentity, formatIdentity } from './identity.ts';
import type { Reason } from './reason.ts';
import { selectProposal } from './select.ts';
import { algorithmOf, keywordOf, kindOf, type TransformKind, transformName } from './transforms.ts';
import { formatSelector } from './ts.ts';
import { PROTOCOL, TRANSFORM } from './wire/constants.ts';
import type { Identity, Proposal, Transform } from './wire/payload.ts';
import type { Selector } from './wire/ts.ts';
import { mirrored } from './words.ts';

/** Why one (ours, theirs) pairing of proposals failed: enough to tell the operator what to change. */
export interface Miss {
  /** Index of our offer and number of theirs. */
  readonly ours: number;
  readonly theirs: number;
  readonly kind: TransformKind;
  readonly want: readonly string[];
  readonly got: readonly string[];
}

/** All that failed, pairing by pairing; empty when some pairing fits or the peer offers nothing for this protocol. */
export function explainProposals(
  offers: readonly Offer[],
  theirs: readonly Proposal[],
  protocol: number,
  { omitKe = false }: { readonly omitKe?: boolean } = {},
): Miss[] {
  const selection = selectProposal(offers, theirs, { protocol, omitKe });
  return selection.ok ? [] : [...selection.misses];
}

/** The misses of the pairing that came closest: the first with the fewest. */
function closest(misses: readonly Miss[]): Miss[] {
  const pairings = new Map<string, Miss[]>();
  for (const miss of misses) {
    const key = `${miss.ours} ${miss.theirs}`;
    pairings.set(key, [...(pairings.get(key) ?? []), miss]);
  }
  return [...pairings.values()].reduce((best, some) => (some.length < best.length ? some : best), [...misses]);
}

/** How the closest pairing differs, in words. */
export function formatMisses(misses: readonly Miss[]): string {
  return closest(misses)
    .map((miss) => `${KIND_NAMES[miss.kind]}: we want ${list(miss.want)}, the peer ${list(miss.got)}`)
    .join('; ');
}

export interface NoProposal {
  readonly offers: readonly Offer[];
  /** What the peer offered; undefined when it refused ours and we know nothing of its own. */
  readonly theirs: readonly Proposal[] | undefined;
  readonly protocol: number;
  /** Who answered NO_PROPOSAL_CHOSEN. */
  readonly by: 'us' | 'peer';
  readonly omitKe?: boolean | undefined;
  /** One hash is both integrity and PRF, as in IKEv1: nobody needs to hear it twice. */
  readonly hashed?: boolean | undefined;
  readonly where?: Place | undefined;
  readonly peer?: SocketAddress | undefined;
}

export function reasonNoProposal(refusal: NoProposal): Reason {
  const { offers, theirs = [], protocol, by, omitKe = false, hashed = false, where, peer } = refusal;
  const misses = explainProposals(offers, theirs, protocol, { omitKe }).filter(({ kind }) => !hashed || kind !== 'prf');
  const name = PROTOCOL_NAMES.get(protocol) ?? `protocol ${protocol}`;
  const near = closest(misses);
  const option = `\`${where?.option ?? optionOf(protocol)}\`${at(where)}`;
  return {
    code: protocol === PROTOCOL.IKE ? 'no-proposal' : 'no-child-proposal',
    notify: 'NO_PROPOSAL_CHOSEN',
    by,
    want: offers.map((offer) => offer.text),
    got: theirs.map((proposal) => formatProposal(proposal)),
    misses,
    ...textAndRemedy({ name, near, option, refusal }),
    ...(where ? { where } : {}),
    ...(peer ? { peer } : {}),
  };
}

function textAndRemedy({
  name,
  near,
  option,
  refusal: { offers, theirs = [], protocol, by, hashed = false, where },
}: {
  readonly name: string;
  readonly near: readonly Miss[];
  readonly option: string;
  readonly refusal: NoProposal;
}): { text: string; remedy: string } {
  const ours = offers.map((offer) => offer.text).join(', ');
  if (by === 'peer' && theirs.length === 0) {
    return {
      text: `the peer accepts none of our ${name} proposals`,
      remedy: `compare the peer's ${name} settings with ${ours} (${option})`,
    };
  }
  const [first] = near;
  const proposal = theirs.find((candidate) => candidate.number === first?.theirs);
  if (!first || !proposal) return otherProtocol({ name, option, ours, theirs, where });
  return {
    text: `no ${name} proposal in common; closest are our ${first.ours + 1} and the peer's ${first.theirs}: ${formatMisses(near)}`,
    remedy: remedy(near, proposal, { protocol, option, ours: offers[first.ours], hashed }),
  };
}

interface Others {
  readonly name: string;
  readonly option: string;
  readonly ours: string;
  readonly theirs: readonly Proposal[];
  readonly where: Place | undefined;
}

/** Nothing that the peer offers is for our protocol: most likely the one has ESP and the other AH. */
function otherProtocol({ name, option, ours, theirs, where }: Others): { text: string; remedy: string } {
  const protocols = [...new Set(theirs.map(({ protocol }) => protocol))];
  const names = protocols.flatMap((protocol) => PROTOCOL_NAMES.get(protocol) ?? []);
  const instead = protocols.find((protocol) => protocol === PROTOCOL.ESP || protocol === PROTOCOL.AH);
  if (instead === undefined || names.includes(name)) {
    return {
      text: `the peer offers no ${name} proposal that we could compare`,
      remedy: `have the peer offer one of ${ours}`,
    };
  }
  // ipsec.conf calls these two options as the protocols are called.
  const word = where?.option === undefined ? optionOf(instead) : (PROTOCOL_NAMES.get(instead) ?? '').toLowerCase();
  return {
    text: `the peer offers ${names.join(' and ')}, and we want ${name}`,
    remedy: `write \`${word}\` in place of ${option}, or have the peer offer ${name} with ${ours}`,
  };
}

interface Remedy {
  readonly protocol: number;
  readonly option: string;
  readonly ours: Offer | undefined;
  readonly hashed: boolean;
}

function remedy(near: readonly Miss[], theirs: Proposal, { protocol, option, ours, hashed }: Remedy): string {
  const other = `or have the peer offer ${ours?.text ?? 'ours'}`;
  if (near.some((miss) => miss.kind === 'other')) return `have the peer leave out ${list(near[0]?.got ?? [])}`;
  const dropsGroup = near.length === 1 && near[0]?.kind === 'ke' && near[0].got.every((name) => name === 'NONE');
  if (dropsGroup && protocol !== PROTOCOL.IKE) {
    return `the peer does not want PFS: take the group out of ${option}, ${other}`;
  }
  // Alternatives of one kind are added to our proposal; another cipher may need another shape of proposal.
  const whole = near.some((miss) => miss.kind === 'encr' || miss.want.length === 0);
  const words = whole ? wordsOf(theirs, protocol, hashed) : near.map((miss) => wordIn(theirs, miss.kind));
  if (words.length === 0 || words.includes(undefined)) {
    return `nothing that the peer offers there is supported: have the peer offer ${ours?.text ?? 'ours'}`;
  }
  const text = words.join('-');
  const weak = isWeak(theirs, words) ? ' (weak)' : '';
  return whole
    ? `add the proposal ${text}${weak} to ${option}, ${other}`
    : `peer offers ${text}${weak}; add \`-${text}\` to ${option}, ${other}`;
}

/** A keyword for every type of the proposal, `undefined` among them where nothing of a type is implemented. */
function wordsOf(theirs: Proposal, protocol: number, hashed: boolean): (string | undefined)[] {
  const ike: TransformKind[] = hashed ? ['encr', 'integ', 'ke'] : ['encr', 'prf', 'integ', 'ke'];
  const kinds: TransformKind[] = protocol === PROTOCOL.IKE ? ike : ['encr', 'integ', 'ke', 'esn'];
  // What is 0 is none of its kind, which no word needs to say.
  return kinds
    .filter((kind) => {
      const some = theirs.transforms.filter((transform) => kindOf(transform.type) === kind);
      return kind === 'esn' ? some.length > 0 && some.every(isNotNone) : some.some(isNotNone);
    })
    .map((kind) => wordIn(theirs, kind));
}

function isNotNone({ id }: Transform): boolean {
  return id !== 0;
}

function wordIn(theirs: Proposal, kind: TransformKind): string | undefined {
  // Who leaves it out has 32 bits (see `select.ts`).
  if (kind === 'esn' && !theirs.transforms.some(({ type }) => type === TRANSFORM.ESN)) return 'noesn';
  const words = theirs.transforms
    .filter((transform) => kindOf(transform.type) === kind)
    .map((transform) => ({ word: keywordOf(transform), weak: algorithmOf(transform)?.weak }));
  const known = words.filter(({ word }) => word !== undefined);
  return (known.find(({ weak }) => !weak) ?? known[0])?.word;
}

function isWeak(theirs: Proposal, words: readonly (string | undefined)[]): boolean {
  return theirs.transforms.some((transform) => algorithmOf(transform)?.weak && words.includes(keywordOf(transform)));
}

/** `ESP:AES_CBC_128/HMAC_SHA1_96/NO_EXT_SEQ`, as strongSwan writes proposals in its log. */
export function formatProposal({ protocol, transforms }: Proposal): string {
  const shown = transforms.slice(0, MAX_SHOWN).map(transformName);
  const more = transforms.length > MAX_SHOWN ? '/…' : '';
  return `${PROTOCOL_NAMES.get(protocol) ?? protocol}:${shown.join('/')}${more}`;
}

const MAX_SHOWN = 32;

const PROTOCOL_NAMES = new Map<number, string>([
  [PROTOCOL.IKE, 'IKE'],
  [PROTOCOL.AH, 'AH'],
  [PROTOCOL.ESP, 'ESP'],
]);

const KIND_NAMES: Readonly<Record<TransformKind, string>> = {
  encr: 'encryption',
  prf: 'PRF',
  integ: 'integrity',
  ke: 'key exchange',
  esn: 'sequence numbers',
  other: 'not understood',
};

function optionOf(protocol: number): string {
  return protocol === PROTOCOL.IKE ? 'proposals' : protocol === PROTOCOL.AH ? 'ah_proposals' : 'esp_proposals';
}

/** Both sides of a policy, as seen from here. */
export interface Flows {
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
}

export interface TsRefusal extends Flows {
  /** Undefined when the peer refused ours without saying what it has. */
  readonly theirs?: Flows | undefined;
  readonly by: 'us' | 'peer';
  readonly where?: Place | undefined;
  readonly peer?: SocketAddress | undefined;
}

/** TS_UNACCEPTABLE: `local` and `remote` are what we wanted. */
export function reasonTs({ theirs, by, where, peer, ...ours }: TsRefusal): Reason {
  const want = flows(ours);
  const local = where?.option ?? 'local_ts';
  const remote = where?.option === undefined ? 'remote_ts' : mirrored(where.option);
  const options = `\`${local}\` and \`${remote}\`${at(where)}`;
  const shared = {
    code: 'ts-mismatch',
    notify: 'TS_UNACCEPTABLE',
    by,
    want,
    ...(where ? { where } : {}),
    ...(peer ? { peer } : {}),
  } as const;
  if (!theirs) {
    return {
      ...shared,
      text: `the peer has no policy for ${want.join(', ')}`,
      remedy: `make the peer's selectors the mirror image of ${options}`,
    };
  }
  const got = flows(theirs);
  return {
    ...shared,
    got,
    text: `the traffic selectors do not overlap: we want ${want.join(', ')}, the peer ${got.join(', ')}`,
    remedy: `make ${options} and the peer's selectors mirror images of each other`,
  };
}

function flows({ local, remote }: Flows): string[] {
  const text = (selectors: readonly Selector[]) => {
    const shown = selectors.slice(0, MAX_SHOWN).map(formatSelector);
    return `${shown.join(' ') || 'nothing'}${selectors.length > MAX_SHOWN ? ' …' : ''}`;
  };
  return [`${text(local)} === ${text(remote)}`];
}

export interface AuthFailure {
  /**
   * `auth-failed` by the peer: it answered AUTHENTICATION_FAILED; by us: its AUTH is not what our secret gives.
   * `unknown-id`: it is not whom the connection expects. `no-psk`: no secret is for this pair.
   */
  readonly kind: 'auth-failed' | 'unknown-id' | 'no-psk';
  readonly by: 'us' | 'peer';
  readonly localId?: Identity | undefined;
  /** What the peer calls itself, or, before it did, what we called it. */
  readonly remoteId?: Identity | undefined;
  /** Whom the connection expects. */
  readonly expected?: IdentityPattern | undefined;
  /** Whom the peer asks for, where that is not us. */
  readonly wanted?: Identity | undefined;
  readonly key?: SharedKey | undefined;
  /** The connection, or its `id`. */
  readonly where?: Place | undefined;
  readonly peer?: SocketAddress | undefined;
}

/** The operator's view of AUTHENTICATION_FAILED; the peer is told nothing beyond the notify. */
export function reasonAuth(failure: AuthFailure): Reason {
  const { kind, by, localId, remoteId, expected, key, where, peer } = failure;
  const us = localId ? describeIdentity(localId) : 'our address';
  const them = remoteId ? describeIdentity(remoteId) : 'a peer without a name';
  const place = kind === 'unknown-id' ? where : (key?.place ?? where);
  const shared = {
    code: kind,
    notify: 'AUTHENTICATION_FAILED',
    by,
    ...(place ? { where: place } : {}),
    ...(peer ? { peer } : {}),
  };
  switch (kind) {
    case 'auth-failed':
      if (by === 'peer') {
        return {
          ...shared,
          text: `the peer refused our authentication: we are ${us}${key ? `, with ${secret(key)}` : ''}`,
          remedy: `check that the peer expects ${us}${ours(where)} and holds the same pre-shared key`,
        };
      }
      return {
        ...shared,
        text: `the authentication of ${them} is wrong: the pre-shared keys differ${key ? `; ours is ${secret(key)}` : ''}`,
        remedy: `set the same pre-shared key on both sides${at(key?.place)}`,
      };
    case 'unknown-id': {
      if (failure.wanted) return { ...shared, ...askedFor(failure.wanted, us, them, where) };
      const wanted = expected?.kind === 'is' ? describeIdentity(expected.id) : undefined;
      return {
        ...shared,
        ...(wanted === undefined ? {} : { want: [wanted] }),
        got: [them],
        text: `the peer calls itself ${them}${wanted === undefined ? '; no connection here expects that' : `; we expect ${wanted}`}`,
        remedy: `set ${idOption('remote', where)}${at(where)} to ${remoteId ? formatIdentity(remoteId) : 'what the peer sends'}, or change the peer's`,
      };
    }
    case 'no-psk':
      return {
        ...shared,
        text: `no pre-shared key is for ${us} and ${them}`,
        remedy: `check both ids for typing errors, or add a secret ${owners(localId, remoteId, where)}`,
      };
  }
}

function askedFor(wanted: Identity, us: string, them: string, where: Place | undefined) {
  return {
    want: [us],
    got: [describeIdentity(wanted)],
    text: `the peer ${them} asks for ${describeIdentity(wanted)}; we are ${us}`,
    remedy: `set ${idOption('local', where)}${at(where)} to ${formatIdentity(wanted)}, or change whom the peer expects`,
  };
}

function idOption(side: 'local' | 'remote', where: Place | undefined): string {
  return where?.option === undefined ? `the ${side} \`id\`` : `\`${where.option}\``;
}

/** A new secret's, in the language that the connection is written in. */
function owners(localId: Identity | undefined, remoteId: Identity | undefined, where: Place | undefined): string {
  const us = localId ? formatIdentity(localId) : 'our address';
  const them = remoteId ? formatIdentity(remoteId) : "the peer's identity";
  return where?.option === undefined ? `with id-1 = ${us} and id-2 = ${them}` : `for it: ${us} ${them} : PSK …`;
}

/** Which secret it was, by its owners and place. */
export function secret({ owners, place }: SharedKey): string {
  const whose = owners.length > 0 ? `for ${owners.map(formatIdentity).join(', ')}` : 'for anybody';
  return `the secret ${whose}${place ? ` (${place.file}:${place.line})` : ''}`;
}

export function at(where: Place | undefined): string {
  return where ? ` in ${where.file}:${where.line}` : '';
}

/** Where ours is written, in a sentence about the peer's. */
function ours(place: Place | undefined): string {
  return place ? ` (ours is in ${place.file}:${place.line})` : '';
}

function list(words: readonly string[]): string {
  return words.length > 0 ? words.join(' or ') : 'none';
}
