// Which connections come into question for a pair of addresses, the most specific first.

import { compare } from '../bytes/bytes.ts';
import { type Ip, parseIp, prefixRange } from '../bytes/ip.ts';
import type { AddressPattern, Connection } from './connection.ts';

export function matchingConnections(connections: readonly Connection[], local: Ip, remote: Ip): Connection[] {
  const ranked: { conn: Connection; rank: number }[] = [];
  for (const conn of connections) {
    const ours = best(conn.localAddrs, local);
    const theirs = best(conn.remoteAddrs, remote);
    if (conn.version === 1 || ours === undefined || theirs === undefined) continue;
    ranked.push({ conn, rank: theirs * 1000 + ours });
  }
  // A stable sort: between equals the order of the file decides.
  return ranked.sort((a, b) => b.rank - a.rank).map(({ conn }) => conn);
}

/** How closely the best of the patterns fits: bits of prefix, 0 for any; undefined when none does. */
function best(patterns: readonly AddressPattern[], ip: Ip): number | undefined {
  const address = parseIp(ip);
  if (!address) return undefined;
  const fits = patterns.map((pattern) => closeness(pattern, address)).filter((fit) => fit !== undefined);
  return fits.length > 0 ? Math.max(...fits) : undefined;
}

function closeness(pattern: AddressPattern, address: Uint8Array): number | undefined {
  switch (pattern.kind) {
    case 'any':
      return 0;
    case 'prefix':
      return between(prefixRange(pattern.prefix), address) ? 1 + pattern.prefix.length : undefined;
    case 'range':
      return between(pattern, address) ? 1 : undefined;
  }
}

function between({ start, end }: { start: Uint8Array; end: Uint8Array }, address: Uint8Array): boolean {
  return start.length === address.length && compare(start, address) <= 0 && compare(address, end) <= 0;
}
