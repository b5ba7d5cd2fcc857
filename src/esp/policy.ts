// Outbound policies: which target a packet from the inside belongs to. The longest destination prefix wins, then the
// longest source prefix, then the narrower protocol and ports, then the higher rank, then the newer policy.
//
// A trie of destination prefixes, in each node of it a trie of source prefixes, in each node of that a list of entries.
// A range that is no prefix lies in the node of the prefix around it, and is compared besides. Ranges that share a node
// all contain the middle of it, so that there are few, and no look-up takes longer for policies that do not concern it.

import { rangePrefix } from '../bytes/ip.ts';
import type { Selector } from '../ike/wire/ts.ts';
import { addressWords, sharedBits, within } from './address.ts';
import type { Inner } from './packet.ts';
import { Pool } from './pool.ts';
import { isOpaque, mayTakeProtocol, packPorts, takesPort, takesProtocol } from './selector.ts';
import { DEEPEST, Tries } from './trie.ts';

/** What decides between policies for the same packets. */
export const RANK = { block: 0, trap: 1, sa: 2 } as const;

export const NO_POLICY = -1;
/** A fragment that might belong to a policy, and does not show the ports which would tell (RFC 4301 §7). */
export const UNDECIDED = -2;

/** The next entry of the same node, or 0. */
const NEXT = 0;
const TARGET = 1;
const PROTOCOL = 2;
const SOURCE_PORTS = 3;
const DESTINATION_PORTS = 4;
/** Four addresses in the pool of ranges, or 0 where the tries have said it all. */
const RANGES = 5;
/** How much of protocols and ports it takes. */
const BREADTH = 6;
const ENTRY_RANK = 7;
/** The next entry of the same target, or 0. */
const SIBLING = 8;
const TRIE = 9;
const DESTINATION_NODE = 10;
const SOURCE_NODE = 11;
const STRIDE = 12;

const SOURCE_RANGE = 0;
const DESTINATION_RANGE = 8;
const RANGES_STRIDE = 16;

export class Policies {
  readonly #tries = new Tries();
  readonly #v4 = this.#tries.trie();
  readonly #v6 = this.#tries.trie();
  readonly #entries = new Pool(STRIDE);
  readonly #ranges = new Pool(RANGES_STRIDE);
  /** The first entry of each target. */
  readonly #targets = new Map<number, number>();
  readonly #destinations = new Int32Array(DEEPEST);
  readonly #sources = new Int32Array(DEEPEST);

  /** `target` is 0 or more, and new. */
  add(target: number, localTs: readonly Selector[], remoteTs: readonly Selector[], rank: number = RANK.sa): void {
    if (this.#targets.has(target)) throw new Error(`target ${target} has policies already`);
    let first = 0;
    for (const source of localTs) {
      for (const destination of remoteTs) {
        if (!compatible(source, destination)) continue;
        const entry = this.#entry(source, destination);
        const { words } = this.#entries;
        words[entry + TARGET] = target;
        words[entry + ENTRY_RANK] = rank;
        words[entry + SIBLING] = first;
        this.#link(entry);
        first = entry;
      }
    }
    this.#targets.set(target, first);
  }

  remove(target: number): void {
    let entry = this.#targets.get(target) ?? 0;
    this.#targets.delete(target);
    while (entry !== 0) {
      const sibling = this.#entries.words[entry + SIBLING] as number;
      this.#unlink(entry);
      entry = sibling;
    }
  }

  /** The target, or `NO_POLICY` or `UNDECIDED`. */
  lookup(inner: Inner): number {
    const tries = this.#tries;
    const { words } = this.#entries;
    const trie = inner.version === 4 ? this.#v4 : this.#v6;
    let undecided = false;
    let i = tries.match(trie, inner.d0, inner.d1, inner.d2, inner.d3, this.#destinations);
    while (i-- > 0) {
      const sources = tries.within(this.#destinations[i] as number);
      let j = tries.match(sources, inner.s0, inner.s1, inner.s2, inner.s3, this.#sources);
      while (j-- > 0) {
        let entry = tries.value(this.#sources[j] as number);
        for (; entry !== 0; entry = words[entry + NEXT] as number) {
          if (this.#takes(entry, inner)) {
            return undecided && !takesOpaque(words, entry) ? UNDECIDED : (words[entry + TARGET] as number);
          }
          if (inner.unseen && this.#mayTake(entry, inner)) undecided = true;
        }
      }
    }
    return undecided ? UNDECIDED : NO_POLICY;
  }

  #takes(entry: number, inner: Inner): boolean {
    const { words } = this.#entries;
    return (
      takesProtocol(words[entry + PROTOCOL] as number, inner) &&
      takesPort(words[entry + SOURCE_PORTS] as number, inner, inner.sourcePort) &&
      takesPort(words[entry + DESTINATION_PORTS] as number, inner, inner.destinationPort) &&
      this.#inRanges(words[entry + RANGES] as number, inner)
    );
  }

  #mayTake(entry: number, inner: Inner): boolean {
    const { words } = this.#entries;
    return (
      mayTakeProtocol(words[entry + PROTOCOL] as number, inner) &&
      this.#inRanges(words[entry + RANGES] as number, inner)
    );
  }

  #inRanges(ranges: number, inner: Inner): boolean {
    if (ranges === 0) return true;
    const { words } = this.#ranges;
    return (
      within(words, ranges + SOURCE_RANGE, inner.s0, inner.s1, inner.s2, inner.s3) &&
      within(words, ranges + DESTINATION_RANGE, inner.d0, inner.d1, inner.d2, inner.d3)
    );
  }

  #entry(source: Selector, destination: Selector): number {
    const entry = this.#entries.take();
    const { words } = this.#entries;
    words[entry + PROTOCOL] = source.protocol || destination.protocol;
    words[entry + SOURCE_PORTS] = packPorts(source);
    words[entry + DESTINATION_PORTS] = packPorts(destination);
    words[entry + BREADTH] = breadth(source, destination);
    if (isOdd(source) || isOdd(destination)) words[entry + RANGES] = this.#range(source, destination);
    const trie = source.start.length === 4 ? this.#v4 : this.#v6;
    const node = this.#place(trie, destination);
    words[entry + TRIE] = trie;
    words[entry + DESTINATION_NODE] = node;
    words[entry + SOURCE_NODE] = this.#place(this.#tries.within(node), source);
    return entry;
  }

  /** The node of a selector's prefix, or of the longest one around its range. */
  #place(trie: number, { start, end }: Selector): number {
    const first = addressWords(start);
    return this.#tries.place(trie, first, Math.min(start.length * 8, sharedBits(first, 0, addressWords(end))));
  }

  #range(source: Selector, destination: Selector): number {
    const range = this.#ranges.take();
    const { words } = this.#ranges;
    words.set(addressWords(source.start), range + SOURCE_RANGE);
    words.set(addressWords(source.end), range + SOURCE_RANGE + 4);
    words.set(addressWords(destination.start), range + DESTINATION_RANGE);
    words.set(addressWords(destination.end), range + DESTINATION_RANGE + 4);
    return range;
  }

