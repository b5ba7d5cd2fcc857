// Answering the peer's requests for children: in IKE_AUTH and in CREATE_CHILD_SA, new ones and rekeyings. RFC 7296
// §1.3.1, §1.3.3, §2.8, §2.25.1. Which child is meant is found in `choose.ts`.

import { readUint32, uint32 } from '../../bytes/bytes.ts';
import type { SocketAddress } from '../../bytes/ip.ts';
import { announce, childFailed, findChild } from '../children.ts';
import type { Millis } from '../connection.ts';
import { checkNeighbours, supplant } from '../contest.ts';
import type { Answer } from '../effects.ts';
import type { ChildState } from '../state.ts';
import { EXCHANGE, NOTIFY, notifyName, PROTOCOL, protocolId } from '../wire/constants.ts';
import type { Payload, Proposal } from '../wire/payload.ts';
import { install } from './children.ts';
import { type Chosen, choose } from './choose.ts';
import { closeDuplicate } from './create.ts';
import { badKeyExchange } from './init.ts';
import { isNamed, namedSas } from './named.ts';
import { find, need, notifies, notify, wantGroup } from './payloads.ts';
import type { Session } from './session.ts';
import type { Incoming } from './state.ts';
import { respond } from './window.ts';

/** SECURITY D: children of one IKE SA. */
const MAX_CHILDREN = 256;

type IncomingCreate = Extract<Incoming, { kind: 'create' }>;

/** The child's payloads in the answer to IKE_AUTH; a refusal leaves the IKE SA standing. */
export function answerFirstChild(session: Session, now: Millis, payloads: readonly Payload[]): Payload[] {
  const { state, world } = session;
  const choice = choose(session, payloads, true, undefined);
  if (!choice.ok) {
    childFailed(session, { child: choice.child }, { ...choice.reason, notify: notifyName(choice.kind) });
    if (choice.reason.code === 'nat-conflict') checkNeighbours(session, now);
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
  if (chosen.disagreement) session.note(chosen.disagreement);
  return [
    ...modeOf(chosen),
    { tag: 'SA', proposals: [{ ...taken(chosen), spi: uint32(spiIn) }] },
    ...selectors(chosen),
  ];
}

/** The proposal that we take, as the peer wrote it, with one transform of each type. */
function taken({ protocol, selection }: Chosen): Proposal {
  const { number, spi, chosen } = selection;
  return { number, protocol: protocolId(protocol), spi: spi.slice(), transforms: chosen };
}

function modeOf({ mode }: Pick<Chosen, 'mode'>): Payload[] {
  return mode === 'transport' ? [notify(NOTIFY.USE_TRANSPORT_MODE)] : [];
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
  const { child, protocol, mode, selection, localTs, remoteTs } = chosen;
  const spiOut = readUint32(selection.spi);
  return install(session, now, {
    name: child,
    protocol,
    mode,
    suite: selection.suite,
    spiIn,
    spiOut,
    localTs,
    remoteTs,
    ours: false,
    ...secrets,
  });
}

// --- CREATE_CHILD_SA -------------------------------------------------------------------------------------------------

export function answerCreate(session: Session, now: Millis, payloads: readonly Payload[], from: SocketAddress): void {
  const refuse = (payload: Payload) => {
    respond(session, EXCHANGE.CREATE_CHILD_SA, [payload], from);
    session.advance(now);
  };
  const rekey = notifies(payloads, NOTIFY.REKEY_SA)[0];
  const old = rekey && rekeyed(session, rekey);
  const obstacle = hindrance(session, rekey, old);
  if (obstacle) return refuse(obstacle);
  const { data: nonce } = need(payloads, 'Nonce');
  const choice = choose(session, payloads, false, old);
  if (!choice.ok) {
    const reason = { ...choice.reason, notify: notifyName(choice.kind) };
    childFailed(session, { child: choice.child }, reason, old !== undefined);
    if (choice.reason.code === 'nat-conflict') checkNeighbours(session, now);
    return refuse(notify(choice.kind));
  }
  const { chosen } = choice;
  const group = chosen.selection.suite.ke;
  const ke = find(payloads, 'KE');
  if (group !== 0 && ke?.group !== group) return refuse(wantGroup(group));
  if (chosen.disagreement) session.note(chosen.disagreement);
  const incoming: IncomingCreate = {
    kind: 'create',
    from,
    suite: chosen.selection.suite,
    proposal: taken(chosen),
    nonce: nonce.slice(),
    child: chosen.child,
    mode: chosen.mode,
    localTs: chosen.localTs,
    remoteTs: chosen.remoteTs,
    ...(old ? { rekeys: old.id } : {}),
  };
  if (group === 0 || !ke) return accept(session, now, incoming, undefined);
  const job = session.incomingJob(now, incoming);
  session.world.effect({ type: 'agree', job, group, pair: undefined, theirs: ke.data.slice() });
}

/** The peer names its inbound SA: the one that we send on (RFC 7296 §1.3.3). */
function rekeyed({ state }: Session, rekey: Payload): ChildState | undefined {
  const [name] = namedSas(rekey);
  return name && state.children.find((child) => child.stage !== 'lingering' && isNamed(child, name));
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
    protocol: incoming.proposal.protocol === PROTOCOL.AH ? 'ah' : 'esp',
    mode: incoming.mode,
    suite: incoming.suite,
    spiIn,
    spiOut: readUint32(incoming.proposal.spi),
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
    ...modeOf(incoming),
    { tag: 'SA', proposals: [{ ...incoming.proposal, spi: uint32(spiIn) }] },
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
    supplant(session, child);
  }
  session.advance(now);
}
