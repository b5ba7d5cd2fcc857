// How long an echo takes, and how many are lost.

import type { Space } from '../../test/support/netns.ts';
import { B } from '../../test/support/sites.ts';
import { percentile } from './stats.ts';

export interface Echoes {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly lost: number;
}

/** An ICMP message of this many bytes each so many seconds. */
const SIZE = 200;
const STEP = 0.005;

/** How long so many echoes take, in seconds. */
export function echoTime(count: number): number {
  return count * STEP;
}

export async function echoes(host: Space, count: number): Promise<Echoes> {
  const args = ['-n', '-i', `${STEP}`, '-c', `${count}`, '-s', `${SIZE - 28}`, '-W', '2', B.host];
  const { stdout } = await host.run('ping', args, { timeout: echoTime(count) * 1000 + 60_000 });
  return parseEchoes(stdout, count);
}

export function parseEchoes(text: string, count: number): Echoes {
  const times = new Map<number, number>();
  // A duplicate is no second answer.
  for (const [, number, time] of text.matchAll(/icmp_seq=(\d+) .*time=([\d.]+) ms(?! \(DUP!\))/g)) {
    times.set(Number(number), Number(time));
  }
  if (times.size === 0) throw new Error('no echo has come back');
  const all = [...times.values()];
  return { p50: percentile(all, 50), p99: percentile(all, 99), max: Math.max(...all), lost: count - times.size };
}
