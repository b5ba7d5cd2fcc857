// What the configuration asks of the host: whom to reach, what to forward, which protocols.

import { compare } from '../../bytes/bytes.ts';
import { formatIp, type Ip, isV6 } from '../../bytes/ip.ts';
import { holds, isEverything, isHost, networksOf, single } from '../../config/lint/networks.ts';
import type { Child, Connection } from '../../ike/connection.ts';
import { formatSelector } from '../../ike/ts.ts';
import type { Selector } from '../../ike/wire/ts.ts';

/** The networks of one child between which packets are forwarded. */
export interface Flow {
  readonly child: Child;
  readonly local: Selector;
  readonly remote: Selector;
}

export interface Needs {
  /** False: there is no configuration that could be read, and everything may be needed. */
  readonly known: boolean;
  readonly peers: readonly Ip[];
  readonly own: readonly Ip[];
  readonly forward: { readonly v4: boolean; readonly v6: boolean };
  /** ESP or AH as an IP protocol of its own. */
  readonly esp: boolean;
  readonly ah: boolean;
  readonly flows: readonly Flow[];
  /** More than one: packets may go from one tunnel into another. */
  readonly connections: number;
  /** Peers whose address lies in a network that is said to be behind them, with that network. */
  readonly swallowed: ReadonlyMap<Ip, string>;
  readonly children: readonly { readonly child: Child; readonly connection: Connection }[];
}

/** The doctor looks at so many peers and flows, not at thousands. */
const MOST = 16;

export function needsOf(connections: readonly Connection[] | undefined): Needs {
  const all = (connections ?? []).flatMap((connection) => connection.children.map((child) => ({ connection, child })));
  const addresses = (side: 'localAddrs' | 'remoteAddrs') => [
    ...new Set((connections ?? []).flatMap((connection) => connection[side].flatMap(single).map(formatIp))),
  ];
  const own = addresses('localAddrs');
  const flows = all
    .filter(({ child }) => child.mode === 'tunnel')
    .flatMap(({ child, connection }) => flowsOf(child, connection))
    .filter(({ local }) => !(isHost(local) && own.includes(formatIp(local.start))));
  const families = new Set(flows.map(({ local }) => local.start.length));
  return {
    known: connections !== undefined,
    peers: addresses('remoteAddrs').slice(0, MOST),
    own,
    forward: { v4: families.has(4), v6: families.has(16) },
    esp: all.some(({ child, connection }) => child.protocol === 'esp' && connection.encap !== 'yes'),
    ah: all.some(({ child }) => child.protocol === 'ah'),
    flows: flows.slice(0, MOST),
    connections: connections?.length ?? 0,
    swallowed: new Map((connections ?? []).flatMap(swallowed)),
    children: all,
  };
}

function flowsOf(child: Child, connection: Connection): Flow[] {
  // Who writes `dynamic` means this host itself, whatever its address turns out to be.
  const written = { ...child, localTs: child.localTs.filter(({ kind }) => kind === 'fixed') };
  const { local, remote } = networksOf(written, connection);
  return local.flatMap((ours) => remote.map((theirs) => ({ child, local: ours, remote: theirs })));
}

function swallowed(connection: Connection): [Ip, string][] {
  const peers = connection.remoteAddrs.flatMap(single);
  const remote = connection.children
    .filter(({ mode }) => mode === 'tunnel')
    .flatMap((child) => networksOf(child, connection).remote)
    .filter((selector) => !isHost(selector) || isEverything(selector));
  return peers.flatMap((peer) => {
    const around = remote.find((selector) => holds(selector, peer));
    return around ? [[formatIp(peer), formatSelector(around)] satisfies [Ip, string]] : [];
  });
}

/** Two addresses in a network that a host may have: this gateway is often one of them. */
export function hostsIn({ start, end }: Pick<Selector, 'start' | 'end'>): readonly [Uint8Array, Uint8Array] {
  const [first, last] = [start.slice(), end.slice()];
  const at = first.length - 1;
  if (compare(start, end) !== 0) {
    first[at] = (first[at] ?? 0) | 1;
    last[at] = (last[at] ?? 0) & ~1;
  }
  return [first, last];
}

export function hasFamily({ peers, known }: Needs, version: 4 | 6): boolean {
  return !known || peers.length === 0 || peers.some((peer) => isV6(peer) === (version === 6));
}
