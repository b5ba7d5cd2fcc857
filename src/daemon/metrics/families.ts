// What the gateway measures about itself, as Prometheus reads it (text format 0.0.4). The names that the cloud platforms
// have are kept recognisable behind our prefix: gateway_send_…, gateway_connection_num, connection_status.

import type { ConnectionStatus, CountedAll, SessionStatus } from '../status.ts';
import type { Totals } from '../totals.ts';
import { Exposition } from './exposition.ts';

export interface Measured {
  readonly version: string;
  readonly connections: readonly ConnectionStatus[];
  readonly sessions: readonly SessionStatus[];
  readonly counted: CountedAll;
  readonly totals: Totals;
  /** By connection and reason code, since the start. */
  readonly failures: readonly { readonly connection: string; readonly reason: string; readonly count: number }[];
  readonly rekeys: readonly { readonly connection: string; readonly kind: 'ike' | 'child'; readonly count: number }[];
  readonly process: ProcessFacts;
}

export interface ProcessFacts {
  readonly uptime: number;
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  /** Of the main thread: the largest delay of its clock since the last time somebody asked. */
  readonly loopDelay: number;
  readonly auditFailures: number;
}

const STATES = [
  'down',
  'waiting',
  'connecting',
  'phase1-failed',
  'phase2-failed',
  'connected',
  'rekeying',
  'deleting',
] as const;

export function exposition(measured: Measured): string {
  const out = new Exposition('espalier_');
  gateway(out, measured);
  connections(out, measured);
  children(out, measured.sessions);
  dropped(out, measured.counted);
  daemon(out, measured);
  return out.text();
}

function gateway(out: Exposition, { connections, sessions, counted, totals }: Measured): void {
  const up = connections.filter(isUp).length;
  const number = out.gauge('gateway_connection_num', 'Connections, configured and up.');
  number({ state: 'configured' }, connections.length);
  number({ state: 'connected' }, up);
  const kind = 'plain';
  out.counter('gateway_send_bytes_total', 'Bytes into all tunnels, before encryption.')({ kind }, totals.bytesOut);
  out.counter('gateway_recv_bytes_total', 'Bytes out of all tunnels, after decryption.')({ kind }, totals.bytesIn);
  out.counter('gateway_send_pkt_total', 'Packets into all tunnels.')({}, totals.packetsOut);
  out.counter('gateway_recv_pkt_total', 'Packets out of all tunnels.')({}, totals.packetsIn);
  const ike = out.gauge('gateway_ike_sas', 'IKE SAs, by state.');
  for (const [state, count] of tally(sessions.map((session) => session.state))) ike({ state }, count);
  const io = out.counter('gateway_io_total', 'How packets came and went, in all threads of the data plane.');
  for (const [what, count] of Object.entries(counted.io)) io({ what }, count);
}

function connections(out: Exposition, { connections, failures, rekeys }: Measured): void {
  const status = out.gauge('connection_status', '0 not connected, 1 connected.');
  for (const each of connections) status({ connection: each.name }, isUp(each) ? 1 : 0);
  const state = out.gauge('connection_state', 'The state that a connection is in: 1 for that one.');
  for (const each of connections) {
    for (const name of STATES) if (each.state === name) state({ connection: each.name, state: name }, 1);
  }
  const since = out.gauge('connection_state_seconds', 'How long a connection has been in its state.');
  for (const each of connections) since({ connection: each.name }, each.since);
  const failed = out.counter('handshake_failures_total', 'Negotiations that failed, by reason.');
  for (const { connection, reason, count } of failures) failed({ connection, reason }, count);
  const renewed = out.counter('rekeys_total', 'Keys renewed, of IKE SAs and of children.');
  for (const { connection, kind, count } of rekeys) renewed({ connection, kind }, count);
}

/** An SA that is renewed begins at 0 again: sums of rates go on, which is what counters are for. */
function children(out: Exposition, sessions: readonly SessionStatus[]): void {
  const of = sessions.flatMap(({ conn, children }) => children.map((child) => ({ conn, child })));
  const labels = (conn: string, child: string, sa: number) => ({ connection: conn, child, sa: String(sa) });
  const counters = [
    ['recv_bytes', 'Bytes of packets out of the tunnel, before encryption.', 'bytesIn'],
    ['send_bytes', 'Bytes of packets into the tunnel, before encryption.', 'bytesOut'],
    ['recv_pkt', 'Packets out of the tunnel.', 'packetsIn'],
    ['send_pkt', 'Packets into the tunnel.', 'packetsOut'],
  ] as const;
  for (const [name, help, key] of counters) {
    const count = out.counter(`connection_${name}_total`, help);
    for (const { conn, child } of of) count(labels(conn, child.name, child.id), child[key]);
  }
  const age = out.gauge('connection_sa_age_seconds', 'Age of an SA.');
  for (const { conn, child } of of) age(labels(conn, child.name, child.id), child.installedSince);
}

function dropped(out: Exposition, { drops, ike }: CountedAll): void {
  const packets = out.counter('drops_total', 'Packets that went no further, by reason.');
  for (const [reason, count] of Object.entries(drops)) packets({ reason }, count);
  const messages = out.counter('ike_drops_total', 'IKE messages that went no further, by reason.');
  for (const [reason, count] of Object.entries(ike)) messages({ reason }, count);
}

function daemon(out: Exposition, { version, process }: Measured): void {
  out.gauge('build_info', 'The version that runs: 1.')({ version }, 1);
  out.gauge('uptime_seconds', 'Time since the start.')({}, process.uptime);
  out.gauge('resident_memory_bytes', 'Memory of the process.')({}, process.residentBytes);
  out.counter('cpu_seconds_total', 'Processor time of all threads.')({}, process.cpuSeconds);
  out.gauge('event_loop_delay_seconds', 'Largest delay of the main thread since the last visit.')(
    {},
    process.loopDelay,
  );
  out.counter('audit_failures_total', 'Lines of the audit log that could not be written.')({}, process.auditFailures);
}

function isUp({ state }: ConnectionStatus): boolean {
  return state === 'connected' || state === 'rekeying';
}

function tally(words: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
