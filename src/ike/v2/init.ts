// IKE_SA_INIT, both sides: RFC 7296 §1.2, with COOKIE (§2.6), INVALID_KE_PAYLOAD (§1.3) and NAT detection (§2.23).
// What a responder says before it keeps state is in `doorman.ts`.

import { isV6, type SocketAddress } from '../../bytes/ip.ts';
import { cipherShape } from '../../crypto/registry.ts';
import type { KeyPair } from '../../crypto/types.ts';
import { childConfig, childFailed, lowest } from '../children.ts';
import type { Millis } from '../connection.ts';
import type { Answer } from '../effects.ts';
import { unsuited } from '../fit.ts';
import { natHash, natSeen } from '../natt.ts';
import type { Reason } from '../reason.ts';
import { checkAnswer, groupsOf, offerProposals, type Suite } from '../select.ts';
import { keywordOf, transformName } from '../transforms.ts';
import { versionRefused } from '../version.ts';
import { at, reasonNoProposal } from '../why.ts';
import { EXCHANGE, NOTIFY, notifyName, PROTOCOL, TRANSFORM } from '../wire/constants.ts';
import { encodeMessage } from '../wire/message.ts';
import type { Message, Payload } from '../wire/payload.ts';
import { wordFor } from '../words.ts';
import { firstKeys } from './keymat.ts';
import { errorNotify, find, has, need, notifies, notify, wantedGroup } from './payloads.ts';
import type { Session } from './session.ts';
import type { Incoming, Task } from './state.ts';
import { initRequest } from './window.ts';

type InitTask = Extract<Task, { kind: 'init' }>;
type IncomingInit = Extract<Incoming, { kind: 'init' }>;

/** COOKIE and INVALID_KE_PAYLOAD may each come, also together; a peer that never has enough is not worth it. */
const MAX_RESTARTS = 5;
const IKE_PORT = 500;
const NAT_PORT = 4500;

/** SHA2-256, 384, 512 and Identity (RFC 7427 §4, RFC 8420). */
const HASHES = Uint8Array.of(0, 2, 0, 3, 0, 4, 0, 5);

export function beginInit(session: Session, now: Millis, task: InitTask): void {
  const job = session.taskJob(now);
  session.world.effect({ type: 'generate', job, group: task.group });
}

export function sendInit(session: Session, now: Millis, task: InitTask, pair: KeyPair): void {
  const { state, conn } = session;
  task.pair = pair;
  const proposals = offerProposals(conn.offers, PROTOCOL.IKE, new Uint8Array(0), {});
  task.proposals = proposals;
  const payloads: Payload[] = [
    ...(task.cookie ? [notify(NOTIFY.COOKIE, task.cookie)] : []),
    { tag: 'SA', proposals },
    { tag: 'KE', group: task.group, data: pair.public },
    { tag: 'Nonce', data: task.nonce },
    ...natPayloads(session, new Uint8Array(8), state.local, state.remote),
    ...abilities(session),
  ];
  const header = {
    spiI: state.spiI,
    spiR: new Uint8Array(8),
    exchange: EXCHANGE.IKE_SA_INIT,
    initiator: true,
    response: false,
    messageId: 0,
  };
  const bytes = encodeMessage(header, payloads);
  state.initRequest = bytes;
  state.nonceI = task.nonce;
  initRequest(session, now, EXCHANGE.IKE_SA_INIT, bytes);
}

/** What we see of the addresses. A source hash that fits nothing makes both sides put ESP in UDP. */
export function natPayloads(
  session: Session,
  spiR: Uint8Array,
  local: SocketAddress,
  remote: SocketAddress,
): Payload[] {
  const { spiI } = session.state;
  const nowhere = { ip: isV6(local.ip) ? '::' : '0.0.0.0', port: 0 };
  const source = session.state.udpForced ? nowhere : local;
  return [
    notify(NOTIFY.NAT_DETECTION_SOURCE_IP, natHash(spiI, spiR, source)),
    notify(NOTIFY.NAT_DETECTION_DESTINATION_IP, natHash(spiI, spiR, remote)),
  ];
}

function abilities({ conn }: Session): Payload[] {
  const fragments = conn.fragmentation === 'no' ? [] : [notify(NOTIFY.IKEV2_FRAGMENTATION_SUPPORTED)];
  return [...fragments, notify(NOTIFY.SIGNATURE_HASH_ALGORITHMS, HASHES)];
}

/** Compares what the peer saw with what we see. */
export function learn(session: Session, payloads: readonly Payload[], from: SocketAddress, to: SocketAddress): void {
  const { state } = session;
  const hashes = (kind: number) => notifies(payloads, kind).map((payload) => payload.data);
  const spiR = hashedSpiR(session);
  state.natRemote = natSeen(hashes(NOTIFY.NAT_DETECTION_SOURCE_IP), natHash(state.spiI, spiR, from));
  state.natLocal = natSeen(hashes(NOTIFY.NAT_DETECTION_DESTINATION_IP), natHash(state.spiI, spiR, to));
  state.peerFragments = has(payloads, NOTIFY.IKEV2_FRAGMENTATION_SUPPORTED);
  state.peerChildless = has(payloads, NOTIFY.CHILDLESS_IKEV2_SUPPORTED);
  state.peerHashes = notifies(payloads, NOTIFY.SIGNATURE_HASH_ALGORITHMS).flatMap(({ data }) =>
    Array.from({ length: data.length >> 1 }, (_, i) => ((data[2 * i] ?? 0) << 8) | (data[2 * i + 1] ?? 0)),
  );
}

