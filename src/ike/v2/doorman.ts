// What a responder does before it keeps state for anybody: cookies, limits by source, proposals, groups. RFC 7296 §1.2,
// §1.3, §2.6; limits as SECURITY D states them. Whoever is not let in costs one answer, no longer than the question.

import { same } from '../../bytes/bytes.ts';
import { isV6, parseIp, type SocketAddress } from '../../bytes/ip.ts';
import type { Connection, Millis } from '../connection.ts';
import { Cookies } from '../cookie.ts';
import { offeringConnections } from '../match.ts';
import type { Reason } from '../reason.ts';
import { type Selected, selectProposal, withPreferredGroup } from '../select.ts';
import { otherVersion } from '../version.ts';
import { reasonNoProposal } from '../why.ts';
import { EXCHANGE, NOTIFY, notifyName, PROTOCOL } from '../wire/constants.ts';
import { encodeMessage } from '../wire/message.ts';
import type { Header, Message, Payload, Proposal } from '../wire/payload.ts';
import { addressWord } from '../words.ts';
import { learn, repeatInit } from './init.ts';
import { need, notifies, notify, wantGroup } from './payloads.ts';
import type { Session } from './session.ts';
import { blank, type SessionState } from './state.ts';
import type { World } from './world.ts';

/** Half-open sessions before cookies are asked for: in all, and from one source. */
const COOKIE_TOTAL = 30;
const COOKIE_SOURCE = 3;
/** Half-open sessions from one source before it is not answered any more. */
const BLOCK_SOURCE = 5;
const HALF_OPEN_TIME: Millis = 30_000;
/** Answers to what no session asked for, a second. */
const STRAY_ANSWERS = 10;
const MAX_SESSIONS = 10_000;
/** Sessions that came to nothing and still repeat their last answer. Each has cost its peer an address and a group. */
const MAX_FAILED = 256;

interface Guest {
  readonly message: Message;
  readonly datagram: Uint8Array;
  readonly from: SocketAddress;
  readonly to: SocketAddress;
}

export class Doorman {
  readonly #world: World;
  readonly #cookies: Cookies;
  /** Half-open sessions by their first message's SPI and source, to know a repeated one. */
  readonly #halfOpen = new Map<Session, { readonly source: string; readonly key: string }>();
  readonly #bySource = new Map<string, number>();
  readonly #byKey = new Map<string, Session[]>();
  #stray = { second: 0, answers: 0 };
  /** The oldest first. */
  readonly #failed = new Set<Session>();

  constructor(world: World) {
    this.#world = world;
    this.#cookies = new Cookies(world.random);
  }

  get size(): number {
    return this.#halfOpen.size;
  }

