// Records of a fixed number of 32-bit words, all in one array that grows. A record is named by the index of its first
// word; 0 is none. What look-ups walk through lies in such pools: no object per record, no garbage.

export class Pool {
  /** Replaced when the pool grows: whoever takes a record looks it up again afterwards. */
  words: Int32Array;
  readonly #stride: number;
  #end: number;
  /** Records given back, each holding the next one's index in its first word. */
  #free = 0;

  constructor(stride: number, records = 64) {
    this.words = new Int32Array(stride * records);
    this.#stride = stride;
    this.#end = stride;
  }

  /** A record of zeros. */
  take(): number {
    const reused = this.#free;
    if (reused !== 0) {
      this.#free = this.words[reused] as number;
      this.words[reused] = 0;
      return reused;
    }
    const record = this.#end;
    this.#end += this.#stride;
    if (this.#end > this.words.length) this.#grow();
    return record;
  }

  give(record: number): void {
    this.words.fill(0, record, record + this.#stride);
    this.words[record] = this.#free;
    this.#free = record;
  }

  #grow(): void {
    const words = new Int32Array(this.words.length * 2);
    words.set(this.words);
    this.words = words;
  }
}
