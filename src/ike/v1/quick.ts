// Quick mode: RFC 2409 §5.5. When we ask for a pair of SAs, and what becomes of each message that comes. How the peer's
// are answered is in `answer.ts`.

import { readUint32, same, uint32 } from '../../bytes/bytes.ts';
import type { SocketAddress } from '../../bytes/ip.ts';
import { equalSecret } from '../../crypto/compare.ts';
import { KE } from '../../crypto/ids.ts';
import { childConfig, childFailed, findChild } from '../children.ts';
import type { Child, Millis } from '../connection.ts';
import type { Answer } from '../effects.ts';
import { unsuited } from '../fit.ts';
import type { Reason } from '../reason.ts';
import { selectProposal } from '../select.ts';
import type { ChildState } from '../state.ts';
import { reasonTs } from '../why.ts';
import { protocolId } from '../wire/constants.ts';
import { answerQuick1, sendQuick2 } from './answer.ts';
import { purposeOf } from './children.ts';
import { beforeOf, complete, firstIvOf, installQuick, sendHashed } from './exchange.ts';
import { quickFailed } from './failure.ts';
import { answered, idOfSelector, selectorOf } from './id.ts';
import { refuse } from './inform.ts';
import { messageHash } from './keymat.ts';
import { lifeOfChild, responderLife, shorter } from './lifetime.ts';
import { heard } from './move.ts';
import { encapsulation, originalAddresses, sameEncapsulation } from './natt.ts';
import { all, find, hashed, need, only, readable } from './payloads.ts';
import { keysOf, suiteOf } from './phase1.ts';
import { open } from './protect.ts';
import { quickGroups, quickProposals, readQuick } from './quickproposal.ts';
import { comesBack, digest, freshId, sealed, send, spendId, transmit } from './send.ts';
import type { Session } from './session.ts';
import type { Quick, Want } from './state.ts';
import { nothingToOffer } from './why.ts';
import { EXCHANGE, NOTIFY } from './wire/constants.ts';
import type { Message } from './wire/message.ts';
import type { Chain } from './wire/payload.ts';

/** Some install their SAs only when they have our last message, and a packet may overtake that. */
const SWITCH: Millis = 1000;

// --- beginning -----------------------------------------------------------------------------------------------------------

export function beginQuick(session: Session, now: Millis, want: Want): void {
  const { world } = session;
  const config = childConfig(session, want.child);
  const old = want.rekeys === undefined ? undefined : findChild(session, want.rekeys);
  // What was to be renewed is gone, or was renewed by the peer.
  if (!config || (want.rekeys !== undefined && (!old || old.successor !== undefined))) return;
  const pair = { localTs: [want.localTs], remoteTs: [want.remoteTs] };
  const obstacle = unsuited(session, config, pair) ?? needsUdp(session);
  if (obstacle) return childFailed(session, want, obstacle);
  const group = groupFor(config, want, old);
  const id = freshId(session);
  const quick: Quick = {
    id,
    ours: true,
    want,
    protocol: config.protocol,
    mode: config.mode,
    awaits: 'pair',
    iv: firstIvOf(session, id),
    spi: world.takeSpi(),
    group,
    nonceI: world.random(32),
    nonceR: new Uint8Array(0),
    begunAt: now,
    endAt: Number.POSITIVE_INFINITY,
    ...beforeOf(session, purposeOf(want)),
  };
  if (old) old.stage = 'rekeying';
  session.state.quicks.push(quick);
  if (group === KE.NONE) return sendQuick1(session, now, quick, config);
  quick.job = session.job(now);
  world.effect({ type: 'generate', job: { session: session.state.id, serial: quick.job.serial }, group });
}

function needsUdp(session: Session): Reason | undefined {
  if (session.udp || session.world.rawEsp) return undefined;
  return {
    code: 'peer-error',
    text: 'the peer does not know NAT traversal (RFC 3947), and without it ESP needs a raw socket, which there is none',
    by: 'us',
    remedy: 'give the daemon CAP_NET_RAW, or switch NAT traversal on at the peer',
  };
}

/** With PFS, the group of the old SAs first: the peer has taken it once. Quick mode has one group for all it offers. */
function groupFor(config: Child, want: Want, old: ChildState | undefined): number {
  const groups = quickGroups(config.offers).filter((id) => !want.refused?.includes(id));
  const [first = KE.NONE] = groups;
  return old && groups.includes(old.suite.ke) ? old.suite.ke : first;
}

