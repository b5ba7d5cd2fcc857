// Who has called lately and fits no connection. One of them may be the peer of a connection that is not up, at another
// address than the one that is configured; nobody can tell, but the operator may know it.

import type { Ip } from '../bytes/ip.ts';
import type { Connection, Millis } from '../ike/connection.ts';
import type { Reason } from '../ike/reason.ts';
import { ours } from '../ike/why.ts';
import { wordFor } from '../ike/words.ts';

/** Scanners call every gateway: the last ones are enough. */
const MOST = 3;
const RECENT: Millis = 600_000;

export class Strangers {
  /** By address, the latest last. */
  readonly #calls = new Map<Ip, { readonly at: Millis; readonly times: number }>();

  called(now: Millis, ip: Ip): void {
    const times = (this.#calls.get(ip)?.times ?? 0) + 1;
    this.#calls.delete(ip);
    this.#calls.set(ip, { at: now, times });
    const [oldest] = this.#calls.keys();
    if (this.#calls.size > MOST && oldest !== undefined) this.#calls.delete(oldest);
  }

  /** For a connection that is not up. */
  hint(now: Millis, conn: Connection): Reason | undefined {
    const recent = [...this.#calls].filter(([, { at }]) => now - at < RECENT).reverse();
    if (recent.length === 0) return undefined;
    const { where } = conn;
    const place = where.get('remote_addrs') ?? where.get('');
    const got = recent.map(([ip, { at, times }]) => `${ip} ${Math.round((now - at) / 1000)} s ago${often(times)}`);
    return {
      code: 'no-connection',
      text: `somebody called for whom no connection is configured: ${got.join(', ')}`,
      by: 'us',
      got: recent.map(([ip]) => ip),
      remedy: `if that is the peer, set \`${wordFor(conn, 'remote_addrs')}\` to its address${ours(place)}; else pay no attention`,
      ...(place ? { where: place } : {}),
    };
  }
}

function often(times: number): string {
  return times > 1 ? ` (${times} times)` : '';
}