/** In the request the responder's SPI is still zero. */
function hashedSpiR({ state }: Session): Uint8Array {
  return state.original ? state.spiR : new Uint8Array(8);
}

export function processInit(session: Session, now: Millis, task: InitTask, message: Message, raw: Uint8Array): void {
  const { state, world } = session;
  const { payloads, header } = message;
  world.tally.message(header.exchange, 'in', true, state.conn);
  const cookie = notifies(payloads, NOTIFY.COOKIE)[0];
  if (cookie && !find(payloads, 'SA')) {
    if (cookie.data.length < 1 || cookie.data.length > 64) return world.count('bad-cookie');
    return again(session, now, task, () => {
      task.cookie = cookie.data.slice();
      if (task.pair) sendInit(session, now, task, task.pair);
    });
  }
  const invalidKe = notifies(payloads, NOTIFY.INVALID_KE_PAYLOAD)[0];
  if (invalidKe) {
    const group = wantedGroup(invalidKe);
    // Only a group that we offered, and never the one just tried: nobody may talk us down to another.
    if (group === undefined || group === task.group || !groupsOf(session.conn.offers).includes(group)) {
      // Should nothing better come, this is why.
      state.reason ??= groupRefused(session, task.group, group);
      return world.count('bad-group');
    }
    return again(session, now, task, () => {
      task.group = group;
      beginInit(session, now, task);
    });
  }
  const error = errorNotify(payloads);
  if (error) return session.fail(now, refusal(session, error.kind));
  const { proposals } = need(payloads, 'SA');
  const ke = need(payloads, 'KE');
  const nonce = need(payloads, 'Nonce').data.slice();
  if (header.spiR.every((byte) => byte === 0)) return world.count('zero-spi');
  const selection = checkAnswer(task.proposals ?? [], proposals);
  if (!selection.ok || selection.suite.ke !== task.group || ke.group !== task.group || !task.pair) {
    return world.count('bad-answer');
  }
  if ((state.outstanding?.transmissions ?? 0) > 1)
    session.event({ kind: 'answered', session: state.id, conn: state.conn });
  delete state.outstanding;
  delete state.reason;
  state.spiR = header.spiR.slice();
  state.initResponse = raw.slice();
  learn(session, payloads, state.remote, state.local);
  task.answer = { suite: selection.suite, nonce };
  const theirs = ke.data.slice();
  world.effect({ type: 'agree', job: session.taskJob(now), group: task.group, pair: task.pair, theirs });
}

function again(session: Session, now: Millis, task: InitTask, restart: () => void): void {
  if (++task.restarts > MAX_RESTARTS) {
    return session.fail(now, {
      code: 'peer-error',
      text: 'the peer keeps asking for another cookie or group',
      by: 'peer',
    });
  }
  delete session.state.outstanding;
  restart();
}

function groupRefused({ conn, state }: Session, tried: number, wanted: number | undefined): Reason {
  const where = conn.where.get('proposals') ?? conn.where.get('');
  const name = (id: number) => transformName({ type: TRANSFORM.KE, id });
  const [want, got] = [groupsOf(conn.offers).map(name), wanted === undefined ? [] : [name(wanted)]];
  const same = wanted === tried;
  const word = wanted === undefined || same ? undefined : keywordOf({ type: TRANSFORM.KE, id: wanted });
  const option = wordFor(conn, 'proposals');
  const others = got[0] === undefined ? 'no other that can be read' : `${got[0]}, which we did not offer`;
  return {
    code: 'wrong-group',
    text: same
      ? `${state.remote.ip} asks for the group ${name(tried)}, with which we have begun`
      : `${state.remote.ip} does not take the group ${name(tried)} and asks for ${others}`,
    notify: 'INVALID_KE_PAYLOAD',
    by: 'peer',
    want,
    got,
    remedy: word
      ? `add \`-${word}\` to \`${option}\`${at(where)}, or have the peer take ${want.join(' or ')}`
      : `have the peer take ${want.join(' or ')} (\`${option}\`${at(where)})`,
    peer: state.remote,
    ...(where ? { where } : {}),
  };
}

function refusal(session: Session, kind: number): Reason {
  const { conn, state } = session;
  const where = conn.where.get('proposals') ?? conn.where.get('');
  if (kind === NOTIFY.NO_PROPOSAL_CHOSEN) {
    return reasonNoProposal({
      offers: conn.offers,
      theirs: undefined,
      protocol: PROTOCOL.IKE,
      ...(where ? { where } : {}),
      by: 'peer',
      peer: state.remote,
    });
  }
  if (kind === NOTIFY.INVALID_MAJOR_VERSION) return versionRefused(conn, state.remote, notifyName(kind));
  return {
    code: 'peer-error',
    text: `${state.remote.ip} refused the first message with ${notifyName(kind)}`,
    notify: notifyName(kind),
    by: 'peer',
    remedy: "look for the reason in the peer's log",
    peer: state.remote,
  };
}

