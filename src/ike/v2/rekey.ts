// Rekeying the IKE SA, both sides and at once: RFC 7296 §1.3.2, §2.8, §2.18, §2.25.2.

import { compare } from '../../bytes/bytes.ts';
import type { SocketAddress } from '../../bytes/ip.ts';
import type { KeyPair } from '../../crypto/types.ts';
import { lowest } from '../children.ts';
import type { Millis, Offer } from '../connection.ts';
import type { Answer } from '../effects.ts';
import type { Reason } from '../reason.ts';
import {
  checkAnswer,
  groupsOf,
  offerProposals,
  type Selection,
  type Suite,
  selectProposal,
  withPreferredGroup,
} from '../select.ts';
import { reasonNoProposal } from '../why.ts';
import { EXCHANGE, NOTIFY, notifyName, PROTOCOL, TRANSFORM } from '../wire/constants.ts';
import type { Payload, Proposal, Transform } from '../wire/payload.ts';
import { refuseKeyExchange } from './answer.ts';
import { badKeyExchange } from './init.ts';
import { rekeyedKeys } from './keymat.ts';
import { startLife } from './life.ts';
import { errorNotify, find, need, notifies, notify, wantedGroup, wantGroup } from './payloads.ts';
import type { Session } from './session.ts';
import type { Incoming, SessionState, Task } from './state.ts';
import { replace } from './unique.ts';
import { request, respond } from './window.ts';

type RekeyTask = Extract<Task, { kind: 'rekey-ike' }>;
type IncomingRekey = Extract<Incoming, { kind: 'rekey-ike' }>;

const MAX_RESTARTS = 3;
/** A redundant session that its maker does not delete is deleted by us after this time. */
const REDUNDANT_TIME: Millis = 30_000;

// --- initiator -------------------------------------------------------------------------------------------------------

export function beginRekey(session: Session, now: Millis, task: RekeyTask): void {
  if (session.state.phase !== 'established') return session.finish(now);
  session.world.effect({ type: 'generate', job: session.taskJob(now), group: task.group });
}

export function sendRekey(session: Session, now: Millis, task: RekeyTask, pair: KeyPair): void {
  if (session.state.phase !== 'established') return session.finish(now);
  task.pair = pair;
  task.proposals = offerProposals(rekeyOffers(session), PROTOCOL.IKE, task.spi);
  request(session, now, EXCHANGE.CREATE_CHILD_SA, [
    { tag: 'SA', proposals: task.proposals },
    { tag: 'Nonce', data: task.nonce },
    { tag: 'KE', group: task.group, data: pair.public },
  ]);
}

export function processRekey(session: Session, now: Millis, task: RekeyTask, payloads: readonly Payload[]): void {
  const error = errorNotify(payloads);
  if (error) return refused(session, now, task, error.kind, payloads);
  const sa = find(payloads, 'SA');
  const nonce = find(payloads, 'Nonce');
  const ke = find(payloads, 'KE');
  const selection = checkAnswer(task.proposals ?? [], sa?.proposals ?? []);
  const spi = selection.ok ? selection.spi : undefined;
  const complete = selection.ok && nonce && ke && ke.group === task.group && selection.suite.ke === task.group;
  if (!complete || spi?.length !== 8 || !task.pair) {
    return strayed(session, now, {
      code: 'peer-error',
      text: 'the answer to our rekeying makes no sense',
      by: 'peer',
    });
  }
  task.answer = { suite: selection.suite, nonce: nonce.data.slice(), spi: spi.slice() };
  const theirs = ke.data.slice();
  const job = session.taskJob(now);
  session.world.effect({ type: 'agree', job, group: task.group, pair: task.pair, theirs });
}

