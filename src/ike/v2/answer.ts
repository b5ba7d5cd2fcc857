// Answering the peer's requests for children: in IKE_AUTH and in CREATE_CHILD_SA, new ones and rekeyings. RFC 7296
// §1.3.1, §1.3.3, §2.8, §2.9, §2.25.1.

import type { SocketAddress } from '../../bytes/ip.ts';
import type { Child, Millis } from '../connection.ts';
import type { Answer } from '../effects.ts';
import type { Reason } from '../reason.ts';
import { type Selection, selectProposal, withPreferredGroup } from '../select.ts';
import { narrow, resolveTs } from '../ts.ts';
import { reasonNoProposal, reasonTs } from '../why.ts';
import { EXCHANGE, NOTIFY, notifyName, PROTOCOL } from '../wire/constants.ts';
import type { Payload, Proposal } from '../wire/payload.ts';
import type { Selector } from '../wire/ts.ts';
import { announce, findChild, install, spiBytes, spiNumber } from './children.ts';
import { childFailed, closeDuplicate, copy } from './create.ts';
import { badKeyExchange } from './init.ts';
import { find, need, notifies, notify, wantGroup } from './payloads.ts';
import type { Session } from './session.ts';
import type { ChildState, Incoming } from './state.ts';
import { respond } from './window.ts';

/** SECURITY D: children of one IKE SA. */
const MAX_CHILDREN = 256;
/** Pairs of selectors in a child, unless it is configured with more: each is a policy, and the peer may name 65 025. */
const MAX_PAIRS = 256;

type IncomingCreate = Extract<Incoming, { kind: 'create' }>;

type Choice =
  | { readonly ok: true; readonly chosen: Chosen }
  | { readonly ok: false; readonly kind: number; readonly child: string; readonly reason: Reason };

interface Chosen {
  readonly child: string;
  readonly selection: Extract<Selection, { ok: true }>;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
}

/** The child's payloads in the answer to IKE_AUTH; a refusal leaves the IKE SA standing. */
export function answerFirstChild(session: Session, now: Millis, payloads: readonly Payload[]): Payload[] {
  const { state, world } = session;
  const choice = choose(session, payloads, true, undefined);
  if (!choice.ok) {
    childFailed(session, { child: choice.child }, choice.reason);
    return [notify(choice.kind)];
  }
  const { chosen } = choice;
  if (!state.nonceI || !state.nonceR) throw new Error('the nonces of IKE_SA_INIT are gone');
  const spiIn = world.takeSpi();
  const child = installChosen(session, now, chosen, spiIn, {
    nonceI: state.nonceI,
    nonceR: state.nonceR,
    shared: undefined,
    active: true,
  });
  announce(session, child);
  return [{ tag: 'SA', proposals: [echoed(chosen.selection, spiIn)] }, ...selectors(chosen)];
}

function echoed(selection: Extract<Selection, { ok: true }>, spi: number): Proposal {
  return { number: selection.number, protocol: PROTOCOL.ESP, spi: spiBytes(spi), transforms: selection.chosen };
}

/** The roles in TSi and TSr are those of the exchange: its initiator is the peer. */
function selectors({ localTs, remoteTs }: Pick<Chosen, 'localTs' | 'remoteTs'>): Payload[] {
  return [
    { tag: 'TSi', selectors: remoteTs },
    { tag: 'TSr', selectors: localTs },
  ];
}

function installChosen(
  session: Session,
  now: Millis,
  chosen: Chosen,
  spiIn: number,
  secrets: { nonceI: Uint8Array; nonceR: Uint8Array; shared: Uint8Array | undefined; active: boolean },
): ChildState {
  const { child, selection, localTs, remoteTs } = chosen;
  const spiOut = spiNumber(selection.spi);
  return install(session, now, {
    name: child,
    suite: selection.suite,
    spiIn,
    spiOut,
    localTs,
    remoteTs,
    ours: false,
    ...secrets,
  });
}

// --- choosing --------------------------------------------------------------------------------------------------------

interface Candidate {
  readonly config: Child;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
  readonly whole: boolean;
}

