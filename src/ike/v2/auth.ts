// IKE_AUTH with a pre-shared key, both sides, and the first child in it: RFC 7296 §1.2, §2.15, §2.16; childless RFC 6023.

import type { SocketAddress } from '../../bytes/ip.ts';
import { equalSecret } from '../../crypto/compare.ts';
import type { Connection, Millis, SharedKey } from '../connection.ts';
import { describeIdentity, identityOfAddress, matchesIdentity, sameIdentity } from '../identity.ts';
import { namedConnections } from '../match.ts';
import { reasonAuth } from '../proof.ts';
import { findSharedKey } from '../psk.ts';
import type { Reason } from '../reason.ts';
import { selectProposal } from '../select.ts';
import { at } from '../why.ts';
import { AUTH_METHOD, EXCHANGE, NOTIFY, notifyName, PROTOCOL } from '../wire/constants.ts';
import type { Identity, Payload } from '../wire/payload.ts';

import { answerFirstChild } from './answer.ts';
import { askChild } from './ask.ts';
import { processFirstChild } from './create.ts';
import { sharedKeyAuth } from './keymat.ts';
import { startLife } from './life.ts';
import { errorNotify, find, has, notify } from './payloads.ts';
import type { Session } from './session.ts';
import type { SessionState, Task } from './state.ts';
import { unify } from './unique.ts';
import { request, respond } from './window.ts';

type AuthTask = Extract<Task, { kind: 'auth' }>;

// --- initiator ---------------------------------------------------------------------------------------------------

export function authRequest(session: Session, now: Millis, task: AuthTask): void {
  const { state, conn, world } = session;
  const localId = conn.localId ?? identityOfAddress(state.local.ip);
  const wanted = conn.remoteId.kind === 'is' ? conn.remoteId.id : undefined;
  const key = sharedKey(session, localId, wanted);
  if (!key) return session.over(now, noKey(session, localId, wanted));
  state.localId = localId;
  const payloads: Payload[] = [
    { tag: 'IDi', id: localId },
    ...(world.others(session).length === 0 ? [notify(NOTIFY.INITIAL_CONTACT)] : []),
    ...(wanted ? [{ tag: 'IDr', id: wanted } as const] : []),
    { tag: 'AUTH', method: AUTH_METHOD.SHARED_KEY_MIC, data: ownAuth(state, key, localId) },
  ];
  if (task.want) {
    const { asked, want, payloads: child } = askChild(session, task.want, undefined, { first: true });
    task.asked = asked;
    task.want = want;
    payloads.push(...child);
  }
  request(session, now, EXCHANGE.IKE_AUTH, payloads);
}

/** A key found for the identities; the addresses count where the configuration names no identity. */
function sharedKey(session: Session, localId: Identity, remoteId: Identity | undefined): SharedKey | undefined {
  const { state, world } = session;
  return findSharedKey(world.sharedKeys(), {
    localId,
    ...(remoteId ? { remoteId } : {}),
    localIp: state.local.ip,
    remoteIp: state.remote.ip,
  });
}

function ownAuth(state: SessionState, key: SharedKey, id: Identity): Uint8Array {
  const { suite, keys, initRequest, initResponse, nonceI, nonceR } = state;
  if (!suite || !keys || !initRequest || !initResponse || !nonceI || !nonceR) throw new Error('AUTH before its keys');
  return state.original
    ? sharedKeyAuth(suite, key.secret.reveal(), initRequest, nonceR, keys.skPi, id)
    : sharedKeyAuth(suite, key.secret.reveal(), initResponse, nonceI, keys.skPr, id);
}

function peerAuth(state: SessionState, secret: Uint8Array, id: Identity): Uint8Array {
  const { suite, keys, initRequest, initResponse, nonceI, nonceR } = state;
  if (!suite || !keys || !initRequest || !initResponse || !nonceI || !nonceR) throw new Error('AUTH before its keys');
  return state.original
    ? sharedKeyAuth(suite, secret, initResponse, nonceI, keys.skPr, id)
    : sharedKeyAuth(suite, secret, initRequest, nonceR, keys.skPi, id);
}

function noKey(session: Session, localId: Identity, remoteId: Identity | undefined): Reason {
  return reasonAuth({ kind: 'no-psk', ...parties(session, localId, remoteId), key: undefined, by: 'us' });
}

function parties(session: Session, localId: Identity, remoteId: Identity | undefined) {
  const { state, conn } = session;
  const natted = { local: state.natLocal, remote: state.natRemote };
  return { localId, remoteId, expected: conn.remoteId, peer: state.remote, config: conn, natted };
}