export function rekeyAgreed(session: Session, now: Millis, task: RekeyTask, shared: Uint8Array | undefined): void {
  const { answer } = task;
  if (!answer) throw new Error('rekeyed without an answer');
  if (!shared) return strayed(session, now, badKeyExchange('peer'));
  const made = successor(session, now, {
    original: true,
    suite: answer.suite,
    spiI: task.spi,
    spiR: answer.spi,
    nonceI: task.nonce,
    nonceR: answer.nonce,
    shared,
  });
  delete session.state.task;
  const taken = session.state.phase === 'rekeyed' ? session.state.successor : undefined;
  if (taken !== undefined) return redundant(made, now, taken);
  const rival = livingRival(session, task);
  if (rival && compare(lowest(task.nonce, answer.nonce), rival.lowestNonce) < 0) {
    // The peer's SA stays; ours is closed by us, the old one by the peer (RFC 7296 §2.8.1, §2.8.2).
    session.succeeded(now, rival.session);
    return redundant(made, now, rival.session.state.id);
  }
  if (rival) {
    rival.session.state.successor = made.state.id;
    rival.session.state.endAt = now + REDUNDANT_TIME;
    delete rival.session.state.rekeyAt;
    delete rival.session.state.reauthAt;
  }
  session.succeeded(now, made);
  session.close(now, { code: 'replaced', text: 'rekeyed' });
}

function redundant(made: Session, now: Millis, stays: number): void {
  made.state.successor = stays;
  made.close(now, { code: 'replaced', text: 'both sides rekeyed; the peer’s SA stays' });
}

/** The IKE SA of the peer's own rekeying, unless the peer has closed it already. */
function livingRival({ world }: Session, task: RekeyTask) {
  const session = task.rival && world.session(task.rival.session);
  if (!task.rival || !session || session.state.phase !== 'established') return undefined;
  return { session, lowestNonce: task.rival.lowestNonce };
}

function refused(session: Session, now: Millis, task: RekeyTask, kind: number, payloads: readonly Payload[]): void {
  const { conn, state } = session;
  if (kind === NOTIFY.INVALID_KE_PAYLOAD) {
    const payload = notifies(payloads, kind)[0];
    const group = payload && wantedGroup(payload);
    const offered = group !== undefined && group !== task.group && groupsOf(rekeyOffers(session)).includes(group);
    if (offered && ++task.restarts <= MAX_RESTARTS) {
      task.group = group;
      return beginRekey(session, now, task);
    }
  }
  // Ours was refused because the peer's own rekeying is through: its SA takes over.
  if (task.rival) {
    adoptRival(session, now);
    return session.finish(now);
  }
  if (kind === NOTIFY.TEMPORARY_FAILURE && state.phase === 'established') {
    delete state.task;
    session.postpone(now, rekeyTask(session));
    return session.advance(now);
  }
  const where = conn.where.get('proposals') ?? conn.where.get('');
  const reason: Reason =
    kind === NOTIFY.NO_PROPOSAL_CHOSEN
      ? reasonNoProposal({
          offers: conn.offers,
          theirs: undefined,
          protocol: PROTOCOL.IKE,
          ...(where ? { where } : {}),
          by: 'peer',
        })
      : {
          code: 'peer-error',
          text: `the peer refused to rekey with ${notifyName(kind)}`,
          notify: notifyName(kind),
          by: 'peer',
        };
  // A peer that never rekeys, or has no room: a new IKE SA before this one runs out.
  if (kind === NOTIFY.NO_ADDITIONAL_SAS) replace(session, now);
  unusable(session, now, reason);
}

/** A rekeying to be queued: with the group that the peer has taken before, where it is still offered. */
export function rekeyTask(session: Session): RekeyTask {
  const { world, state } = session;
  const groups = groupsOf(rekeyOffers(session));
  const before = state.suite?.ke ?? 0;
  const group = groups.includes(before) ? before : (groups[0] ?? 0);
  return { kind: 'rekey-ike', spi: world.takeIkeSpi(), nonce: world.random(32), group, restarts: 0 };
}

/**
 * Our offers with the PRF of the SA that is to be replaced, where there are such. RFC 7296 §2.18 takes the new PRF for
 * the keys of the new SA; strongSwan takes the old one (seen with 5.9.8). As long as it stays the same, both agree.
 */