/** The child that the selectors fit best, then the proposals. A rekeying keeps to the child that it replaces. */
function choose(session: Session, payloads: readonly Payload[], first: boolean, old: ChildState | undefined): Choice {
  const { proposals } = need(payloads, 'SA');
  const tsi = copy(need(payloads, 'TSi').selectors);
  const tsr = copy(need(payloads, 'TSr').selectors);
  const ke = first ? undefined : find(payloads, 'KE');
  const fitting = candidates(session, tsi, tsr, old);
  const [best] = fitting;
  if (!best) return noSelectors(session, tsi, tsr, old);
  for (const { config, localTs, remoteTs } of fitting) {
    const offers = ke ? withPreferredGroup(config.offers, ke.group) : config.offers;
    const selection = selectProposal(offers, proposals, { protocol: PROTOCOL.ESP, omitKe: first });
    if (!selection.ok || selection.spi.length !== 4 || spiNumber(selection.spi) < 256) continue;
    return { ok: true, chosen: { child: config.name, selection, localTs, remoteTs } };
  }
  const where = best.config.where.get('esp_proposals') ?? best.config.where.get('');
  return {
    ok: false,
    kind: NOTIFY.NO_PROPOSAL_CHOSEN,
    child: best.config.name,
    reason: reasonNoProposal({
      offers: best.config.offers,
      theirs: proposals,
      protocol: PROTOCOL.ESP,
      ...(where ? { where } : {}),
      by: 'us',
    }),
  };
}

