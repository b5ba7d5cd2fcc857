// Binary tries over address prefixes with the one-way paths left out: as many nodes as prefixes and forks, and a look-up
// of at most 33 or 129 steps, however many prefixes there are. Many tries share one pool of nodes.
//
// A trie is named by the cell that holds its root: a cell is a word of the pool. The value of a node is one, so a node
// may hold a number, or a trie of its own.

import { sharedBits } from './address.ts';
import { Pool } from './pool.ts';

const LENGTH = 0;
const VALUE = 1;
const ZERO = 2;
const ONE = 3;
const ADDRESS = 4;
const STRIDE = 8;

/** The most nodes that one look-up can find: one for each prefix length. */
export const DEEPEST = 129;

export class Tries {
  readonly #pool = new Pool(STRIDE);

  /** A new trie, empty. */
  trie(): number {
    return this.#pool.take() + VALUE;
  }

  /** The trie that is this node's value. */
  within(node: number): number {
    return node + VALUE;
  }

  isEmpty(cell: number): boolean {
    return this.#pool.words[cell] === 0;
  }

  value(node: number): number {
    return this.#pool.words[node + VALUE] as number;
  }

  setValue(node: number, value: number): void {
    this.#pool.words[node + VALUE] = value;
  }

  /**
   * Puts the nodes with a value whose prefixes cover the address into `path`, the shortest first. Returns how many. The
   * way down asks for single bits; at its end the longest prefix that covers the address vouches for those before it.
   */
  match(cell: number, a0: number, a1: number, a2: number, a3: number, path: Int32Array): number {
    const { words } = this.#pool;
    let count = 0;
    let node = words[cell] as number;
    while (node !== 0) {
      const length = words[node + LENGTH] as number;
      if (words[node + VALUE] !== 0) path[count++] = node;
      const word = length < 32 ? a0 : length < 64 ? a1 : length < 96 ? a2 : a3;
      // A node for one address has no children, whichever bit this is.
      node = words[node + ZERO + ((word >>> ~length) & 1)] as number;
    }
    while (count > 0 && !covers(words, path[count - 1] as number, a0, a1, a2, a3)) count--;
    return count;
  }

  /** The node of exactly this prefix; a new one has the value 0. */
  place(trie: number, address: Int32Array, length: number): number {
    let cell = trie;
    for (;;) {
      const { words } = this.#pool;
      const node = words[cell] as number;
      if (node === 0) return this.#leaf(cell, address, length);
      const depth = words[node + LENGTH] as number;
      const common = Math.min(sharedBits(words, node + ADDRESS, address), depth, length);
      if (common < depth) {
        const fork = this.#fork(cell, address, common);
        return common === length ? fork : this.#leaf(child(fork, address, 0, common), address, length);
      }
      if (length === depth) return node;
      cell = child(node, address, 0, depth);
    }
  }

  /** Takes out a node of value 0. */
  remove(trie: number, node: number): void {
    const { words } = this.#pool;
    let above = 0;
    let cell = trie;
    while (words[cell] !== node) {
      above = cell;
      const on = words[cell] as number;
      cell = child(on, words, node + ADDRESS, words[on + LENGTH] as number);
    }
    if (this.#splice(cell) || above === 0) return;
    if (words[(words[above] as number) + VALUE] === 0) this.#splice(above);
  }

  /** Puts a node's only child, or nothing, in its place; one with two children stays. Says whether the cell holds a node. */
  #splice(cell: number): boolean {
    const { words } = this.#pool;
    const node = words[cell] as number;
    const zero = words[node + ZERO] as number;
    const one = words[node + ONE] as number;
    if (zero !== 0 && one !== 0) return true;
    words[cell] = zero || one;
    this.#pool.give(node);
    return words[cell] !== 0;
  }

  #leaf(cell: number, address: Int32Array, length: number): number {
    const node = this.#pool.take();
    const { words } = this.#pool;
    words[node + LENGTH] = length;
    words.set(address, node + ADDRESS);
    words[cell] = node;
    return node;
  }

  /** A node between the cell and what it holds now. */
  #fork(cell: number, address: Int32Array, length: number): number {
    const below = this.#pool.words[cell] as number;
    const fork = this.#leaf(cell, address, length);
    const { words } = this.#pool;
    words[child(fork, words, below + ADDRESS, length)] = below;
    return fork;
  }
}

/** The cell of the child that the address at `at` is in. */
function child(node: number, address: Int32Array, at: number, length: number): number {
  return node + ZERO + (((address[at + (length >> 5)] as number) >>> (31 - (length & 31))) & 1);
}

function covers(words: Int32Array, node: number, a0: number, a1: number, a2: number, a3: number): boolean {
  const length = words[node + LENGTH] as number;
  const d0 = (words[node + ADDRESS] as number) ^ a0;
  // A shift by 32 shifts nothing.
  if (length <= 32) return length === 0 || d0 >>> (32 - length) === 0;
  const d1 = (words[node + ADDRESS + 1] as number) ^ a1;
  if (length <= 64) return d0 === 0 && d1 >>> (64 - length) === 0;
  const d2 = (words[node + ADDRESS + 2] as number) ^ a2;
  if (length <= 96) return (d0 | d1) === 0 && d2 >>> (96 - length) === 0;
  const d3 = (words[node + ADDRESS + 3] as number) ^ a3;
  return (d0 | d1 | d2) === 0 && d3 >>> (128 - length) === 0;
}