function sendQuick1(session: Session, now: Millis, quick: Quick, config: Child): void {
  const { want, group, mode, protocol } = quick;
  const proposals = quickProposals(config.offers, {
    protocol,
    spi: uint32(quick.spi),
    group,
    encapsulation: encapsulation(session, mode),
    life: lifeOfChild(config.lifetime),
  });
  if (proposals[0]?.transforms.length === 0) return quickFailed(session, now, quick, nothingToOffer(config));
  quick.proposals = proposals;
  quick.awaits = 'quick-2';
  sendHashed(
    session,
    now,
    quick,
    [],
    [
      { tag: 'SA', proposals },
      { tag: 'NONCE', data: quick.nonceI },
      ...(quick.pair ? [{ tag: 'KE', data: quick.pair.public } as const] : []),
      { tag: 'ID', id: idOfSelector(want.localTs) },
      { tag: 'ID', id: idOfSelector(want.remoteTs) },
      ...originalAddresses(session, quick),
    ],
    true,
  );
}

// --- what comes in -------------------------------------------------------------------------------------------------------

export function receiveQuick(
  session: Session,
  now: Millis,
  message: Message,
  datagram: Uint8Array,
  from: SocketAddress,
  to: SocketAddress,
): void {
  const { state, world } = session;
  const id = message.header.messageId;
  if (message.chain || id === 0) return world.count('unencrypted');
  // A quick mode of who believes that phase 1 is over: its last message was lost, and will come when ours comes again.
  if (state.awaits === 'aggressive-3' || state.awaits === 'main-5') return session.repeat(from, to);
  if (!state.keys || !['established', 'rekeyed'].includes(state.phase)) return world.count('not-ready');
  const quick = state.quicks.find((one) => one.id === id);
  const seen = digest(datagram);
  if (quick?.heard && same(quick.heard, seen)) {
    world.count('repeated-message');
    // Behind a NAT the peer may have another mapping since; of others whoever repeats it may be anybody.
    const there = state.natRemote ? { local: to, remote: from } : state;
    if (quick.sent) transmit(session, quick.sent.datagrams, there.local, there.remote);
    return;
  }
  if (!quick && state.usedIds.has(id)) return world.count('message-id');
  const opened = open(suiteOf(session), keysOf(session).cipherKey, quick?.iv ?? firstIvOf(session, id), message.body);
  const chain = opened && readable(message.header.nextPayload, opened.plain);
  if (!opened || !chain) return world.count('bad-hash');
  const arrival: Arrival = { chain, iv: opened.iv, seen };
  if (!quick) return firstOfPeer(session, now, id, arrival, from);
  step(session, now, quick, arrival, from);
}

interface Arrival {
  readonly chain: Chain;
  readonly iv: Uint8Array;
  readonly seen: Uint8Array;
}

function firstOfPeer(
  session: Session,
  now: Millis,
  id: number,
  { chain, iv, seen }: Arrival,
  from: SocketAddress,
): void {
  const { world } = session;
  if (!genuine(session, id, [], chain)) return world.count('bad-hash');
  if (!spendId(session, id)) return;
  heard(session, now, from);
  answerQuick1(session, now, { id, chain, iv, heard: seen });
}

function step(session: Session, now: Millis, quick: Quick, { chain, iv, seen }: Arrival, from: SocketAddress): void {
  const { world } = session;
  switch (quick.awaits) {
    case 'quick-2':
      if (!genuine(session, quick.id, [quick.nonceI], chain)) return world.count('bad-hash');
      break;
    case 'quick-3': {
      const want = messageHash(
        suiteOf(session),
        keysOf(session),
        Uint8Array.of(0),
        uint32(quick.id),
        quick.nonceI,
        quick.nonceR,
      );
      const said = only(chain, 'HASH');
      if (!said || !equalSecret(said.payload.data, want)) return world.count('bad-hash');
      break;
    }
    case 'pair':
    case 'shared':
    case 'switch':
    case 'done':
      return world.count('unexpected-message');
  }
  heard(session, now, from);
  comesBack(session, quick.sent);
  quick.heard = seen;
  quick.iv = iv;
  if (quick.awaits === 'quick-2') onQuick2(session, now, quick, chain);
  else onQuick3(session, now, quick);
}

/** HASH first, and over all that follows it. */
function genuine(session: Session, id: number, seed: readonly Uint8Array[], chain: Chain): boolean {
  const [first] = chain.payloads;
  if (first?.tag !== 'HASH' || all(chain, 'HASH').length > 1) return false;
  const want = messageHash(suiteOf(session), keysOf(session), uint32(id), ...seed, hashed(chain));
  return equalSecret(first.data, want);
}

// --- the initiator's second half -----------------------------------------------------------------------------------------

function onQuick2(session: Session, now: Millis, quick: Quick, chain: Chain): void {
  const { world, state } = session;
  const config = childConfig(session, quick.want.child);
  // The peer has its SAs already, and waits for our last message.
  if (!config) {
    refuse(session, now, NOTIFY.NO_PROPOSAL_CHOSEN, quick);
    return quickFailed(session, now, quick, { code: 'requested', text: 'the child is configured no more' });
  }
  delete quick.sent;
  const reason = readQuick2(session, quick, config, chain);
  if (reason) {
    refuse(session, now, NOTIFY.NO_PROPOSAL_CHOSEN, quick);
    return quickFailed(session, now, quick, reason);
  }
  if (quick.group === KE.NONE) return finishQuick(session, now, quick, config, undefined);
  const theirs = need(chain, 'KE').payload.data.slice();
  quick.awaits = 'shared';
  quick.job = session.job(now);
  const job = { session: state.id, serial: quick.job.serial };
  world.effect({ type: 'agree', job, group: quick.group, pair: quick.pair, theirs });
}