function candidates(
  session: Session,
  tsi: readonly Selector[],
  tsr: readonly Selector[],
  old: ChildState | undefined,
): Candidate[] {
  const { conn, state } = session;
  const found: Candidate[] = [];
  for (const config of conn.children) {
    if (old && config.name !== old.name) continue;
    const ours = resolveTs(config.localTs, state.local.ip);
    const theirs = resolveTs(config.remoteTs, state.remote.ip);
    const localTs = narrow(ours, tsr);
    const remoteTs = narrow(theirs, tsi);
    if (localTs.length === 0 || remoteTs.length === 0) continue;
    const whole = sameSet(localTs, tsr) && sameSet(remoteTs, tsi);
    found.push({ config, ...bounded(localTs, remoteTs, Math.max(MAX_PAIRS, ours.length * theirs.length)), whole });
  }
  return [...found.filter(({ whole }) => whole), ...found.filter(({ whole }) => !whole)];
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

function noSelectors(
  session: Session,
  tsi: readonly Selector[],
  tsr: readonly Selector[],
  old: ChildState | undefined,
): Choice {
  const { conn, state } = session;
  const config = conn.children.find((child) => child.name === (old?.name ?? child.name));
  const where = config?.where.get('local_ts') ?? conn.where.get('');
  return {
    ok: false,
    kind: NOTIFY.TS_UNACCEPTABLE,
    child: config?.name ?? '',
    reason: reasonTs({
      local: conn.children.flatMap((child) => resolveTs(child.localTs, state.local.ip)),
      remote: conn.children.flatMap((child) => resolveTs(child.remoteTs, state.remote.ip)),
      theirs: { local: tsr, remote: tsi },
      ...(where ? { where } : {}),
      by: 'us',
    }),
  };
}

// --- CREATE_CHILD_SA -------------------------------------------------------------------------------------------------

export function answerCreate(session: Session, now: Millis, payloads: readonly Payload[], from: SocketAddress): void {
  const refuse = (payload: Payload) => {
    respond(session, EXCHANGE.CREATE_CHILD_SA, [payload], from);
    session.advance(now);
  };
  const rekey = notifies(payloads, NOTIFY.REKEY_SA)[0];
  const old = rekey && session.state.children.find((child) => isNamed(child, rekey));
  const obstacle = hindrance(session, rekey, old);
  if (obstacle) return refuse(obstacle);
  const { data: nonce } = need(payloads, 'Nonce');
  const choice = choose(session, payloads, false, old);
  if (!choice.ok) {
    childFailed(session, { child: choice.child }, { ...choice.reason, notify: notifyName(choice.kind) });
    return refuse(notify(choice.kind));
  }
  const { chosen } = choice;
  const group = chosen.selection.suite.ke;
  const ke = find(payloads, 'KE');
  if (group !== 0 && ke?.group !== group) return refuse(wantGroup(group));
  const incoming: IncomingCreate = {
    kind: 'create',
    from,
    suite: chosen.selection.suite,
    proposal: { ...echoed(chosen.selection, 0), spi: chosen.selection.spi.slice() },
    nonce: nonce.slice(),
    child: chosen.child,
    localTs: chosen.localTs,
    remoteTs: chosen.remoteTs,
    ...(old ? { rekeys: old.id } : {}),
  };
  if (group === 0 || !ke) return accept(session, now, incoming, undefined);
  const job = session.incomingJob(now, incoming);
  session.world.effect({ type: 'agree', job, group, pair: undefined, theirs: ke.data.slice() });
}

/** The peer names its inbound SA: the one that we send on (RFC 7296 §1.3.3). */
function isNamed(child: ChildState, rekey: Extract<Payload, { tag: 'N' }>): boolean {
  const named = rekey.protocol === PROTOCOL.ESP && rekey.spi.length === 4;
  return named && child.stage !== 'lingering' && child.spiOut === spiNumber(rekey.spi);
}

function hindrance(
  session: Session,
  rekey: Extract<Payload, { tag: 'N' }> | undefined,
  old: ChildState | undefined,
): Payload | undefined {
  const { state } = session;
  // RFC 7296 §2.25.2: while the IKE SA is replaced or closed, its children stay as they are.
  if (state.phase !== 'established' || state.task?.kind === 'rekey-ike') return notify(NOTIFY.TEMPORARY_FAILURE);
  if (rekey && !old) {
    return { tag: 'N', protocol: rekey.protocol, spi: rekey.spi.slice(), kind: NOTIFY.CHILD_SA_NOT_FOUND, data: none };
  }
  // A child that is being closed, or that has been replaced already.
  if (old && (old.stage === 'deleting' || old.stage === 'rekeyed' || old.successor !== undefined)) {
    return notify(NOTIFY.TEMPORARY_FAILURE);
  }
  // Rekeyed children stay until the peer deletes them: it may not go on from one to the next without doing so.
  const most = rekey || old ? 2 * MAX_CHILDREN : MAX_CHILDREN;
  if (state.children.length >= most) return notify(NOTIFY.NO_ADDITIONAL_SAS);
  return undefined;
}

const none = new Uint8Array(0);

export function incomingCreateAgreed(
  session: Session,
  now: Millis,
  incoming: IncomingCreate,
  { pair, shared }: Extract<Answer, { type: 'agreed' }>,
): void {
  // What held when the request came may not hold any more.
  const old = incoming.rekeys === undefined ? undefined : findChild(session, incoming.rekeys);
  const gone = incoming.rekeys !== undefined && !old;
  const obstacle = gone ? notify(NOTIFY.TEMPORARY_FAILURE) : hindrance(session, undefined, old);
  if (!shared) return refuseKeyExchange(session, now, incoming.from);
  if (!obstacle) return accept(session, now, incoming, { pair: pair.public, shared });
  respond(session, EXCHANGE.CREATE_CHILD_SA, [obstacle], incoming.from);
  session.advance(now);
}

/** RFC 6989 §2.5 has it INVALID_SYNTAX, which ends the IKE SA on both sides (RFC 7296 §2.21.3). */
export function refuseKeyExchange(session: Session, now: Millis, from: SocketAddress): void {
  session.world.count('bad-key-exchange');
  respond(session, EXCHANGE.CREATE_CHILD_SA, [notify(NOTIFY.INVALID_SYNTAX)], from);
  session.over(now, { ...badKeyExchange('us'), notify: 'INVALID_SYNTAX' });
}

function accept(
  session: Session,
  now: Millis,
  incoming: IncomingCreate,
  secret: { pair: Uint8Array; shared: Uint8Array } | undefined,
): void {
  const { state, world } = session;
  const old = incoming.rekeys === undefined ? undefined : findChild(session, incoming.rekeys);
  const nonceR = world.random(32);
  const spiIn = world.takeSpi();
  const child = install(session, now, {
    name: incoming.child,
    suite: incoming.suite,
    spiIn,
    spiOut: spiNumber(incoming.proposal.spi),
    localTs: incoming.localTs,
    remoteTs: incoming.remoteTs,
    nonceI: incoming.nonce,
    nonceR,
    shared: secret?.shared,
    ours: false,
    active: !old,
    old,
  });
  const reply: Payload[] = [
    { tag: 'SA', proposals: [{ ...incoming.proposal, spi: spiBytes(spiIn) }] },
    { tag: 'Nonce', data: nonceR },
    ...(secret ? [{ tag: 'KE', group: incoming.suite.ke, data: secret.pair } as const] : []),
    ...selectors(incoming),
  ];
  respond(session, EXCHANGE.CREATE_CHILD_SA, reply, incoming.from);
  if (old) {
    const { task } = state;
    const ours = task?.kind === 'create' && task.rekeys === old.id ? task : undefined;
    // Ours is under way too: the nonces decide when its answer comes.
    if (ours?.asked) {
      ours.rival = child.id;
    } else {
      old.stage = 'rekeyed';
      old.successor = child.id;
      delete old.rekeyAt;
    }
  } else {
    announce(session, child);
    closeDuplicate(session, now, child);
  }
  session.advance(now);
}
