// Aggressive mode, both sides: RFC 2409 §5.4, with NAT detection in messages 2 and 3 (RFC 3947 §3.2). Names go in the
// clear, and a responder's hash is given to whoever asks: a short secret is found at leisure (SECURITY C4).

import type { SocketAddress } from '../../bytes/ip.ts';
import type { KeyPair } from '../../crypto/types.ts';
import type { Millis } from '../connection.ts';
import { matchesIdentity } from '../identity.ts';
import { groupsOf } from '../select.ts';
import { identityOf } from './id.ts';
import { ikeOffers, ikeProposals } from './ikeproposal.ts';
import { NO_LIFE, responderLife, shorter } from './lifetime.ts';
import { badAnswer, chosenByPeer, initialContact, ivOf, MOST_DOUBTS, offeredLife } from './main.ts';
import { float, learnNat, natPayloads } from './natt.ts';
import { need, notifies, only, readable } from './payloads.ts';
import {
  answerOf,
  authReason,
  type Chosen,
  derive,
  established,
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
import { clear, phase1Exchange, sealed, send } from './send.ts';
import type { Session } from './session.ts';
import type { Phase1 } from './state.ts';
import { agreed } from './unique.ts';
import { NOTIFY } from './wire/constants.ts';
import type { Chain, Payload } from './wire/payload.ts';

// --- initiator -----------------------------------------------------------------------------------------------------------

/** There is one KE payload for all that is offered: the first group alone can be. */
export function firstGroup({ conn }: Session): number {
  return groupsOf(ikeOffers(conn.offers))[0] ?? 0;
}

export function sendAggressive1(session: Session, now: Millis, pair: KeyPair): void {
  const { state, conn, world } = session;
  const phase1 = phase1Of(session);
  const proposals = ikeProposals(conn.offers, lifeOfIke(conn), phase1.group);
  phase1.proposals = proposals;
  phase1.saI = saBody(proposals);
  phase1.pair = pair;
  phase1.publicI = pair.public;
  phase1.nonceI = world.random(32);
  state.awaits = 'aggressive-2';
  const payloads: Payload[] = [
    { tag: 'SA', proposals },
    { tag: 'KE', data: pair.public },
    { tag: 'NONCE', data: phase1.nonceI },
    ownId(session).payload,
    ...vendors(session),
  ];
  state.sent = send(session, now, clear(session, payloads), true);
}

export function onAggressive2(session: Session, now: Millis, chain: Chain, spiR: Uint8Array): void {
  const { state, world } = session;
  const phase1 = phase1Of(session);
  const chosen = chosenByPeer(session, need(chain, 'SA').payload.proposals);
  if (!chosen || spiR.every((byte) => byte === 0)) return badAnswer(session);
  const { payload, body } = need(chain, 'ID');
  const [ke, nonce, hash] = [need(chain, 'KE').payload, need(chain, 'NONCE').payload, need(chain, 'HASH').payload];
  const id = identityOf(payload.id);
  if (!id) return world.count('bad-id');
  delete state.reason;
  state.spiR = spiR.slice();
  state.suite = chosen.suite;
  state.remoteId = id;
  phase1.life = shorter(chosen.read.life, responderLife(chain));
  phase1.publicR = ke.data.slice();
  phase1.nonceR = nonce.data.slice();
  phase1.peerIdBody = body.slice();
  phase1.peerHash = hash.data.slice();
  learnVendors(session, chain);
  learnNat(session, chain, [{ from: state.remote, to: state.local }]);
  session.await('shared');
  const job = session.work(now);
  world.effect({ type: 'agree', job, group: phase1.group, pair: phase1.pair, theirs: phase1.publicR });
}

export function sendAggressive3(session: Session, now: Millis): void {
  const { state, conn, world } = session;
  const { peerIdBody, peerHash, life = NO_LIFE } = phase1Of(session);
  const id = state.remoteId;
  if (!id || !peerIdBody || !peerHash) throw new Error('message 3 before message 2');
  const key = secretFor(session, conn, id);
  const known = matchesIdentity(conn.remoteId, id);
  if (!known || !key) {
    session.say(now, NOTIFY.INVALID_ID_INFORMATION);
    return session.over(now, authReason(session, known ? 'no-psk' : 'unknown-id', 'us', id));
  }
  const keys = derive(session, key.secret.reveal());
  keyed(session, keys);
  if (!proves(session, keys, peerIdBody, peerHash)) {
    session.say(now, NOTIFY.INVALID_HASH_INFORMATION);
    return session.over(now, authReason(session, 'auth-failed', 'us', id, key));
  }
  state.phase = 'auth';
  const contact = world.others(session).length === 0 ? [initialContact(session)] : [];
  // What the NAT-D payloads are hashes of are the addresses of this very message (RFC 3947 §3.2).
  float(session);
  const { bytes, iv } = sealed(session, { exchange: phase1Exchange(session), messageId: 0 }, ivOf(session), [
    ownHash(session, ownId(session).body),
    ...natPayloads(session),
    ...contact,
  ]);
  state.iv = iv;
  state.sent = send(session, now, bytes, false);
  established(session, now, life);
  agreed(session, now, false);
}

// --- responder -----------------------------------------------------------------------------------------------------------

type Asked = Required<Pick<Phase1, 'publicI' | 'nonceI' | 'peerIdBody'>>;

/** What message 1 must have, before anything is kept of it. */
export function readAggressive1(chain: Chain): Asked {
  return {
    publicI: need(chain, 'KE').payload.data.slice(),
    nonceI: need(chain, 'NONCE').payload.data.slice(),
    peerIdBody: need(chain, 'ID').body.slice(),
  };
}

/** The doorman has chosen the connection by the name in message 1. */
export function onAggressive1(session: Session, now: Millis, asked: Asked): void {
  const { world } = session;
  Object.assign(phase1Of(session), asked);
  session.await('shared');
  const job = session.work(now);
  world.effect({ type: 'agree', job, group: phase1Of(session).group, pair: undefined, theirs: asked.publicI });
}

export function sendAggressive2(session: Session, now: Millis, pair: KeyPair, { read }: Pick<Chosen, 'read'>): void {
  const { state, conn, world } = session;
  const phase1 = phase1Of(session);
  const key = secretFor(session, conn, state.remoteId);
  if (!key) {
    session.say(now, NOTIFY.AUTHENTICATION_FAILED);
    return session.over(now, authReason(session, 'no-psk', 'us', state.remoteId));
  }
  phase1.publicR = pair.public;
  phase1.nonceR = world.random(32);
  keyed(session, derive(session, key.secret.reveal()));
  const own = ownId(session);
  const payloads: Payload[] = [
    answerOf(read),
    { tag: 'KE', data: pair.public },
    { tag: 'NONCE', data: phase1.nonceR },
    own.payload,
    ownHash(session, own.body),
    ...natPayloads(session),
    ...vendors(session),
  ];
  state.phase = 'auth';
  state.awaits = 'aggressive-3';
  state.sent = send(session, now, clear(session, payloads), false);
}

/** It may be encrypted or not (RFC 2409 §5): HASH_I is proof enough. */
export function onAggressive3(
  session: Session,
  now: Millis,
  message: { readonly chain: Chain | undefined; readonly first: number; readonly body: Uint8Array },
  from: SocketAddress,
  to: SocketAddress,
): void {
  const { state, conn, world } = session;
  const opened = message.chain
    ? undefined
    : open(suiteOf(session), keysOf(session).cipherKey, ivOf(session), message.body);
  const chain = message.chain ?? (opened && readable(message.first, opened.plain));
  const phase1 = phase1Of(session);
  const { peerIdBody } = phase1;
  if (!peerIdBody) throw new Error('message 3 before message 1');
  const said = chain && only(chain, 'HASH');
  if (phase1.doubts >= MOST_DOUBTS) return world.count('bad-hash');
  if (!chain || !said || !proves(session, keysOf(session), peerIdBody, said.payload.data)) {
    phase1.doubts++;
    world.count('bad-hash');
    if (state.reason) return;
    state.reason = authReason(session, 'auth-failed', 'us', state.remoteId, secretFor(session, conn, state.remoteId));
    session.note(state.reason);
    return session.say(now, NOTIFY.INVALID_HASH_INFORMATION);
  }
  if (opened) state.iv = opened.iv;
  // Some hash the addresses that message 1 had.
  learnNat(session, chain, [
    { from, to },
    { from: state.remote, to: state.local },
  ]);
  state.local = to;
  state.remote = from;
  delete state.sent;
  delete state.reason;
  // In the clear anybody on the way may have put it there.
  const contact = opened !== undefined && notifies(chain, NOTIFY.INITIAL_CONTACT).length > 0;
  established(session, now, offeredLife(session));
  agreed(session, now, contact);
}
