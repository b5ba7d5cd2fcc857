// Inbound SAs by SPI: an open hash table of numbers. We choose the SPIs, at random, so that their low bits spread.

const EMPTY = 0;
/** SPIs below 256 are reserved (RFC 4303 §2.1) and never in the table. */
const GONE = 1;

export class Spis {
  #mask = 1023;
  #used = 0;
  #spis = new Int32Array(this.#mask + 1);
  #slots = new Int32Array(this.#mask + 1);

  /** The slot, or -1. `spi` as a signed word, as it stands in a descriptor. */
  find(spi: number): number {
    const spis = this.#spis;
    const mask = this.#mask;
    for (let at = spi & mask; ; at = (at + 1) & mask) {
      const there = spis[at] as number;
      if (there === spi) return this.#slots[at] as number;
      if (there === EMPTY) return -1;
    }
  }

  add(spi: number, slot: number): void {
    if (this.#used * 4 >= this.#mask) this.#grow();
    this.#place(spi | 0, slot);
  }

  remove(spi: number): void {
    const at = this.#at(spi | 0);
    if (at >= 0) this.#spis[at] = GONE;
  }

  #at(spi: number): number {
    for (let at = spi & this.#mask; ; at = (at + 1) & this.#mask) {
      if (this.#spis[at] === spi) return at;
      if (this.#spis[at] === EMPTY) return -1;
    }
  }

  #place(spi: number, slot: number): void {
    let at = spi & this.#mask;
    while ((this.#spis[at] as number) !== EMPTY) at = (at + 1) & this.#mask;
    this.#spis[at] = spi;
    this.#slots[at] = slot;
    this.#used++;
  }

  /** What is gone is left out. */
  #grow(): void {
    const spis = this.#spis;
    const slots = this.#slots;
    const live = spis.reduce((count, spi) => (spi === EMPTY || spi === GONE ? count : count + 1), 0);
    const size = live * 8 > this.#mask ? (this.#mask + 1) * 2 : this.#mask + 1;
    this.#mask = size - 1;
    this.#spis = new Int32Array(size);
    this.#slots = new Int32Array(size);
    this.#used = 0;
    for (const [at, spi] of spis.entries()) {
      if (spi !== EMPTY && spi !== GONE) this.#place(spi, slots[at] as number);
    }
  }
}
