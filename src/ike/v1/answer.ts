// Quick modes that the peer begins: which child of ours is meant, with which of its transforms, and what it is told where
// there is none. RFC 2409 §5.5.

import { readUint32, uint32 } from '../../bytes/bytes.ts';
import { KE } from '../../crypto/ids.ts';
import type { KeyPair } from '../../crypto/types.ts';
import type { Child, Millis, Mode } from '../connection.ts';
import { checkNeighbours, natObstacle } from '../contest.ts';
import { ahObstacle, reasonMode } from '../fit.ts';
import type { Reason } from '../reason.ts';
import { type Selected, selectProposal } from '../select.ts';
import { atHost, moveTo } from '../transport.ts';
import { narrow, resolveTs } from '../ts.ts';
import { reasonNoProposal, reasonTs } from '../why.ts';
import { protocolId } from '../wire/constants.ts';
import type { Selector } from '../wire/ts.ts';
import type { Read } from './attributes.ts';
import { current, deleteChild, isCurrent, purposeOf, TAKEN } from './children.ts';
import { beforeOf, installQuick, KEEP, sendHashed } from './exchange.ts';
import { hostOf, idOfSelector, selectorOf } from './id.ts';
import { refuseFirst } from './inform.ts';
import { isShorter, lifeOfChild, responderLifetime, shorter } from './lifetime.ts';
import { originalAddresses, sameEncapsulation } from './natt.ts';
import { all, find, need } from './payloads.ts';
import { isTransport, readQuick } from './quickproposal.ts';
import type { Session } from './session.ts';
import type { Quick, Sent, Want } from './state.ts';
import { heir } from './unique.ts';
import { NOTIFY, notifyName } from './wire/constants.ts';
import type { Chain, Id, Payload } from './wire/payload.ts';

/** A quick mode of the peer that is not answered, and one whose confirmation does not come. */
const UNFINISHED: Millis = 30_000;
const MOST_UNFINISHED = 64;
/** That serve under one IKE SA; and that were replaced, and wait for their end. */
const MOST_CHILDREN = 256;
const MOST_REPLACED = 128;
/** Finished ones that still answer repetitions. */
const MOST_FINISHED = 64;

interface First {
  readonly id: number;
  readonly nonce: Uint8Array;
  readonly publicI: Uint8Array | undefined;
  readonly iv: Uint8Array;
  readonly heard: Uint8Array;
  /** The peer's words for the selectors. */
  readonly ids: readonly Id[];
}

/** What the peer asks for, as seen from here. */
interface Wish {
  readonly local: Selector;
  readonly remote: Selector;
  readonly reads: readonly Read[];
}

interface Choice {
  readonly config: Child;
  readonly mode: Mode;
  readonly localTs: Selector;
  readonly remoteTs: Selector;
  /** 2 for the very same selectors, 1 for a part of ours, 0 where they overlap. */
  readonly fit: number;
}

interface Arrival extends Pick<First, 'id' | 'iv' | 'heard'> {
  readonly chain: Chain;
}

