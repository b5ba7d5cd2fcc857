// Which connections come into question for a peer, the most specific first. An index is kept for each list of
// connections that is frozen, so that thousands of them cost a new peer no more than a few do.

import { compare } from '../bytes/bytes.ts';
import { formatIp, type Ip, parseIp, prefixRange } from '../bytes/ip.ts';
import type { AddressPattern, Connection } from './connection.ts';
import { identityKey } from './identity.ts';
import type { Identity } from './wire/payload.ts';

/**
 * Those that these addresses allow, but of several with the same proposals the first alone: who cannot have it cannot
 * have the others.
 */
export function offeringConnections(
  connections: readonly Connection[],
  local: Ip,
  remote: Ip,
  version: 1 | 2 = 2,
): Connection[] {
  const seen = new Set<number>();
  const first = ({ offers }: Member) => !seen.has(offers) && seen.add(offers) !== undefined;
  return ordered(ranked(connections, local, remote, version, (place) => place.offering))
    .filter(first)
    .map(({ conn }) => conn);
}

/** Those that these addresses allow and that take a peer of this name. */
export function namedConnections(
  connections: readonly Connection[],
  local: Ip,
  remote: Ip,
  peer: Identity,
  version: 1 | 2 = 2,
): Connection[] {
  const key = identityKey(peer);
  return ordered(ranked(connections, local, remote, version, (place) => place.named(key))).map(({ conn }) => conn);
}

/** A connection, where it stands in the file, and a number for its proposals: the same for the same ones. */
interface Member {
  readonly conn: Connection;
  readonly order: number;
  readonly offers: number;
}

interface Range {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  /** How closely it fits whatever it contains: bits of prefix, 0 for any. */
  readonly rank: number;
}

/** The one address that a pattern stands for. */
export function singleAddress(pattern: AddressPattern): Ip | undefined {
  if (pattern.kind !== 'prefix') return undefined;
  const { address, length } = pattern.prefix;
  return length === address.length * 8 ? formatIp(address) : undefined;
}

/** Whether one of the patterns is for this address. */
export function takesAddress(patterns: readonly AddressPattern[], ip: Ip): boolean {
  const address = parseIp(ip);
  return address !== undefined && best(patterns.flatMap(ranges), address) !== undefined;
}

/** The connections with the same `local_addrs` and `remote_addrs`, in the order of the file. */
class Place {
  readonly local: readonly Range[];
  readonly remote: readonly Range[];
  readonly members: Member[] = [];
  /** The first with each set of proposals. */
  readonly offering: Member[] = [];
  readonly #byPeer = new Map<string, Member[]>();
  readonly #anyPeer: Member[] = [];

  constructor({ localAddrs, remoteAddrs }: Connection) {
    this.local = localAddrs.flatMap(ranges);
    this.remote = remoteAddrs.flatMap(ranges);
  }

  add(member: Member): void {
    const { remoteId } = member.conn;
    this.members.push(member);
    if (!this.offering.some(({ offers }) => offers === member.offers)) this.offering.push(member);
    if (remoteId.kind === 'any') return void this.#anyPeer.push(member);
    const key = identityKey(remoteId.id);
    if (key !== undefined) append(this.#byPeer, key, member);
  }

  /** Those that take a peer with this key. */
  named(key: string | undefined): readonly Member[] {
    const some = key === undefined ? undefined : this.#byPeer.get(key);
    return some ? [...some, ...this.#anyPeer] : this.#anyPeer;
  }
}

interface Ranked {
  readonly member: Member;
  readonly rank: number;
}

function ranked(
  connections: readonly Connection[],
  local: Ip,
  remote: Ip,
  version: 1 | 2,
  choose: (place: Place) => readonly Member[],
): Ranked[] {
  const ours = parseIp(local);
  const theirs = parseIp(remote);
  if (!ours || !theirs) return [];
  const { exact, other } = indexOf(connections, version);
  return [...(exact.get(remote) ?? []), ...other].flatMap((place) => {
    const far = best(place.remote, theirs);
    const near = far === undefined ? undefined : best(place.local, ours);
    if (far === undefined || near === undefined) return [];
    return choose(place).map((member) => ({ member, rank: far * 1000 + near }));
  });
}

/** Between equals the order of the file decides. */
function ordered(found: Ranked[]): Member[] {
  return found.sort((a, b) => b.rank - a.rank || a.member.order - b.member.order).map(({ member }) => member);
}

// --- the index -------------------------------------------------------------------------------------------------------

interface Index {
  /** Places that name single peers' addresses only, by address. */
  readonly exact: ReadonlyMap<Ip, readonly Place[]>;
  readonly other: readonly Place[];
}

const indexes = { 1: new WeakMap<readonly Connection[], Index>(), 2: new WeakMap<readonly Connection[], Index>() };

function indexOf(connections: readonly Connection[], version: 1 | 2): Index {
  const index = indexes[version].get(connections) ?? build(connections, version);
  if (Object.isFrozen(connections)) indexes[version].set(connections, index);
  return index;
}

function build(connections: readonly Connection[], version: 1 | 2): Index {
  const places = new Map<string, Place>();
  const offers = new Map<string, number>();
  for (const [order, conn] of connections.entries()) {
    if (conn.version !== 0 && conn.version !== version) continue;
    const where = `${conn.localAddrs.map(textOf).join()} ${conn.remoteAddrs.map(textOf).join()}`;
    const place = places.get(where) ?? new Place(conn);
    places.set(where, place);
    const said = JSON.stringify([conn.aggressive, conn.offers.map(({ transforms }) => transforms)]);
    const number = offers.get(said) ?? offers.size;
    offers.set(said, number);
    place.add({ conn, order, offers: number });
  }
  const exact = new Map<Ip, Place[]>();
  const other: Place[] = [];
  for (const place of places.values()) {
    const single = place.remote.every(({ start, end }) => compare(start, end) === 0);
    if (!single) other.push(place);
    else for (const ip of new Set(place.remote.map(({ start }) => formatIp(start)))) append(exact, ip, place);
  }
  return { exact, other };
}

function textOf(pattern: AddressPattern): string {
  return ranges(pattern)
    .map(({ start, end, rank }) => `${start.join('.')}-${end.join('.')}/${rank}`)
    .join();
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** `any` in both families. */
function ranges(pattern: AddressPattern): Range[] {
  switch (pattern.kind) {
    case 'any':
      return [4, 16].map((size) => ({ start: new Uint8Array(size), end: new Uint8Array(size).fill(0xff), rank: 0 }));
    case 'prefix':
      return [{ ...prefixRange(pattern.prefix), rank: 1 + pattern.prefix.length }];
    case 'range':
      return [{ start: pattern.start, end: pattern.end, rank: 1 }];
    case 'name':
      return [];
  }
}

/** The closest fit among the patterns; undefined when none does. */
function best(patterns: readonly Range[], address: Uint8Array): number | undefined {
  let found: number | undefined;
  for (const { start, end, rank } of patterns) {
    const fits = start.length === address.length && compare(start, address) <= 0 && compare(address, end) <= 0;
    if (fits && (found === undefined || rank > found)) found = rank;
  }
  return found;
}
