// Main mode, both sides: RFC 2409 §5.4, with NAT detection in messages 3 and 4 (RFC 3947 §3.2). With a pre-shared key
// message 5 can be read only by who knows the key, and names its sender: that is why the address chooses the key.

import { WireError } from '../../bytes/error.ts';
import type { SocketAddress } from '../../bytes/ip.ts';
import { equalSecret } from '../../crypto/compare.ts';
import type { KeyPair } from '../../crypto/types.ts';
import type { Connection, Millis, SharedKey } from '../connection.ts';
import { matchesIdentity } from '../identity.ts';
import type { Identity } from '../wire/payload.ts';
import type { Life } from './attributes.ts';
import { identityOf } from './id.ts';
import { ikeProposals, readIke } from './ikeproposal.ts';
import { blockSize, firstIv, type Keys } from './keymat.ts';
import { NO_LIFE, responderLife, shorter } from './lifetime.ts';
import { float, learnNat, natPayloads } from './natt.ts';
import { find, need, notifies, notify, only, readable } from './payloads.ts';
import {
  authReason,
  type Chosen,
  chooseFrom,
  connectionsFor,
  derive,
  established,
  exchangeOf,
  keyed,
  keysOf,
  learnVendors,
  lifeOfIke,
  ownHash,
  ownId,
  phase1Of,
  proves,
  saBody,
  secretFor,
  suiteOf,
  vendors,
} from './phase1.ts';
import { open } from './protect.ts';
import { clear, comesBack, cookies, phase1Exchange, sealed, send } from './send.ts';
import type { Session } from './session.ts';
import { agreed } from './unique.ts';
import { unreadable } from './why.ts';
import { NOTIFY, PROTOCOL } from './wire/constants.ts';
import { parseChain } from './wire/message.ts';
import type { Chain, Payload, Proposal } from './wire/payload.ts';

/** So many secrets are tried where a peer may have any address; more would be work for strangers. */
const MOST_SECRETS = 64;

/** Messages 5 that cannot be read before no more are tried: each costs a key for each secret, or is a guess at it. */
export const MOST_DOUBTS = 8;

// --- initiator -----------------------------------------------------------------------------------------------------------

export function sendMain1(session: Session, now: Millis): void {
  const { state, conn } = session;
  const phase1 = phase1Of(session);
  const proposals = ikeProposals(conn.offers, lifeOfIke(conn));
  phase1.proposals = proposals;
  phase1.saI = saBody(proposals);
  state.awaits = 'main-2';
  state.sent = send(session, now, clear(session, [{ tag: 'SA', proposals }, ...vendors(session)]), true);
}

export function onMain2(session: Session, now: Millis, chain: Chain, spiR: Uint8Array): void {
  const { state, world } = session;
  const phase1 = phase1Of(session);
  const chosen = chosenByPeer(session, need(chain, 'SA').payload.proposals);
  if (!chosen || spiR.every((byte) => byte === 0)) return badAnswer(session);
  state.spiR = spiR.slice();
  state.suite = chosen.suite;
  phase1.group = chosen.suite.ke;
  phase1.life = chosen.read.life;
  delete state.reason;
  learnVendors(session, chain);
  session.await('pair');
  world.effect({ type: 'generate', job: session.work(now), group: phase1.group });
}

/** What the peer took must be one of those that we sent; another lifetime in it is its way to ask for one. */
export function chosenByPeer(session: Session, proposals: readonly Proposal[]): Chosen | undefined {
  const ours = readIke(phase1Of(session).proposals ?? []).map(({ as }) => ({ text: '', transforms: as.transforms }));
  return readIke(proposals).length === 1 ? chooseFrom(ours, proposals) : undefined;
}

/** Whoever sent it, a better one may come; but should there be none, this is why. */
export function badAnswer({ state, world }: Session): void {
  const { ip } = state.remote;
  world.count('bad-answer');
  state.reason ??= {
    code: 'peer-error',
    text: `${ip} answered message 1 with something that was not offered`,
    by: 'peer',
    peer: state.remote,
  };
}

export function sendMain3(session: Session, now: Millis, pair: KeyPair): void {
  const { state, world } = session;
  const phase1 = phase1Of(session);
  phase1.pair = pair;
  phase1.publicI = pair.public;
  phase1.nonceI = world.random(32);
  state.awaits = 'main-4';
  const payloads: Payload[] = [
    { tag: 'KE', data: pair.public },
    { tag: 'NONCE', data: phase1.nonceI },
    ...natPayloads(session),
  ];
  state.sent = send(session, now, clear(session, payloads), true);
}