export function answerQuick1(session: Session, now: Millis, { chain, ...arrival }: Arrival): void {
  const { state, world } = session;
  const unfinished = state.quicks.filter(({ awaits }) => awaits !== 'done').length;
  if (unfinished >= MOST_UNFINISHED) return world.count('too-many-quick-modes');
  if (state.quicks.length - unfinished > MOST_FINISHED) {
    const oldest = state.quicks.findIndex(({ awaits }) => awaits === 'done');
    state.quicks = state.quicks.toSpliced(oldest, 1);
  }
  const { proposals } = need(chain, 'SA').payload;
  const nonce = need(chain, 'NONCE').payload.data.slice();
  const ids = all(chain, 'ID').map(({ payload }) => copied(payload.id));
  const first: First = { ...arrival, nonce, publicI: find(chain, 'KE')?.payload.data.slice(), ids };
  const reads = readQuick(proposals);
  const [spi = new Uint8Array(0)] = proposals.map((proposal) => proposal.spi);
  const refusal = (kind: number, choice: Choice | undefined, reason: Reason) => {
    const sent = refuseFirst(session, now, kind, proposals[0]?.protocol ?? 0, spi);
    if (sent) keepRefusal(session, now, first, sent);
    const child = choice?.config ?? onlyChild(session);
    const renews = choice !== undefined && current(heir(session), purposeIn(choice)) !== undefined;
    session.note(
      { peer: state.remote, notify: notifyName(kind), ...reason },
      // A peer that offers several groups comes with each of them by itself: this may not be its last.
      { ...(child ? { child: child.name } : {}), ...(renews ? { renews } : {}) },
    );
  };
  const wish = wishOf(session, chain, reads);
  if (!wish) return refusal(NOTIFY.INVALID_ID_INFORMATION, undefined, unreadableIds());
  const choices = candidates(session, wish);
  const [best] = choices;
  if (!best) return refusal(NOTIFY.INVALID_ID_INFORMATION, undefined, noSelectors(session, wish));
  for (const choice of choices) {
    const chosen = select(session, choice, wish.reads);
    if (!chosen) continue;
    if (makeRoom(session, now, choice)) return accept(session, now, first, choice, chosen);
    return refusal(NOTIFY.NO_PROPOSAL_CHOSEN, choice, tooMany());
  }
  const reason = obstacle(session, best, wish);
  if (reason.code === 'nat-conflict') checkNeighbours(session, now);
  refusal(NOTIFY.NO_PROPOSAL_CHOSEN, best, reason);
}

/** Without ID payloads it is for the two gateways themselves. */
function wishOf({ state }: Session, chain: Chain, reads: readonly Read[]): Wish | undefined {
  const ids = all(chain, 'ID').map(({ payload }) => selectorOf(payload.id));
  if (ids.length === 0) return { local: hostOf(state.local.ip), remote: hostOf(state.remote.ip), reads };
  const [remote, local, more] = ids;
  return remote && local && !more && ids.length === 2 ? { local, remote, reads } : undefined;
}

function unreadableIds(): Reason {
  return {
    code: 'ts-mismatch',
    text: 'the peer asks for traffic by something that is neither an address, nor a subnet, nor a range',
    by: 'us',
    remedy: "set subnets as the peer's selectors",
  };
}

function candidates(session: Session, wish: Wish): Choice[] {
  const found = session.conn.children.flatMap((config) => choicesOf(session, config, wish));
  return found.sort((a, b) => b.fit - a.fit);
}

function choicesOf({ state }: Session, config: Child, { local, remote, reads }: Wish): Choice[] {
  const transport = config.mode === 'transport' && reads.some(({ encapsulation }) => isTransport(encapsulation));
  const mode: Mode = transport ? 'transport' : 'tunnel';
  const at = (sources: Child['localTs'], ip: string) =>
    transport ? atHost(resolveTs(sources, ip), ip) : resolveTs(sources, ip);
  // Behind a NAT the peer has other addresses than those that we see, and only those count in transport mode.
  const seen = (selector: Selector, natted: boolean, ip: string) =>
    (transport && natted && moveTo([selector], ip)?.[0]) || selector;
  const want = {
    local: seen(local, state.natLocal, state.local.ip),
    remote: seen(remote, state.natRemote, state.remote.ip),
  };
  return at(config.localTs, state.local.ip).flatMap((ours) =>
    at(config.remoteTs, state.remote.ip).flatMap((theirs) => {
      const [localTs] = narrow([ours], [want.local]);
      const [remoteTs] = narrow([theirs], [want.remote]);
      if (!localTs || !remoteTs) return [];
      const asked: Want = { child: '', localTs: want.local, remoteTs: want.remote };
      const whole = purposeOf({ child: '', localTs, remoteTs }) === purposeOf(asked);
      const exact = purposeOf({ child: '', localTs: ours, remoteTs: theirs }) === purposeOf(asked);
      return [{ config, mode, localTs, remoteTs, fit: exact ? 2 : whole ? 1 : 0 }];
    }),
  );
}