/** What the peer took of what we offered; why that will not do. */
function readQuick2(session: Session, quick: Quick, config: Child, chain: Chain): Reason | undefined {
  const [sa, nonce] = [only(chain, 'SA'), only(chain, 'NONCE')];
  if (!sa || !nonce || all(chain, 'KE').length > 1) {
    return { code: 'peer-error', text: 'the peer answers with payloads that are missing or doubled', by: 'peer' };
  }
  const reads = readQuick(sa.payload.proposals);
  const [read] = reads;
  const ours = readQuick(quick.proposals ?? []).map(({ as }) => as);
  const offered = ours.map((proposal) => ({ text: '', transforms: proposal.transforms }));
  const protocol = protocolId(quick.protocol);
  const selection = read && selectProposal(offered, [read.as], { protocol });
  const spi = read && readUint32(read.proposal.spi);
  if (!read || reads.length !== 1 || !selection?.ok || read.proposal.spi.length !== 4 || !spi || spi < 256) {
    return { code: 'peer-error', text: 'the peer answers with something that was not offered', by: 'peer' };
  }
  if (!sameEncapsulation(session, quick.mode, read.encapsulation)) {
    const text = 'the peer answers with another encapsulation (tunnel or transport, in UDP or not) than was offered';
    return { code: 'mode-mismatch', text, by: 'peer' };
  }
  const group = selection.suite.ke;
  if (group !== quick.group || (group !== KE.NONE && !find(chain, 'KE'))) {
    return { code: 'wrong-group', text: 'the peer answers with another group than was offered', by: 'peer' };
  }
  const ids = all(chain, 'ID').map(({ payload }) => selectorOf(payload.id));
  if (ids.length > 0) {
    const [local, remote] = ids;
    if (!local || !remote || ids.length > 2) {
      return { code: 'ts-mismatch', text: 'the peer answers with identities that are no selectors', by: 'peer' };
    }
    const localTs = answered(quick.want.localTs, local);
    const remoteTs = answered(quick.want.remoteTs, remote);
    if (!localTs || !remoteTs) {
      const theirs = { local: [local], remote: [remote] };
      return reasonTs({ local: [quick.want.localTs], remote: [quick.want.remoteTs], theirs, config, by: 'peer' });
    }
    Object.assign(quick, { want: { ...quick.want, localTs, remoteTs } });
  }
  quick.nonceR = nonce.payload.data.slice();
  const life = shorter(shorter(lifeOfChild(config.lifetime), read.life), responderLife(chain));
  quick.answer = { suite: selection.suite, spi, life, chosen: { ...read.proposal, transforms: [read.transform] } };
  return undefined;
}

/** The peer may send as soon as it has our last message: its SA is there before. */
function finishQuick(session: Session, now: Millis, quick: Quick, config: Child, shared: Uint8Array | undefined): void {
  installQuick(session, now, quick, config, shared, true);
  const seed = [Uint8Array.of(0), uint32(quick.id), quick.nonceI, quick.nonceR];
  const data = messageHash(suiteOf(session), keysOf(session), ...seed);
  const header = { exchange: EXCHANGE.QUICK_MODE, messageId: quick.id };
  const { bytes, iv } = sealed(session, header, quick.iv, [{ tag: 'HASH', data }]);
  quick.iv = iv;
  quick.sent = send(session, now, bytes, false);
  if (quick.before !== undefined) {
    quick.awaits = 'switch';
    quick.endAt = now + SWITCH;
  } else complete(session, now, quick);
  session.advance(now);
}

function onQuick3(session: Session, now: Millis, quick: Quick): void {
  delete quick.sent;
  complete(session, now, quick);
}

export function quickAnswered(session: Session, now: Millis, quick: Quick, answer: Answer): void {
  delete quick.job;
  const config = childConfig(session, quick.want.child);
  if (!config) return quickFailed(session, now, quick, { code: 'requested', text: 'the child is configured no more' });
  if (answer.type === 'generated') {
    quick.pair = answer.pair;
    return sendQuick1(session, now, quick, config);
  }
  if (!answer.shared) {
    refuse(session, now, NOTIFY.INVALID_KEY_INFORMATION, quick);
    const text = "the peer's public value is not acceptable";
    return quickFailed(session, now, quick, { code: 'bad-key-exchange', text, by: 'us' });
  }
  const { pair, shared } = answer;
  if (quick.ours) finishQuick(session, now, quick, config, shared);
  else sendQuick2(session, now, quick, config, pair, shared);
  for (const secret of [shared, pair.secret, quick.pair?.secret]) secret?.fill(0);
  delete quick.pair;
}
