// What `ipsec statusall` of strongSwan prints, line by line, so that scripts that read it go on working. It is made from
// what the control socket tells: `version`, `stats`, `list-conns`, `list-policies`, `list-sas`.

import { clean } from '../../bytes/printable.ts';
import { integer, section, sections, subsection, text, texts } from '../../daemon/control/section.ts';
import { span } from '../../daemon/control/time.ts';
import type { Section } from '../../daemon/control/vici.ts';

/** A section by its name, as an event brings it. */
export type Named = readonly [name: string, section: Section];

export interface Everything {
  readonly version: Section;
  readonly stats: Section;
  readonly addresses: readonly string[];
  readonly conns: readonly Named[];
  /** Children that lie in wait for a packet, by connection and child. */
  readonly policies: readonly Named[];
  readonly sas: readonly Named[];
}

/** With a name only what is called so: connections, and SAs of both kinds. */
export function statusLines(all: Everything, name?: string): string[] {
  const meant = ([own]: Named) => name === undefined || own === name;
  const routed = all.policies.map(([, policy]) => policy).filter((policy) => meant([value(policy, 'child'), policy]));
  const lines = [
    ...daemonLines(all),
    'Listening IP addresses:',
    ...all.addresses.map((address) => `  ${address}`),
    'Connections:',
    ...all.conns.filter(meant).flatMap(connLines),
    ...(routed.length > 0 ? ['Routed Connections:', ...routed.flatMap((policy) => routedLines(policy, all.sas))] : []),
    ...saLines(all, name),
  ];
  return lines.map(clean);
}

function daemonLines({ version, stats }: Everything): string[] {
  const host = `${value(version, 'sysname')} ${value(version, 'release')}, ${value(version, 'machine')}`;
  const part = (key: string) => subsection(stats, key) ?? section();
  const [uptime, malloc, workers] = [part('uptime'), part('mallinfo'), part('workers')];
  const active = priorities(subsection(workers, 'active'));
  const memory = ['sbrk', 'mmap', 'used', 'free'].map((key) => `${key} ${value(malloc, key)}`).join(', ');
  return [
    `Status of IKE charon daemon (strongSwan-compatible ${value(version, 'daemon')} ${value(version, 'version')}, ${host}):`,
    `  uptime: ${value(uptime, 'running')}, since ${value(uptime, 'since')}`,
    `  malloc: ${memory}`,
    `  worker threads: ${value(workers, 'idle')} of ${value(workers, 'total')} idle, ${active} working, ` +
      `job queue: ${priorities(subsection(stats, 'queues'))}, scheduled: ${value(stats, 'scheduled')}`,
    `  loaded plugins: ${list(stats, 'plugins')}`,
  ];
}

function priorities(counts: Section | undefined): string {
  return ['critical', 'high', 'medium', 'low'].map((key) => value(counts ?? section(), key)).join('/');
}

// --- connections -----------------------------------------------------------------------------------------------------

function connLines([name, conn]: Named): string[] {
  const dpd = integer(conn, 'dpd_delay') ?? 0;
  const aggressive = conn.has('aggressive') && value(conn, 'version') === 'IKEv1' ? ' Aggressive' : '';
  const addresses = `${list(conn, 'local_addrs', ', ')}...${list(conn, 'remote_addrs', ', ')}`;
  const watched = dpd > 0 ? `, dpddelay=${dpd}s` : '';
  return [
    `${right(name)}:  ${addresses}  ${value(conn, 'version')}${aggressive}${watched}`,
    ...rounds(conn, 'local-').map((auth) => `${right(name)}:   local: ${uses(auth)}`),
    ...rounds(conn, 'remote-').map((auth) => `${right(name)}:   remote:${uses(auth)}`),
    ...sections(conn, 'children').map(([child, config]) => {
      const action = dpd > 0 ? `, dpdaction=${ACTIONS.get(value(config, 'dpd_action')) ?? 'clear'}` : '';
      return `${right(child)}:   child:  ${selectors(config)} ${value(config, 'mode')}${action}`;
    }),
  ];
}

/** In ipsec.conf's words. */
const ACTIONS = new Map([
  ['none', 'clear'],
  ['trap', 'hold'],
  ['start', 'restart'],
]);

function rounds(conn: Section, prefix: string): Section[] {
  return sections(conn).flatMap(([key, auth]) => (key.startsWith(prefix) ? [auth] : []));
}

function uses(auth: Section): string {
  const id = text(auth, 'id');
  return `${id === undefined ? '' : ` [${id}]`} uses ${value(auth, 'class')} authentication`;
}

function routedLines(policy: Section, sas: readonly Named[]): string[] {
  const [ike, child] = [value(policy, 'ike'), value(policy, 'child')];
  const children = sas.flatMap(([conn, sa]) => (conn === ike ? sections(sa, 'child-sas') : []));
  // There is a number only where there is an SA.
  const reqid = children.map(([, sa]) => sa).find((sa) => value(sa, 'name') === child);
  const number = reqid ? value(reqid, 'reqid') : '0';
  const head = `${right(child)}{${number}}`;
  return [`${head}:  ROUTED, ${value(policy, 'mode')}, reqid ${number}`, `${head}:   ${selectors(policy)}`];
}

// --- SAs ---------------------------------------------------------------------------------------------------------------