export function processAuth(session: Session, now: Millis, task: AuthTask, payloads: readonly Payload[]): void {
  const { state, conn } = session;
  const localId = state.localId ?? identityOfAddress(state.local.ip);
  const auth = find(payloads, 'AUTH');
  const idr = find(payloads, 'IDr');
  if (!auth || !idr) {
    const reason = authRefused(session, payloads, localId);
    return errorNotify(payloads) ? session.fail(now, reason) : session.reject(now, reason);
  }
  const remoteId: Identity = { type: idr.id.type, data: idr.id.data.slice() };
  // By the identity that it claims: the key of another peer must not vouch for it.
  const key = sharedKey(session, localId, remoteId);
  const known = matchesIdentity(conn.remoteId, remoteId);
  const proven =
    auth.method === AUTH_METHOD.SHARED_KEY_MIC &&
    key !== undefined &&
    equalSecret(auth.data, peerAuth(state, key.secret.reveal(), remoteId));
  if (!known || !proven) {
    const kind = known ? (key ? 'auth-failed' : 'no-psk') : 'unknown-id';
    const reason = known ? otherMethod(session, auth.method, remoteId) : undefined;
    return session.reject(now, reason ?? reasonAuth({ kind, ...parties(session, localId, remoteId), key, by: 'us' }));
  }
  state.remoteId = remoteId;
  authenticated(session, now);
  if (task.want && task.asked) processFirstChild(session, now, task.want, task.asked, payloads);
  forgetInit(state);
  unify(session, now, false);
  session.finish(now);
}

function authRefused(session: Session, payloads: readonly Payload[], localId: Identity): Reason {
  const { conn } = session;
  const error = errorNotify(payloads);
  const wanted = conn.remoteId.kind === 'is' ? conn.remoteId.id : undefined;
  if (error?.kind === NOTIFY.AUTHENTICATION_FAILED) return refusal(session, localId, wanted);
  return {
    code: 'peer-error',
    text: error
      ? `the peer answered IKE_AUTH with ${notifyName(error.kind)}`
      : 'the answer to IKE_AUTH lacks IDr or AUTH',
    by: 'peer',
    remedy: "look for the reason in the peer's log",
    peer: session.state.remote,
    ...(error ? { notify: notifyName(error.kind) } : {}),
  };
}

function refusal(session: Session, localId: Identity, remoteId: Identity | undefined): Reason {
  const key = sharedKey(session, localId, remoteId);
  return reasonAuth({ kind: 'auth-failed', ...parties(session, localId, remoteId), key, by: 'peer' });
}

/** We believed in the peer, and it does not in us (RFC 7296 §2.21.2). */
export function refusedByPeer(session: Session): Reason {
  const { localId, remoteId, local } = session.state;
  return refusal(session, localId ?? identityOfAddress(local.ip), remoteId);
}

function authenticated(session: Session, now: Millis): void {
  const { state } = session;
  startLife(session, now);
  session.event({ kind: 'session-established', session: state.id, conn: state.conn });
}

// --- responder ---------------------------------------------------------------------------------------------------

export function authAnswer(session: Session, now: Millis, payloads: readonly Payload[], from: SocketAddress): void {
  const { state } = session;
  const idi = find(payloads, 'IDi');
  const auth = find(payloads, 'AUTH');
  const idr = find(payloads, 'IDr');
  if (!idi) return refuse(session, now, from, NOTIFY.INVALID_SYNTAX, incomplete());
  if (!auth) return refuse(session, now, from, NOTIFY.AUTHENTICATION_FAILED, wantsEap(session));
  const remoteId: Identity = { type: idi.id.type, data: idi.id.data.slice() };
  const conn = chooseConnection(session, remoteId, idr?.id);
  const key = conn && sharedKeyFor(session, conn, remoteId);
  // An unknown identity costs as much as a wrong key and gets the same answer: nobody learns which names exist.
  const secret = key?.secret.reveal() ?? session.world.random(32);
  const proven =
    equalSecret(auth.data, peerAuth(state, secret, remoteId)) && auth.method === AUTH_METHOD.SHARED_KEY_MIC;
  if (!conn || !key || !proven) {
    const localId = conn?.localId ?? identityOfAddress(state.local.ip);
    if (conn) state.conn = conn.name;
    // Also where the key is wrong: it takes its time, by which names could be told that exist (SECURITY C4).
    const asked = chooseConnection(session, remoteId, undefined);
    if (asked && idr && !conn)
      return refuse(session, now, from, NOTIFY.AUTHENTICATION_FAILED, notUs(session, asked, remoteId, idr.id));
    const kind = conn ? (key ? 'auth-failed' : 'no-psk') : 'unknown-id';
    const reason = conn ? otherMethod(session, auth.method, remoteId) : undefined;
    const said = reason ?? reasonAuth({ kind, ...parties(session, localId, remoteId), key, by: 'us' });
    return refuse(session, now, from, NOTIFY.AUTHENTICATION_FAILED, said);
  }
  state.conn = conn.name;
  state.remoteId = remoteId;
  state.localId = conn.localId ?? idrOr(idr?.id, state.local.ip);
  const reply: Payload[] = [
    { tag: 'IDr', id: state.localId },
    { tag: 'AUTH', method: AUTH_METHOD.SHARED_KEY_MIC, data: ownAuth(state, key, state.localId) },
  ];
  const childless = !find(payloads, 'SA');
  if (childless && conn.childless === 'never') {
    return refuse(session, now, from, NOTIFY.INVALID_SYNTAX, incomplete());
  }
  authenticated(session, now);
  if (!childless) reply.push(...answerFirstChild(session, now, payloads));
  forgetInit(state);
  respond(session, EXCHANGE.IKE_AUTH, reply, from);
  unify(session, now, has(payloads, NOTIFY.INITIAL_CONTACT));
  session.advance(now);
}

