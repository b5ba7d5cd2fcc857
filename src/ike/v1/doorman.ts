// What a responder of IKEv1 does before it keeps state for anybody. There are no cookies to ask for: the limits are how
// many may be half-open at a time, from one source and in all (SECURITY D). Whoever is not let in costs one small answer.

import { same } from '../../bytes/bytes.ts';
import { isV6, parseIp, type SocketAddress } from '../../bytes/ip.ts';
import type { Connection, Millis, SharedKey } from '../connection.ts';
import { identityOfAddress } from '../identity.ts';
import { namedConnections, offeringConnections } from '../match.ts';
import { reasonAuth } from '../proof.ts';
import { findSharedKey } from '../psk.ts';
import type { Reason } from '../reason.ts';
import { otherVersion } from '../version.ts';
import { at } from '../why.ts';
import type { Identity } from '../wire/payload.ts';
import { addressWord, assignment } from '../words.ts';
import { onAggressive1, readAggressive1 } from './aggressive.ts';
import { identityOf } from './id.ts';
import { sendMain2 } from './main.ts';
import { learnNat } from './natt.ts';
import { all, find, need, notify } from './payloads.ts';
import { answerOf, type Chosen, chooseIke, learnVendors, noProposal } from './phase1.ts';
import { digest } from './send.ts';
import type { Session } from './session.ts';
import { blank, type SessionState } from './state.ts';
import { EXCHANGE, NOTIFY, notifyName, PROTOCOL } from './wire/constants.ts';
import { encodeMessage, type Message } from './wire/message.ts';
import type { Chain, Proposal } from './wire/payload.ts';
import type { World } from './world.ts';

/** Half-open SAs from one source before it is not answered any more. */
const MOST_SOURCE = 5;
/**
 * Who has not gone on for so long may be nobody, and makes room for another from there: else five packets would shut a
 * peer out. No less, for each new one is answered.
 */
const PATIENCE: Millis = 5000;
/** In all. Whoever comes then takes the place of the one that has waited longest. */
const MOST = 2048;
const HALF_OPEN_TIME: Millis = 30_000;
/** Of a first message: much of it is kept, and anybody may have sent it. Twenty transforms and vendor ids have a tenth. */
const LONGEST = 8192;

interface Guest {
  readonly message: Message;
  readonly chain: Chain;
  readonly datagram: Uint8Array;
  readonly from: SocketAddress;
  readonly to: SocketAddress;
}

interface Place {
  readonly source: string;
  readonly key: string;
}

export class Doorman {
  readonly #world: World;
  /** The oldest first. */
  readonly #halfOpen = new Map<Session, Place>();
  readonly #bySource = new Map<string, number>();
  readonly #byKey = new Map<string, Session>();

  constructor(world: World) {
    this.#world = world;
  }

  get size(): number {
    return this.#halfOpen.size;
  }

  greet(now: Millis, message: Message, datagram: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const { chain } = message;
    if (!chain) return;
    if (datagram.length > LONGEST) return this.#world.count('too-long');
    const guest = { message, chain, datagram, from, to };
    const known = this.#byKey.get(keyOf(guest));
    if (known?.state.phase1) return this.#again(known, guest);
    const { proposals } = need(chain, 'SA').payload;
    const source = prefixOf(from.ip);
    const crowded = (this.#bySource.get(source) ?? 0) >= MOST_SOURCE;
    const elder = crowded ? this.#elder(source, now - PATIENCE) : undefined;
    if (crowded && !elder) return this.#world.count('half-open-limit');
    const match = this.#match(guest, proposals);
    if ('reason' in match) return this.#turnAway(guest, match);
    if (elder) this.#evict(now, elder);
    this.#admit(now, guest, source, match);
  }

  /** The first message again: it is answered again only by whoever it was meant for, and within bounds. */
  #again(session: Session, { datagram, from, to }: Guest): void {
    const { state } = session;
    if (state.phase1) state.phase1.heard += datagram.length;
    const seen = digest(datagram);
    if (state.heard && same(state.heard, seen)) session.repeat(from, to);
    else this.#world.count('unexpected-message');
  }

