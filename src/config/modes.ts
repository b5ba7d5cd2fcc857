// What transport mode and AH ask of the connection around them: the traffic of the one is that of the two gateways
// (RFC 7296 §1.3.1), and the other does not go in UDP (RFC 3715 §2.1).

import { prefixRange } from '../bytes/ip.ts';
import type { AddressPattern, Child, Connection, Place, SelectorSource } from '../ike/connection.ts';
import { intersect } from '../ike/ts.ts';
import { assignment, wordFor } from '../ike/words.ts';
import type { Findings } from './error.ts';

type Around = Pick<Connection, 'localAddrs' | 'remoteAddrs' | 'encap' | 'where'>;

export function checkModes(children: readonly Child[], around: Around, findings: Findings): void {
  for (const child of children) {
    if (child.protocol === 'ah' && around.encap === 'yes') {
      const text = `AH does not go in UDP, which "${assignment(around, 'encap', 'yes')}" asks for`;
      findings.error(placeOf(child, 'ah_proposals'), `${wordFor(child, 'ah_proposals')}: ${text}`);
    }
    if (child.mode !== 'transport') continue;
    checkHosts(child, 'local', around, findings);
    checkHosts(child, 'remote', around, findings);
  }
}

function checkHosts(child: Child, side: 'local' | 'remote', around: Around, findings: Findings): void {
  const sources = side === 'local' ? child.localTs : child.remoteTs;
  const patterns = side === 'local' ? around.localAddrs : around.remoteAddrs;
  if (sources.some((source) => patterns.some((pattern) => meets(source, pattern)))) return;
  const option = `${side}_ts`;
  const addrs = wordFor(around, `${side}_addrs`);
  const text = `${wordFor(child, option)}: in transport mode it is for the gateway itself, and no address of ${addrs} lies in it; leave it out`;
  findings.error(placeOf(child, option), text);
}

function meets(source: SelectorSource, pattern: AddressPattern): boolean {
  // What a name stands for is found out later.
  if (source.kind === 'dynamic' || pattern.kind === 'any' || pattern.kind === 'name') return true;
  const range = pattern.kind === 'prefix' ? prefixRange(pattern.prefix) : pattern;
  const every = { protocol: 0, startPort: 0, endPort: 0xffff, start: range.start, end: range.end };
  return intersect(source.selector, every) !== undefined;
}

function placeOf({ where }: Child, option: string): Place {
  const place = where.get(option) ?? where.get('');
  if (!place) throw new Error('a child without a place');
  return place;
}
