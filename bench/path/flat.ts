// The memory of the daemons: at rest, under load, and after it. The larger of the two gateways counts.

import { transfer } from './iperf.ts';
import { resident } from './proc.ts';
import { percentile } from './stats.ts';
import { shoot } from './udp.ts';
import type { Scene } from './visit.ts';

const REST = 2000;
const STEP = 100;
/** Packets that one end cannot take as fast as they come: where a queue without a bound shows. */
const FLOOD = { size: 64, rate: 0 } as const;

export async function flat({
  bed,
  tunnel,
  tools,
  extent,
}: Scene): Promise<Readonly<Record<string, number>> | undefined> {
  const { pids } = tunnel;
  if (pids.length === 0) return undefined;
  const idle = await sampled(pids, () => new Promise((resolve) => setTimeout(resolve, REST)));
  const stream = await sampled(pids, () => transfer(bed.hosta, extent.seconds, ['--bidir']));
  const flood = await sampled(pids, () =>
    shoot(tools.udp, bed.hosta, bed.hostb, { ...FLOOD, seconds: extent.seconds }),
  );
  const after = await sampled(pids, () => new Promise((resolve) => setTimeout(resolve, REST)));
  return {
    'flat.idle': percentile(idle, 50),
    'flat.stream': Math.max(...stream),
    'flat.flood': Math.max(...flood),
    'flat.after': percentile(after, 50),
  };
}

async function sampled(pids: readonly number[], during: () => Promise<unknown>): Promise<readonly number[]> {
  const samples: number[] = [];
  const sample = () => samples.push(Math.max(...pids.map(resident)));
  sample();
  const clock = setInterval(sample, STEP);
  try {
    await during();
  } finally {
    clearInterval(clock);
  }
  sample();
  return samples;
}
