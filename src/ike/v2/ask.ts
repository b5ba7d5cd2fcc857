// What a request for a child says, and what the answer to it has to be: RFC 7296 §1.2, §1.3.1, §1.3.3, §2.9, §2.23.1.

import { readUint32, uint32 } from '../../bytes/bytes.ts';
import type { KeyPair } from '../../crypto/types.ts';
import { childConfig } from '../children.ts';
import { reasonMode } from '../fit.ts';
import type { Reason } from '../reason.ts';
import { checkAnswer, offerProposals } from '../select.ts';
import type { ChildState } from '../state.ts';
import { moveTo } from '../transport.ts';
import { within } from '../ts.ts';
import { NOTIFY, protocolId } from '../wire/constants.ts';
import type { Payload } from '../wire/payload.ts';
import { find, has, notify } from './payloads.ts';
import type { Session } from './session.ts';
import type { Answered, Asked, Want } from './state.ts';

/** The payloads that ask for a child, in IKE_AUTH without nonce and key exchange; and what they ask for. */
export function askChild(
  session: Session,
  wanted: Want,
  pair: KeyPair | undefined,
  how: { readonly first: boolean; readonly group?: number; readonly rekeys?: ChildState | undefined },
): { asked: Asked; want: Want; payloads: Payload[] } {
  const { world } = session;
  const config = childConfig(session, wanted.child);
  if (!config) throw new Error(`no child ${wanted.child}`);
  const { rekeys } = how;
  const { protocol } = config;
  // New keys and nothing else: where the peer once declined transport mode it is not asked again.
  const mode = rekeys?.mode ?? config.mode;
  const want = mode === 'transport' ? aimed(session, wanted) : wanted;
  const spi = world.takeSpi();
  const nonce = how.first ? new Uint8Array(0) : world.random(32);
  const group = how.group ?? 0;
  const proposals = offerProposals(config.offers, protocolId(protocol), uint32(spi), { omitKe: how.first });
  const payloads: Payload[] = [
    ...(rekeys ? [rekeyNotify(rekeys)] : []),
    ...(mode === 'transport' ? [notify(NOTIFY.USE_TRANSPORT_MODE)] : []),
    { tag: 'SA', proposals },
    ...(how.first ? [] : [{ tag: 'Nonce', data: nonce } as const]),
    ...(pair ? [{ tag: 'KE', group, data: pair.public } as const] : []),
    { tag: 'TSi', selectors: want.localTs },
    { tag: 'TSr', selectors: want.remoteTs },
  ];
  return { asked: { protocol, mode, spi, proposals, nonce, group, ...(pair ? { pair } : {}) }, want, payloads };
}

/** In transport mode the selectors follow the addresses: a NAT may have changed them since the want was written. */
function aimed({ state }: Session, want: Want): Want {
  const { local, remote } = state;
  const localTs = moveTo(want.localTs, local.ip) ?? want.localTs;
  return { ...want, localTs, remoteTs: moveTo(want.remoteTs, remote.ip) ?? want.remoteTs };
}

/** Names the old SA by its protocol and the SPI that we receive on (RFC 7296 §1.3.3). */
function rekeyNotify({ protocol, spiIn }: ChildState): Payload {
  return { ...notify(NOTIFY.REKEY_SA), protocol: protocolId(protocol), spi: uint32(spiIn) };
}

// --- the answer ---------------------------------------------------------------------------------------------------

type Read =
  | { readonly ok: true; readonly answer: Answered; readonly ke: Uint8Array | undefined }
  | { readonly ok: false; readonly reason: Reason };

export function readAnswer(
  session: Session,
  want: Want,
  asked: Asked,
  payloads: readonly Payload[],
  first: boolean,
): Read {
  const sa = find(payloads, 'SA');
  const tsi = find(payloads, 'TSi');
  const tsr = find(payloads, 'TSr');
  const nonce = first ? undefined : find(payloads, 'Nonce');
  if (!sa || !tsi || !tsr || !(first || nonce)) return wrong('the answer lacks a payload that is needed');
  const selection = checkAnswer(asked.proposals, sa.proposals);
  if (!selection.ok || selection.spi.length !== 4) return wrong('the peer chose a proposal that was not offered');
  // RFC 4303 §2.1, RFC 4302 §2.4: 1 to 255 are reserved; in UDP, 0 would make our ESP look like IKE.
  if (readUint32(selection.spi) < 256) return wrong('the peer chose a reserved SPI');
  const mode = has(payloads, NOTIFY.USE_TRANSPORT_MODE) ? 'transport' : 'tunnel';
  if (mode === 'transport' && asked.mode !== mode) return { ok: false, reason: UNASKED };
  const refusal = mode === asked.mode ? undefined : declined(session, want);
  if (refusal) return { ok: false, reason: refusal };
  const { localTs, remoteTs } = mode === 'transport' ? seenFromHere(session, tsi, tsr) : asSent(tsi, tsr);
  if (!within(localTs, want.localTs) || !within(remoteTs, want.remoteTs)) {
    return wrong('the peer chose traffic selectors wider than those offered');
  }
  if (localTs.length === 0 || remoteTs.length === 0) return wrong('the peer chose no traffic selectors');
  const ke = find(payloads, 'KE');
  const group = selection.suite.ke;
  if (group !== (first ? 0 : asked.group) || (group !== 0 && ke?.group !== group)) {
    return wrong('the peer answered with another key exchange than the one offered');
  }
  const answer: Answered = {
    mode,
    suite: selection.suite,
    spi: selection.spi.slice(),
    nonce: nonce?.data.slice() ?? new Uint8Array(0),
    localTs: copy(localTs),
    remoteTs: copy(remoteTs),
  };
  return { ok: true, answer, ke: group === 0 ? undefined : ke?.data.slice() };
}

function wrong(text: string): Read {
  return { ok: false, reason: { code: 'peer-error', text, by: 'peer' } };
}

const UNASKED: Reason = {
  code: 'mode-mismatch',
  text: 'the peer chose transport mode, which was not asked for',
  by: 'peer',
  want: ['tunnel'],
  got: ['transport'],
};

/** RFC 7296 §1.3.1: a peer may answer with tunnel mode. Where that will not do, the SA is deleted. */
function declined(session: Session, { child }: Want): Reason | undefined {
  const config = childConfig(session, child);
  if (!config || config.tunnelFallback) return undefined;
  return reasonMode({ config, peer: 'declines', outcome: 'refused' });
}

type Ts = Extract<Payload, { tag: 'TSi' | 'TSr' }>;

function asSent(tsi: Ts, tsr: Ts): Pick<Want, 'localTs' | 'remoteTs'> {
  return { localTs: tsi.selectors, remoteTs: tsr.selectors };
}

/** RFC 7296 §2.23.1: the peer names the addresses that it sees; those behind a NAT are others here. */
function seenFromHere({ state }: Session, tsi: Ts, tsr: Ts): Pick<Want, 'localTs' | 'remoteTs'> {
  const { natLocal, natRemote, local, remote } = state;
  const own = natLocal ? moveTo(tsi.selectors, local.ip) : undefined;
  const other = natRemote ? moveTo(tsr.selectors, remote.ip) : undefined;
  return { localTs: own ?? tsi.selectors, remoteTs: other ?? tsr.selectors };
}

/** Decoded selectors borrow the datagram. */
export function copy(selectors: Answered['localTs']): Answered['localTs'] {
  return selectors.map((selector) => ({ ...selector, start: selector.start.slice(), end: selector.end.slice() }));
}
