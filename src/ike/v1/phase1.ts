// What main and aggressive mode have in common: proposals, keys, identities, hashes, and the end of phase 1.

import { equalSecret } from '../../crypto/compare.ts';
import { lowest } from '../children.ts';
import type { Connection, Millis, Offer, SharedKey } from '../connection.ts';
import { identityOfAddress } from '../identity.ts';
import { namedConnections } from '../match.ts';
import { reasonAuth } from '../proof.ts';
import { findSharedKey } from '../psk.ts';
import type { Reason } from '../reason.ts';
import { part } from '../retransmit.ts';
import { type Suite, selectProposal } from '../select.ts';
import { reasonNoProposal } from '../why.ts';
import { PROTOCOL as PROTOCOL2 } from '../wire/constants.ts';
import type { Identity } from '../wire/payload.ts';
import type { Life, Read } from './attributes.ts';
import { idOf } from './id.ts';
import { ikeOffers, readIke } from './ikeproposal.ts';
import { authHash, type Exchange, firstIv, type Keys, phase1Keys } from './keymat.ts';
import { SOFT } from './lifetime.ts';
import { all } from './payloads.ts';
import type { Session } from './session.ts';
import type { Phase1 } from './state.ts';
import { readVendorIds, vendorIds } from './vendor.ts';
import { AUTHENTICATION } from './wire/constants.ts';
import { encodeChain } from './wire/message.ts';
import type { Chain, Payload, Proposal } from './wire/payload.ts';

const GENERIC_SIZE = 4;

export function phase1Of({ state }: Session): Phase1 {
  if (!state.phase1) throw new Error('phase 1 is over');
  return state.phase1;
}

/** The lifetime that we ask for. An SA of IKEv1 has no rekeying of its own: it is made anew, whatever the option says. */
export function lifeOfIke({ rekeyTime, reauthTime, overTime }: Connection): Life {
  const longest = Math.max(rekeyTime, reauthTime);
  return { seconds: longest > 0 ? Math.ceil((longest + overTime) / 1000) : 0, kilobytes: 0 };
}

export function vendors({ conn }: Session): Payload[] {
  return vendorIds(conn.fragmentation !== 'no').map((data) => ({ tag: 'VID', data }));
}

export function learnVendors(session: Session, chain: Chain): void {
  const { state, conn } = session;
  const abilities = readVendorIds(all(chain, 'VID').map(({ payload }) => payload.data));
  if (abilities.natt && !state.natt) state.natt = abilities.natt;
  state.peerDpd ||= abilities.dpd;
  state.peerEspalier ||= abilities.espalier;
  state.peerFragments ||= abilities.fragmentation && conn.fragmentation !== 'no';
  if (abilities.names.length > 0) session.vendors(abilities.names);
}

export interface Chosen {
  readonly suite: Suite;
  readonly read: Read;
}

/** The first of our offers that one of the peer's transforms meets. */
export function chooseIke({ offers }: Connection, proposals: readonly Proposal[]): Chosen | undefined {
  return chooseFrom(ikeOffers(offers), proposals);
}

export function chooseFrom(offers: readonly Offer[], proposals: readonly Proposal[]): Chosen | undefined {
  const reads = readIke(proposals).filter((read) => read.authentication === AUTHENTICATION.PRE_SHARED_KEY);
  const offered = reads.map((read) => read.as);
  const selection = selectProposal(offers, offered, { protocol: PROTOCOL2.IKE });
  const read = selection.ok ? reads.find(({ as }) => as.number === selection.number) : undefined;
  return selection.ok && read ? { suite: selection.suite, read } : undefined;
}

/** A single transform of a single proposal, as it came: RFC 2409 §5 wants its attributes back unchanged. */
export function answerOf({ proposal, transform }: Read): Payload {
  return { tag: 'SA', proposals: [{ ...proposal, transforms: [transform] }] };
}

export function noProposal(conn: Connection, proposals: readonly Proposal[] | undefined, by: 'us' | 'peer'): Reason {
  const where = conn.where.get('proposals') ?? conn.where.get('');
  const reads = proposals && readIke(proposals);
  const methods = new Set(reads?.map(({ authentication }) => authentication));
  if (methods.size > 0 && !methods.has(AUTHENTICATION.PRE_SHARED_KEY)) return wrongMethod([...methods]);
  return reasonNoProposal({
    offers: ikeOffers(conn.offers),
    theirs: reads?.map(({ as }) => as),
    protocol: PROTOCOL2.IKE,
    by,
    hashed: true,
    lifetimes: true,
    ...(where ? { where } : {}),
  });
}

const METHODS = new Map<number, string>(Object.entries(AUTHENTICATION).map(([name, id]) => [id, name]));

function wrongMethod(methods: readonly number[]): Reason {
  const got = methods.slice(0, 8).map((id) => METHODS.get(id) ?? `method ${id}`);
  return {
    code: 'no-proposal',
    text: `the peer wants to authenticate with ${got.join(' or ')}, and here there are pre-shared keys only`,
    by: 'us',
    want: ['PRE_SHARED_KEY'],
    got,
    remedy: 'set the peer to authenticate with a pre-shared key, without XAUTH',
  };
}

// --- keys and hashes -----------------------------------------------------------------------------------------------------

export function exchangeOf(session: Session): Exchange {
  const { spiI, spiR } = session.state;
  const { nonceI, nonceR, publicI, publicR, shared } = phase1Of(session);
  if (!nonceI || !nonceR || !publicI || !publicR || !shared) throw new Error('keys before their exchange');
  return { spiI, spiR, nonceI, nonceR, publicI, publicR, shared };
}

