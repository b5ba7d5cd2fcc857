// Traffic selectors of a child as far as they are known before there is a peer, and how two of them lie to each other.

import { compare } from '../../bytes/bytes.ts';
import { prefixRange } from '../../bytes/ip.ts';
import type { AddressPattern, Child, Connection, SelectorSource } from '../../ike/connection.ts';
import type { Selector } from '../../ike/wire/ts.ts';

/** What is behind us and behind the peer. */
export interface Networks {
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
}

/** `dynamic` counts where the gateway's address is configured, and is left out where it is not. */
export function networksOf({ localTs, remoteTs }: Child, { localAddrs, remoteAddrs }: Connection): Networks {
  return { local: known(localTs, localAddrs), remote: known(remoteTs, remoteAddrs) };
}

function known(sources: readonly SelectorSource[], patterns: readonly AddressPattern[]): Selector[] {
  return sources.flatMap((source) => {
    if (source.kind === 'fixed') return [source.selector];
    const { protocol, startPort, endPort } = source;
    return patterns.flatMap(single).map((address) => ({ protocol, startPort, endPort, start: address, end: address }));
  });
}

/** The address, where a pattern is for one alone. */
export function single(pattern: AddressPattern): Uint8Array[] {
  if (pattern.kind !== 'prefix') return [];
  const { start, end } = prefixRange(pattern.prefix);
  return compare(start, end) === 0 ? [start] : [];
}

export function isSingle(pattern: AddressPattern): boolean {
  return single(pattern).length > 0;
}

type Range = Pick<Selector, 'start' | 'end'>;

/** By addresses alone: `inside` is the first in the second, `around` the other way. */
export type Relation = 'apart' | 'same' | 'inside' | 'around' | 'partly';

export function relation(a: Range, b: Range): Relation {
  if (a.start.length !== b.start.length) return 'apart';
  if (compare(a.end, b.start) < 0 || compare(b.end, a.start) < 0) return 'apart';
  const starts = compare(a.start, b.start);
  const ends = compare(a.end, b.end);
  if (starts === 0 && ends === 0) return 'same';
  if (starts >= 0 && ends <= 0) return 'inside';
  return starts <= 0 && ends >= 0 ? 'around' : 'partly';
}

export function holds(range: Range, address: Uint8Array): boolean {
  return relation({ start: address, end: address }, range) !== 'apart';
}

/** 0.0.0.0/0 or ::/0: routes decide what goes there. */
export function isEverything({ start, end }: Range): boolean {
  return start.every((byte) => byte === 0) && end.every((byte) => byte === 0xff);
}

export function isHost({ start, end }: Range): boolean {
  return compare(start, end) === 0;
}