  /** RFC 7296 §2.5: a higher major version is told ours; a lower one is not for us, which the operator wants to know. */
  refuseVersion(now: Millis, header: Header, length: number, from: SocketAddress, to: SocketAddress): void {
    this.#world.count(`version-${header.major}`);
    if (header.major === 1 && header.spiR.every((byte) => byte === 0) && this.#mayAnswer(now)) {
      const other = otherVersion(this.#world.connections(), to.ip, from, 1);
      if (other) this.#note(other.conn, other.reason);
    }
    if (header.major < 3 || header.response) return;
    const fields = { ...header, initiator: !header.initiator, response: true };
    const bytes = encodeMessage(fields, [notify(NOTIFY.INVALID_MAJOR_VERSION)]);
    // Whoever is named as the sender gets no more than was sent in his name.
    if (bytes.length > length || !this.#mayAnswer(now)) return;
    this.#world.effect({ type: 'send', local: to, remote: from, bytes });
  }

  #mayAnswer(now: Millis): boolean {
    const second = Math.floor(now / 1000);
    if (this.#stray.second !== second) this.#stray = { second, answers: 0 };
    return ++this.#stray.answers <= STRAY_ANSWERS;
  }

  greet(now: Millis, message: Message, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const guest = { message, datagram, from, to };
    const known = this.#repeated(guest);
    if (known) return repeatInit(known, from, to);
    const { payloads, header } = message;
    const nonce = need(payloads, 'Nonce').data;
    const sa = need(payloads, 'SA');
    const ke = need(payloads, 'KE');
    const critical = payloads.find((payload) => payload.tag === 'unknown' && payload.critical);
    if (critical?.tag === 'unknown') {
      return this.#answer(guest, notify(NOTIFY.UNSUPPORTED_CRITICAL_PAYLOAD, Uint8Array.of(critical.id)));
    }
    this.#sweep();
    const source = prefixOf(from.ip);
    const mine = this.#bySource.get(source) ?? 0;
    if (this.#halfOpen.size >= COOKIE_TOTAL || mine >= COOKIE_SOURCE) {
      const cookie = notifies(payloads, NOTIFY.COOKIE)[0];
      if (!cookie || !this.#cookies.check(now, cookie.data, nonce, from, header.spiI)) {
        this.#world.count(cookie ? 'wrong-cookie' : 'cookie-asked');
        return this.#answer(guest, notify(NOTIFY.COOKIE, this.#cookies.make(now, nonce, from, header.spiI)));
      }
    }
    if (mine >= BLOCK_SOURCE || this.#halfOpen.size >= MAX_SESSIONS) return this.#world.count('half-open-limit');
    this.#admit(now, guest, source, { proposals: sa.proposals, group: ke.group, ke: ke.data, nonce });
  }

  #admit(
    now: Millis,
    guest: Guest,
    source: string,
    said: { proposals: readonly Proposal[]; group: number; ke: Uint8Array; nonce: Uint8Array },
  ): void {
    const { message, datagram, from, to } = guest;
    this.#world.tally.message(EXCHANGE.IKE_SA_INIT, 'in', false);
    const connections = offeringConnections(this.#world.connections(), to.ip, from.ip);
    const [first] = connections;
    if (!first) {
      this.#nobody(from, to);
      return this.#refuse(guest, notify(NOTIFY.NO_PROPOSAL_CHOSEN));
    }
    const match = pick(connections, said.proposals, said.group);
    if (!match) {
      this.#world.count('no-proposal');
      const where = first.where.get('proposals') ?? first.where.get('');
      const reason = reasonNoProposal({
        offers: first.offers,
        theirs: said.proposals,
        protocol: PROTOCOL.IKE,
        ...(where ? { where } : {}),
        by: 'us',
      });
      this.#note(first.name, { ...reason, notify: notifyName(NOTIFY.NO_PROPOSAL_CHOSEN), peer: from });
      return this.#refuse(guest, notify(NOTIFY.NO_PROPOSAL_CHOSEN));
    }
    const { conn, selection } = match;
    const { suite } = selection;
    if (suite.ke !== said.group) {
      this.#world.count('wrong-group');
      return this.#refuse(guest, wantGroup(suite.ke));
    }
    const proposal: Proposal = {
      number: selection.number,
      protocol: PROTOCOL.IKE,
      spi: new Uint8Array(0),
      transforms: selection.chosen,
    };
    const nonce = said.nonce.slice();
    const state: SessionState = {
      ...blank(this.#world.sessionId(), conn.name, now),
      original: false,
      spiI: message.header.spiI.slice(),
      spiR: this.#world.takeIkeSpi(),
      local: to,
      remote: from,
      udpForced: conn.encap === 'yes' || !this.#world.rawEsp,
      initRequest: datagram.slice(),
      accepted: proposal,
      endAt: now + HALF_OPEN_TIME,
    };
    const session = this.#world.add(state);
    this.#remember(session, source, keyOf(guest));
    session.event({ kind: 'session-started', session: state.id, conn: conn.name, initiator: false });
    learn(session, message.payloads, from, to);
    const job = session.incomingJob(now, { kind: 'init', from, suite, proposal, nonce });
    this.#world.effect({ type: 'agree', job, group: suite.ke, pair: undefined, theirs: said.ke.slice() });
  }

  #nobody(from: SocketAddress, to: SocketAddress): void {
    const other = otherVersion(this.#world.connections(), to.ip, from, 2);
    const reason = other?.reason ?? {
      code: 'no-connection',
      text: `no connection is configured for ${from.ip} to ${to.ip}`,
      by: 'us',
      peer: from,
      remedy: `set ${addressWord(this.#world.connections())} of a connection to ${from.ip}`,
    };
    this.#world.count(reason.code);
    this.#note(other?.conn ?? '', { ...reason, notify: 'NO_PROPOSAL_CHOSEN' });
  }

  #note(conn: string, reason: Reason): void {
    this.#world.effect({ type: 'event', event: { kind: 'note', session: 0, conn, reason } });
  }

  /** A cookie is no answer to the message: strongSwan does not count it either. */
  #refuse(guest: Guest, payload: Payload): void {
    this.#world.tally.message(EXCHANGE.IKE_SA_INIT, 'out', true);
    this.#answer(guest, payload);
  }

  #answer({ message, from, to }: Guest, payload: Payload): void {
    const header = {
      spiI: message.header.spiI,
      spiR: new Uint8Array(8),
      exchange: EXCHANGE.IKE_SA_INIT,
      initiator: false,
      response: true,
      messageId: 0,
    };
    this.#world.effect({ type: 'send', local: to, remote: from, bytes: encodeMessage(header, [payload]) });
  }

  #repeated(guest: Guest): Session | undefined {
    const known = this.#byKey.get(keyOf(guest)) ?? [];
    return known.find(({ state }) => state.initRequest && same(state.initRequest, guest.datagram));
  }

