// Message ids, retransmission and repeated answers with a window of one (RFC 7296 §2.1–§2.3), fragments included
// (RFC 7383). A request is sent again with the same bytes, and a repeated request gets the same answer.

import type { SocketAddress } from '../../bytes/ip.ts';
import { isV6 } from '../../bytes/ip.ts';
import type { Millis } from '../connection.ts';
import { type Joined, join } from '../fragment.ts';
import type { Reason } from '../reason.ts';
import { retransmitWait } from '../retransmit.ts';
import { isNews, silence, triedAgain } from '../silence.ts';
import { EXCHANGE } from '../wire/constants.ts';
import { type HeaderFields, parsePayloads } from '../wire/message.ts';
import type { Message, Payload } from '../wire/payload.ts';
import { open, seal } from './protect.ts';
import type { Session } from './session.ts';
import type { Outstanding } from './state.ts';

const UDP_HEADER = 8;
const NON_ESP_MARKER = 4;

/** Sends an encrypted request and waits for its answer. */
export function request(
  session: Session,
  now: Millis,
  exchange: number,
  payloads: readonly Payload[],
  until?: Millis,
): void {
  const { state } = session;
  const id = state.nextOut++;
  const datagrams = sealed(session, { exchange, response: false, messageId: id }, payloads);
  outstanding(session, now, id, exchange, datagrams, until);
}

/** IKE_SA_INIT: not encrypted, and message 0 again when it must be said differently. */
export function initRequest(session: Session, now: Millis, exchange: number, bytes: Uint8Array): void {
  session.state.nextOut = 1;
  outstanding(session, now, 0, exchange, [bytes]);
}

function outstanding(
  session: Session,
  now: Millis,
  id: number,
  exchange: number,
  datagrams: readonly Uint8Array[],
  until?: Millis,
): void {
  const { state, world } = session;
  world.tally.message(exchange, 'out', false, state.conn);
  const nextAt = now + retransmitWait(session.conn.retransmit, 1, world.random);
  state.outstanding = {
    id,
    exchange,
    datagrams,
    since: now,
    transmissions: 1,
    nextAt,
    ...(until === undefined ? {} : { until }),
  };
  state.lastOut = now;
  transmit(session, datagrams, state.local, state.remote);
}

/** Answers the request that is next in order. */
export function respond(session: Session, exchange: number, payloads: readonly Payload[], to: SocketAddress): void {
  const { state } = session;
  const id = state.nextIn++;
  const datagrams = sealed(session, { exchange, response: true, messageId: id }, payloads);
  state.lastResponse = { id, datagrams };
  session.world.tally.message(exchange, 'out', true, state.conn);
  transmit(session, datagrams, state.local, to);
}

function sealed(
  session: Session,
  fields: Pick<HeaderFields, 'exchange' | 'response' | 'messageId'>,
  payloads: readonly Payload[],
): Uint8Array[] {
  const { state, world, channel } = session;
  return seal({
    protection: channel.send,
    header: { ...fields, spiI: state.spiI, spiR: state.spiR, initiator: state.original },
    payloads,
    maximum: maximum(session),
    random: world.random,
    nextIv: () => state.ivCounter++,
  });
}

function maximum(session: Session): number | undefined {
  const { state, conn } = session;
  const willing = conn.fragmentation === 'yes' || conn.fragmentation === 'force';
  if (!state.peerFragments || !willing) return undefined;
  const overhead = (isV6(state.remote.ip) ? 40 : 20) + UDP_HEADER + NON_ESP_MARKER;
  return conn.fragmentSize - overhead;
}

function transmit(
  { state, world }: Session,
  datagrams: readonly Uint8Array[],
  local: SocketAddress,
  remote: SocketAddress,
): void {
  triedAgain(state);
  for (const bytes of datagrams) world.effect({ type: 'send', local, remote, bytes });
}

/** Sends the request under way again when its time has come. */
export function retransmitted(session: Session, now: Millis): 'given-up' | undefined {
  const { state, world, conn } = session;
  const out = state.outstanding;
  if (!out) return undefined;
  if (out.until !== undefined && now >= out.until) return 'given-up';
  if (now < out.nextAt) return undefined;
  if (out.transmissions >= conn.retransmit.transmissions) return 'given-up';
  tellSilence(session, out);
  out.transmissions++;
  world.tally.repeat(state.conn);
  out.nextAt = now + retransmitWait(conn.retransmit, out.transmissions, world.random);
  transmit(session, out.datagrams, state.local, state.remote);
  return undefined;
}

/** Once, and again where it is known better why. */
export function tellSilence(session: Session, out: Outstanding): void {
  const { id, conn } = session.state;
  const reason = unheard(session, out);
  if (!isNews(reason, out)) return;
  session.event({ kind: 'no-answer', session: id, conn, since: out.since, reason });
}

/** What the silence of the peer may mean. */
export function unheard({ state, conn }: Session, { exchange, since }: Outstanding): Reason {
  const what = EXCHANGES.get(exchange) ?? 'our message';
  const before = state.phase === 'auth' ? 'IKE_SA_INIT' : undefined;
  return silence({ state, conn }, { what, before, since });
}

const EXCHANGES = new Map<number, string>(Object.entries(EXCHANGE).map(([name, id]) => [id, name]));

/** The peer did not get our last answer. Only what it really sent is answered, so its ICV is checked first. */
export function repeat(session: Session, message: Message, from: SocketAddress, to: SocketAddress): void {
  const { world, state } = session;
  const { encrypted, header } = message;
  const last = state.lastResponse;
  if (!encrypted || !last || last.id !== header.messageId) return world.count('message-id');
  if (!open(session.channel.receive, encrypted)) return world.count('bad-icv');
  // RFC 7383 §2.6.1: of a fragmented request, only the first fragment asks for the answer again.
  if (encrypted.fragment && encrypted.fragment.number !== 1) return;
  world.count('repeated-request');
  transmit(session, last.datagrams, to, from);
}

/** The payloads of an encrypted message; undefined when it is forged or not complete yet. */
export function decrypt(session: Session, now: Millis, message: Message): Payload[] | undefined {
  const { world } = session;
  const { encrypted, header, payloads } = message;
  if (!encrypted) {
    world.count('unencrypted');
    return undefined;
  }
  // Nobody vouches for what stands outside, and nothing of ours belongs there.
  if (payloads.length > 0) {
    world.count('outer-payloads');
    return undefined;
  }
  const text = open(session.channel.receive, encrypted);
  if (!text) {
    world.count('bad-icv');
    return undefined;
  }
  const { fragment, inner } = encrypted;
  const joined: Joined = fragment
    ? joinPart(session, now, header.response, { id: header.messageId, ...fragment, inner, text })
    : { done: true, inner, text };
  if (!joined.done) return undefined;
  world.tally.message(header.exchange, 'in', header.response, session.state.conn);
  return parsePayloads(joined.inner, joined.text);
}

function joinPart(session: Session, now: Millis, response: boolean, fragment: Parameters<typeof join>[2]): Joined {
  const { state, world } = session;
  const slot = response ? 'responseParts' : 'requestParts';
  const joined = join(now, state[slot], fragment);
  if (joined.done || !joined.parts) {
    delete state[slot];
    return joined;
  }
  state[slot] = joined.parts;
  world.unfinished.add(state, fragment.text.length);
  return joined;
}
