// What the gateway measures about itself, as Prometheus reads it (text format 0.0.4). The names that the cloud platforms
// have are kept recognisable behind our prefix: gateway_send_…, gateway_connection_num, connection_status.

import type { ChildAccount, Traffic } from '../ledger.ts';
import type { ConnectionStatus, CountedAll, SessionStatus } from '../status.ts';
import { Exposition } from './exposition.ts';
import type { Rates } from './rates.ts';
import type { Tallied } from './tallies.ts';

export interface Measured {
  readonly version: string;
  readonly connections: readonly ConnectionStatus[];
  readonly sessions: readonly SessionStatus[];
  readonly counted: CountedAll;
  readonly total: Traffic;
  readonly rates: Rates | undefined;
  readonly children: readonly ChildAccount[];
  readonly halfOpen: number;
  /** Since the start, as the following. */
  readonly failures: readonly Tallied[];
  readonly rekeys: readonly Tallied<'ike' | 'child'>[];
  readonly dead: readonly Tallied[];
  readonly repeats: readonly (readonly [connection: string, count: number])[];
  readonly process: ProcessFacts;
}

export interface ProcessFacts {
  readonly uptime: number;
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  readonly openFiles: number | undefined;
  /** Of the main thread: the largest delay of its clock since the last time somebody asked. */
  readonly loopDelay: number | undefined;
  readonly workers: number;
  readonly workerRestarts: number;
  readonly auditFailures: number;
  readonly logFailures: number;
}

const STATUS = { DOWN: 0, UP: 1, UNKNOWN: 2 } as const;

export function exposition(measured: Measured): string {
  const out = new Exposition('espalier_');
  gateway(out, measured);
  connections(out, measured);
  happened(out, measured);
  children(out, measured);
  dropped(out, measured.counted);
  daemon(out, measured);
  return out.text();
}

function gateway(out: Exposition, { connections, sessions, counted, total, rates, halfOpen }: Measured): void {
  const number = out.gauge('gateway_connection_num', 'Connections, configured and up.');
  number({ state: 'configured' }, connections.length);
  number({ state: 'connected' }, connections.filter(isUp).length);
  const sent = out.counter('gateway_send_bytes_total', BYTES_OUT);
  sent({ kind: 'plain' }, total.bytesOut);
  sent({ kind: 'encrypted' }, total.sealedOut);
  const received = out.counter('gateway_recv_bytes_total', BYTES_IN);
  received({ kind: 'plain' }, total.bytesIn);
  received({ kind: 'encrypted' }, total.sealedIn);
  out.counter('gateway_send_pkt_total', 'Packets into all tunnels.')({}, total.packetsOut);
  out.counter('gateway_recv_pkt_total', 'Packets out of all tunnels.')({}, total.packetsIn);
  if (rates) {
    const over = 'over the last minute, or since the last visit.';
    out.gauge('gateway_send_rate', `Bits a second into all tunnels, ${over}`)({}, rates.bitsOut);
    out.gauge('gateway_recv_rate', `Bits a second out of all tunnels, ${over}`)({}, rates.bitsIn);
    out.gauge('gateway_send_pkt_rate', `Packets a second into all tunnels, ${over}`)({}, rates.packetsOut);
    out.gauge('gateway_recv_pkt_rate', `Packets a second out of all tunnels, ${over}`)({}, rates.packetsIn);
  }
  const ike = out.gauge('gateway_ike_sas', 'IKE SAs, by state.');
  for (const [state, count] of tally(sessions.map((session) => session.state))) ike({ state }, count);
  out.gauge('gateway_half_open', 'IKE SAs that peers have begun and not authenticated yet.')({}, halfOpen);
  const io = out.counter('gateway_io_total', 'How packets came and went, in all threads of the data plane.');
  for (const [what, count] of Object.entries(counted.io)) io({ what }, count);
}

function connections(out: Exposition, { connections, sessions }: Measured): void {
  const status = out.gauge(
    'connection_status',
    '0 not connected, 1 connected, 2 unknown: it stands, and the peer does not answer.',
  );
  for (const each of connections) status({ connection: each.name }, statusOf(each));
  const state = out.gauge('connection_state', 'The state that a connection is in: 1 for that one.');
  for (const each of connections) state({ connection: each.name, state: each.state }, 1);
  const since = out.gauge('connection_state_seconds', 'How long a connection has been in its state.');
  for (const each of connections) since({ connection: each.name }, each.since);
  const age = out.gauge('connection_established_seconds', 'Age of the IKE SA, of the oldest where there are several.');
  const ages = oldest(sessions.map(({ conn, establishedSince }) => [conn, establishedSince] as const));
  for (const { name } of connections) {
    const seconds = ages.get(name);
    if (seconds !== undefined) age({ connection: name }, seconds);
  }
}

