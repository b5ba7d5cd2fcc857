// Packets and bytes over all SAs since the start, those that are gone included.

export interface Totals {
  readonly bytesIn: number;
  readonly packetsIn: number;
  readonly bytesOut: number;
  readonly packetsOut: number;
}

const NO_TOTALS: Totals = { bytesIn: 0, packetsIn: 0, bytesOut: 0, packetsOut: 0 };

export function sum(a: Totals, b: Totals): Totals {
  return {
    bytesIn: a.bytesIn + b.bytesIn,
    packetsIn: a.packetsIn + b.packetsIn,
    bytesOut: a.bytesOut + b.bytesOut,
    packetsOut: a.packetsOut + b.packetsOut,
  };
}

/** Children that are gone, whose numbers can still be told: more than one message of a peer takes away at a time. */
const REMEMBERED = 64;

/** Those that were removed: of all of them the sum, of the last ones each. */
export class Bygone<Stats extends Totals> {
  #total = NO_TOTALS;
  readonly #last = new Map<number, Stats>();

  get total(): Totals {
    return this.#total;
  }

  of(id: number): Stats | undefined {
    return this.#last.get(id);
  }

  add(id: number, stats: Stats): void {
    this.#total = sum(this.#total, stats);
    this.#last.set(id, stats);
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= REMEMBERED) break;
      this.#last.delete(oldest);
    }
  }
}
