// How messages go out: in the clear or encrypted, whole or in Cisco's fragments, and again when nothing comes back.

import { createHash } from 'node:crypto';
import { readUint32 } from '../../bytes/bytes.ts';
import { isV6, type SocketAddress } from '../../bytes/ip.ts';
import type { Millis } from '../connection.ts';
import { retransmitWait } from '../retransmit.ts';
import { isNews, triedAgain } from '../silence.ts';
import { seal } from './protect.ts';
import type { Session } from './session.ts';
import type { Sent } from './state.ts';
import { unheard } from './why.ts';
import { EXCHANGE } from './wire/constants.ts';
import { encodeChain, encodeEncrypted, encodeMessage } from './wire/message.ts';
import type { Payload } from './wire/payload.ts';

const UDP_HEADER = 8;
const NON_ESP_MARKER = 4;
const HEADER_SIZE = 28;
const FRAGMENT_HEADER = 8;

/** Both cookies: the SPI of the SA itself, where a payload names it (RFC 2407 §4.6.3). */
export function cookies({ state }: Session): Uint8Array {
  const spi = new Uint8Array(16);
  spi.set(state.spiI);
  spi.set(state.spiR, 8);
  return spi;
}

export function phase1Exchange({ state }: Session): number {
  return state.aggressive ? EXCHANGE.AGGRESSIVE : EXCHANGE.IDENTITY_PROTECTION;
}

/** A message of phase 1 before there are keys. */
export function clear(session: Session, payloads: readonly Payload[]): Uint8Array {
  const { spiI, spiR } = session.state;
  return encodeMessage({ spiI, spiR, exchange: phase1Exchange(session), messageId: 0 }, payloads);
}

/** An encrypted message, and the IV of the one after it. */
export function sealed(
  session: Session,
  { exchange, messageId }: { readonly exchange: number; readonly messageId: number },
  iv: Uint8Array,
  payloads: readonly Payload[],
): { readonly bytes: Uint8Array; readonly iv: Uint8Array } {
  const { spiI, spiR, suite, keys } = session.state;
  if (!suite || !keys) throw new Error('no keys yet');
  const { first, bytes } = encodeChain(payloads);
  const { body, iv: next } = seal(suite, keys.cipherKey, iv, bytes);
  return { bytes: encodeEncrypted({ spiI, spiR, exchange, messageId }, first, body), iv: next };
}

/** Sends a message. With `repeat` it is sent again until the answer comes, otherwise only when the peer repeats itself. */
export function send(session: Session, now: Millis, bytes: Uint8Array, repeat: boolean): Sent {
  const datagrams = cut(session, bytes);
  const { state, conn, world } = session;
  state.lastOut = now;
  transmit(session, datagrams, state.local, state.remote);
  const nextAt = now + retransmitWait(conn.retransmit, 1, world.random);
  return { datagrams, since: now, transmissions: 1, ...(repeat ? { nextAt } : {}) };
}

export function transmit(
  { state, world }: Session,
  datagrams: readonly Uint8Array[],
  local: SocketAddress,
  remote: SocketAddress,
): void {
  triedAgain(state);
  for (const bytes of datagrams) {
    if (state.phase1) state.phase1.said += bytes.length;
    world.effect({ type: 'send', local, remote, bytes });
  }
}

/**
 * True when the last wait is over, too. The last message of phase 1 goes before all others as long as the peer has said
 * nothing under the keys: it may not have come.
 */
export function again(session: Session, now: Millis, sent: Sent): boolean {
  const { state, conn, world } = session;
  if (sent.nextAt === undefined || sent.nextAt > now) return false;
  if (sent.transmissions >= conn.retransmit.transmissions) return true;
  sent.transmissions++;
  world.tally.repeat(state.conn);
  sent.nextAt = now + retransmitWait(conn.retransmit, sent.transmissions, world.random);
  state.lastOut = now;
  tellSilence(session, sent);
  if (state.sent && sent !== state.sent) transmit(session, state.sent.datagrams, state.local, state.remote);
  transmit(session, sent.datagrams, state.local, state.remote);
  return false;
}

/** Once, and again where it is known better why. */
export function tellSilence(session: Session, asked: Pick<Sent, 'since' | 'told' | 'transmissions'>): void {
  const { id, conn } = session.state;
  const reason = unheard(session, asked.since);
  if (!isNews(reason, asked)) return;
  session.event({ kind: 'no-answer', session: id, conn, since: asked.since, reason });
}

/** The peer is there after all. */
export function comesBack(session: Session, asked: { readonly transmissions: number } | undefined): void {
  const { state } = session;
  if (asked && asked.transmissions > 1) session.event({ kind: 'answered', session: state.id, conn: state.conn });
}

/** Cisco's fragments: of the whole message, its header included, each with a header of its own in front. */
function cut(session: Session, bytes: Uint8Array): readonly Uint8Array[] {
  const { state, conn, world } = session;
  const { fragmentation, fragmentSize } = conn;
  // Before it has answered, the peer has nothing to which fragments could belong.
  const answered = state.spiR.some((byte) => byte !== 0);
  const may = (fragmentation === 'force' && answered) || (fragmentation === 'yes' && state.peerFragments);
  const ip = isV6(state.local.ip) ? 40 : 20;
  const marker = state.local.port === world.natPort ? NON_ESP_MARKER : 0;
  const room = fragmentSize - ip - UDP_HEADER - marker;
  if (!may || bytes.length <= room) return [bytes];
  const size = room - HEADER_SIZE - FRAGMENT_HEADER;
  state.fragmentId = (state.fragmentId + 1) & 0xffff;
  const id = state.fragmentId;
  const count = Math.ceil(bytes.length / size);
  const { spiI, spiR } = state;
  return Array.from({ length: count }, (_, i) =>
    encodeMessage({ spiI, spiR, exchange: bytes[18] ?? 0, messageId: 0 }, [
      {
        tag: 'FRAG',
        id,
        number: i + 1,
        last: i === count - 1,
        data: bytes.subarray(i * size, (i + 1) * size),
      },
    ]),
  );
}

/** A message id that was not used before (RFC 2409 §5.5: random, and never zero). */
export function freshId(session: Session): number {
  const { state, world } = session;
  for (;;) {
    const id = readUint32(world.random(4));
    if (id === 0 || state.usedIds.has(id)) continue;
    remember(session, id);
    return id;
  }
}

/** So many are remembered, all of them: with one forgotten its message could be said again, by anybody. */
const MOST_IDS = 16_384;
/** With so many it is time for another SA. */
const MANY_IDS = (MOST_IDS / 4) * 3;

/** The peer has begun an exchange with this id, and has proven that it did. False when there can be no more. */
export function spendId(session: Session, id: number): boolean {
  const { state, world } = session;
  if (state.usedIds.size >= MOST_IDS) {
    world.count('message-ids-spent');
    return false;
  }
  remember(session, id);
  return true;
}

function remember({ state }: Session, id: number): void {
  state.usedIds.add(id);
  if (state.usedIds.size === MANY_IDS && state.phase === 'established') state.reauthAt = 0;
}

/** Of a whole datagram, to know it when it comes again. */
export function digest(datagram: Uint8Array): Uint8Array {
  return createHash('sha256').update(datagram).digest();
}