  #match(guest: Guest, proposals: readonly Proposal[]): { conn: Connection; chosen: Chosen } | Refusal {
    const { message, chain, from, to } = guest;
    const aggressive = message.header.exchange === EXCHANGE.AGGRESSIVE;
    const all = this.#world.connections();
    const id = aggressive ? identityOf(need(chain, 'ID').payload.id) : undefined;
    const addressed = offeringConnections(all, to.ip, from.ip, 1);
    const connections = aggressive
      ? (id ? namedConnections(all, to.ip, from.ip, id, 1) : []).filter((conn) => conn.aggressive)
      : addressed;
    const exact = connections.filter(({ remoteId }) => aggressive && remoteId.kind === 'is');
    for (const conn of [...exact, ...connections]) {
      const chosen = chooseIke(conn, proposals);
      if (chosen && id && !this.#secret(conn, id, guest)) return secretless(conn, id, to.ip);
      if (chosen) return { conn, chosen };
    }
    const [first] = connections;
    if (first) return { kind: NOTIFY.NO_PROPOSAL_CHOSEN, conn: first.name, reason: noProposal(first, proposals, 'us') };
    const [other] = addressed;
    const open = addressed.find((conn) => conn.aggressive);
    if (open && id) return { kind: NOTIFY.AUTHENTICATION_FAILED, conn: open.name, reason: stranger(open, id) };
    if (other) return { kind: NOTIFY.AUTHENTICATION_FAILED, conn: other.name, reason: noAggressive(other, from.ip) };
    const newer = otherVersion(all, to.ip, from, 1);
    return { kind: NOTIFY.NO_PROPOSAL_CHOSEN, conn: '', reason: nobody(all, to.ip, from.ip), ...newer };
  }

  /** In aggressive mode the peer has named itself: without a secret for it there is nothing to compute. */
  #secret({ localId }: Connection, remoteId: Identity, { from, to }: Guest): SharedKey | undefined {
    const own = localId ?? identityOfAddress(to.ip);
    return findSharedKey(this.#world.sharedKeys(), { localId: own, remoteId, localIp: to.ip, remoteIp: from.ip });
  }

  #turnAway({ message, from, to }: Guest, { kind, conn, reason }: Refusal): void {
    this.#world.count(reason.code);
    const said = { ...reason, notify: notifyName(kind), peer: from };
    this.#world.effect({ type: 'event', event: { kind: 'note', session: 0, conn, reason: said } });
    const { spiI } = message.header;
    const spiR = new Uint8Array(8);
    const header = { spiI, spiR, exchange: EXCHANGE.INFORMATIONAL, messageId: 0 };
    const bytes = encodeMessage(header, [notify(kind, PROTOCOL.ISAKMP, new Uint8Array(0))]);
    this.#world.effect({ type: 'send', local: to, remote: from, bytes });
  }

  #admit(now: Millis, guest: Guest, source: string, { conn, chosen }: { conn: Connection; chosen: Chosen }): void {
    const { message, chain, datagram, from, to } = guest;
    const world = this.#world;
    const aggressive = message.header.exchange === EXCHANGE.AGGRESSIVE;
    const asked = aggressive ? readAggressive1(chain) : undefined;
    if (this.#halfOpen.size >= MOST && !this.#evict(now, this.#elder())) return world.count('half-open-limit');
    const sa = find(chain, 'SA');
    const state: SessionState = {
      ...blank(world.sessionId(), conn.name, now),
      original: false,
      aggressive,
      awaits: aggressive ? 'aggressive-3' : 'main-3',
      phase1: {
        group: chosen.suite.ke,
        proposals: [{ ...chosen.read.proposal, transforms: [chosen.read.transform] }].map(copied),
        ...(sa ? { saI: sa.body.slice() } : {}),
        heard: datagram.length,
        said: 0,
        doubts: 0,
      },
      heard: digest(datagram),
      suite: chosen.suite,
      spiI: message.header.spiI.slice(),
      spiR: world.takeIkeSpi(),
      local: to,
      remote: from,
      udpForced: conn.encap === 'yes' || !world.rawEsp,
      endAt: now + HALF_OPEN_TIME,
    };
    const session = world.add(state);
    this.#remember(session, { source, key: keyOf(guest) });
    session.event({ kind: 'session-started', session: state.id, conn: conn.name, initiator: false });
    learnVendors(session, chain);
    if (!asked) return sendMain2(session, now, answerOf(chosen.read));
    const id = all(chain, 'ID').map(({ payload }) => identityOf(payload.id))[0];
    if (id) state.remoteId = id;
    learnNat(session, chain, [{ from, to }]);
    onAggressive1(session, now, asked);
  }

  /**
   * The oldest that may make room, of a source or of all. Before message 3 nobody has shown that the address is its own;
   * whoever has is left alone.
   */
  #elder(source?: string, since = Number.POSITIVE_INFINITY): Session | undefined {
    for (const [session, place] of this.#halfOpen) {
      const { awaits, aggressive, startedAt } = session.state;
      if (awaits !== 'main-3' && !aggressive) continue;
      if (startedAt <= since && (source === undefined || place.source === source)) return session;
    }
    return undefined;
  }

  #evict(now: Millis, session: Session | undefined): boolean {
    if (!session) return false;
    this.#world.count('half-open-evicted');
    session.over(now, { code: 'limit', text: 'too many half-open IKE SAs', by: 'us' });
    return true;
  }

  #remember(session: Session, place: Place): void {
    this.#halfOpen.set(session, place);
    this.#bySource.set(place.source, (this.#bySource.get(place.source) ?? 0) + 1);
    this.#byKey.set(place.key, session);
  }

  /** It is established, or over. */
  forget(session: Session): void {
    const place = this.#halfOpen.get(session);
    if (!place) return;
    this.#halfOpen.delete(session);
    const left = (this.#bySource.get(place.source) ?? 1) - 1;
    if (left > 0) this.#bySource.set(place.source, left);
    else this.#bySource.delete(place.source);
    this.#byKey.delete(place.key);
  }
}

