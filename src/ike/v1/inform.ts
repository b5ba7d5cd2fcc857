// Informational exchanges: notifications, Delete, and dead-peer detection (RFC 2409 §5.7, RFC 3706). Nobody confirms
// them, and after phase 1 only those count that carry the right hash.

import { readUint32, same, uint32 } from '../../bytes/bytes.ts';
import type { SocketAddress } from '../../bytes/ip.ts';
import { equalSecret } from '../../crypto/compare.ts';
import type { Millis } from '../connection.ts';
import { closedByPeer } from '../farewell.ts';
import { retransmitWait } from '../retransmit.ts';
import type { ChildState } from '../state.ts';
import { protocolId } from '../wire/constants.ts';
import { dismissed } from './children.ts';
import { quickRefused } from './failure.ts';
import { exchangeIv, messageHash } from './keymat.ts';
import { heard } from './move.ts';
import { all, errorNotify, hashed, notifies, notify, readable, readNumber } from './payloads.ts';
import { keysOf, noProposal, phase1Of, secretFor, suiteOf } from './phase1.ts';
import { open } from './protect.ts';
import { cookies, freshId, sealed, send, spendId, tellSilence, transmit } from './send.ts';
import type { Session } from './session.ts';
import type { Quick, Sent } from './state.ts';
import { inherited, restore } from './unique.ts';
import { refusedInClear, refusedKnown, unread, unwelcome } from './why.ts';
import { EXCHANGE, isErrorNotify, NOTIFY, notifyName, PROTOCOL } from './wire/constants.ts';
import { encodeChain, encodeMessage, type Message } from './wire/message.ts';
import type { Chain, Payload } from './wire/payload.ts';

/** SPIs in one Delete: old devices have small buffers. */
const MOST_SPIS = 16;
/** Signs that the peer cannot read message 5, before it is given up. */
const ENOUGH_DOUBTS = 2;

// --- what goes out -------------------------------------------------------------------------------------------------------

function inform(session: Session, now: Millis, payloads: readonly Payload[]): Sent | undefined {
  const { state } = session;
  if (!state.keys || !state.iv) return undefined;
  const messageId = freshId(session);
  const suite = suiteOf(session);
  const id = uint32(messageId);
  const data = messageHash(suite, keysOf(session), id, encodeChain(payloads).bytes);
  const header = { exchange: EXCHANGE.INFORMATIONAL, messageId };
  const { bytes } = sealed(session, header, exchangeIv(suite, state.iv, id), [{ tag: 'HASH', data }, ...payloads]);
  return send(session, now, bytes, false);
}

/** A refusal of phase 1, under keys that the peer has. */
export function tellError(session: Session, now: Millis, kind: number): void {
  inform(session, now, [notify(kind, PROTOCOL.ISAKMP, cookies(session))]);
}

/** The same where there are none, or none in common. */
export function sayClear(session: Session, now: Millis, kind: number): void {
  const { spiI, spiR } = session.state;
  const header = { spiI, spiR, exchange: EXCHANGE.INFORMATIONAL, messageId: freshId(session) };
  const payload = notify(kind, PROTOCOL.ISAKMP, cookies(session));
  send(session, now, encodeMessage(header, [payload]), false);
}

/** A refusal of a quick mode, which it names by the SPI in its proposal. */
export function refuse(session: Session, now: Millis, kind: number, quick: Quick): void {
  inform(session, now, [notify(kind, protocolId(quick.protocol), uint32(quick.answer?.spi ?? quick.spi))]);
}

export function refuseFirst(
  session: Session,
  now: Millis,
  kind: number,
  protocol: number,
  spi: Uint8Array,
): Sent | undefined {
  return inform(session, now, [notify(kind, protocol, spi)]);
}

/** By the SPIs that we receive with. */
export function sendDeletes(session: Session, now: Millis, children: readonly ChildState[]): void {
  for (const name of ['esp', 'ah'] as const) {
    const spis = children.filter(({ protocol }) => protocol === name).map(({ spiIn }) => uint32(spiIn));
    for (let i = 0; i < spis.length; i += MOST_SPIS) {
      inform(session, now, [{ tag: 'D', protocol: protocolId(name), spis: spis.slice(i, i + MOST_SPIS) }]);
    }
  }
}

/** Everything in this SA, and the SA itself. */
export function deleteAll(session: Session, now: Millis): void {
  sendDeletes(session, now, session.state.children);
  inform(session, now, [{ tag: 'D', protocol: PROTOCOL.ISAKMP, spis: [cookies(session)] }]);
}

// --- dead-peer detection -------------------------------------------------------------------------------------------------

/** Begins one, or asks again. */
export function probe(session: Session, now: Millis): void {
  const { state, conn, world } = session;
  const { since = now, transmissions = 0, told } = state.probe ?? {};
  if (transmissions === 0) state.dpdOut = state.dpdOut === 0 ? firstNumber(session) : (state.dpdOut + 1) >>> 0;
  const wait = retransmitWait(conn.retransmit, transmissions + 1, world.random);
  state.probe = { since, transmissions: transmissions + 1, nextAt: now + wait, ...(told ? { told } : {}) };
  if (transmissions > 0) world.tally.repeat(state.conn);
  if (transmissions > 0) tellSilence(session, state.probe);
  if (state.sent) transmit(session, state.sent.datagrams, state.local, state.remote);
  inform(session, now, [notify(NOTIFY.R_U_THERE, PROTOCOL.ISAKMP, cookies(session), uint32(state.dpdOut))]);
}

/** RFC 3706 §7: random, and its top bit clear. */
function firstNumber({ world }: Session): number {
  return readUint32(world.random(4)) & 0x7fffffff || 1;
}

// --- what comes in -------------------------------------------------------------------------------------------------------