function saLines({ stats, sas, conns }: Everything, name: string | undefined): string[] {
  const counts = subsection(stats, 'ikesas') ?? section();
  const halfOpen = integer(counts, 'half-open') ?? 0;
  const up = (integer(counts, 'total') ?? 0) - halfOpen;
  const lines = sas.flatMap(([conn, sa]) => {
    const children = sections(sa, 'child-sas').map(([, child]) => child);
    const meant = name === undefined || name === conn ? children : [];
    const shown = meant.length > 0 ? meant : children.filter((child) => value(child, 'name') === name);
    if (name !== undefined && name !== conn && shown.length === 0) return [];
    return [...ikeLines(conn, sa, conns), ...shown.flatMap(childLines)];
  });
  const none = name === undefined ? '  none' : '  no match';
  return [`Security Associations (${up} up, ${halfOpen} connecting):`, ...(lines.length > 0 ? lines : [none])];
}

function ikeLines(conn: string, sa: Section, conns: readonly Named[]): string[] {
  const head = `${right(conn)}[${value(sa, 'uniqueid')}]`;
  const state = value(sa, 'state');
  const established = integer(sa, 'established');
  const age = established === undefined ? '' : ` ${span(established)} ago`;
  const [local, remote] = ['local', 'remote'].map((end) => `${value(sa, `${end}-host`)}[${value(sa, `${end}-id`)}]`);
  const [ours, theirs] = sa.has('initiator') ? ['*', ''] : ['', '*'];
  const spis = `${value(sa, 'initiator-spi')}_i${ours} ${value(sa, 'responder-spi')}_r${theirs}`;
  const proposal = algorithms(sa, ['encr', 'integ', 'prf', 'dh']);
  return [
    `${head}: ${state}${age}, ${local}...${remote}`,
    `${head}: IKEv${value(sa, 'version')} SPIs: ${spis}${established === undefined ? '' : renewal(conn, sa, conns)}`,
    ...(proposal === '' ? [] : [`${head}: IKE proposal: ${proposal}`]),
    ...['queued', 'active', 'passive'].flatMap((queue) => {
      const tasks = texts(sa, `tasks-${queue}`) ?? [];
      return tasks.length === 0 ? [] : [`${head}: Tasks ${queue}: ${tasks.map((task) => `${task} `).join('')}`];
    }),
  ];
}

function renewal(conn: string, sa: Section, conns: readonly Named[]): string {
  const [rekey, reauth] = [integer(sa, 'rekey-time'), integer(sa, 'reauth-time')];
  if (rekey === undefined && reauth === undefined) return ', rekeying disabled';
  const config = conns.find(([name]) => name === conn)?.[1] ?? section();
  const classes = rounds(config, 'local-').map((auth) => value(auth, 'class'));
  return [
    rekey === undefined ? '' : `, rekeying in ${span(rekey)}`,
    reauth === undefined ? '' : `, ${classes.join('+')} reauthentication in ${span(reauth)}`,
  ].join('');
}

function childLines(child: Section): string[] {
  const head = `${right(value(child, 'name'))}{${value(child, 'uniqueid')}}`;
  const state = value(child, 'state');
  const first = `${head}:  ${state}, ${value(child, 'mode')}, reqid ${value(child, 'reqid')}`;
  const last = `${head}:   ${selectors(child)}`;
  if (state !== 'INSTALLED') {
    const expires = state === 'REKEYING' || state === 'REKEYED' ? integer(child, 'life-time') : undefined;
    return [`${first}${expires === undefined ? '' : `, expires in ${span(expires)}`}`, last];
  }
  const encap = child.has('encap') ? ' in UDP' : '';
  const spis = `${value(child, 'spi-in')}_i ${value(child, 'spi-out')}_o`;
  const suite = `${algorithms(child, ['encr', 'integ'])}${child.has('esn') ? '/ESN' : ''}`;
  const rekey = integer(child, 'rekey-time');
  const renewed = rekey === undefined ? 'disabled' : `in ${span(rekey)}`;
  return [
    `${first}, ${value(child, 'protocol')}${encap} SPIs: ${spis}`,
    `${head}:  ${suite}, ${traffic(child, 'in')}, ${traffic(child, 'out')}, rekeying ${renewed}`,
    last,
  ];
}

function traffic(child: Section, way: 'in' | 'out'): string {
  const packets = integer(child, `packets-${way}`) ?? 0;
  const used = integer(child, `use-${way}`);
  const last = used === undefined ? '' : ` (${packets} pkt${packets === 1 ? '' : 's'}, ${used}s ago)`;
  return `${value(child, `bytes-${way}`)} bytes_${way.charAt(0)}${last}`;
}

function algorithms(sa: Section, kinds: readonly string[]): string {
  const names = kinds.map((kind) => {
    const name = text(sa, kind === 'dh' ? 'dh-group' : `${kind}-alg`);
    const size = text(sa, `${kind}-keysize`);
    return name === undefined ? '' : `${name}${size === undefined ? '' : `_${size}`}`;
  });
  return names.filter((name) => name !== '').join('/');
}

function selectors(from: Section): string {
  return `${list(from, 'local-ts')} === ${list(from, 'remote-ts')}`;
}

function right(name: string): string {
  return name.padStart(12);
}

function value(from: Section, key: string): string {
  return text(from, key) ?? '';
}

function list(from: Section, key: string, separator = ' '): string {
  return (texts(from, key) ?? []).join(separator);
}
