// What rekeys of the child SA do to traffic: to one TCP stream at full speed, seen in steps of 100 ms, and to a UDP flow
// at a rate that loses nothing by itself.

import { type Interval, stream } from './iperf.ts';
import { dip } from './stats.ts';
import { shoot } from './udp.ts';
import type { Scene } from './visit.ts';

const STEP = 0.1;
/** Until the stream is at its speed. */
const WARM = 1;
/** A second without a rekey, and a second that begins with one: what slows the machine down slows both. */
const PAIR = 2;
/** A rekey is two round trips, and the peer's part of it. */
const REACH = 0.3;
const FLOW = { size: 300, rate: 10_000 } as const;

export async function rekeys(scene: Scene): Promise<Readonly<Record<string, number>> | undefined> {
  const { rekey } = scene.tunnel;
  if (!rekey) return undefined;
  const count = scene.extent.seconds;
  const { parts, moments } = await disturbed(scene, count, rekey);
  const { mean, lowest, usual } = dip(parts, moments, REACH);
  const alone = await lossOf(scene, count, async () => {});
  const lost = await lossOf(scene, count, async () => {
    for (let i = 1; i < count; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await rekey();
    }
  });
  return {
    'rekey.count': moments.length,
    'rekey.mean': mean,
    'rekey.lowest': lowest,
    'rekey.usual': usual,
    'rekey.lost': lost,
    'rekey.lostalone': alone,
  };
}

/** A stream with so many rekeys, and when they began, in seconds of the stream. */
async function disturbed({ bed }: Scene, count: number, rekey: () => Promise<void>) {
  const parts: Interval[] = [];
  const moments: number[] = [];
  const under: Promise<void>[] = [];
  for await (const part of stream(bed.hosta, WARM + PAIR * count, STEP)) {
    parts.push(part);
    const due = WARM + 1 + PAIR * moments.length;
    if (moments.length === count || part.to < due - STEP / 2) continue;
    moments.push(part.to);
    under.push(rekey());
  }
  await Promise.all(under);
  return { parts, moments };
}

/** Packets lost of a flow, that some other work accompanies. */
async function lossOf({ bed, tools }: Scene, seconds: number, during: () => Promise<unknown>): Promise<number> {
  const flow = shoot(tools.udp, bed.hosta, bed.hostb, { ...FLOW, seconds });
  const [{ sent, received }] = await Promise.all([flow, during()]);
  return sent - received;
}
