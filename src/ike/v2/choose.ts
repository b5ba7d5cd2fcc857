// Which child of ours a request of the peer means, narrowed to what both sides want, in which mode, with which proposal:
// RFC 7296 §1.3.1, §2.7, §2.9, §2.23.1.

import { readUint32 } from '../../bytes/bytes.ts';
import type { Child, Mode, Protocol } from '../connection.ts';
import { natObstacle } from '../contest.ts';
import { ahObstacle, type Disagreement, reasonMode } from '../fit.ts';
import type { Reason } from '../reason.ts';
import { type Selection, selectProposal, withPreferredGroup } from '../select.ts';
import type { ChildState } from '../state.ts';
import { atHost, moveTo } from '../transport.ts';
import { narrow, resolveTs } from '../ts.ts';
import { reasonNoProposal, reasonTs } from '../why.ts';
import { NOTIFY, protocolId } from '../wire/constants.ts';
import type { Payload, Proposal } from '../wire/payload.ts';
import type { Selector } from '../wire/ts.ts';
import { copy } from './ask.ts';
import { find, has, need } from './payloads.ts';
import type { Session } from './session.ts';

/** Pairs of selectors in a child, unless it is configured with more: each is a policy, and the peer may name 65 025. */
const MAX_PAIRS = 256;

export type Choice =
  | { readonly ok: true; readonly chosen: Chosen }
  | { readonly ok: false; readonly kind: number; readonly child: string; readonly reason: Reason };

export interface Chosen {
  readonly child: string;
  readonly protocol: Protocol;
  readonly mode: Mode;
  readonly selection: Extract<Selection, { ok: true }>;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
  /** The two sides want different modes. */
  readonly disagreement: Reason | undefined;
}

/** What the peer asks for, its selectors as it sees them. */
interface Wish {
  readonly tsi: readonly Selector[];
  readonly tsr: readonly Selector[];
  readonly mode: Mode;
}

interface Candidate {
  readonly config: Child;
  readonly mode: Mode;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
  readonly whole: boolean;
}

/** The child that the selectors fit best, then the proposals. A rekeying keeps to the child that it replaces. */
export function choose(
  session: Session,
  payloads: readonly Payload[],
  first: boolean,
  old: ChildState | undefined,
): Choice {
  const { proposals } = need(payloads, 'SA');
  const wish: Wish = {
    tsi: copy(need(payloads, 'TSi').selectors),
    tsr: copy(need(payloads, 'TSr').selectors),
    mode: has(payloads, NOTIFY.USE_TRANSPORT_MODE) ? 'transport' : 'tunnel',
  };
  const ke = first ? undefined : find(payloads, 'KE');
  const fitting = candidates(session, wish, old);
  const [best] = fitting;
  if (!best) return noSelectors(session, wish, old);
  for (const candidate of fitting) {
    if (obstacle(session, candidate, wish)) continue;
    const { config, mode, localTs, remoteTs } = candidate;
    const { name, protocol } = config;
    const offers = ke ? withPreferredGroup(config.offers, ke.group) : config.offers;
    const selection = selectProposal(offers, proposals, { protocol: protocolId(protocol), omitKe: first });
    if (!selection.ok || selection.spi.length !== 4 || readUint32(selection.spi) < 256) continue;
    const disagreement = old ? undefined : modeDisagreement(candidate, wish);
    return { ok: true, chosen: { child: name, protocol, mode, selection, localTs, remoteTs, disagreement } };
  }
  const reason = obstacle(session, best, wish) ?? noProposal(session, best.config, proposals);
  const kind = reason.code === 'nat-conflict' ? NOTIFY.TS_UNACCEPTABLE : NOTIFY.NO_PROPOSAL_CHOSEN;
  return { ok: false, kind, child: best.config.name, reason };
}

function noProposal(session: Session, { protocol, offers, where }: Child, theirs: readonly Proposal[]): Reason {
  const place = where.get(`${protocol}_proposals`) ?? where.get('');
  return reasonNoProposal({
    offers,
    theirs,
    protocol: protocolId(protocol),
    ...(place ? { where: place } : {}),
    by: 'us',
    peer: session.state.remote,
  });
}

/** Why a child that the selectors fit cannot be had all the same. */
function obstacle(session: Session, candidate: Candidate, wish: Wish): Reason | undefined {
  const { config, mode } = candidate;
  if (config.mode === 'transport' && mode === 'tunnel' && !config.tunnelFallback) {
    return reasonMode({ config, peer: wish.mode, outcome: 'refused', ...between(wish) });
  }
  return ahObstacle(session, config) ?? natObstacle(session, config, candidate);
}