export function suiteOf({ state }: Session): Suite {
  if (!state.suite) throw new Error('no suite yet');
  return state.suite;
}

export function derive(session: Session, secret: Uint8Array): Keys {
  return phase1Keys(suiteOf(session), exchangeOf(session), secret);
}

/** From here on messages are encrypted. */
export function keyed(session: Session, keys: Keys): void {
  const { state } = session;
  const { publicI, publicR, nonceI, nonceR } = exchangeOf(session);
  state.keys = keys;
  state.iv = firstIv(suiteOf(session), publicI, publicR);
  state.lowestNonce = lowest(nonceI, nonceR);
}

/** Our ID payload, and its body for the hash. */
export function ownId(session: Session): { readonly payload: Payload; readonly body: Uint8Array } {
  const { state, conn } = session;
  state.localId ??= conn.localId ?? identityOfAddress(state.local.ip);
  const payload: Payload = { tag: 'ID', id: idOf(state.localId) };
  return { payload, body: encodeChain([payload]).bytes.subarray(GENERIC_SIZE) };
}

/** HASH_I or HASH_R, whichever is ours. */
export function ownHash(session: Session, body: Uint8Array): Payload {
  return { tag: 'HASH', data: hashBy(session, keysOf(session), body, !session.state.original) };
}

/** Whether the peer knows the secret from which these keys are. */
export function proves(session: Session, keys: Keys, body: Uint8Array, said: Uint8Array): boolean {
  return equalSecret(said, hashBy(session, keys, body, session.state.original));
}

function hashBy(session: Session, keys: Keys, body: Uint8Array, responder: boolean): Uint8Array {
  const { saI } = phase1Of(session);
  if (!saI) throw new Error('a hash without its SA payload');
  return authHash(suiteOf(session), keys, exchangeOf(session), saI, body, responder);
}

export function keysOf({ state }: Session): Keys {
  if (!state.keys) throw new Error('no keys yet');
  return state.keys;
}

export function saBody(proposals: readonly Proposal[]): Uint8Array {
  return encodeChain([{ tag: 'SA', proposals }]).bytes.subarray(GENERIC_SIZE);
}

// --- whose secret --------------------------------------------------------------------------------------------------------

/** The secret between us and who this connection expects, or who has named itself. */
export function secretFor(session: Session, conn: Connection, remoteId?: Identity): SharedKey | undefined {
  const { state, world } = session;
  const expected = conn.remoteId.kind === 'is' ? conn.remoteId.id : undefined;
  return findSharedKey(world.sharedKeys(), {
    localId: conn.localId ?? identityOfAddress(state.local.ip),
    remoteId: remoteId ?? expected,
    localIp: state.local.ip,
    remoteIp: state.remote.ip,
  });
}

/** Connections that come into question for a peer of this name, the one that names it first. */
export function connectionsFor(session: Session, remoteId: Identity, proposals: readonly Proposal[]): Connection[] {
  const { state, world } = session;
  const found = namedConnections(world.connections(), state.local.ip, state.remote.ip, remoteId, 1).filter(
    (conn) => chooseIke(conn, proposals) !== undefined && (conn.aggressive || !state.aggressive),
  );
  const exact = found.filter((conn) => conn.remoteId.kind === 'is');
  return [...exact, ...found.filter((conn) => conn.remoteId.kind !== 'is')];
}

export function authReason(
  session: Session,
  kind: 'auth-failed' | 'unknown-id' | 'no-psk',
  by: 'us' | 'peer',
  remoteId?: Identity,
  key?: SharedKey,
): Reason {
  const { state, conn } = session;
  const expected = conn.remoteId.kind === 'is' ? conn.remoteId.id : undefined;
  return reasonAuth({
    kind,
    by,
    localId: conn.localId ?? identityOfAddress(state.local.ip),
    remoteId: remoteId ?? expected,
    expected: conn.remoteId,
    key,
    peer: state.remote,
    config: conn,
    natted: { local: state.natLocal, remote: state.natRemote },
  });
}

// --- the end of it -------------------------------------------------------------------------------------------------------

/** Both sides have proven themselves. */
export function established(session: Session, now: Millis, peerLife: Life): void {
  const { state, conn, world } = session;
  state.phase = 'established';
  state.awaits = 'done';
  state.establishedAt = now;
  state.lastIn = now;
  state.failures = 0;
  delete state.endAt;
  forget(session);
  const times = [conn.rekeyTime, conn.reauthTime].filter((time) => time > 0);
  const renew = Math.min(...times);
  const ours = times.length > 0 ? renew + conn.overTime : Number.POSITIVE_INFINITY;
  const theirs = peerLife.seconds > 0 ? peerLife.seconds * 1000 : Number.POSITIVE_INFINITY;
  const life = Math.min(ours, theirs);
  if (life < Number.POSITIVE_INFINITY) {
    state.lifeAt = now + life;
    // Who made it makes the next one; only where he does not is it for the other.
    const soft = Math.min(state.original ? renew : (renew + ours) / 2, life * (state.original ? SOFT : LATE));
    state.reauthAt = now + Math.max(0, soft - part(Math.min(conn.randTime, soft / 2), world.random));
  }
  session.event({ kind: 'session-established', session: state.id, conn: state.conn });
}

/** Of a lifetime, for the side that did not make the SA. */
const LATE = 0.95;

function forget({ state }: Session): void {
  state.phase1?.shared?.fill(0);
  state.phase1?.pair?.secret.fill(0);
  delete state.phase1;
}
