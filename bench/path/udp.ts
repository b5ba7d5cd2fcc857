// UDP through the tunnel: packets delivered of those that were sent, with the small program beside this file.

import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { must, type Space } from '../../test/support/netns.ts';
import { B } from '../../test/support/sites.ts';
import type { Attempt } from './stats.ts';

const SOURCE = join(import.meta.dirname, '../../../bench/path/udp.c');
const PORT = 9000;
/** Milliseconds for what is still under way. */
const SETTLE = 300;

export interface Tally extends Attempt {
  readonly sent: number;
  readonly received: number;
  readonly late: number;
}

export interface Load {
  /** Bytes of payload. */
  readonly size: number;
  /** Packets per second; 0 is flat out. */
  readonly rate: number;
  readonly seconds: number;
}

/** Compiles the program; returns its path. */
export async function buildUdp(folder: string): Promise<string> {
  const program = join(folder, 'udp');
  await must('gcc', ['-O2', '-o', program, SOURCE]);
  return program;
}

export async function shoot(program: string, from: Space, to: Space, { size, rate, seconds }: Load): Promise<Tally> {
  const sink = to.spawn(program, ['sink', `${PORT}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (!sink.stdout) throw new Error('no pipe');
  const lines = createInterface(sink.stdout);
  const report: string[] = [];
  lines.on('line', (line) => report.push(line));
  await Promise.race([once(lines, 'line'), once(lines, 'close')]);
  if (report.length === 0) throw new Error(`nothing can listen on port ${PORT}`);
  const args = ['send', B.host, `${PORT}`, `${size}`, `${rate}`, `${seconds}`];
  const sent = await from.must(program, args, { timeout: seconds * 1000 + 30_000 });
  await new Promise((resolve) => setTimeout(resolve, SETTLE));
  const closed = once(sink, 'close');
  sink.kill('SIGTERM');
  await closed;
  return parseTally(sent, report.at(-1) ?? '');
}

export function parseTally(sender: string, sink: string): Tally {
  const [, sent = '', seconds = ''] = /^tx (\d+) ([\d.]+)/m.exec(sender) ?? [];
  const [, received = '', late = ''] = /^rx (\d+) (\d+)/m.exec(sink) ?? [];
  if (sent === '' || received === '') throw new Error(`no count of packets: ${sender} ${sink}`);
  const per = (count: string) => Number(count) / Number(seconds);
  return {
    sent: Number(sent),
    received: Number(received),
    late: Number(late),
    offered: per(sent),
    delivered: per(received),
    loss: 1 - Number(received) / Math.max(1, Number(sent)),
  };
}
