// What another configuration changes, and when that takes effect: a table, key by key, which the compiler holds against
// the keys that there are. What is not named in it stays as it is: connections that are the same, with their SAs.

import { isDeepStrictEqual } from 'node:util';
import type { Child, Connection } from '../ike/connection.ts';

/**
 * `at-once`: what stands goes by it from now on. `next`: with the next negotiation, a renewal of keys included.
 * `reestablished`: when the IKE SA is made anew, by reauthentication or after its end. `reconnect`: the connection is
 * ended and made anew at once. `remake`: the child is, and no other.
 */
export type When = 'at-once' | 'next' | 'reestablished' | 'reconnect' | 'remake';

export const CONNECTION_WHEN: Readonly<Record<Exclude<keyof Connection, 'name' | 'children' | 'where'>, When>> = {
  version: 'reconnect',
  localAddrs: 'reconnect',
  remoteAddrs: 'reconnect',
  remotePort: 'reestablished',
  localId: 'reestablished',
  remoteId: 'reestablished',
  encap: 'reestablished',
  childless: 'reestablished',
  unique: 'reestablished',
  offers: 'next',
  aggressive: 'next',
  rekeyTime: 'next',
  reauthTime: 'next',
  overTime: 'next',
  randTime: 'next',
  deleteRekeyed: 'at-once',
  dpdOnDemand: 'at-once',
  dpdDelay: 'at-once',
  dpdTimeout: 'at-once',
  fragmentation: 'at-once',
  fragmentSize: 'at-once',
  keyingTries: 'at-once',
  retryInterval: 'at-once',
  retransmit: 'at-once',
  natKeepalive: 'at-once',
};

export const CHILD_WHEN: Readonly<Record<Exclude<keyof Child, 'name' | 'where'>, When>> = {
  localTs: 'remake',
  remoteTs: 'remake',
  mode: 'remake',
  protocol: 'remake',
  shortSha256: 'remake',
  offers: 'next',
  tunnelFallback: 'next',
  lifetime: 'next',
  replayWindow: 'next',
  copyDf: 'next',
  copyEcn: 'next',
  copyDscp: 'next',
  mss: 'next',
  startAction: 'at-once',
  dpdAction: 'at-once',
  closeAction: 'at-once',
};

export interface ChangedChild {
  readonly before: Child;
  readonly after: Child;
  readonly keys: readonly string[];
  readonly remake: boolean;
}

export interface Changed {
  readonly before: Connection;
  readonly after: Connection;
  readonly keys: readonly string[];
  readonly reconnect: boolean;
  readonly added: readonly Child[];
  readonly removed: readonly Child[];
  readonly children: readonly ChangedChild[];
}

export interface Difference {
  readonly added: readonly Connection[];
  readonly removed: readonly Connection[];
  readonly changed: readonly Changed[];
  /** The same, though they may stand elsewhere in their files. */
  readonly same: readonly Connection[];
}

export function difference(before: readonly Connection[], after: readonly Connection[]): Difference {
  const old = new Map(before.map((conn) => [conn.name, conn]));
  const kept = new Set(after.map(({ name }) => name));
  const added: Connection[] = [];
  const changed: Changed[] = [];
  const same: Connection[] = [];
  for (const conn of after) {
    const known = old.get(conn.name);
    const found = known && changes(known, conn);
    if (!known) added.push(conn);
    else if (found) changed.push(found);
    else same.push(conn);
  }
  return { added, removed: before.filter(({ name }) => !kept.has(name)), changed, same };
}

/** Undefined when nothing has changed but where it is written. */
export function changes(before: Connection, after: Connection): Changed | undefined {
  const keys = differing(before, after, CONNECTION_WHEN);
  const old = new Map(before.children.map((child) => [child.name, child]));
  const kept = new Set(after.children.map(({ name }) => name));
  const added = after.children.filter(({ name }) => !old.has(name));
  const removed = before.children.filter(({ name }) => !kept.has(name));
  const children = after.children.flatMap((child): ChangedChild[] => {
    const known = old.get(child.name);
    const differ = known ? differing(known, child, CHILD_WHEN) : [];
    if (!known || differ.length === 0) return [];
    return [{ before: known, after: child, keys: differ, remake: differ.some((key) => CHILD_WHEN[key] === 'remake') }];
  });
  if (keys.length + added.length + removed.length + children.length === 0) return undefined;
  const reconnect = keys.some((key) => CONNECTION_WHEN[key] === 'reconnect');
  return { before, after, keys, reconnect, added, removed, children };
}

function differing<K extends string>(
  before: Readonly<Record<K, unknown>>,
  after: Readonly<Record<K, unknown>>,
  table: Readonly<Record<K, When>>,
): K[] {
  return (Object.keys(table) as K[]).filter((key) => !isDeepStrictEqual(before[key], after[key]));
}
