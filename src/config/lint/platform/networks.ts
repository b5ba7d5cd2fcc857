// How many networks the platform takes, and which.

import { formatIp, parsePrefix, prefixRange } from '../../../bytes/ip.ts';
import type { Child, Connection } from '../../../ike/connection.ts';
import { formatSelector } from '../../../ike/ts.ts';
import type { Selector } from '../../../ike/wire/ts.ts';
import { type Finding, placeOf } from '../finding.ts';
import { holds, isEverything, networksOf, relation, single } from '../networks.ts';
import type { Platform } from './table.ts';

export function lintNetworks(connection: Connection, platform: Platform): Finding[] {
  return [
    ...counts(connection, platform),
    ...between(connection, platform),
    ...connection.children.flatMap((child) => [
      ...policies(child, connection, platform),
      ...overlaps(child, connection, platform),
      ...forbidden(child, connection, platform),
      ...tunnelAddresses(child, connection, platform),
    ]),
  ];
}

/** What our own gateway's address may not be. */
export function lintGateway(connection: Connection, { title, gateway: rule }: Platform): Finding[] {
  if (!rule) return [];
  const { prefixes, hostBits, words } = rule;
  const bad = connection.localAddrs
    .flatMap(single)
    .find((address) => prefixes.some((prefix) => inside(address, prefix)) || (hostBits && isEdge(address)));
  if (!bad) return [];
  return [
    {
      place: placeOf(connection, 'local_addrs'),
      severity: 'error',
      code: 'platform-gateway',
      text: `${title}: ${words}; connection ${connection.name} is at ${formatIp(bad)}`,
      remedy: 'use another address of this gateway',
    },
  ];
}

/** The first or the last address of its network, as classes A, B and C had them. */
function isEdge(address: Uint8Array): boolean {
  const [first = 0] = address;
  if (address.length !== 4 || first >= 224) return false;
  const host = address.subarray(first < 128 ? 1 : first < 192 ? 2 : 3);
  return host.every((byte) => byte === 0) || host.every((byte) => byte === 0xff);
}

function inside(address: Uint8Array, prefix: string): boolean {
  return holds(rangeOf(prefix), address);
}

function rangeOf(prefix: string): { readonly start: Uint8Array; readonly end: Uint8Array } {
  const parsed = parsePrefix(prefix);
  if (!parsed) throw new Error(`${prefix} is no prefix`);
  return prefixRange(parsed);
}

function counts(connection: Connection, { title, networks: rule }: Platform): Finding[] {
  if (!rule) return [];
  const all = connection.children.map((child) => networksOf(child, connection));
  const ours = distinct(all.flatMap(({ local }) => local)).length;
  const theirs = distinct(all.flatMap(({ remote }) => remote)).length;
  const pairs = all.reduce((sum, { local, remote }) => sum + local.length * remote.length, 0);
  const much = [
    [ours, rule.ours, 'networks of ours'],
    [theirs, rule.theirs, 'networks of the peer'],
    [pairs, rule.pairs, 'pairs of networks'],
  ] as const;
  const [count, most, what] = much.find(([has, may]) => may !== undefined && has > may) ?? [];
  if (count === undefined) return [];
  return [
    {
      place: placeOf(connection, 'children'),
      severity: 'error',
      code: 'platform-networks',
      text: `${title}: ${rule.words}; connection ${connection.name} has ${count} ${what}, and ${most} are the most`,
      remedy: 'put networks together into larger prefixes',
    },
  ];
}

function distinct(selectors: readonly Selector[]): string[] {
  return [...new Set(selectors.map(formatSelector))];
}

/** Where policies are typed in one by one. A connection with single networks on both sides has one. */
function policies(child: Child, connection: Connection, { title, policies: rule }: Platform): Finding[] {
  if (!rule) return [];
  const { local, remote } = networksOf(child, connection);
  if (local.length <= rule.ours && remote.length <= rule.rules) return [];
  return [
    {
      place: placeOf(child, 'local_ts', 'remote_ts'),
      severity: 'warning',
      code: 'platform-policies',
      text: `${title}: ${rule.words}; child ${child.name} has ${local.length} networks of ours and ${remote.length} of the peer`,
      remedy: 'use routing mode there and 0.0.0.0/0 on both sides here, or larger prefixes',
    },
  ];
}

