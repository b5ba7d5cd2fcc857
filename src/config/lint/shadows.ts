// Connections that no peer ever reaches, because one further up takes everybody whom they would (ike/match.ts): the same
// addresses or wider ones just as specific, the same identities, at least the same proposals.

import { compare } from '../../bytes/bytes.ts';
import { prefixRange } from '../../bytes/ip.ts';
import type { AddressPattern, Connection, Offer } from '../../ike/connection.ts';
import { identityKey } from '../../ike/identity.ts';
import { sameTransform } from '../../ike/transforms.ts';
import { wordFor } from '../../ike/words.ts';
import { advice, type Finding, placeOf } from './finding.ts';
import { isSingle } from './networks.ts';

export function lintShadows(connections: readonly Connection[]): Finding[] {
  const groups = new Map<string, Connection[]>();
  const findings: Finding[] = [];
  for (const connection of connections) {
    // Only one with the same name for its peer can stand before it: a name of its own beats %any.
    const key = groupOf(connection);
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    const earlier = group.find((other) => covers(other, connection));
    if (earlier) findings.push(report(earlier, connection));
    group.push(connection);
  }
  return findings;
}

/** Those that are for single addresses are looked up by them. */
function groupOf({ remoteId, remoteAddrs }: Connection): string {
  const name = remoteId.kind === 'is' ? (identityKey(remoteId.id) ?? '') : 'any';
  return `${name} ${remoteAddrs.every(isSingle) ? remoteAddrs.map(textOf).sort().join() : ''}`;
}

function covers(earlier: Connection, later: Connection): boolean {
  return (
    (earlier.version === 0 || earlier.version === later.version) &&
    (earlier.aggressive || !later.aggressive) &&
    // In IKEv1 the peer does not say whom it asks for.
    (later.version === 1 || sameName(earlier, later)) &&
    coversAddresses(earlier.localAddrs, later.localAddrs) &&
    coversAddresses(earlier.remoteAddrs, later.remoteAddrs) &&
    later.offers.every((offer) => earlier.offers.some((other) => takes(other, offer)))
  );
}

function sameName({ localId: a }: Connection, { localId: b }: Connection): boolean {
  return (a && identityKey(a)) === (b && identityKey(b));
}

function takes(earlier: Offer, later: Offer): boolean {
  return later.transforms.every((transform) => earlier.transforms.some((other) => sameTransform(other, transform)));
}

function coversAddresses(earlier: readonly AddressPattern[], later: readonly AddressPattern[]): boolean {
  return later.every((pattern) => earlier.some((other) => coversPattern(other, pattern)));
}

/** The more specific pattern wins wherever it stands, so that one is hidden only by one that is as specific. */
function coversPattern(earlier: AddressPattern, later: AddressPattern): boolean {
  if (earlier.kind !== later.kind) return false;
  if (earlier.kind === 'range' && later.kind === 'range') {
    return (
      earlier.start.length === later.start.length &&
      compare(earlier.start, later.start) <= 0 &&
      compare(later.end, earlier.end) <= 0
    );
  }
  return textOf(earlier) === textOf(later);
}

function textOf(pattern: AddressPattern): string {
  switch (pattern.kind) {
    case 'any':
      return 'any';
    case 'name':
      return pattern.name;
    case 'prefix':
      return `${prefixRange(pattern.prefix).start.join('.')}/${pattern.prefix.length}`;
    case 'range':
      return `${pattern.start.join('.')}-${pattern.end.join('.')}`;
  }
}

function report(earlier: Connection, later: Connection): Finding {
  const { line } = placeOf(earlier);
  return {
    place: placeOf(later),
    severity: 'warning',
    code: 'shadowed',
    text: `no peer that calls ever gets connection ${later.name}: ${earlier.name} (line ${line}) has the same addresses, identities and proposals, and stands before it`,
    remedy: advice(
      later,
      'put the children of both into one connection, or tell them apart by remote.id or remote_addrs',
      `write the same for both in all but the networks, or tell them apart by ${wordFor(later, 'remote.id')} or ${wordFor(later, 'remote_addrs')}`,
    ),
  };
}