  /** Before all that it is better than or as good as. */
  #link(entry: number): void {
    const { words } = this.#entries;
    const node = words[entry + SOURCE_NODE] as number;
    let before = 0;
    let next = this.#tries.value(node);
    while (next !== 0 && better(words, next, entry)) {
      before = next;
      next = words[next + NEXT] as number;
    }
    words[entry + NEXT] = next;
    if (before === 0) this.#tries.setValue(node, entry);
    else words[before + NEXT] = entry;
  }

  #unlink(entry: number): void {
    const { words } = this.#entries;
    const node = words[entry + SOURCE_NODE] as number;
    const next = words[entry + NEXT] as number;
    let at = this.#tries.value(node);
    if (at === entry) {
      this.#tries.setValue(node, next);
    } else {
      while (words[at + NEXT] !== entry) at = words[at + NEXT] as number;
      words[at + NEXT] = next;
    }
    if (this.#tries.value(node) === 0) this.#prune(entry);
    const ranges = words[entry + RANGES] as number;
    if (ranges !== 0) this.#ranges.give(ranges);
    this.#entries.give(entry);
  }

  #prune(entry: number): void {
    const { words } = this.#entries;
    const destination = words[entry + DESTINATION_NODE] as number;
    const sources = this.#tries.within(destination);
    this.#tries.remove(sources, words[entry + SOURCE_NODE] as number);
    if (this.#tries.isEmpty(sources)) this.#tries.remove(words[entry + TRIE] as number, destination);
  }
}

/** The two sides of one policy: same family, and a protocol that both can mean. */
function compatible(source: Selector, destination: Selector): boolean {
  if (source.start.length !== destination.start.length) return false;
  return source.protocol === destination.protocol || source.protocol === 0 || destination.protocol === 0;
}

function breadth(source: Selector, destination: Selector): number {
  const ports = Math.abs(source.endPort - source.startPort) + Math.abs(destination.endPort - destination.startPort);
  return source.protocol === 0 && destination.protocol === 0 ? 2 ** 20 + ports : ports;
}

function isOdd({ start, end }: Selector): boolean {
  return rangePrefix(start, end) === undefined;
}

/** Of two entries of one node: a range is narrower than the prefix around it. */
function better(words: Int32Array, a: number, b: number): boolean {
  const narrower = (words[a + BREADTH] as number) - (words[b + BREADTH] as number);
  if (narrower !== 0) return narrower < 0;
  const odd = Math.sign(words[a + RANGES] as number) - Math.sign(words[b + RANGES] as number);
  if (odd !== 0) return odd > 0;
  return (words[a + ENTRY_RANK] as number) > (words[b + ENTRY_RANK] as number);
}

function takesOpaque(words: Int32Array, entry: number): boolean {
  return isOpaque(words[entry + SOURCE_PORTS] as number) || isOpaque(words[entry + DESTINATION_PORTS] as number);
}
