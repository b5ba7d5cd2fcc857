// What is configured: what the files say, and what clients of the control socket have loaded since. The files come
// first, and when they are read again they have the last word on the names that stand in them.

import { isDeepStrictEqual } from 'node:util';
import { changes, type Difference, difference } from '../config/changes.ts';
import { keepNames } from '../config/ipsec/kept.ts';
import { equalSecret } from '../crypto/compare.ts';
import type { Connection, SharedKey } from '../ike/connection.ts';
import { formatIdentity } from '../ike/identity.ts';

export type Origin = 'file' | 'client';

export interface Configured {
  readonly conn: Connection;
  readonly origin: Origin;
}

interface Kept {
  readonly key: SharedKey;
  readonly origin: Origin;
}

/** What reading the files has changed, and how many secrets are new, gone or others. */
export interface ReadAnew extends Difference {
  readonly secrets: number;
}

/** Whoever loads thousands one by one must not have all of them compared each time. */
const SAME: Difference = { added: [], removed: [], changed: [], same: [] };

export class Configuration {
  #connections = new Map<string, Configured>();
  /** Under their ids; what stands in an ipsec.secrets has none. */
  #secrets = new Map<string | SharedKey, Kept>();

  constructor(connections: readonly Connection[], secrets: readonly SharedKey[]) {
    this.read(connections, secrets);
  }

  /** What the files say now. */
  read(connections: readonly Connection[], secrets: readonly SharedKey[]): ReadAnew {
    const before = this.connections();
    const held = this.secrets();
    const known = this.entries().flatMap(({ conn, origin }) => (origin === 'file' ? [conn] : []));
    this.#connections = withClients(
      keepNames(known, connections).map((conn) => [conn.name, { conn, origin: 'file' }]),
      this.#connections,
    );
    this.#secrets = withClients(
      secrets.map((key) => [key.id ?? key, { key, origin: 'file' }]),
      this.#secrets,
    );
    return { ...difference(before, this.connections()), secrets: differing(held, this.secrets()) };
  }

  entries(): readonly Configured[] {
    return [...this.#connections.values()];
  }

  connections(): readonly Connection[] {
    return this.entries().map(({ conn }) => conn);
  }

  secrets(): readonly SharedKey[] {
    return [...this.#secrets.values()].map(({ key }) => key);
  }

  /** One that says the same as before leaves everything as it is, where it is written included. */
  load(conn: Connection): Difference {
    const known = this.#connections.get(conn.name);
    const found = known && changes(known.conn, conn);
    if (known && !found) return SAME;
    this.#connections.set(conn.name, { conn, origin: 'client' });
    return found ? { ...SAME, changed: [found] } : { ...SAME, added: [conn] };
  }

  unload(name: string): Difference {
    const known = this.#connections.get(name);
    this.#connections.delete(name);
    return known ? { ...SAME, removed: [known.conn] } : SAME;
  }

  /** In place of what has this id, from a file or not; one that says the same leaves everything as it is. */
  loadSecret(id: string, key: SharedKey): void {
    const known = this.#secrets.get(id);
    if (known && sameSecret(known.key, key)) return;
    this.#secrets.set(id, { key: { ...key, id }, origin: 'client' });
  }

  unloadSecret(id: string): boolean {
    return this.#secrets.delete(id);
  }

  /** Those that a client can name. */
  secretIds(): readonly string[] {
    return [...this.#secrets.keys()].filter((id) => typeof id === 'string');
  }

  /** Those that a client can name are gone. */
  clearSecrets(): void {
    for (const id of this.secretIds()) this.#secrets.delete(id);
  }
}

/** What the files have, and behind it what clients have loaded under other names. */
function withClients<K, V extends { readonly origin: Origin }>(
  files: readonly (readonly [K, V])[],
  before: ReadonlyMap<K, V>,
): Map<K, V> {
  const all = new Map(files);
  for (const [key, entry] of before) if (entry.origin === 'client' && !all.has(key)) all.set(key, entry);
  return all;
}

/** How many are new, gone, or say something else than before to the same. */
function differing(before: readonly SharedKey[], after: readonly SharedKey[]): number {
  const left = byName(before);
  let count = 0;
  for (const [name, secrets] of byName(after)) {
    const old = left.get(name) ?? [];
    left.delete(name);
    const others = secrets.filter(({ secret }) => {
      const at = old.findIndex((one) => equalSecret(one.secret.reveal(), secret.reveal()));
      if (at >= 0) old.splice(at, 1);
      return at < 0;
    });
    count += Math.max(others.length, old.length);
  }
  for (const gone of left.values()) count += gone.length;
  return count;
}

/** Under their ids and whom they are for. */
function byName(secrets: readonly SharedKey[]): Map<string, SharedKey[]> {
  const all = new Map<string, SharedKey[]>();
  for (const one of secrets) {
    const name = JSON.stringify([one.id, one.owners.map(formatIdentity)]);
    const own = all.get(name);
    if (own) own.push(one);
    else all.set(name, [one]);
  }
  return all;
}

function sameSecret(a: SharedKey, b: SharedKey): boolean {
  return isDeepStrictEqual(a.owners, b.owners) && equalSecret(a.secret.reveal(), b.secret.reveal());
}