function overlaps(child: Child, connection: Connection, { title, overlap: rule }: Platform): Finding[] {
  if (!rule) return [];
  const { local, remote } = networksOf(child, connection);
  const place = placeOf(child, 'local_ts', 'remote_ts');
  const report = (a: Selector, b: Selector): Finding => ({
    place,
    severity: 'error',
    code: 'platform-overlap',
    text: `${title}: ${rule.words}; child ${child.name} has ${formatSelector(a)} and ${formatSelector(b)}`,
    remedy: 'give the two sides networks that have nothing in common, each once',
  });
  const refused = rule.between === 'equal' ? ['same'] : ['same', 'inside', 'around', 'partly'];
  for (const ours of local) {
    for (const theirs of remote) {
      // Routing mode: both sides are everything, and routes decide.
      if (isEverything(ours) || isEverything(theirs)) continue;
      if (refused.includes(relation(ours, theirs))) return [report(ours, theirs)];
    }
  }
  for (const side of rule.sides) {
    const pair = touching(side === 'ours' ? local : remote);
    if (pair) return [report(...pair)];
  }
  return [];
}

function touching(selectors: readonly Selector[]): [Selector, Selector] | undefined {
  for (const [i, a] of selectors.entries()) {
    const b = selectors.slice(i + 1).find((other) => relation(a, other) !== 'apart');
    if (b) return [a, b];
  }
  return undefined;
}

/** Of two policies the networks of the cloud are the same or have nothing in common. */
function between(connection: Connection, { title, overlap: rule }: Platform): Finding[] {
  if (!rule?.sides.includes('theirs')) return [];
  const seen: Selector[] = [];
  for (const child of connection.children) {
    const { remote } = networksOf(child, connection);
    for (const theirs of remote) {
      const other = seen.find((one) => !['apart', 'same'].includes(relation(one, theirs)));
      if (!other) continue;
      const text = `${title}: ${rule.words}; child ${child.name} has ${formatSelector(theirs)}, and another child ${formatSelector(other)}`;
      const remedy = 'divide the networks so that none of them is a part of another';
      return [{ place: placeOf(child, 'remote_ts'), severity: 'error', code: 'platform-overlap', text, remedy }];
    }
    seen.push(...remote);
  }
  return [];
}

function forbidden(
  child: Child,
  connection: Connection,
  { title, forbidden: rules = [], tunnelAddresses: inner }: Platform,
): Finding[] {
  const { local } = networksOf(child, connection);
  return local.flatMap((ours) => {
    const rule = rules.find(({ prefix }) => !isEverything(ours) && relation(ours, rangeOf(prefix)) !== 'apart');
    // Those have rules of their own.
    if (!rule || rule.prefix === inner?.within) return [];
    return [
      {
        place: placeOf(child, 'local_ts'),
        severity: rule.severity,
        code: 'platform-forbidden',
        text: `${title}: ${rule.words}; child ${child.name} has ${formatSelector(ours)}`,
        remedy: 'use other addresses, or translate these at the gateway',
      },
    ];
  });
}

function tunnelAddresses(child: Child, connection: Connection, { title, tunnelAddresses: rule }: Platform): Finding[] {
  if (!rule) return [];
  const { local, remote } = networksOf(child, connection);
  return [...local, ...remote].flatMap((selector) => {
    const within = rangeOf(rule.within);
    if (isEverything(selector) || relation(selector, within) === 'apart') return [];
    const bad = rule.except.some((prefix) => relation(selector, rangeOf(prefix)) !== 'apart') || !isSmall(selector);
    if (!bad) return [];
    return [
      {
        place: placeOf(child, 'local_ts', 'remote_ts'),
        severity: 'error' as const,
        code: 'platform-tunnel-address',
        text: `${title}: ${rule.words}; child ${child.name} has ${formatSelector(selector)}`,
        remedy: 'choose another /30, and give each end the address that the other takes for its peer',
      },
    ];
  });
}

/** A /30 or a part of it. */
function isSmall({ start, end }: Selector): boolean {
  const last = start.length - 1;
  const here = start[last] ?? 0;
  return start.every((byte, i) => i === last || byte === end[i]) && here >> 2 === (end[last] ?? 0) >> 2;
}
