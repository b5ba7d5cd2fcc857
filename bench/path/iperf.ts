// TCP through the tunnel: iperf3 from hosta to a server on hostb.

import { createInterface } from 'node:readline';
import { run, type Space, until } from '../../test/support/netns.ts';
import { B } from '../../test/support/sites.ts';

export interface Goodput {
  /** What arrived, in Mbit/s, without the first second. */
  readonly mbps: number;
  /** All bytes, those of the first second too: what the CPU time is for. */
  readonly bytes: number;
  readonly retransmits: number;
}

/** One line of the running report: goodput of this part of a stream, seconds after its start. */
export interface Interval {
  readonly from: number;
  readonly to: number;
  readonly mbps: number;
}

const OMIT = 1;
const TRIES = 3;
/** Milliseconds beyond the time that was asked for. */
const PATIENCE = 20_000;

export async function serve(host: Space): Promise<void> {
  const server = host.spawn('iperf3', ['-s', '--forceflush'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let listens = false;
  server.stdout?.on('data', (text) => {
    listens ||= `${text}`.includes('listening');
  });
  await until('iperf3 listens', () => listens || undefined);
}

export async function transfer(host: Space, seconds: number, options: readonly string[] = []): Promise<Goodput> {
  const args = ['-c', B.host, '-t', `${seconds}`, '-O', `${OMIT}`, '-J', ...options];
  let last: unknown;
  // The server may still be at the end of a stream before this one.
  for (let i = 0; i < TRIES; i++) {
    const done = await run('ip', ['netns', 'exec', host.name, 'iperf3', ...args], {
      timeout: (seconds + OMIT) * 1000 + PATIENCE,
    });
    try {
      return parseGoodput(done.stdout);
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`iperf3 ${args.join(' ')}: ${last instanceof Error ? last.message : last}`);
}

/** A stream from hostb to hosta, which reports what arrives: the lines as they come. */
export async function* stream(host: Space, seconds: number, step: number): AsyncGenerator<Interval> {
  const args = ['-c', B.host, '-R', '-t', `${seconds}`, '-i', `${step}`, '-f', 'm', '--forceflush'];
  const client = host.spawn('iperf3', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  if (!client.stdout) throw new Error('no pipe');
  const clock = setTimeout(() => client.kill('SIGKILL'), seconds * 1000 + PATIENCE);
  try {
    for await (const line of createInterface(client.stdout)) {
      const interval = parseInterval(line);
      if (interval) yield interval;
    }
  } finally {
    clearTimeout(clock);
    client.kill('SIGKILL');
  }
}

interface Sum {
  readonly bits_per_second: number;
  readonly bytes: number;
  readonly retransmits?: number;
}

/** Both directions together where there are two. */
export function parseGoodput(json: string): Goodput {
  const report = JSON.parse(json || '{"error": "no report"}') as {
    readonly error?: string;
    readonly intervals?: readonly Readonly<Record<string, Sum>>[];
    readonly end?: Readonly<Record<string, Sum>>;
  };
  const received = ['sum_received', 'sum_received_bidir_reverse'].flatMap((key) => report.end?.[key] ?? []);
  if (report.error !== undefined || received.length === 0) throw new Error(report.error ?? 'an unfinished report');
  const sent = ['sum_sent', 'sum_sent_bidir_reverse'].flatMap((key) => report.end?.[key] ?? []);
  const parts = (report.intervals ?? []).flatMap(({ sum, sum_bidir_reverse }) => [sum, sum_bidir_reverse]);
  return {
    mbps: total(received.map((sum) => sum.bits_per_second)) / 1e6,
    bytes: total(parts.map((sum) => sum?.bytes ?? 0)),
    retransmits: total(sent.map((sum) => sum.retransmits ?? 0)),
  };
}

/** `[  5]   0.20-0.30   sec  5.12 MBytes   430 Mbits/sec`, and no line of the totals at the end. */
export function parseInterval(line: string): Interval | undefined {
  const found = /^\[ *\d+\] +([\d.]+)-([\d.]+) +sec .* ([\d.]+) Mbits\/sec/.exec(line);
  if (!found || /sender|receiver|omitted/.test(line)) return undefined;
  return { from: Number(found[1]), to: Number(found[2]), mbps: Number(found[3]) };
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