function happened(out: Exposition, { failures, rekeys, dead, repeats }: Measured): void {
  const failed = out.counter('handshake_failures_total', 'Negotiations that failed, by reason.');
  for (const { connection, of: reason, count } of failures) failed({ connection, reason }, count);
  const renewed = out.counter('rekeys_total', 'Keys renewed, of IKE SAs and of children.');
  for (const { connection, of: kind, count } of rekeys) renewed({ connection, kind }, count);
  const gone = out.counter('dpd_failures_total', 'Peers that had been there, and were given up as dead.');
  for (const { connection, count } of dead) gone({ connection }, count);
  const again = out.counter('retransmissions_total', 'IKE requests that were sent once more.');
  for (const [connection, count] of repeats) again({ connection }, count);
}

const BYTES_OUT =
  'Bytes into tunnels: plain as they came, encrypted as they left, from the ESP or AH header on, without IP and UDP headers.';
const BYTES_IN =
  'Bytes out of tunnels: plain as they went on, encrypted as they came, from the ESP or AH header on, without IP and UDP headers.';

/** A child's counters go on when its SA is renewed, and when it was down in between. */
function children(out: Exposition, { children, sessions }: Measured): void {
  const labels = ({ conn, child }: ChildAccount) => ({ connection: conn, child });
  const sent = out.counter('connection_send_bytes_total', BYTES_OUT);
  for (const each of children) {
    sent({ ...labels(each), kind: 'plain' }, each.traffic.bytesOut);
    sent({ ...labels(each), kind: 'encrypted' }, each.traffic.sealedOut);
  }
  const received = out.counter('connection_recv_bytes_total', BYTES_IN);
  for (const each of children) {
    received({ ...labels(each), kind: 'plain' }, each.traffic.bytesIn);
    received({ ...labels(each), kind: 'encrypted' }, each.traffic.sealedIn);
  }
  const sentPackets = out.counter('connection_send_pkt_total', 'Packets into the tunnel.');
  for (const each of children) sentPackets(labels(each), each.traffic.packetsOut);
  const receivedPackets = out.counter('connection_recv_pkt_total', 'Packets out of the tunnel.');
  for (const each of children) receivedPackets(labels(each), each.traffic.packetsIn);
  const drops = out.counter('connection_drops_total', 'Packets of its SAs that went no further, by reason.');
  for (const each of children) {
    for (const [reason, count] of each.drops) drops({ ...labels(each), reason }, count);
  }
  const age = out.gauge('connection_sa_age_seconds', "Age of a child's SA, of the oldest where there are several.");
  for (const { conn, children: sas } of sessions.filter(({ conn }) => conn !== '')) {
    for (const [child, seconds] of oldest(sas.map(({ name, installedSince }) => [name, installedSince] as const))) {
      age({ connection: conn, child }, seconds);
    }
  }
}

function dropped(out: Exposition, { drops, ike }: CountedAll): void {
  const packets = out.counter('drops_total', 'Packets that went no further, by reason.');
  for (const [reason, count] of Object.entries(drops)) packets({ reason }, count);
  const messages = out.counter('ike_drops_total', 'IKE messages that went no further, by reason.');
  for (const [reason, count] of Object.entries(ike)) messages({ reason }, count);
}

function daemon(out: Exposition, { version, process: facts }: Measured): void {
  const { openFiles, loopDelay } = facts;
  out.gauge('build_info', 'The version that runs: 1.')({ version, node: process.version }, 1);
  out.gauge('uptime_seconds', 'Time since the start.')({}, facts.uptime);
  out.gauge('resident_memory_bytes', 'Memory of the process.')({}, facts.residentBytes);
  out.counter('cpu_seconds_total', 'Processor time of all threads.')({}, facts.cpuSeconds);
  if (openFiles !== undefined) out.gauge('open_fds', 'Descriptors that are open.')({}, openFiles);
  if (loopDelay !== undefined) {
    out.gauge('event_loop_delay_seconds', 'Largest delay of the main thread since the last visit.')({}, loopDelay);
  }
  out.gauge('workers', 'Threads of the data plane.')({}, facts.workers);
  out.counter('worker_restarts_total', 'Threads of the data plane that had to be replaced.')({}, facts.workerRestarts);
  out.counter('audit_failures_total', 'Lines of the audit log that could not be written.')({}, facts.auditFailures);
  out.counter('log_failures_total', 'Lines of the log that could not be written.')({}, facts.logFailures);
}

function isUp({ state }: ConnectionStatus): boolean {
  return state === 'connected' || state === 'rekeying';
}

function statusOf(connection: ConnectionStatus): number {
  if (!isUp(connection)) return STATUS.DOWN;
  return connection.reason.code === 'no-answer' ? STATUS.UNKNOWN : STATUS.UP;
}

function tally(words: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function oldest(ages: readonly (readonly [name: string, seconds: number | undefined])[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [name, seconds] of ages) {
    if (seconds !== undefined) found.set(name, Math.max(seconds, found.get(name) ?? 0));
  }
  return found;
}
