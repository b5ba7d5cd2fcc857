// What has happened to connections since the start, counted by what it was: for the metrics.

import type { Event } from '../../ike/effects.ts';
import { isOurWill } from '../../ike/reason.ts';
import { ByConnection } from '../ledger.ts';

/** How often, for one connection; of peers that none is for, its name is empty. */
export interface Tallied<K extends string = string> {
  readonly connection: string;
  readonly of: K;
  readonly count: number;
}

export class Tallies {
  readonly #failures: ByConnection<Map<string, number>>;
  readonly #rekeys: ByConnection<Map<'ike' | 'child', number>>;
  readonly #dead: ByConnection<Map<'peer-dead', number>>;

  constructor(known: (conn: string) => boolean) {
    this.#failures = new ByConnection(known);
    this.#rekeys = new ByConnection(known);
    this.#dead = new ByConnection(known);
  }

  event(event: Event): void {
    switch (event.kind) {
      case 'session-closed':
        if (event.established) {
          if (event.reason.code === 'peer-dead') add(this.#dead, event.conn, 'peer-dead');
        } else if (!isOurWill(event.reason)) {
          add(this.#failures, event.conn, event.reason.code);
        }
        return;
      case 'child-failed':
      case 'note':
        return add(this.#failures, event.conn, event.reason.code);
      case 'session-rekeyed':
        return add(this.#rekeys, event.conn, 'ike');
      case 'child-rekeyed':
        return add(this.#rekeys, event.conn, 'child');
    }
  }

  /** By reason code. */
  failures(): Tallied[] {
    return listed(this.#failures);
  }

  rekeys(): Tallied<'ike' | 'child'>[] {
    return listed(this.#rekeys);
  }

  /** Peers that had been there and were given up. */
  dead(): Tallied[] {
    return listed(this.#dead);
  }
}

function add<K extends string>(to: ByConnection<Map<K, number>>, conn: string, key: K): void {
  const counts = to.of(conn, () => new Map());
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function listed<K extends string>(from: ByConnection<Map<K, number>>): Tallied<K>[] {
  return from
    .entries()
    .flatMap(([connection, counts]) => [...counts].map(([of, count]) => ({ connection, of, count })));
}
