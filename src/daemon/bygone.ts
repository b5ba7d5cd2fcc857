// Children that are gone, whose numbers can still be told.

/** More than one message of a peer takes away at a time. */
const REMEMBERED = 64;

export class Bygone<Stats> {
  readonly #last = new Map<number, Stats>();

  of(id: number): Stats | undefined {
    return this.#last.get(id);
  }

  add(id: number, stats: Stats): void {
    this.#last.set(id, stats);
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= REMEMBERED) break;
      this.#last.delete(oldest);
    }
  }
}