/** As long as the peer may repeat its question, it is told again. */
function keepRefusal({ state }: Session, now: Millis, { id, iv, heard }: First, sent: Sent): void {
  if (state.quicks.length >= MOST_UNFINISHED) return;
  const nobody = hostOf(state.remote.ip);
  state.quicks.push({
    id,
    ours: false,
    want: { child: '', localTs: nobody, remoteTs: nobody },
    protocol: 'esp',
    mode: 'tunnel',
    awaits: 'done',
    iv,
    heard,
    sent,
    spi: 0,
    group: KE.NONE,
    nonceI: new Uint8Array(0),
    nonceR: new Uint8Array(0),
    begunAt: now,
    endAt: now + KEEP,
  });
}

interface Taken {
  readonly read: Read;
  readonly selection: Selected;
}

function select(session: Session, choice: Choice, reads: readonly Read[]): Taken | undefined {
  const { config, mode } = choice;
  if (config.mode === 'transport' && mode === 'tunnel' && !config.tunnelFallback) return undefined;
  if (hindrance(session, choice) || (!session.udp && !session.world.rawEsp)) return undefined;
  const usable = reads.filter(({ proposal }) => proposal.spi.length === 4 && readUint32(proposal.spi) >= 256);
  const exact = usable.filter((read) => sameEncapsulation(session, mode, read.encapsulation));
  // Some say the same thing by another number: with and without UDP, by the RFC and by the drafts.
  const alike = usable.filter((read) => isTransport(read.encapsulation) === (mode === 'transport'));
  return selectFrom(config, exact) ?? selectFrom(config, alike);
}

function selectFrom({ offers, protocol }: Child, reads: readonly Read[]): Taken | undefined {
  const offered = reads.map(({ as }) => as);
  const selection = selectProposal(offers, offered, { protocol: protocolId(protocol) });
  const read = selection.ok ? reads.find(({ as }) => as.number === selection.number) : undefined;
  return selection.ok && read ? { read, selection } : undefined;
}

/** Where a child only takes the place of another one there is room for it; but not for ever more of those behind it. */
function makeRoom(session: Session, now: Millis, choice: Choice): boolean {
  const owner = heir(session);
  const serving = owner.state.children.filter(isCurrent);
  const replaced = owner.state.children.filter(({ stage }) => stage === 'rekeyed');
  const [oldest] = replaced;
  if (oldest && replaced.length >= MOST_REPLACED) deleteChild(owner, now, oldest, TAKEN);
  return serving.length < MOST_CHILDREN || current(owner, purposeIn(choice)) !== undefined;
}

function purposeIn({ config, localTs, remoteTs }: Choice): string {
  return purposeOf({ child: config.name, localTs, remoteTs });
}

/** Where there are several, nobody knows which of them was meant. */
function onlyChild({ conn }: Session): Child | undefined {
  const [only, ...more] = conn.children;
  return more.length === 0 ? only : undefined;
}

function tooMany(): Reason {
  return {
    code: 'limit',
    text: `${MOST_CHILDREN} pairs of SAs under one IKE SA are the most that there can be`,
    by: 'us',
    remedy: 'use larger subnets, or another connection for some of them',
  };
}

/** Why a child that the selectors fit cannot be had all the same. */
function hindrance(session: Session, { config, mode, localTs, remoteTs }: Choice): Reason | undefined {
  const flow = { mode, localTs: [localTs], remoteTs: [remoteTs] };
  return ahObstacle(session, config) ?? natObstacle(session, config, flow);
}

function obstacle(session: Session, choice: Choice, { local, remote, reads }: Wish): Reason {
  const { config, mode } = choice;
  const hindered = hindrance(session, choice);
  if (hindered) return hindered;
  if (config.mode === 'transport' && mode === 'tunnel' && !config.tunnelFallback) {
    const asked = reads.some(({ encapsulation }) => isTransport(encapsulation));
    const flow = asked ? { flow: { local: [local], remote: [remote] } } : {};
    return reasonMode({ config, peer: asked ? 'transport' : 'tunnel', outcome: 'refused', ...flow });
  }
  const fitting = reads.filter(({ encapsulation }) => isTransport(encapsulation) === (mode === 'transport'));
  if (fitting.length === 0 && reads.length > 0) return reasonMode({ config, peer: 'transport', outcome: 'refused' });
  const { protocol, offers, where } = config;
  const place = where.get(`${protocol}_proposals`) ?? where.get('');
  return reasonNoProposal({
    offers,
    theirs: reads.map(({ as }) => as),
    protocol: protocolId(protocol),
    by: 'us',
    ...(place ? { where: place } : {}),
  });
}

