// Explains refusals: from what both sides wanted to a `Reason` that says what to change, and where. Every text that
// comes from a peer passes `formatIdentity` or the tables of `transforms.ts`; no secret is ever part of one.

import type { SocketAddress } from '../bytes/ip.ts';
import type { Offer, Place } from './connection.ts';
import type { Reason } from './reason.ts';
import { selectProposal } from './select.ts';
import { algorithmOf, keywordOf, kindOf, type TransformKind, transformName } from './transforms.ts';
import { formatSelector, narrow } from './ts.ts';
import { PROTOCOL, TRANSFORM } from './wire/constants.ts';
import type { Proposal, Transform } from './wire/payload.ts';
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
  /** Lifetimes and modes are in the proposals, too: IKEv1. */
  readonly lifetimes?: boolean | undefined;
  /** The peer has taken all but the group before, in IKE_AUTH, where there is none (RFC 7296 §1.2). */
  readonly groupless?: boolean | undefined;
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
    code: codeOf(refusal, near),
    notify: 'NO_PROPOSAL_CHOSEN',
    by,
    want: offers.map((offer) => offer.text),
    ...(theirs.length > 0 ? { got: theirs.map(formatProposal), misses } : {}),
    ...textAndRemedy({ name, near, option, refusal }),
    ...(where ? { where } : {}),
    ...(peer ? { peer } : {}),
  };
}

function codeOf({ protocol, groupless = false, theirs }: NoProposal, near: readonly Miss[]): Reason['code'] {
  if (protocol === PROTOCOL.IKE) return 'no-proposal';
  const group = near.length > 0 && near.every(({ kind }) => kind === 'ke');
  return group || (groupless && !theirs) ? 'pfs-mismatch' : 'no-child-proposal';
}

function textAndRemedy({
  name,
  near,
  option,
  refusal,
}: {
  readonly name: string;
  readonly near: readonly Miss[];
  readonly option: string;
  readonly refusal: NoProposal;
}): { text: string; remedy: string } {
  const { offers, theirs = [], protocol, by, hashed = false, where } = refusal;
  const ours = offers.map((offer) => offer.text).join(', ');
  if (by === 'peer' && theirs.length === 0) return withoutDetails(name, option, ours, refusal);
  const [first] = near;
  const proposal = theirs.find((candidate) => candidate.number === first?.theirs);
  if (!first || !proposal) return otherProtocol({ name, option, ours, theirs, where });
  if (codeOf(refusal, near) === 'pfs-mismatch') {
    return {
      text: `the groups for PFS differ: we want ${group(first.want)}, the peer ${group(first.got)}`,
      remedy: remedy(near, proposal, { protocol, option, ours: offers[first.ours], hashed }),
    };
  }
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

/** The peer says no, and not to what. */
function withoutDetails(name: string, option: string, ours: string, refusal: NoProposal) {
  const { protocol, lifetimes = false, groupless = false } = refusal;
  if (groupless) {
    return {
      text: `the peer takes our ${name} proposals without a group, but no new keys with them: most likely only one side wants PFS, or the groups differ`,
      remedy: `compare the peer's PFS group with ${ours} (${option}): both sides need the same one, or none`,
    };
  }
  const last = (group: string) => (lifetimes ? `, ${group} and lifetime` : ` and ${group}`);
  const settings =
    protocol === PROTOCOL.IKE
      ? `encryption, hash${last('group')}`
      : `protocol (ESP or AH), mode, encryption, hash${last('PFS group')}`;
  const otherwise =
    protocol === PROTOCOL.IKE
      ? '; a peer that knows no connection for our address, or only one of another IKE version, may answer so, too'
      : '';
  return {
    text: `the peer accepts none of our ${name} proposals`,
    remedy: `compare ${settings} in the peer's settings with ${ours} (${option})${otherwise}`,
  };
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
  /** Of the child, or of the connection where there are several. */
  readonly config?: { readonly where: ReadonlyMap<string, Place> } | undefined;
  readonly peer?: SocketAddress | undefined;
}

/** TS_UNACCEPTABLE: `local` and `remote` are what we wanted. */
export function reasonTs({ theirs, by, config, peer, ...ours }: TsRefusal): Reason {
  const want = flows(ours);
  const side = theirs && meet(ours.local, theirs.local) ? 'remote' : 'local';
  const where = tsPlace(config, side);
  const [local, remote] = [tsWord(config, 'local'), tsWord(config, 'remote')];
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
      remedy: `make the peer's selectors the mirror image of ${options}: ${mirror(ours)}`,
    };
  }
  const got = flows(theirs);
  if (meet(ours.local, theirs.remote) && meet(ours.remote, theirs.local)) {
    return {
      ...shared,
      got,
      text: `the traffic selectors are the wrong way round: we want ${want.join(', ')}, the peer ${got.join(', ')}`,
      remedy: `exchange ${options}, or the peer's two: what is local here is remote there`,
    };
  }
  const change = (['local', 'remote'] as const)
    .filter((side) => !meet(ours[side], theirs[side]))
    .map((side) => exchange(side, theirs[side], ours[side], config));
  return {
    ...shared,
    got,
    text: `the traffic selectors do not overlap: we want ${want.join(', ')}, the peer ${got.join(', ')}`,
    remedy: change.join('; and ') || `make ${options} and the peer's selectors mirror images of each other`,
  };
}

/** What is local here is remote there. */
function exchange(
  side: 'local' | 'remote',
  theirs: readonly Selector[],
  mine: readonly Selector[],
  config: TsRefusal['config'],
): string {
  return `set \`${tsWord(config, side)}\`${at(tsPlace(config, side))} to ${shown(theirs)}, or the peer's ${side === 'local' ? 'remote' : 'local'} selector to ${shown(mine)}`;
}

function tsPlace(config: TsRefusal['config'], side: 'local' | 'remote'): Place | undefined {
  return config?.where.get(`${side}_ts`) ?? config?.where.get('');
}

/** In ipsec.conf one end has an option where the other end has its mirror image. */
function tsWord(config: TsRefusal['config'], side: 'local' | 'remote'): string {
  const own = config?.where.get(`${side}_ts`)?.option;
  const other = config?.where.get(side === 'local' ? 'remote_ts' : 'local_ts')?.option;
  return own ?? (other === undefined ? `${side}_ts` : mirrored(other));
}

function meet(some: readonly Selector[], others: readonly Selector[]): boolean {
  return narrow(some, others).length > 0;
}

/** What the peer has to have. */
function mirror({ local, remote }: Flows): string {
  return `there ${shown(remote)} is local and ${shown(local)} remote`;
}

function flows({ local, remote }: Flows): string[] {
  return [`${shown(local)} === ${shown(remote)}`];
}

function shown(selectors: readonly Selector[]): string {
  const first = selectors.slice(0, MAX_SHOWN).map(formatSelector);
  return `${first.join(' ') || 'nothing'}${selectors.length > MAX_SHOWN ? ' …' : ''}`;
}

export function at(where: Place | undefined): string {
  return where ? ` in ${where.file}:${where.line}` : '';
}

/** Where ours is written, in a sentence about the peer's. */
export function ours(place: Place | undefined): string {
  return place ? ` (ours is in ${place.file}:${place.line})` : '';
}

function group(names: readonly string[]): string {
  return names.every((name) => name === 'NONE') ? 'none' : list(names);
}

function list(words: readonly string[]): string {
  return words.length > 0 ? words.join(' or ') : 'none';
}