export function onMain4(session: Session, now: Millis, chain: Chain): void {
  const { state, world } = session;
  const phase1 = phase1Of(session);
  const [ke, nonce] = [need(chain, 'KE').payload, need(chain, 'NONCE').payload];
  phase1.publicR = ke.data.slice();
  phase1.nonceR = nonce.data.slice();
  learnVendors(session, chain);
  learnNat(session, chain, [{ from: state.remote, to: state.local }]);
  session.await('shared');
  const job = session.work(now);
  world.effect({ type: 'agree', job, group: phase1.group, pair: phase1.pair, theirs: phase1.publicR });
}

export function sendMain5(session: Session, now: Millis): void {
  const { state, conn, world } = session;
  const key = secretFor(session, conn);
  if (!key) return session.over(now, authReason(session, 'no-psk', 'us'));
  keyed(session, derive(session, key.secret.reveal()));
  state.phase = 'auth';
  float(session);
  const { payload, body } = ownId(session);
  const contact = world.others(session).length === 0 ? [initialContact(session)] : [];
  const { bytes, iv } = sealed(session, { exchange: phase1Exchange(session), messageId: 0 }, ivOf(session), [
    payload,
    ownHash(session, body),
    ...contact,
  ]);
  state.iv = iv;
  state.awaits = 'main-6';
  state.sent = send(session, now, bytes, true);
}

/** RFC 2407 §4.6.3.3: we remember no SA with this peer. */
export function initialContact(session: Session): Payload {
  return notify(NOTIFY.INITIAL_CONTACT, PROTOCOL.ISAKMP, cookies(session));
}

export function ivOf({ state }: Session): Uint8Array {
  if (!state.iv) throw new Error('no IV yet');
  return state.iv;
}

export function onMain6(session: Session, now: Millis, first: number, ciphertext: Uint8Array): void {
  const { state, conn, world } = session;
  const opened = open(suiteOf(session), keysOf(session).cipherKey, ivOf(session), ciphertext);
  const chain = opened && readable(first, opened.plain);
  const [named, hash] = chain ? [only(chain, 'ID'), only(chain, 'HASH')] : [];
  const id = named && identityOf(named.payload.id);
  if (!opened || !chain || !id || !hash || !proves(session, keysOf(session), named.body, hash.payload.data)) {
    // Whoever can send this knows the key of the cipher, or guesses: what follows is from the peer itself, or nothing.
    return world.count('bad-hash');
  }
  // The same secret must be for this pair by name, too: that of another peer does not vouch for it.
  const known = matchesIdentity(conn.remoteId, id);
  const key = secretFor(session, conn, id);
  if (!known || !key || !proves(session, derive(session, key.secret.reveal()), named.body, hash.payload.data)) {
    session.tell(now, NOTIFY.INVALID_ID_INFORMATION);
    return session.over(now, authReason(session, known ? 'no-psk' : 'unknown-id', 'us', id));
  }
  state.iv = opened.iv;
  state.remoteId = id;
  comesBack(session, state.sent);
  delete state.sent;
  finish(session, now, chain, shorter(phase1Of(session).life ?? NO_LIFE, responderLife(chain)));
}

// --- responder -----------------------------------------------------------------------------------------------------------

/** The doorman has chosen; nothing is kept for long before message 3 has shown that the peer's address is its own. */
export function sendMain2(session: Session, now: Millis, answer: Payload): void {
  const { state } = session;
  state.awaits = 'main-3';
  state.sent = send(session, now, clear(session, [answer, ...vendors(session)]), false);
}

export function onMain3(session: Session, now: Millis, chain: Chain, from: SocketAddress, to: SocketAddress): void {
  const { world } = session;
  const phase1 = phase1Of(session);
  const [ke, nonce] = [need(chain, 'KE').payload, need(chain, 'NONCE').payload];
  phase1.publicI = ke.data.slice();
  phase1.nonceI = nonce.data.slice();
  learnVendors(session, chain);
  learnNat(session, chain, [{ from, to }]);
  session.await('shared');
  const job = session.work(now);
  world.effect({ type: 'agree', job, group: phase1.group, pair: undefined, theirs: phase1.publicI });
}

export function sendMain4(session: Session, now: Millis, pair: KeyPair): void {
  const { state, world } = session;
  const phase1 = phase1Of(session);
  phase1.publicR = pair.public;
  phase1.nonceR = world.random(32);
  state.phase = 'auth';
  state.awaits = 'main-5';
  const payloads: Payload[] = [
    { tag: 'KE', data: pair.public },
    { tag: 'NONCE', data: phase1.nonceR },
    ...natPayloads(session),
  ];
  state.sent = send(session, now, clear(session, payloads), false);
}

interface Proven {
  readonly chain: Chain;
  readonly keys: Keys;
  readonly key: SharedKey;
  readonly id: Identity;
  readonly iv: Uint8Array;
}