  #remember(session: Session, source: string, key: string): void {
    this.#halfOpen.set(session, { source, key });
    this.#bySource.set(source, (this.#bySource.get(source) ?? 0) + 1);
    this.#byKey.set(key, [...(this.#byKey.get(key) ?? []), session]);
  }

  /** Sessions that have become established, or nothing, count no longer. */
  #sweep(): void {
    for (const session of this.#halfOpen.keys()) {
      const { phase, establishedAt } = session.state;
      if (phase === 'init' || phase === 'auth') continue;
      this.forget(session);
      if (establishedAt === undefined) this.#failed.add(session);
    }
    for (const session of this.#failed) {
      if (this.#failed.size <= MAX_FAILED) return;
      this.#world.forget(session);
    }
  }

  forget(session: Session): void {
    this.#failed.delete(session);
    const entry = this.#halfOpen.get(session);
    if (!entry) return;
    this.#halfOpen.delete(session);
    const left = (this.#bySource.get(entry.source) ?? 1) - 1;
    if (left > 0) this.#bySource.set(entry.source, left);
    else this.#bySource.delete(entry.source);
    const others = (this.#byKey.get(entry.key) ?? []).filter((other) => other !== session);
    if (others.length > 0) this.#byKey.set(entry.key, others);
    else this.#byKey.delete(entry.key);
  }
}

function keyOf({ message, from }: Guest): string {
  return `${from.ip}|${from.port}|${message.header.spiI.join('.')}`;
}

/** One host has one IPv4 address but a whole /64 of IPv6. */
function prefixOf(ip: string): string {
  if (!isV6(ip)) return ip;
  return parseIp(ip)?.subarray(0, 8).join('.') ?? ip;
}

function pick(
  connections: readonly Connection[],
  proposals: readonly Proposal[],
  group: number,
): { conn: Connection; selection: Selected } | undefined {
  for (const conn of connections) {
    const offers = withPreferredGroup(conn.offers, group);
    const selection = selectProposal(offers, proposals, { protocol: PROTOCOL.IKE });
    if (selection.ok) return { conn, selection };
  }
  return undefined;
}
