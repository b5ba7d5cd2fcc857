// The configurations that the benches of IKE run with: a gateway at 127.0.0.1 and its peers, each with an address of its
// own in 127.0.0.0/8, as real peers have.

import { utf8 } from '../src/bytes/bytes.ts';
import { parseIp } from '../src/bytes/ip.ts';
import { type AddressPattern, type Connection, Secret, type SharedKey } from '../src/ike/connection.ts';
import { child, connection, id, mirrored, offers, selectors } from '../test/support/connections.ts';

export const GATEWAY = '127.0.0.1';

/**
 * How the gateway is configured: `one` connection for whoever comes, one for each peer's `address`, or one for each
 * peer's `identity` at any address.
 */
export type Layout = 'one' | 'address' | 'identity';

export interface Site {
  readonly connections: readonly Connection[];
  readonly sharedKeys: readonly SharedKey[];
}

export interface Plan {
  readonly layout: Layout;
  /** Peers configured on both sides. */
  readonly peers: number;
  /** `x25519`, `ecp256`, `modp2048`. */
  readonly group: string;
  /** Of setting up: IKEv2's four messages, main and quick mode's nine, or aggressive and quick mode's six. */
  readonly mode?: Mode;
  /** Where the gateway listens. */
  readonly port: number;
}

export type Mode = 'v2' | 'main' | 'aggressive';

/** The address of a peer, 127.1.0.0 being the first. */
export function peerIp(peer: number): string {
  return `127.${1 + (peer >> 16)}.${(peer >> 8) & 0xff}.${peer & 0xff}`;
}

/** What the peers have: each its connection, its identity, its key and its network. */
export function peerSite(plan: Plan): Site {
  const connections = Array.from({ length: plan.peers }, (_, peer) => peerConnection(plan, peer));
  return { connections, sharedKeys: keys(plan) };
}

export function gatewaySite(plan: Plan): Site {
  if (plan.layout === 'one') {
    const conn = mirrored(peerConnection(plan, 0), {
      localAddrs: [address(GATEWAY)],
      remoteAddrs: [{ kind: 'any' }],
      remoteId: { kind: 'any' },
    });
    const children = conn.children.map((one) => ({ ...one, remoteTs: selectors('10.0.0.0/8') }));
    return { connections: [{ ...conn, children }], sharedKeys: keys(plan) };
  }
  const connections = Array.from({ length: plan.peers }, (_, peer) =>
    mirrored(peerConnection(plan, peer), {
      localAddrs: [address(GATEWAY)],
      remoteAddrs: [plan.layout === 'address' ? address(peerIp(peer)) : { kind: 'any' }],
    }),
  );
  return { connections, sharedKeys: keys(plan) };
}

function peerConnection({ group, port, mode = 'v2' }: Plan, peer: number): Connection {
  const name = `peer-${peer}`;
  return connection({
    name,
    version: mode === 'v2' ? 2 : 1,
    aggressive: mode === 'aggressive',
    // IKEv1 has no combined modes for itself.
    offers: offers(mode === 'v2' ? `aes128gcm16-prfsha256-${group}` : `aes128-sha256-${group}`, 'ike'),
    localAddrs: [address(peerIp(peer))],
    remoteAddrs: [address(GATEWAY)],
    remotePort: port,
    localId: id(`${name}.test`),
    remoteId: { kind: 'is', id: id('gateway.test') },
    // Nothing but the set-up is to happen.
    dpdDelay: 0,
    natKeepalive: 0,
    children: [
      child({
        offers: offers('aes128gcm16', 'esp'),
        localTs: selectors(`10.${1 + (peer >> 16)}.${(peer >> 8) & 0xff}.${peer & 0xff}/32`),
        remoteTs: selectors('192.168.0.0/16'),
      }),
    ],
  });
}

function keys({ layout, peers }: Plan): SharedKey[] {
  if (layout === 'one') return [{ owners: [], secret: new Secret(utf8('one secret for everybody, for the bench')) }];
  return Array.from({ length: peers }, (_, peer) => ({
    owners: [id('gateway.test'), id(`peer-${peer}.test`)],
    secret: new Secret(utf8(`the secret of peer ${peer}, for the bench`)),
  }));
}

function address(ip: string): AddressPattern {
  const bytes = parseIp(ip);
  if (!bytes) throw new Error(`not an address: ${ip}`);
  return { kind: 'prefix', prefix: { address: bytes, length: bytes.length * 8 } };
}