export function onMain5(
  session: Session,
  now: Millis,
  first: number,
  ciphertext: Uint8Array,
  from: SocketAddress,
  to: SocketAddress,
): void {
  const { state, world } = session;
  if (phase1Of(session).doubts >= MOST_DOUBTS) return world.count('unreadable-main-5');
  const proven = firstProven(session, first, ciphertext);
  if (!proven) return unread(session, now, [...secrets(session)]);
  const { chain, keys, key, id, iv } = proven;
  keyed(session, keys);
  state.iv = iv;
  const possible = connectionsFor(session, id, phase1Of(session).proposals ?? []);
  const conn = possible.find((one) => sameSecret(secretFor(session, one, id), key));
  if (!conn) {
    session.tell(now, NOTIFY.INVALID_ID_INFORMATION);
    return session.over(now, authReason(session, possible.length > 0 ? 'no-psk' : 'unknown-id', 'us', id));
  }
  state.conn = conn.name;
  state.remoteId = id;
  state.local = to;
  state.remote = from;
  const own = ownId(session);
  const contact = world.others(session).length === 0 ? [initialContact(session)] : [];
  const { bytes, iv: next } = sealed(session, { exchange: phase1Exchange(session), messageId: 0 }, iv, [
    own.payload,
    ownHash(session, own.body),
    ...contact,
  ]);
  state.iv = next;
  state.sent = send(session, now, bytes, false);
  finish(session, now, chain, offeredLife(session));
}

/** A secret may stand in several lines, each for somebody else. */
function sameSecret(one: SharedKey | undefined, other: SharedKey): boolean {
  return one !== undefined && equalSecret(one.secret.reveal(), other.secret.reveal());
}

/** By address and by expected name first; then whatever else may be this peer's (FEATURES §0.13). */
function* secrets(session: Session): Generator<SharedKey, void, void> {
  const tried = new Set<SharedKey>();
  for (const key of likely(session)) {
    if (tried.has(key)) continue;
    if (tried.size === MOST_SECRETS) return;
    tried.add(key);
    yield key;
  }
}

function* likely(session: Session): Generator<SharedKey, void, void> {
  const { conn, world } = session;
  const own = secretFor(session, conn);
  if (own) yield own;
  for (const one of possible(session)) {
    const key = secretFor(session, one);
    if (key) yield key;
  }
  yield* world.sharedKeys();
}

function possible({ state, world }: Session): Connection[] {
  return world
    .connections()
    .filter(({ version, name }) => version !== 2 && name !== state.conn)
    .slice(0, MOST_SECRETS);
}

/** The likely ones come first, and what would come behind the right one costs nothing. */
function firstProven(session: Session, first: number, ciphertext: Uint8Array): Proven | undefined {
  for (const key of secrets(session)) {
    const proven = tryKey(session, key, first, ciphertext);
    if (proven) return proven;
  }
  return undefined;
}

/** Only the right key makes an ID and a hash of it that fit; anything else is noise, of which the codec may complain. */
function tryKey(session: Session, key: SharedKey, first: number, ciphertext: Uint8Array): Proven | undefined {
  const suite = suiteOf(session);
  if (ciphertext.length % blockSize(suite) !== 0) return undefined;
  const { publicI, publicR } = exchangeOf(session);
  const keys = derive(session, key.secret.reveal());
  const opened = open(suite, keys.cipherKey, firstIv(suite, publicI, publicR), ciphertext);
  if (!opened) return undefined;
  try {
    const chain = parseChain(first, opened.plain, { padded: true });
    const id = find(chain, 'ID');
    const said = find(chain, 'HASH');
    const name = id && identityOf(id.payload.id);
    if (!id || !said || !name || !proves(session, keys, id.body, said.payload.data)) return undefined;
    return { chain, keys, key, id: name, iv: opened.iv };
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

/** Who sent it is not known, so it ends nothing; but should no better one come, this is why. */
function unread(session: Session, now: Millis, candidates: readonly SharedKey[]): void {
  const { state, world } = session;
  world.count('unreadable-main-5');
  phase1Of(session).doubts++;
  if (state.reason) return;
  const reason = unreadable(session, candidates);
  state.reason = reason;
  session.note(reason);
  session.say(now, NOTIFY.PAYLOAD_MALFORMED);
}

function finish(session: Session, now: Millis, chain: Chain, life: Life): void {
  const contact = notifies(chain, NOTIFY.INITIAL_CONTACT).length > 0;
  delete session.state.reason;
  established(session, now, life);
  agreed(session, now, contact);
}

export function offeredLife(session: Session): Life {
  const [read] = readIke(phase1Of(session).proposals ?? []);
  return read?.life ?? NO_LIFE;
}