function rekeyOffers({ conn, state }: Session): readonly Offer[] {
  const isOther = ({ type, id }: Transform) => type === TRANSFORM.PRF && id !== state.suite?.prf;
  const kept = conn.offers
    .map((offer) => ({ ...offer, transforms: offer.transforms.filter((transform) => !isOther(transform)) }))
    .filter(({ transforms }) => transforms.some(({ type }) => type === TRANSFORM.PRF));
  return kept.length > 0 ? kept : conn.offers;
}

/** Rekeying failed and the SA lives on: tell it, and try again later. */
function unusable(session: Session, now: Millis, reason: Reason): void {
  const { state } = session;
  const { task } = state;
  session.event({ kind: 'note', session: state.id, conn: state.conn, reason });
  delete state.task;
  if (task?.kind === 'rekey-ike' && state.phase === 'established') session.postpone(now, rekeyTask(session));
  session.advance(now);
}

/**
 * The peer has answered, and by that replaced the SA on its side, but we cannot follow. What stands will be deleted by
 * the peer before long: a new IKE SA must be there by then.
 */
function strayed(session: Session, now: Millis, reason: Reason): void {
  const { state } = session;
  session.event({ kind: 'note', session: state.id, conn: state.conn, reason });
  delete state.task;
  replace(session, now);
  session.advance(now);
}

/** A key exchange of ours was never computed. */
export function rekeyLost(session: Session, now: Millis, task: RekeyTask, reason: Reason): void {
  if (task.answer) strayed(session, now, reason);
  else unusable(session, now, reason);
}

/** The peer rekeyed too, and its SA is the one that stays. */
export function adoptRival(session: Session, now: Millis): void {
  const { task, phase } = session.state;
  const rival = task?.kind === 'rekey-ike' && phase === 'established' ? livingRival(session, task) : undefined;
  if (rival) session.succeeded(now, rival.session);
}

/**
 * Of two SAs that simultaneous rekeying made, the peer closes the one and works on with the other. It may know the
 * outcome before us: then its first request on its own SA says so, and the children are needed there to answer.
 */
export function chosenByPeer({ state, world }: Session, now: Millis, payloads: readonly Payload[]): void {
  const old = state.successor === undefined ? undefined : world.session(state.successor);
  const task = old?.state.task;
  const undecided = task?.kind === 'rekey-ike' && task.rival?.session === state.id;
  const closes = payloads.some((payload) => payload.tag === 'D' && payload.protocol === PROTOCOL.IKE);
  if (old && undecided && !closes) adoptRival(old, now);
}

// --- responder -------------------------------------------------------------------------------------------------------

export function answerRekey(session: Session, now: Millis, payloads: readonly Payload[], from: SocketAddress): void {
  const { state } = session;
  const refuse = (payload: Payload) => {
    respond(session, EXCHANGE.CREATE_CHILD_SA, [payload], from);
    session.advance(now);
  };
  // RFC 7296 §2.25.2: not while the SA is closed or replaced, nor while a child is created, rekeyed or closed.
  const busy = state.task?.kind === 'create' || state.task?.kind === 'delete-child';
  const again = state.task?.kind === 'rekey-ike' && state.task.rival;
  if (state.phase !== 'established' || busy || again) return refuse(notify(NOTIFY.TEMPORARY_FAILURE));
  const sa = need(payloads, 'SA');
  const nonce = need(payloads, 'Nonce');
  const ke = need(payloads, 'KE');
  const selection = choose(session, sa.proposals, ke.group);
  if (!selection.ok || selection.spi.length !== 8 || selection.spi.every((byte) => byte === 0)) {
    return refuse(notify(NOTIFY.NO_PROPOSAL_CHOSEN));
  }
  if (ke.group !== selection.suite.ke) return refuse(wantGroup(selection.suite.ke));
  const job = session.incomingJob(now, {
    kind: 'rekey-ike',
    from,
    suite: selection.suite,
    proposal: {
      number: selection.number,
      protocol: PROTOCOL.IKE,
      spi: selection.spi.slice(),
      transforms: selection.chosen,
    },
    nonce: nonce.data.slice(),
  });
  session.world.effect({ type: 'agree', job, group: ke.group, pair: undefined, theirs: ke.data.slice() });
}

