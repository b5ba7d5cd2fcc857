// What has happened to connections since the start, counted by what it was: for the metrics.

import type { Event } from '../../ike/effects.ts';
import { isOurWill } from '../../ike/reason.ts';

export interface Failures {
  readonly connection: string;
  readonly reason: string;
  readonly count: number;
}

export interface Rekeys {
  readonly connection: string;
  readonly kind: 'ike' | 'child';
  readonly count: number;
}

export class Tallies {
  readonly #failures = new Map<string, Map<string, number>>();
  readonly #rekeys = new Map<string, Map<'ike' | 'child', number>>();

  event(event: Event): void {
    switch (event.kind) {
      case 'session-closed':
        if (!event.established && !isOurWill(event.reason)) add(this.#failures, event.conn, event.reason.code);
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

  /** Of connections that are there, and of peers that none is for. */
  failures(known: ReadonlySet<string>): Failures[] {
    return listed(this.#failures, known).map(([connection, reason, count]) => ({ connection, reason, count }));
  }

  rekeys(known: ReadonlySet<string>): Rekeys[] {
    return listed(this.#rekeys, known).map(([connection, kind, count]) => ({ connection, kind, count }));
  }
}

function add<K>(to: Map<string, Map<K, number>>, conn: string, key: K): void {
  const counts = to.get(conn) ?? new Map<K, number>();
  to.set(conn, counts);
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** What is configured no more is forgotten, so that names that come and go do not gather. */
function listed<K>(from: Map<string, Map<K, number>>, known: ReadonlySet<string>): [string, K, number][] {
  for (const conn of from.keys()) if (conn !== '' && !known.has(conn)) from.delete(conn);
  return [...from].flatMap(([conn, counts]) =>
    [...counts].map(([key, count]): [string, K, number] => [conn, key, count]),
  );
}
