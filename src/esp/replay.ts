// The anti-replay windows (RFC 4303 §3.4.3) of all SAs, each a ring of bit blocks as in RFC 6479: one block more than
// the window needs at least, so that moving it clears whole blocks and shifts nothing. Sequence numbers are whole
// numbers up to 2^53; of extended ones the wire shows the low half only (RFC 4303 §2.2.1, appendix A).

const BLOCK = 32;
const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;

/** Without a window, the number nearest to the newest one is meant. */
const UNCHECKED_REACH = TWO_31;

/** By slot, shared between threads: whoever takes an SA over goes on where the last one stopped. */
export interface ReplayMemory {
  readonly bits: Int32Array;
  /** The highest sequence number accepted so far. */
  readonly newest: Float64Array;
}

/** Room for windows of up to `largest` packets. */
export function replayMemory(slots: number, largest = 4096): ReplayMemory {
  const stride = blocksFor(largest);
  return {
    bits: new Int32Array(new SharedArrayBuffer(4 * stride * slots)),
    newest: new Float64Array(new SharedArrayBuffer(8 * slots)),
  };
}

/** As if nothing had ever come. */
export function clearWindow({ bits, newest }: ReplayMemory, slot: number): void {
  const stride = bits.length / newest.length;
  bits.fill(0, slot * stride, (slot + 1) * stride);
  newest[slot] = 0;
}

export class ReplayWindows {
  /** The largest window there is room for. */
  readonly largest: number;
  readonly #bits: Int32Array;
  readonly #newest: Float64Array;
  readonly #stride: number;
  readonly #size: Int32Array;
  /** A window's number of blocks is a power of two; this is one less. */
  readonly #mask: Int32Array;
  readonly #esn: Uint8Array;

  constructor({ bits, newest }: ReplayMemory) {
    const slots = newest.length;
    this.#bits = bits;
    this.#newest = newest;
    this.#stride = bits.length / slots;
    this.largest = (this.#stride - 1) * BLOCK;
    this.#size = new Int32Array(slots);
    this.#mask = new Int32Array(slots);
    this.#esn = new Uint8Array(slots);
  }

  /** A new window of `size` packets; 0 switches the check off. */
  open(slot: number, size: number, esn: boolean): void {
    this.resume(slot, size, esn);
    this.#newest[slot] = 0;
    const start = slot * this.#stride;
    this.#bits.fill(0, start, start + (this.#mask[slot] as number) + 1);
  }

  /** A window that another thread has filled. */
  resume(slot: number, size: number, esn: boolean): void {
    if (size > this.largest) throw new Error(`no room for a replay window of ${size} packets`);
    this.#size[slot] = size;
    this.#mask[slot] = blocksFor(size) - 1;
    this.#esn[slot] = esn ? 1 : 0;
  }

  newest(slot: number): number {
    return this.#newest[slot] as number;
  }

  /**
   * The whole sequence number that the low half on the wire stands for, or -1 for one that was there already or is too
   * old. Changes nothing: an unauthenticated packet may ask.
   */
  fresh(slot: number, low: number): number {
    const size = this.#size[slot] as number;
    const newest = this.#newest[slot] as number;
    let seq = low >>> 0;
    if (this.#esn[slot] !== 0) {
      // RFC 4303 appendix A2.2: of all numbers with this low half the one within 2^32 from the window's lower edge on.
      const edge = Math.max(0, newest - (size === 0 ? UNCHECKED_REACH : size) + 1);
      seq += Math.floor(newest / TWO_32) * TWO_32;
      if (seq < edge) seq += TWO_32;
      else if (seq >= edge + TWO_32) seq -= TWO_32;
    }
    if (seq > newest || size === 0) return seq;
    // RFC 4303 §3.3.3: the first packet of an SA carries 1.
    return seq === 0 || seq <= newest - size || this.#seen(slot, low) ? -1 : seq;
  }

  /**
   * Only for a packet whose ICV is good. 0: another one of this number came in between; 1: accepted; 2: accepted, and it
   * is the newest one. `seq` is what `fresh` said: asked again it may say something else.
   */
  accept(slot: number, seq: number): 0 | 1 | 2 {
    const size = this.#size[slot] as number;
    const newest = this.#newest[slot] as number;
    const low = seq | 0;
    if (seq > newest) {
      this.#newest[slot] = seq;
      if (size !== 0) this.#advance(slot, newest | 0, low, seq - newest < TWO_31);
      return 2;
    }
    if (size === 0) return 1;
    if (seq === 0 || seq <= newest - size || this.#seen(slot, low)) return 0;
    this.#mark(slot, low);
    return 1;
  }

  // What follows knows the low halves alone. They tell a block and a bit, since 2^32 is a multiple of any ring; and no
  // number too large for a small integer goes from one function to another, where it might need a place on the heap.

  #seen(slot: number, low: number): boolean {
    const block = this.#bits[slot * this.#stride + ((low >>> 5) & (this.#mask[slot] as number))] as number;
    return ((block >>> (low & 31)) & 1) !== 0;
  }

  #mark(slot: number, low: number): void {
    const at = slot * this.#stride + ((low >>> 5) & (this.#mask[slot] as number));
    this.#bits[at] = (this.#bits[at] as number) | (1 << (low & 31));
  }

  /** Clears the blocks behind that of the newest number up to that of the new one, which is less than 2^31 away if `near`. */
  #advance(slot: number, from: number, to: number, near: boolean): void {
    const mask = this.#mask[slot] as number;
    const base = slot * this.#stride;
    const blocks = ((to >>> 5) - (from >>> 5)) & 0x07ff_ffff;
    const steps = near && blocks <= mask ? blocks : mask + 1;
    for (let step = 1; step <= steps; step++) this.#bits[base + (((from >>> 5) + step) & mask)] = 0;
    this.#mark(slot, to);
  }
}

/** One more than the window's own; a power of two, so that a mask finds the block. */
function blocksFor(size: number): number {
  return 2 ** Math.ceil(Math.log2(Math.ceil(size / BLOCK) + 1));
}
