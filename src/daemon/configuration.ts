// What is configured: what the files say, and what clients of the control socket have loaded since. The files come
// first, and when they are read again they have the last word on the names that stand in them.

import { isDeepStrictEqual } from 'node:util';
import { changes } from '../config/changes.ts';
import { equalSecret } from '../crypto/compare.ts';
import type { Connection, SharedKey } from '../ike/connection.ts';

export type Origin = 'file' | 'client';

export interface Configured {
  readonly conn: Connection;
  readonly origin: Origin;
}

export class Configuration {
  #connections = new Map<string, Configured>();
  #secrets: SharedKey[] = [];
  /** Loaded by clients, under their ids. */
  readonly #loaded = new Map<string, SharedKey>();

  constructor(connections: readonly Connection[], secrets: readonly SharedKey[]) {
    this.read(connections, secrets);
  }

  /** What the files say now. */
  read(connections: readonly Connection[], secrets: readonly SharedKey[]): void {
    const before = this.#connections;
    this.#connections = new Map(connections.map((conn) => [conn.name, { conn, origin: 'file' }]));
    for (const [name, entry] of before) {
      if (entry.origin === 'client' && !this.#connections.has(name)) this.#connections.set(name, entry);
    }
    this.#secrets = [...secrets];
    for (const { id } of secrets) if (id !== undefined) this.#loaded.delete(id);
  }

  entries(): readonly Configured[] {
    return [...this.#connections.values()];
  }

  connections(): readonly Connection[] {
    return this.entries().map(({ conn }) => conn);
  }

  secrets(): readonly SharedKey[] {
    return [...this.#secrets, ...this.#loaded.values()];
  }

  /** One that says the same as before leaves everything as it is, where it is written included. */
  load(conn: Connection): void {
    const known = this.#connections.get(conn.name);
    if (known && !changes(known.conn, conn)) return;
    this.#connections.set(conn.name, { conn, origin: 'client' });
  }

  unload(name: string): boolean {
    return this.#connections.delete(name);
  }

  /** In place of what has this id, from a file or not; one that says the same leaves everything as it is. */
  loadSecret(id: string, key: SharedKey): void {
    const known = this.secrets().find((other) => other.id === id);
    if (known && sameSecret(known, key)) return;
    this.#secrets = this.#secrets.filter((known) => known.id !== id);
    this.#loaded.set(id, { ...key, id });
  }

  unloadSecret(id: string): boolean {
    const left = this.#secrets.filter((known) => known.id !== id);
    const found = left.length < this.#secrets.length;
    this.#secrets = left;
    return this.#loaded.delete(id) || found;
  }

  /** Those that a client can name: what stands in an ipsec.secrets has none. */
  secretIds(): readonly string[] {
    return this.secrets().flatMap(({ id }) => id ?? []);
  }

  /** Those that a client can name are gone. */
  clearSecrets(): void {
    this.#secrets = this.#secrets.filter(({ id }) => id === undefined);
    this.#loaded.clear();
  }
}

function sameSecret(a: SharedKey, b: SharedKey): boolean {
  return isDeepStrictEqual(a.owners, b.owners) && equalSecret(a.secret.reveal(), b.secret.reveal());
}