export function receiveInform(session: Session, now: Millis, message: Message, from: SocketAddress): void {
  const { state, world } = session;
  if (message.chain) return unprotected(session, now, message.chain, from);
  const { messageId, nextPayload } = message.header;
  if (messageId === 0 || state.usedIds.has(messageId)) return world.count('message-id');
  if (!state.keys || !state.iv) return world.count('not-ready');
  const suite = suiteOf(session);
  const id = uint32(messageId);
  const opened = open(suite, keysOf(session).cipherKey, exchangeIv(suite, state.iv, id), message.body);
  const chain = opened && readable(nextPayload, opened.plain);
  const [said] = chain ? all(chain, 'HASH') : [];
  const want = chain && messageHash(suite, keysOf(session), id, hashed(chain));
  if (!chain || !said || !want || !equalSecret(said.payload.data, want)) {
    world.count('bad-hash');
    return doubt(session, now, from, undefined);
  }
  if (!spendId(session, messageId)) return;
  if (state.phase === 'established' || state.phase === 'rekeyed') heard(session, now, from);
  else if (state.awaits !== 'main-6') return world.count('not-ready');
  // One question is answered once, however often the message repeats it.
  const [there] = notifies(chain, NOTIFY.R_U_THERE);
  for (const payload of chain.payloads) {
    if (session.state.phase === 'closed') return;
    if (payload.tag === 'N' && payload.kind === NOTIFY.R_U_THERE && payload !== there) continue;
    if (payload.tag === 'N') notified(session, now, payload);
    else if (payload.tag === 'D') deleted(session, now, payload);
  }
  session.advance(now);
}

/** Before there are keys, a refusal is all that can be said. Afterwards anybody could have said it (CVE-2019-10155). */
function unprotected(session: Session, now: Millis, chain: Chain, from: SocketAddress): void {
  const { state, conn, world } = session;
  const error = errorNotify(chain);
  const waiting = ['main-2', 'main-4', 'aggressive-2'].includes(state.awaits);
  const answered = ['main-3', 'main-5', 'aggressive-3'].includes(state.awaits);
  if (error && from.ip === state.remote.ip && state.awaits === 'main-6') {
    return doubt(session, now, from, notifyName(error.kind));
  }
  if (error && answered && from.ip === state.remote.ip && !state.reason) {
    // The peer began and will not go on, if it is the peer: should it go on all the same, this is forgotten.
    world.count('unprotected');
    state.reason = refusedInClear(session, error.kind);
    return session.note(state.reason);
  }
  if (!error || !waiting || !state.original || from.ip !== state.remote.ip) return world.count('unprotected');
  if (error.kind !== NOTIFY.NO_PROPOSAL_CHOSEN) return session.over(now, refusedInClear(session, error.kind));
  session.over(now, { ...noProposal(conn, undefined, 'peer'), peer: state.remote });
}

/** Instead of message 6 something came that proves nothing: the peer could not read message 5, it seems. */
function doubt(session: Session, now: Millis, from: SocketAddress, said: string | undefined): void {
  const { state, conn } = session;
  if (state.awaits !== 'main-6' || from.ip !== state.remote.ip) return;
  const phase1 = phase1Of(session);
  if (++phase1.doubts >= ENOUGH_DOUBTS || said) session.over(now, unread(session, secretFor(session, conn), said));
}

type Notify = Extract<Payload, { tag: 'N' }>;
type Delete = Extract<Payload, { tag: 'D' }>;

function notified(session: Session, now: Millis, { kind, protocol, spi, data }: Notify): void {
  const { state, world } = session;
  switch (kind) {
    case NOTIFY.R_U_THERE:
      return thereYouAre(session, now, spi, data);
    case NOTIFY.R_U_THERE_ACK:
      // That it came at all was sign enough.
      if (readNumber(data) !== state.dpdOut) world.count('dpd-number');
      return;
    case NOTIFY.INITIAL_CONTACT:
    case NOTIFY.CONNECTED:
    case NOTIFY.RESPONDER_LIFETIME:
    case NOTIFY.REPLAY_STATUS:
      return world.count('late-notify');
  }
  if (!isErrorNotify(kind)) return world.count('unknown-notify');
  const name = notifyName(kind);
  if (state.awaits === 'main-6') return session.over(now, refusedKnown(session, name));
  const quick = protocol === PROTOCOL.ISAKMP ? undefined : spi.length === 4 ? readUint32(spi) : undefined;
  quickRefused(session, now, kind, name, quick);
}

/** RFC 3706 §5.4, §7: a number that was used before is an old message. */
function thereYouAre(session: Session, now: Millis, spi: Uint8Array, data: Uint8Array): void {
  const { state, world } = session;
  const number = readNumber(data);
  const behind = number !== undefined && state.dpdIn !== 0 && ((number - state.dpdIn) | 0) < 0;
  if (number === undefined || behind || !same(spi, cookies(session))) return world.count('dpd-number');
  state.dpdIn = number;
  inform(session, now, [notify(NOTIFY.R_U_THERE_ACK, PROTOCOL.ISAKMP, cookies(session), data)]);
}

function deleted(session: Session, now: Millis, { protocol, spis }: Delete): void {
  const { state, world } = session;
  if (protocol === PROTOCOL.ISAKMP) {
    const ours = spis.some((spi) => same(spi, cookies(session)));
    if (!ours) return world.count('unknown-spi');
    restore(session, now);
    inherited(session, now);
    return session.over(now, unwelcome(session, now) ?? closedByPeer(session));
  }
  for (const spi of spis) {
    const child = state.children.find((one) => one.spiOut === readUint32(spi) && protocolId(one.protocol) === protocol);
    if (child) dismissed(session, now, child);
    else world.count('unknown-spi');
  }
}
