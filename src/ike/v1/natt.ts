// NAT traversal: RFC 3947 §3.2, §4, §5, and drafts 02 and 03 of it, which have other numbers for the same things.

import { same } from '../../bytes/bytes.ts';
import { isV6, parseIp, type SocketAddress } from '../../bytes/ip.ts';
import type { Mode } from '../connection.ts';
import { natSeen } from '../natt.ts';
import { hash } from './keymat.ts';
import { all } from './payloads.ts';
import type { Session } from './session.ts';
import type { Quick } from './state.ts';
import { ENCAPSULATION } from './wire/constants.ts';
import type { Chain, Payload } from './wire/payload.ts';

const IKE_PORT = 500;
const NAT_PORT = 4500;

/** The destination first, then the source. A source that fits nothing makes both sides put ESP in UDP. */
export function natPayloads(session: Session): Payload[] {
  const { natt, local, remote, udpForced } = session.state;
  if (natt === undefined) return [];
  const nowhere = { ip: isV6(local.ip) ? '::' : '0.0.0.0', port: 0 };
  const draft = natt === 'draft';
  return [remote, udpForced ? nowhere : local].map((address) => ({
    tag: 'NATD',
    draft,
    data: natHash(session, address),
  }));
}

function natHash({ state }: Session, { ip, port }: SocketAddress): Uint8Array {
  const address = parseIp(ip);
  if (!address || !state.suite) throw new Error(`no hash of ${ip}`);
  return hash(state.suite, state.spiI, state.spiR, address, Uint8Array.of(port >> 8, port & 0xff));
}

/** Of a packet from the peer. */
interface Arrived {
  readonly from: SocketAddress;
  readonly to: SocketAddress;
}

/** Compares what the peer saw with what we see, of one packet or the other. */
export function learnNat(session: Session, chain: Chain, ways: readonly Arrived[]): void {
  const { state } = session;
  if (state.natt === undefined) return;
  const [mine, ...theirs] = all(chain, 'NATD').map(({ payload }) => payload.data);
  if (!mine || theirs.length === 0) return;
  state.natLocal = !ways.some(({ to }) => same(mine, natHash(session, to)));
  state.natRemote = ways.every(({ from }) => natSeen(theirs, natHash(session, from)));
}

/** RFC 3947 §4: with a NAT on the way, everything from the next message on goes over 4500. */
export function float({ state, world, udp }: Session): void {
  if (!udp || state.natt === undefined || state.local.port === world.natPort) return;
  state.local = { ip: state.local.ip, port: world.natPort };
  if (state.remote.port === IKE_PORT) state.remote = { ip: state.remote.ip, port: NAT_PORT };
}

/** RFC 3947 §5.1. */
export function encapsulation({ udp, state }: Session, mode: Mode): number {
  const transport = mode === 'transport';
  if (!udp) return transport ? ENCAPSULATION.TRANSPORT : ENCAPSULATION.TUNNEL;
  if (state.natt === 'draft') return transport ? ENCAPSULATION.UDP_TRANSPORT_DRAFT : ENCAPSULATION.UDP_TUNNEL_DRAFT;
  return transport ? ENCAPSULATION.UDP_TRANSPORT : ENCAPSULATION.UDP_TUNNEL;
}

/** What the peer calls the encapsulation that we mean. Where it says nothing, tunnel mode is meant, whatever carries it. */
export function sameEncapsulation(session: Session, mode: Mode, said: number): boolean {
  return said === encapsulation(session, mode) || (said === 0 && mode === 'tunnel');
}

/**
 * RFC 3947 §5.2: the addresses as they are on our side, for who has checksums to mend; those of the quick mode's initiator
 * first.
 */
export function originalAddresses({ state, udp }: Session, { mode, ours }: Pick<Quick, 'mode' | 'ours'>): Payload[] {
  if (!udp || mode !== 'transport') return [];
  const draft = state.natt === 'draft';
  const ends = ours ? [state.local, state.remote] : [state.remote, state.local];
  return ends.flatMap(({ ip }): Payload[] => {
    const address = parseIp(ip);
    return address ? [{ tag: 'NATOA', draft, address }] : [];
  });
}