interface Refusal {
  readonly kind: number;
  /** Empty where none comes into question. */
  readonly conn: string;
  readonly reason: Reason;
}

function noAggressive(conn: Connection, ip: string): Reason {
  const where = conn.where.get('aggressive') ?? conn.where.get('');
  return {
    code: 'wrong-exchange',
    text: `${ip} begins in aggressive mode, and no connection here takes that from a peer of its name`,
    by: 'us',
    want: ['main mode'],
    got: ['aggressive mode'],
    remedy: `set the peer to main mode; or, where its secret is long and random, set \`${assignment(conn, 'aggressive', 'yes')}\` in connection ${conn.name}${at(where)}`,
    ...(where ? { where } : {}),
  };
}

function stranger(conn: Connection, remoteId: Identity): Reason {
  return reasonAuth({ kind: 'unknown-id', by: 'us', remoteId, expected: conn.remoteId, config: conn });
}

function secretless(conn: Connection, remoteId: Identity, ip: string): Refusal {
  const localId = conn.localId ?? identityOfAddress(ip);
  const expected = conn.remoteId;
  const reason = reasonAuth({ kind: 'no-psk', by: 'us', localId, remoteId, expected, config: conn });
  return { kind: NOTIFY.AUTHENTICATION_FAILED, conn: conn.name, reason };
}

function nobody(connections: readonly Connection[], local: string, remote: string): Reason {
  return {
    code: 'no-connection',
    text: `no connection is configured for ${remote} to ${local}`,
    by: 'us',
    remedy: `set ${addressWord(connections)} of a connection to ${remote}`,
  };
}

/** Of our own: the datagram is the caller's. (To clone a view is to clone all that it is a view of, 64 KiB here.) */
function copied(proposal: Proposal): Proposal {
  const transforms = proposal.transforms.map((transform) => ({
    ...transform,
    attributes: transform.attributes.map((attribute) => ({ ...attribute, value: attribute.value.slice() })),
  }));
  return { ...proposal, spi: proposal.spi.slice(), transforms };
}

function keyOf({ message, from }: Guest): string {
  return `${from.ip}|${from.port}|${message.header.spiI.join('.')}`;
}

/** One host has one IPv4 address but a whole /64 of IPv6. */
function prefixOf(ip: string): string {
  if (!isV6(ip)) return ip;
  return parseIp(ip)?.subarray(0, 8).join('.') ?? ip;
}