function noSelectors(session: Session, { local, remote }: Wish): Reason {
  const { conn, state } = session;
  const reason = reasonTs({
    local: conn.children.flatMap((child) => resolveTs(child.localTs, state.local.ip)),
    remote: conn.children.flatMap((child) => resolveTs(child.remoteTs, state.remote.ip)),
    theirs: { local: [local], remote: [remote] },
    by: 'us',
    config: onlyChild(session) ?? conn,
  });
  return { ...reason, notify: 'INVALID_ID_INFORMATION' };
}

function accept(session: Session, now: Millis, first: First, choice: Choice, { read, selection }: Taken): void {
  const { state, world } = session;
  const { config, mode, localTs, remoteTs } = choice;
  const { id, iv, heard, nonce, publicI } = first;
  const want: Want = { child: config.name, localTs, remoteTs };
  const ours = lifeOfChild(config.lifetime);
  const life = shorter(ours, read.life);
  const { suite } = selection;
  const quick: Quick = {
    id,
    ours: false,
    want,
    protocol: config.protocol,
    mode,
    awaits: 'shared',
    iv,
    heard,
    spi: world.takeSpi(),
    group: suite.ke,
    nonceI: nonce,
    nonceR: world.random(32),
    answer: {
      suite,
      spi: readUint32(read.proposal.spi),
      life,
      chosen: { ...read.proposal, transforms: [read.transform] },
    },
    ...(choice.fit > 0 ? { ids: first.ids } : {}),
    ...(isShorter(life, read.life) ? { shorter: life } : {}),
    begunAt: now,
    endAt: now + UNFINISHED,
    ...beforeOf(session, purposeOf(want)),
  };
  if (suite.ke === KE.NONE) {
    state.quicks.push(quick);
    return sendQuick2(session, now, quick, config, undefined, undefined);
  }
  if (!publicI) {
    world.freeSpi(quick.spi);
    const { protocol, spi } = read.proposal;
    const sent = refuseFirst(session, now, NOTIFY.INVALID_KEY_INFORMATION, protocol, spi);
    return sent && keepRefusal(session, now, first, sent);
  }
  state.quicks.push(quick);
  quick.job = session.job(now);
  const job = { session: state.id, serial: quick.job.serial };
  world.effect({ type: 'agree', job, group: suite.ke, pair: undefined, theirs: publicI });
}

function copied(id: Id): Id {
  return { ...id, data: id.data.slice() };
}

/** The peer's packets may come as soon as it has our answer: its SA is there before. */
export function sendQuick2(
  session: Session,
  now: Millis,
  quick: Quick,
  config: Child,
  pair: KeyPair | undefined,
  shared: Uint8Array | undefined,
): void {
  const { answer, want } = quick;
  if (!answer) throw new Error('nothing was chosen');
  installQuick(session, now, quick, config, shared, false);
  quick.awaits = 'quick-3';
  const spi = uint32(quick.spi);
  const payloads: Payload[] = [
    { tag: 'SA', proposals: [{ ...answer.chosen, spi }] },
    { tag: 'NONCE', data: quick.nonceR },
    ...(pair ? [{ tag: 'KE', data: pair.public } as const] : []),
    ...(quick.ids ?? [want.remoteTs, want.localTs].map(idOfSelector)).map((id): Payload => ({ tag: 'ID', id })),
    ...originalAddresses(session, quick),
    ...(quick.shorter ? [responderLifetime(answer.chosen.protocol, spi, quick.shorter)] : []),
  ];
  sendHashed(session, now, quick, [quick.nonceI], payloads, true);
}
