// Conns that share a connection give it the name of the first of them. When the file is read again with another in
// front, or without that one, the connection is the same all the same and keeps its name: otherwise an edit of one conn
// would end the SAs of all.

import type { Connection } from '../../ike/connection.ts';

/** `after` with the names that its connections of ipsec.conf have in `before`. */
export function keepNames(before: readonly Connection[], after: readonly Connection[]): readonly Connection[] {
  const names = new Set(after.map(({ name }) => name));
  const old = new Map<string, Connection>();
  for (const conn of before) {
    // Another has the name now.
    if (!isOfIpsecConf(conn) || names.has(conn.name)) continue;
    for (const { name } of conn.children) old.set(name, conn);
  }
  if (old.size === 0) return after;
  const known = new Set(before.map(({ name }) => name));
  const homes = new Map(
    after.flatMap((conn) => (isOfIpsecConf(conn) ? conn.children : []).map(({ name }) => [name, conn])),
  );
  const kept = new Set<string>();
  return after.map((conn) => {
    if (!isOfIpsecConf(conn) || known.has(conn.name)) return conn;
    const name = conn.children.map((child) => old.get(child.name)?.name).find((found) => found !== undefined);
    if (name === undefined || kept.has(name)) return conn;
    // One name cannot mean two things to "up".
    const home = homes.get(name);
    if (home && home !== conn) return conn;
    kept.add(name);
    return { ...conn, name };
  });
}

/** The options of an ipsec.conf have names of their own, those of a swanctl.conf and of clients do not. */
export function isOfIpsecConf({ where }: Connection): boolean {
  return [...where.values()].some(({ option }) => option !== undefined);
}
