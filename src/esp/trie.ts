// A binary trie over address prefixes of one family with the one-way paths left out: as many nodes as prefixes and
// forks, and a look-up of at most 32 or 128 steps, however many prefixes there are.

import type { Prefix } from '../bytes/ip.ts';

interface Node<T> {
  readonly address: Uint8Array;
  readonly length: number;
  value: T | undefined;
  zero: Node<T> | undefined;
  one: Node<T> | undefined;
}

export class Trie<T> {
  #root: Node<T> | undefined;

  get empty(): boolean {
    return this.#root === undefined;
  }

  /** The value of exactly this prefix. */
  at(prefix: Prefix): T | undefined {
    let node = this.#root;
    while (node && node.length < prefix.length && covers(node, prefix.address, 0))
      node = child(node, prefix.address, 0);
    return node?.length === prefix.length && covers(node, prefix.address, 0) ? node.value : undefined;
  }

  set(prefix: Prefix, value: T): void {
    this.#root = insert(this.#root, prefix, value);
  }

  delete(prefix: Prefix): void {
    this.#root = remove(this.#root, prefix);
  }

  /** Offers the values of all prefixes that cover the address at `at`, the longest first, until `pick` takes one. */
  longest<R>(bytes: Uint8Array, at: number, pick: (value: T) => R | undefined): R | undefined {
    return longest(this.#root, bytes, at, pick);
  }
}

function longest<T, R>(
  node: Node<T> | undefined,
  bytes: Uint8Array,
  at: number,
  pick: (value: T) => R | undefined,
): R | undefined {
  if (!node || !covers(node, bytes, at)) return undefined;
  const deeper = node.length < node.address.length * 8 ? longest(child(node, bytes, at), bytes, at, pick) : undefined;
  return deeper ?? (node.value === undefined ? undefined : pick(node.value));
}

function insert<T>(node: Node<T> | undefined, prefix: Prefix, value: T): Node<T> {
  if (!node) return leaf(prefix.address, prefix.length, value);
  const common = sharedBits(node.address, prefix.address, Math.min(node.length, prefix.length));
  if (common < node.length) {
    const above: Node<T> = leaf(prefix.address, common, common === prefix.length ? value : undefined);
    attach(above, node);
    if (common < prefix.length) attach(above, leaf(prefix.address, prefix.length, value));
    return above;
  }
  if (prefix.length === node.length) node.value = value;
  else attach(node, insert(child(node, prefix.address, 0), prefix, value));
  return node;
}

function remove<T>(node: Node<T> | undefined, prefix: Prefix): Node<T> | undefined {
  if (!node || node.length > prefix.length || !covers(node, prefix.address, 0)) return node;
  if (node.length === prefix.length) node.value = undefined;
  else if (bit(prefix.address, 0, node.length) === 0) node.zero = remove(node.zero, prefix);
  else node.one = remove(node.one, prefix);
  if (node.value !== undefined || (node.zero && node.one)) return node;
  return node.zero ?? node.one;
}

function leaf<T>(address: Uint8Array, length: number, value: T | undefined): Node<T> {
  return { address, length, value, zero: undefined, one: undefined };
}

function attach<T>(node: Node<T>, below: Node<T>): void {
  if (bit(below.address, 0, node.length) === 0) node.zero = below;
  else node.one = below;
}

function child<T>(node: Node<T>, bytes: Uint8Array, at: number): Node<T> | undefined {
  return bit(bytes, at, node.length) === 0 ? node.zero : node.one;
}

function covers<T>({ address, length }: Node<T>, bytes: Uint8Array, at: number): boolean {
  const whole = length >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== bytes[at + i]) return false;
  const rest = length & 7;
  return rest === 0 || ((address[whole] as number) ^ (bytes[at + whole] as number)) >> (8 - rest) === 0;
}

function bit(bytes: Uint8Array, at: number, index: number): number {
  return ((bytes[at + (index >> 3)] as number) >> (7 - (index & 7))) & 1;
}

/** How many leading bits, at most `limit`, two addresses share. */
export function sharedBits(a: Uint8Array, b: Uint8Array, limit: number): number {
  let length = 0;
  while (length < limit && bit(a, 0, length) === bit(b, 0, length)) length++;
  return length;
}