/** The peer is known, but it wants to speak to somebody else. */
function notUs({ state }: Session, conn: Connection, remoteId: Identity, wanted: Identity): Reason {
  const localId = conn.localId ?? identityOfAddress(state.local.ip);
  return reasonAuth({ kind: 'unknown-id', localId, remoteId, wanted, peer: state.remote, by: 'us', config: conn });
}

/** What only AUTH and the first child needed. */
function forgetInit(state: SessionState): void {
  delete state.initRequest;
  delete state.initResponse;
  delete state.nonceI;
  delete state.nonceR;
  delete state.accepted;
}

/** Without an identity of our own we are who the peer asked for, if that is our address. */
function idrOr(asked: Identity | undefined, ip: string): Identity {
  const own = identityOfAddress(ip);
  return asked && sameIdentity(asked, own) ? { type: asked.type, data: asked.data.slice() } : own;
}

function sharedKeyFor(session: Session, conn: Connection, remoteId: Identity): SharedKey | undefined {
  return sharedKey(session, conn.localId ?? identityOfAddress(session.state.local.ip), remoteId);
}

/** The addresses and the proposal left several; the identities decide. An exact identity beats `%any`. */
function chooseConnection(session: Session, idi: Identity, idr: Identity | undefined): Connection | undefined {
  const { state, world } = session;
  const accepted = acceptedProposal(session);
  const possible = namedConnections(world.connections(), state.local.ip, state.remote.ip, idi).filter(
    (conn) =>
      (!idr || sameIdentity(idr, conn.localId ?? identityOfAddress(state.local.ip))) &&
      selectProposal(conn.offers, [accepted], { protocol: PROTOCOL.IKE }).ok,
  );
  return possible.find((conn) => conn.remoteId.kind === 'is') ?? possible[0];
}

function acceptedProposal({ state }: Session) {
  if (!state.accepted) throw new Error('no proposal was accepted');
  return state.accepted;
}

function refuse(session: Session, now: Millis, from: SocketAddress, kind: number, reason: Reason): void {
  respond(session, EXCHANGE.IKE_AUTH, [notify(kind)], from);
  session.over(now, { ...reason, notify: notifyName(kind) });
}

const METHODS = new Map<number, string>(Object.entries(AUTH_METHOD).map(([name, id]) => [id, name]));

/** A certificate, say, where we want a pre-shared key. */
function otherMethod(session: Session, method: number, remoteId: Identity): Reason | undefined {
  if (method === AUTH_METHOD.SHARED_KEY_MIC) return undefined;
  const got = METHODS.get(method) ?? `method ${method}`;
  return wrongMethod(session, `${describeIdentity(remoteId)} authenticates with ${got}`, got);
}

/** RFC 7296 §2.16: an initiator that leaves AUTH out asks for EAP. */
function wantsEap(session: Session): Reason {
  return wrongMethod(session, 'the peer wants to authenticate with EAP, which is not supported here', 'EAP');
}

function wrongMethod({ conn, state }: Session, text: string, got: string): Reason {
  const where = conn.where.get('remote.auth') ?? conn.where.get('remote') ?? conn.where.get('');
  return {
    code: 'auth-method',
    text: `${text}; we want a pre-shared key`,
    by: 'us',
    want: ['SHARED_KEY_MIC'],
    got: [got],
    remedy: `set the peer to authenticate with a pre-shared key (ours is so${at(where)})`,
    peer: state.remote,
    ...(where ? { where } : {}),
  };
}

function incomplete(): Reason {
  return {
    code: 'syntax',
    text: 'the IKE_AUTH request lacks a payload that is needed',
    by: 'us',
    remedy: 'this is a fault of the peer: look for a newer version of its software',
  };
}
