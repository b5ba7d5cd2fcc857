// What SAs have carried and dropped, by connection and child, those that are gone included: an SA begins at 0, and what
// it was for goes on. Kept only where somebody wants to know it.

import type { Drop } from '../esp/drop.ts';

export interface Traffic {
  /** Of the packets inside. */
  readonly bytesIn: number;
  readonly packetsIn: number;
  readonly bytesOut: number;
  readonly packetsOut: number;
  /** Of the same packets from their ESP or AH header on. */
  readonly sealedIn: number;
  readonly sealedOut: number;
}

/** One SA. */
export interface Account {
  readonly conn: string;
  readonly child: string;
  readonly traffic: Traffic;
  readonly drops: Readonly<Record<Drop, number>>;
}

/** All SAs that there were for one child. */
export interface ChildAccount extends Omit<Account, 'drops'> {
  readonly drops: ReadonlyMap<string, number>;
}

interface Sum {
  traffic: Traffic;
  readonly drops: Map<string, number>;
}

const NOTHING: Traffic = { bytesIn: 0, packetsIn: 0, bytesOut: 0, packetsOut: 0, sealedIn: 0, sealedOut: 0 };

export class Ledger {
  #total = NOTHING;
  readonly #children: ByConnection<Map<string, Sum>>;

  constructor(known: (conn: string) => boolean) {
    this.#children = new ByConnection(known);
  }

  /** An SA is gone. */
  close(account: Account): void {
    this.#total = plus(this.#total, account.traffic);
    enter(
      this.#children.of(account.conn, () => new Map()),
      account,
    );
  }

  /** Since the start, with those that stand. */
  total(standing: readonly Account[]): Traffic {
    return standing.reduce((sum, { traffic }) => plus(sum, traffic), this.#total);
  }

  children(standing: readonly Account[]): ChildAccount[] {
    const all = new Map<string, Map<string, Sum>>();
    for (const [conn, children] of this.#children.entries()) {
      const copies = [...children].map(
        ([child, { traffic, drops }]) => [child, { traffic, drops: new Map(drops) }] as const,
      );
      all.set(conn, new Map(copies));
    }
    for (const account of standing) {
      const children = all.get(account.conn) ?? new Map<string, Sum>();
      all.set(account.conn, children);
      enter(children, account);
    }
    return [...all].flatMap(([conn, children]) => [...children].map(([child, sum]) => ({ conn, child, ...sum })));
  }
}

function enter(children: Map<string, Sum>, { child, traffic, drops }: Account): void {
  const sum = children.get(child) ?? { traffic: NOTHING, drops: new Map<string, number>() };
  children.set(child, sum);
  sum.traffic = plus(sum.traffic, traffic);
  for (const [reason, count] of Object.entries(drops)) {
    if (count > 0) sum.drops.set(reason, (sum.drops.get(reason) ?? 0) + count);
  }
}

function plus(a: Traffic, b: Traffic): Traffic {
  return {
    bytesIn: a.bytesIn + b.bytesIn,
    packetsIn: a.packetsIn + b.packetsIn,
    bytesOut: a.bytesOut + b.bytesOut,
    packetsOut: a.packetsOut + b.packetsOut,
    sealedIn: a.sealedIn + b.sealedIn,
    sealedOut: a.sealedOut + b.sealedOut,
  };
}

const LEAST_PRUNED = 1024;

/** Something for each connection, and for peers that none is for (""). What is configured no more is forgotten. */
export class ByConnection<V> {
  readonly #known: (conn: string) => boolean;
  readonly #values = new Map<string, V>();
  #pruneAt = LEAST_PRUNED;

  constructor(known: (conn: string) => boolean) {
    this.#known = known;
  }

  of(conn: string, make: () => V): V {
    const found = this.#values.get(conn);
    if (found !== undefined) return found;
    const made = make();
    this.#values.set(conn, made);
    // Names may come and go for years without anybody who asks.
    if (this.#values.size > this.#pruneAt) {
      this.#prune();
      this.#pruneAt = LEAST_PRUNED + 2 * this.#values.size;
    }
    return made;
  }

  entries(): (readonly [string, V])[] {
    this.#prune();
    return [...this.#values];
  }

  #prune(): void {
    for (const conn of this.#values.keys()) if (conn !== '' && !this.#known(conn)) this.#values.delete(conn);
  }
}