export function initAgreed(session: Session, now: Millis, task: InitTask, shared: Uint8Array | undefined): void {
  const { state, conn } = session;
  if (!task.answer) throw new Error('agreed without an answer');
  if (!shared) return session.fail(now, badKeyExchange('peer'));
  const { suite, nonce } = task.answer;
  keyed(session, suite, task.nonce, nonce, shared);
  state.phase = 'auth';
  float(session);
  const obstacle = dropUnsuited(session);
  const [next] = state.queue;
  const alone =
    next?.kind !== 'create' || conn.childless === 'force' || (conn.childless === 'prefer' && state.peerChildless);
  // RFC 6023 §3: never towards a peer that has not said that it knows this.
  if (alone && !state.peerChildless) return session.fail(now, obstacle ?? childful());
  delete state.task;
  if (alone) {
    state.queue.unshift({ kind: 'auth' });
  } else {
    state.queue.shift();
    state.queue.unshift({ kind: 'auth', want: next.want });
  }
  session.advance(now);
}

/** IKE_AUTH goes out with the first child that can be had; why one before it cannot, it returns. */
function dropUnsuited(session: Session): Reason | undefined {
  const { queue } = session.state;
  let obstacle: Reason | undefined;
  for (let next = queue[0]; next?.kind === 'create'; next = queue[0]) {
    const config = childConfig(session, next.want.child);
    const reason = config && unsuited(session, config, next.want);
    if (!reason) break;
    obstacle = reason;
    childFailed(session, next.want, reason);
    queue.shift();
  }
  return obstacle;
}

function childful(): Reason {
  return {
    code: 'childless',
    text: 'the peer does not make an IKE SA without a child (RFC 6023)',
    by: 'peer',
    remedy: 'set childless = allow, and bring a child up with the connection',
  };
}

/** RFC 7296 §2.23: with a NAT on the way, everything after IKE_SA_INIT goes over 4500. */
function float(session: Session): void {
  const { state, world } = session;
  if (!session.udp || state.local.port === world.natPort) return;
  state.local = { ip: state.local.ip, port: world.natPort };
  if (state.remote.port === IKE_PORT) state.remote = { ip: state.remote.ip, port: NAT_PORT };
}

function keyed(session: Session, suite: Suite, nonceI: Uint8Array, nonceR: Uint8Array, shared: Uint8Array): void {
  const { state } = session;
  state.suite = suite;
  state.nonceI = nonceI;
  state.nonceR = nonceR;
  state.lowestNonce = lowest(nonceI, nonceR);
  state.keys = firstKeys(suite, { shared, nonceI, nonceR }, state.spiI, state.spiR);
  if (!cipherShape(suite.encr, suite.keyBits)) throw new Error('a suite without a cipher was chosen');
}

export function badKeyExchange(by: 'us' | 'peer'): Reason {
  return { code: 'bad-key-exchange', text: "the peer's public value is not acceptable", by };
}

/** The responder's shared secret is there: answer. */
export function incomingInitAgreed(
  session: Session,
  now: Millis,
  incoming: IncomingInit,
  { pair, shared }: Extract<Answer, { type: 'agreed' }>,
): void {
  const { state, world, conn } = session;
  if (!shared) {
    world.count('bad-key-exchange');
    return session.over(now, badKeyExchange('us'));
  }
  const nonceR = world.random(32);
  keyed(session, incoming.suite, incoming.nonce, nonceR, shared);
  const payloads: Payload[] = [
    { tag: 'SA', proposals: [incoming.proposal] },
    { tag: 'KE', group: incoming.suite.ke, data: pair.public },
    { tag: 'Nonce', data: nonceR },
    ...natPayloads(session, state.spiR, state.local, state.remote),
    ...abilities(session),
    ...(conn.childless === 'never' ? [] : [notify(NOTIFY.CHILDLESS_IKEV2_SUPPORTED)]),
  ];
  const header = {
    spiI: state.spiI,
    spiR: state.spiR,
    exchange: EXCHANGE.IKE_SA_INIT,
    initiator: false,
    response: true,
    messageId: 0,
  };
  state.initResponse = encodeMessage(header, payloads);
  state.nextIn = 1;
  state.phase = 'auth';
  world.tally.message(header.exchange, 'out', true, state.conn);
  world.effect({ type: 'send', local: state.local, remote: incoming.from, bytes: state.initResponse });
}

/** IKE_SA_INIT again: the answer was lost, or it is not there yet. */
export function repeatInit({ state, world }: Session, from: SocketAddress, to: SocketAddress): void {
  const { initResponse, phase } = state;
  world.count('repeated-request');
  if (phase !== 'auth' || !initResponse) return;
  state.repeats = (state.repeats ?? 0) + 1;
  world.effect({ type: 'send', local: to, remote: from, bytes: initResponse });
}
