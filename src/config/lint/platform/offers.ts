// Our proposals against those that the platform takes: the same comparison as with a peer's, before there is one.

import type { Child, Connection, Offer } from '../../../ike/connection.ts';
import { type Selection, selectProposal } from '../../../ike/select.ts';
import { keywordOf, sameTransform } from '../../../ike/transforms.ts';
import { formatMisses } from '../../../ike/why.ts';
import { PROTOCOL, protocolId, TRANSFORM } from '../../../ike/wire/constants.ts';
import type { Proposal, Transform } from '../../../ike/wire/payload.ts';
import { assignment, wordFor } from '../../../ike/words.ts';
import { type ProposalProtocol, parseProposals } from '../../proposal.ts';
import { type Finding, placeOf } from '../finding.ts';
import type { Platform } from './table.ts';

export function lintOffers(connection: Connection, platform: Platform): Finding[] {
  return [
    ...ofConnection(connection, platform),
    ...connection.children.flatMap((child) => ofChild(connection, child, platform)),
  ];
}

function ofConnection(connection: Connection, platform: Platform): Finding[] {
  const { name, offers } = connection;
  const place = placeOf(connection, 'proposals');
  const where = { what: `connection ${name}`, option: 'proposals', place, config: connection };
  const taken = select(offers, platform.algorithms.ike, 'ike', connection.version);
  if (!taken.ok) return [refused('ike', where, taken, platform)];
  return [...standard(offers, 'ike', where, platform), ...insecure(offers, 'ike', where, platform)];
}

function ofChild(connection: Connection, child: Child, platform: Platform): Finding[] {
  const { name, offers, protocol } = child;
  const { algorithms, title } = platform;
  const option = `${protocol}_proposals`;
  const place = placeOf(child, option);
  const where = { what: `child ${name}`, option, place, config: child };
  const theirs = algorithms[protocol];
  if (!theirs) return [];
  const taken = select(offers, theirs, protocol, connection.version);
  if (!taken.ok) return [refused(protocol, where, taken, platform)];
  const found: Finding[] = insecure(offers, protocol, where, platform);
  if (offers.every(({ transforms }) => transforms.every(({ type }) => type !== TRANSFORM.KE))) {
    const text = `child ${name} renews its keys without a key exchange of its own (no PFS), which must be off at ${title}, too`;
    const remedy = `add a group to ${wordFor(child, option)}, as -modp2048, and set the same for PFS there`;
    found.push({ place, severity: 'info', code: 'platform-pfs', text, remedy });
    return found;
  }
  return [...found, ...(protocol === 'esp' ? standard(offers, 'esp', where, platform) : [])];
}

interface Where {
  readonly what: string;
  readonly option: string;
  readonly place: Finding['place'];
  readonly config: Connection | Child;
}

type Refused = Extract<Selection, { ok: false }>;

function refused(
  protocol: ProposalProtocol,
  { what, option, place, config }: Where,
  { misses }: Refused,
  { title, algorithms }: Platform,
): Finding {
  const severity = algorithms.complete ? 'error' : 'warning';
  const text = `${title} takes none of the proposals of ${what}: ${formatMisses(misses)}`;
  const advised = `${algorithms.advised[protocol] ?? algorithms.advised.esp}`;
  const remedy = `write ${assignment(config, option, advised)}, and choose the same there`;
  return { place, severity, code: 'platform-algorithms', text, remedy };
}

/** Its settings as it has them when nobody changes them are often all that is known of it. */
function standard(
  offers: readonly Offer[],
  protocol: 'ike' | 'esp',
  where: Where,
  { title, algorithms }: Platform,
): Finding[] {
  const usual = algorithms.standard?.[protocol];
  if (usual === undefined) return [];
  const met = select(offers, [usual], protocol, 2);
  if (met.ok) return [];
  const text = `${title} has ${usual} where nobody has changed it, which ${where.what} does not offer: ${formatMisses(met.misses)}`;
  const remedy = `add ${usual} to ${wordFor(where.config, where.option)}, or choose there what is offered here`;
  return [{ place: where.place, severity: 'info', code: 'platform-standard', text, remedy }];
}

/** Where everything that could be agreed on is what the platform itself calls insecure. */
function insecure(
  offers: readonly Offer[],
  protocol: ProposalProtocol,
  { what, place }: Where,
  { title, algorithms }: Platform,
): Finding[] {
  const words = algorithms.insecure ?? [];
  const usable = proposalsOf(algorithms[protocol] ?? [], protocol, 2).flatMap(({ transforms }) => transforms);
  const types = [TRANSFORM.ENCR, TRANSFORM.INTEG, TRANSFORM.KE];
  const poor = types.flatMap((type) => {
    const ours = offers.flatMap(({ transforms }) => transforms).filter((transform) => transform.type === type);
    const common = ours.filter((transform) => usable.some((other) => sameTransform(other, transform)));
    const named = [...new Set(common.map(wordOf))];
    return named.length > 0 && named.every((word) => words.includes(word)) ? named : [];
  });
  if (poor.length === 0) return [];
  const text = `${title} calls ${poor.join(', ')} insecure, and with ${what} it could agree on nothing better`;
  const remedy = 'offer AES-GCM, SHA-2 and group 15 or higher beside them, and choose those there';
  return [{ place, severity: 'info', code: 'platform-insecure', text, remedy }];
}

function select(
  offers: readonly Offer[],
  theirs: readonly string[],
  protocol: ProposalProtocol,
  version: 0 | 1 | 2,
): Selection {
  const id = protocol === 'ike' ? PROTOCOL.IKE : protocolId(protocol);
  return selectProposal(offers, proposalsOf(theirs, protocol, version), { protocol: id });
}

/** In IKEv1 there are no combined modes for the IKE SA. */
function proposalsOf(texts: readonly string[], protocol: ProposalProtocol, version: 0 | 1 | 2): Proposal[] {
  const id = protocol === 'ike' ? PROTOCOL.IKE : protocolId(protocol);
  const some = protocol === 'ike' && version === 1 ? texts.filter((text) => !text.includes('gcm')) : texts;
  const parsed = parseProposals(some, protocol, 2);
  if (!parsed.ok) throw new Error(`a platform's proposal is wrong: ${parsed.message}`);
  return parsed.offers.map(({ transforms }, i) => ({
    number: i + 1,
    protocol: id,
    spi: new Uint8Array(protocol === 'ike' ? 0 : 4),
    transforms,
  }));
}

function wordOf(transform: Transform): string {
  return keywordOf(transform) ?? '';
}
