// Between which addresses a connection begins: of the peer's, the first that can be reached from one of ours, beginning
// with the one that was called last, or behind it where nobody has answered.

import { type Ip, isV6 } from '../bytes/ip.ts';
import type { AddressPattern, Connection } from '../ike/connection.ts';
import { singleAddress } from '../ike/match.ts';
import type { Reason } from '../ike/reason.ts';
import { noRoute } from '../ike/silence.ts';
import { at } from '../ike/why.ts';
import { wordFor } from '../ike/words.ts';
import type { Host } from '../net/types.ts';

export interface Path {
  readonly local: Ip;
  readonly remote: Ip;
}

export interface Called {
  readonly ip: Ip;
  readonly silent: boolean;
}

/** `trouble` is why a peer that is given by name has no address; `called` is which one was called last. */
export function choosePath(
  conn: Connection,
  host: Pick<Host, 'sourceFor' | 'addresses'>,
  trouble?: Reason,
  called?: Called,
): Path | Reason {
  const { localAddrs, remoteAddrs } = conn;
  const peers = remoteAddrs.flatMap((pattern) => singleAddress(pattern) ?? []);
  const [first] = peers;
  if (first === undefined) return trouble ?? refusal(conn, unnamed(conn));
  const reachable = peers.filter((ip) => localAddrs.some((pattern) => allows(pattern, isV6(ip))));
  if (reachable.length === 0) return refusal(conn, otherFamily(conn, peers));
  for (const remote of from(reachable, called)) {
    const own = localAddrs.flatMap((pattern) => singleAddress(pattern) ?? []);
    const written = own.find((ip) => isV6(ip) === isV6(remote));
    if (written !== undefined && !host.addresses().includes(written)) return notOurs(conn, written);
    const local = written ?? host.sourceFor(remote);
    if (local !== undefined) return { local, remote };
  }
  return noRoute(conn, reachable);
}

/** From the one that was called last on; where that was in vain, it is the last. */
function from(addresses: readonly Ip[], called: Called | undefined): readonly Ip[] {
  const at = called ? addresses.indexOf(called.ip) : -1;
  const first = at < 0 ? 0 : called?.silent ? at + 1 : at;
  return [...addresses.slice(first), ...addresses.slice(0, first)];
}

function notOurs(conn: Connection, local: Ip): Reason {
  const place = conn.where.get('local_addrs') ?? conn.where.get('');
  return {
    code: 'not-our-address',
    text: `${local} is not an address of this host`,
    by: 'us',
    remedy: `set \`${wordFor(conn, 'local_addrs')}\`${at(place)} to one of ours (ip address), leave it out, or give this host the address`,
    ...(place ? { where: place } : {}),
  };
}

function unnamed(conn: Connection) {
  const word = wordFor(conn, 'remote_addrs');
  return {
    text: `${word} names no single address: only the peer can begin`,
    remedy: `set ${word} to the peer's address, or let the peer initiate`,
  };
}

function otherFamily(conn: Connection, peers: readonly Ip[]) {
  const word = wordFor(conn, 'local_addrs');
  const [theirs, ours] = peers.some(isV6) ? ['IPv6', 'IPv4'] : ['IPv4', 'IPv6'];
  return {
    text: `the peer has ${theirs} addresses only (${peers.join(', ')}), and ${word} allows none of ours but ${ours}`,
    remedy: `add an ${theirs} address of ours to ${word}, or leave it out`,
  };
}

function refusal({ where }: Connection, { text, remedy }: ReturnType<typeof unnamed>): Reason {
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