export function incomingRekeyAgreed(
  session: Session,
  now: Millis,
  incoming: IncomingRekey,
  { pair, shared }: Extract<Answer, { type: 'agreed' }>,
): void {
  const { state, world } = session;
  // While this was computed our own rekeying came through.
  if (state.phase !== 'established') {
    respond(session, EXCHANGE.CREATE_CHILD_SA, [notify(NOTIFY.TEMPORARY_FAILURE)], incoming.from);
    return session.advance(now);
  }
  if (!shared) return refuseKeyExchange(session, now, incoming.from);
  const nonceR = world.random(32);
  const spiR = world.takeIkeSpi();
  const made = successor(session, now, {
    original: false,
    suite: incoming.suite,
    spiI: incoming.proposal.spi,
    spiR,
    nonceI: incoming.nonce,
    nonceR,
    shared,
  });
  respond(
    session,
    EXCHANGE.CREATE_CHILD_SA,
    [
      { tag: 'SA', proposals: [{ ...incoming.proposal, spi: spiR }] },
      { tag: 'Nonce', data: nonceR },
      { tag: 'KE', group: incoming.suite.ke, data: pair.public },
    ],
    incoming.from,
  );
  const { task } = state;
  if (task?.kind === 'rekey-ike') {
    // Ours is under way: whose SA stays is known when its answer comes.
    task.rival = { session: made.state.id, lowestNonce: lowest(incoming.nonce, nonceR) };
    made.state.successor = state.id;
    return session.advance(now);
  }
  session.succeeded(now, made);
}

function choose(session: Session, proposals: readonly Proposal[], group: number): Selection {
  const among = (offers: readonly Offer[]) =>
    selectProposal(withPreferredGroup(offers, group), proposals, { protocol: PROTOCOL.IKE });
  const kept = among(rekeyOffers(session));
  return kept.ok ? kept : among(session.conn.offers);
}

// --- both --------------------------------------------------------------------------------------------------------------

interface Made {
  readonly original: boolean;
  readonly suite: Suite;
  readonly spiI: Uint8Array;
  readonly spiR: Uint8Array;
  readonly nonceI: Uint8Array;
  readonly nonceR: Uint8Array;
  readonly shared: Uint8Array;
}

/** A new IKE SA with what the old one knows of the peer; children and tasks come later. */
function successor(session: Session, now: Millis, made: Made): Session {
  const { state: old, world } = session;
  const { suite, keys } = old;
  if (!suite || !keys || !old.localId || !old.remoteId) throw new Error('rekeying an SA that is not established');
  const { original, lowestNonce } = old;
  const first = old.first ?? (lowestNonce && { original, lowestNonce });
  const state: SessionState = {
    version: 2,
    id: world.sessionId(),
    conn: old.conn,
    original: made.original,
    spiI: made.spiI,
    spiR: made.spiR,
    local: old.local,
    remote: old.remote,
    phase: 'established',
    startedAt: now,
    localId: old.localId,
    remoteId: old.remoteId,
    suite: made.suite,
    keys: rekeyedKeys({ suite, keys }, made.suite, made, made.spiI, made.spiR),
    lowestNonce: lowest(made.nonceI, made.nonceR),
    ...(first ? { first } : {}),
    natLocal: old.natLocal,
    natRemote: old.natRemote,
    udpForced: old.udpForced,
    peerFragments: old.peerFragments,
    peerChildless: old.peerChildless,
    peerHashes: old.peerHashes,
    ivCounter: 0,
    nextOut: 0,
    nextIn: 0,
    queue: [],
    delayed: [],
    children: [],
    lastIn: now,
    lastOut: now,
    failures: 0,
  };
  const next = world.add(state);
  next.lastConn = session.conn;
  startLife(next, now);
  return next;
}
