// Between which addresses a connection begins: of the peer's, the first that can be reached from one of ours.

import { type Ip, isV6 } from '../bytes/ip.ts';
import type { AddressPattern, Connection } from '../ike/connection.ts';
import { singleAddress } from '../ike/match.ts';
import type { Reason } from '../ike/reason.ts';
import type { Host } from '../net/types.ts';

export interface Path {
  readonly local: Ip;
  readonly remote: Ip;
}

/** `trouble` is why a peer that is given by name has no address. */
export function choosePath(conn: Connection, host: Pick<Host, 'sourceFor'>, trouble?: Reason): Path | Reason {
  const { localAddrs, remoteAddrs } = conn;
  const peers = remoteAddrs.flatMap((pattern) => singleAddress(pattern) ?? []);
  const [first] = peers;
  if (first === undefined) return trouble ?? refusal(conn, UNNAMED);
  const reachable = peers.filter((ip) => localAddrs.some((pattern) => allows(pattern, isV6(ip))));
  if (reachable.length === 0) return refusal(conn, otherFamily(peers));
  for (const remote of reachable) {
    const own = localAddrs.flatMap((pattern) => singleAddress(pattern) ?? []);
    const local = own.find((ip) => isV6(ip) === isV6(remote)) ?? host.sourceFor(remote);
    if (local !== undefined) return { local, remote };
  }
  const all = reachable.join(', ');
  return { code: 'no-answer', text: `there is no route to ${all}`, by: 'us', remedy: `check the route to ${all}` };
}

const UNNAMED = {
  text: 'remote_addrs names no single address: only the peer can begin',
  remedy: "set remote_addrs to the peer's address, or let the peer initiate",
};

function otherFamily(peers: readonly Ip[]) {
  const [theirs, ours] = peers.some(isV6) ? ['IPv6', 'IPv4'] : ['IPv4', 'IPv6'];
  return {
    text: `the peer has ${theirs} addresses only (${peers.join(', ')}), and local_addrs allows none of ours but ${ours}`,
    remedy: `add an ${theirs} address of ours to local_addrs, or leave it out`,
  };
}

function refusal({ where }: Connection, { text, remedy }: typeof UNNAMED): Reason {
  const place = where.get('remote_addrs') ?? where.get('');
  return { code: 'no-connection', text, by: 'us', ...(place ? { where: place } : {}), remedy };
}

function allows(pattern: AddressPattern, v6: boolean): boolean {
  switch (pattern.kind) {
    case 'any':
      return true;
    case 'prefix':
      return (pattern.prefix.address.length === 16) === v6;
    case 'range':
      return (pattern.start.length === 16) === v6;
    case 'name':
      return false;
  }
}
