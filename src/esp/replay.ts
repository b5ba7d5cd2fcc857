// The anti-replay window (RFC 4303 §3.4.3) as the ring of bit blocks of RFC 6479: one block more than the window needs,
// so that moving it clears whole blocks and shifts nothing. Sequence numbers are whole numbers up to 2^53.

const BLOCK = 32;

export class ReplayWindow {
  readonly #size: number;
  readonly #blocks: Uint32Array;
  #newest = 0;

  /** `size` is in packets; 0 switches the check off. */
  constructor(size: number) {
    this.#size = size;
    this.#blocks = new Uint32Array(Math.ceil(size / BLOCK) + 1);
  }

  /** The highest sequence number accepted so far. */
  get newest(): number {
    return this.#newest;
  }

  /** Changes nothing: an unauthenticated packet may ask. */
  fresh(seq: number): boolean {
    if (this.#size === 0) return true;
    // RFC 4303 §3.3.3: the first packet of an SA carries 1.
    if (seq === 0) return false;
    if (seq > this.#newest) return true;
    if (seq <= this.#newest - this.#size) return false;
    return ((this.#block(seq) >>> (seq % BLOCK)) & 1) === 0;
  }

  /** Only for a packet whose ICV is good and that was `fresh`. True when it is the newest one. */
  accept(seq: number): boolean {
    const newer = seq > this.#newest;
    if (newer) this.#advance(seq);
    if (this.#size > 0) {
      const index = Math.floor(seq / BLOCK) % this.#blocks.length;
      this.#blocks[index] = (this.#blocks[index] as number) | (1 << (seq % BLOCK));
    }
    return newer;
  }

  #block(seq: number): number {
    return this.#blocks[Math.floor(seq / BLOCK) % this.#blocks.length] as number;
  }

  #advance(seq: number): void {
    const from = Math.floor(this.#newest / BLOCK);
    const steps = Math.min(Math.floor(seq / BLOCK) - from, this.#blocks.length);
    for (let step = 1; step <= steps; step++) this.#blocks[(from + step) % this.#blocks.length] = 0;
    this.#newest = seq;
  }
}
