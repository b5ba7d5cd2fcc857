// Outbound policies: which target a packet from the inside belongs to. The longest destination prefix wins, then the
// longest source prefix, then the narrower protocol and ports, then the newer policy.

import { type Prefix, rangePrefix } from '../bytes/ip.ts';
import type { Selector } from '../ike/wire/ts.ts';
import type { Inner } from './packet.ts';
import { takesDestination, takesSource, takesUpper } from './selector.ts';
import { sharedBits, Trie } from './trie.ts';

interface Entry<T> {
  readonly target: T;
  readonly source: Selector;
  readonly destination: Selector;
  /** Bits that all addresses of a selector share: of a prefix its length. */
  readonly sourceBits: number;
  readonly destinationBits: number;
  /** How much of protocols and ports it takes. */
  readonly breadth: number;
  /** Both addresses as prefixes; undefined for ranges that are none. */
  readonly prefixes: { readonly source: Prefix; readonly destination: Prefix } | undefined;
}

/** Entries of one destination prefix, by source prefix. */
type Sources<T> = Trie<Entry<T>[]>;

export class Policies<T> {
  readonly #v4 = new Trie<Sources<T>>();
  readonly #v6 = new Trie<Sources<T>>();
  /** Entries with an odd range, best first. There are few of them. */
  readonly #ranges: Entry<T>[] = [];
  readonly #entries = new Map<T, readonly Entry<T>[]>();

  add(target: T, localTs: readonly Selector[], remoteTs: readonly Selector[]): void {
    const entries = localTs.flatMap((source) =>
      remoteTs.flatMap((destination) => (compatible(source, destination) ? [entry(target, source, destination)] : [])),
    );
    for (const each of entries) place(this.#listOf(each), each);
    this.#entries.set(target, entries);
  }

  remove(target: T): void {
    for (const each of this.#entries.get(target) ?? []) this.#withdraw(each);
    this.#entries.delete(target);
  }

  lookup(inner: Inner): T | undefined {
    const { bytes, sourceAt, destinationAt } = inner;
    const tries = inner.version === 4 ? this.#v4 : this.#v6;
    const found = tries.longest(bytes, destinationAt, (sources) =>
      sources.longest(bytes, sourceAt, (entries) => entries.find((each) => takesPorts(each, inner))),
    );
    for (const each of this.#ranges) {
      if (found && rank(found, each) < 0) break;
      if (takesSource(each.source, inner) && takesDestination(each.destination, inner)) return each.target;
    }
    return found?.target;
  }

  #listOf({ prefixes }: Entry<T>): Entry<T>[] {
    if (!prefixes) return this.#ranges;
    const tries = this.#tries(prefixes.destination);
    const sources = tries.at(prefixes.destination) ?? new Trie<Entry<T>[]>();
    tries.set(prefixes.destination, sources);
    const list = sources.at(prefixes.source) ?? [];
    sources.set(prefixes.source, list);
    return list;
  }

  #withdraw(each: Entry<T>): void {
    const list = this.#listOf(each);
    list.splice(list.indexOf(each), 1);
    if (!each.prefixes || list.length > 0) return;
    const { source, destination } = each.prefixes;
    const tries = this.#tries(destination);
    const sources = tries.at(destination);
    sources?.delete(source);
    if (sources?.empty) tries.delete(destination);
  }

  #tries({ address }: Prefix): Trie<Sources<T>> {
    return address.length === 4 ? this.#v4 : this.#v6;
  }
}

function takesPorts<T>({ source, destination }: Entry<T>, inner: Inner): boolean {
  return takesUpper(source, inner, inner.sourcePort) && takesUpper(destination, inner, inner.destinationPort);
}

/** The two sides of one policy: same family, and a protocol that both can mean. */
function compatible(source: Selector, destination: Selector): boolean {
  if (source.start.length !== destination.start.length) return false;
  return source.protocol === destination.protocol || source.protocol === 0 || destination.protocol === 0;
}

function entry<T>(target: T, source: Selector, destination: Selector): Entry<T> {
  const sourcePrefix = rangePrefix(source.start, source.end);
  const destinationPrefix = rangePrefix(destination.start, destination.end);
  return {
    target,
    source,
    destination,
    sourceBits: bits(source),
    destinationBits: bits(destination),
    breadth: breadth(source, destination),
    prefixes: sourcePrefix && destinationPrefix ? { source: sourcePrefix, destination: destinationPrefix } : undefined,
  };
}

function bits({ start, end }: Selector): number {
  return sharedBits(start, end, start.length * 8);
}

function breadth(source: Selector, destination: Selector): number {
  const ports = Math.abs(source.endPort - source.startPort) + Math.abs(destination.endPort - destination.startPort);
  return source.protocol === 0 && destination.protocol === 0 ? 2 ** 20 + ports : ports;
}

/** Before all that it is better than or as good as. */
function place<T>(list: Entry<T>[], each: Entry<T>): void {
  const at = list.findIndex((other) => rank(each, other) <= 0);
  list.splice(at === -1 ? list.length : at, 0, each);
}

/** Negative when `a` is the narrower of two. */
function rank<T>(a: Entry<T>, b: Entry<T>): number {
  return b.destinationBits - a.destinationBits || b.sourceBits - a.sourceBits || a.breadth - b.breadth;
}