/** RFC 7296 §1.3.1: where one side does not want transport mode, the child is in tunnel mode. */
function modeDisagreement({ config, mode }: Candidate, wish: Wish): Reason | undefined {
  if (mode === wish.mode && mode === config.mode) return undefined;
  const flow = config.mode === wish.mode ? between(wish) : {};
  return reasonMode({ config, peer: wish.mode, outcome: mode, ...flow });
}

/** Where transport mode was asked for, between whom. */
function between({ mode, tsi, tsr }: Wish): Pick<Disagreement, 'flow'> {
  return mode === 'transport' ? { flow: { local: tsr, remote: tsi } } : {};
}

function candidates(session: Session, wish: Wish, old: ChildState | undefined): Candidate[] {
  const found: Candidate[] = [];
  for (const config of session.conn.children) {
    if (old && config.name !== old.name) continue;
    const candidate =
      (wish.mode === 'transport' && inTransport(session, config, wish)) || inTunnel(session, config, wish);
    if (candidate) found.push(candidate);
  }
  const better = ({ whole, mode, config }: Candidate) =>
    Number(whole) + 2 * Number(mode === wish.mode && config.mode === wish.mode);
  return found.sort((a, b) => better(b) - better(a));
}

function inTunnel({ state }: Session, config: Child, { tsi, tsr }: Wish): Candidate | undefined {
  const ours = resolveTs(config.localTs, state.local.ip);
  const theirs = resolveTs(config.remoteTs, state.remote.ip);
  return overlap(config, 'tunnel', { ours, theirs }, { tsi, tsr });
}

/** RFC 7296 §2.23.1: behind a NAT the peer has other addresses than those that we see, and only those count here. */
function inTransport({ state }: Session, config: Child, { tsi, tsr }: Wish): Candidate | undefined {
  if (config.mode !== 'transport') return undefined;
  const { natLocal, natRemote, local, remote } = state;
  const ours = atHost(resolveTs(config.localTs, local.ip), local.ip);
  const theirs = atHost(resolveTs(config.remoteTs, remote.ip), remote.ip);
  const seen = {
    tsi: (natRemote && moveTo(tsi, remote.ip)) || tsi,
    tsr: (natLocal && moveTo(tsr, local.ip)) || tsr,
  };
  return overlap(config, 'transport', { ours, theirs }, seen);
}

function overlap(
  config: Child,
  mode: Mode,
  { ours, theirs }: { readonly ours: readonly Selector[]; readonly theirs: readonly Selector[] },
  { tsi, tsr }: Pick<Wish, 'tsi' | 'tsr'>,
): Candidate | undefined {
  const localTs = narrow(ours, tsr);
  const remoteTs = narrow(theirs, tsi);
  if (localTs.length === 0 || remoteTs.length === 0) return undefined;
  const whole = sameSet(localTs, tsr) && sameSet(remoteTs, tsi);
  return { config, mode, ...bounded(localTs, remoteTs, Math.max(MAX_PAIRS, ours.length * theirs.length)), whole };
}

/** As many of them as make no more than `most` pairs: narrowing may leave out what it likes (RFC 7296 §2.9). */
function bounded(localTs: readonly Selector[], remoteTs: readonly Selector[], most: number) {
  if (localTs.length * remoteTs.length <= most) return { localTs, remoteTs };
  const root = Math.floor(Math.sqrt(most));
  const local = localTs.slice(0, Math.max(root, Math.floor(most / remoteTs.length)));
  return { localTs: local, remoteTs: remoteTs.slice(0, Math.floor(most / local.length)) };
}

function sameSet(a: readonly Selector[], b: readonly Selector[]): boolean {
  return a.length === b.length && narrow(a, b).length === a.length && narrow(b, a).length === b.length;
}

function noSelectors(session: Session, { tsi, tsr }: Wish, old: ChildState | undefined): Choice {
  const { conn, state } = session;
  const [only, ...more] = conn.children.filter(({ name }) => name === (old?.name ?? name));
  // Where there are several, nobody knows which of them was meant.
  const config = more.length === 0 ? only : undefined;
  return {
    ok: false,
    kind: NOTIFY.TS_UNACCEPTABLE,
    child: config?.name ?? '',
    reason: reasonTs({
      local: conn.children.flatMap((child) => resolveTs(child.localTs, state.local.ip)),
      remote: conn.children.flatMap((child) => resolveTs(child.remoteTs, state.remote.ip)),
      theirs: { local: tsr, remote: tsi },
      config: config ?? conn,
      by: 'us',
      peer: state.remote,
    }),
  };
}
