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

/** When, and the options that it is written in, relative to the section of the connection or of the child. */
type Effect = readonly [When, ...string[]];

export const CONNECTION_EFFECTS: Readonly<Record<Exclude<keyof Connection, 'name' | 'children' | 'where'>, Effect>> = {
  version: ['reconnect', 'version'],
  localAddrs: ['reconnect', 'local_addrs'],
  remoteAddrs: ['reconnect', 'remote_addrs'],
  remotePort: ['reestablished', 'remote_port'],
  localId: ['reestablished', 'local.auth', 'local.id'],
  remoteId: ['reestablished', 'remote.auth', 'remote.id'],
  encap: ['reestablished', 'encap'],
  childless: ['reestablished', 'childless'],
  unique: ['reestablished', 'unique'],
  offers: ['next', 'proposals'],
  aggressive: ['next', 'aggressive'],
  rekeyTime: ['next', 'rekey_time'],
  reauthTime: ['next', 'reauth_time'],
  overTime: ['next', 'over_time'],
  randTime: ['next', 'rand_time'],
  deleteRekeyed: ['at-once', 'delete_rekeyed'],
  dpdOnDemand: ['at-once', 'dpd_mode'],
  dpdDelay: ['at-once', 'dpd_delay'],
  dpdTimeout: ['at-once', 'dpd_timeout'],
  fragmentation: ['at-once', 'fragmentation'],
  fragmentSize: ['at-once', 'fragment_size'],
  keyingTries: ['at-once', 'keyingtries'],
  retryInterval: ['at-once', 'retry_interval'],
  retransmit: ['at-once', 'retransmit'],
  natKeepalive: ['at-once', 'nat_keepalive'],
};

export const CHILD_EFFECTS: Readonly<Record<Exclude<keyof Child, 'name' | 'where'>, Effect>> = {
  localTs: ['remake', 'local_ts'],
  remoteTs: ['remake', 'remote_ts'],
  mode: ['remake', 'mode'],
  // AH in the place of ESP: algorithms of either wait for the next negotiation.
  protocol: ['remake'],
  shortSha256: ['remake', 'sha256_96'],
  offers: ['next', 'esp_proposals', 'ah_proposals'],
  tunnelFallback: ['next', 'tunnel_fallback'],
  lifetime: [
    'next',
    ...['time', 'bytes', 'packets'].flatMap((of) => ['rekey', 'life', 'rand'].map((x) => `${x}_${of}`)),
  ],
  replayWindow: ['next', 'replay_window'],
  installRoutes: ['remake', 'install_routes'],
  copyDf: ['next', 'copy_df'],
  copyEcn: ['next', 'copy_ecn'],
  copyDscp: ['next', 'copy_dscp'],
  mss: ['next', 'mss'],
  // An SA ends with the program that it began with.
  updown: ['reestablished', 'updown'],
  hostAccess: ['reestablished', 'hostaccess'],
  startAction: ['at-once', 'start_action'],
  dpdAction: ['at-once', 'dpd_action'],
  closeAction: ['at-once', 'close_action'],
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
    // Most are the very same when one of thousands is loaded.
    const found = known && known !== conn && changes(known, conn);
    if (!known) added.push(conn);
    else if (found) changed.push(found);
    else same.push(conn);
  }
  return { added, removed: before.filter(({ name }) => !kept.has(name)), changed, same };
}

/** Undefined when nothing has changed but where it is written. */
export function changes(before: Connection, after: Connection): Changed | undefined {
  const keys = differing(before, after, CONNECTION_EFFECTS);
  const old = new Map(before.children.map((child) => [child.name, child]));
  const kept = new Set(after.children.map(({ name }) => name));
  const added = after.children.filter(({ name }) => !old.has(name));
  const removed = before.children.filter(({ name }) => !kept.has(name));
  const children = after.children.flatMap((child): ChangedChild[] => {
    const known = old.get(child.name);
    const differ = known ? differing(known, child, CHILD_EFFECTS) : [];
    if (!known || differ.length === 0) return [];
    return [
      { before: known, after: child, keys: differ, remake: differ.some((key) => CHILD_EFFECTS[key][0] === 'remake') },
    ];
  });
  if (keys.length + added.length + removed.length + children.length === 0) return undefined;
  const reconnect = keys.some((key) => CONNECTION_EFFECTS[key][0] === 'reconnect');
  return { before, after, keys, reconnect, added, removed, children };
}

function differing<K extends string>(
  before: Readonly<Record<K, unknown>>,
  after: Readonly<Record<K, unknown>>,
  table: Readonly<Record<K, Effect>>,
): K[] {
  return (Object.keys(table) as K[]).filter((key) => !isDeepStrictEqual(before[key], after[key]));
}
