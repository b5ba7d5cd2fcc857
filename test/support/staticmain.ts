// The data plane alone, as the daemon opens it, with child SAs that nobody negotiates (static.ts). Obeys lines of JSON,
// and answers each with one.

import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { Forwarder, type Io } from '../../src/daemon/forward.ts';
import { fdsOf, Workers } from '../../src/daemon/workers.ts';
import { USE_ALL } from '../../src/esp/layout.ts';
import { STAT, STAT_WORDS } from '../../src/esp/slots.ts';
import { MainMailbox } from '../../src/net/lane.ts';
import { openRaw } from '../../src/net/raw.ts';
import { openHost, openRoutes } from '../../src/net/route.ts';
import { openTun } from '../../src/net/tun.ts';
import { openGroup, openUdp } from '../../src/net/udp.ts';
import { type StaticChild, staticChild } from './static.ts';

export type Order =
  | { readonly op: 'install'; readonly id: number; readonly child: StaticChild }
  | { readonly op: 'remove'; readonly id: number };

const MARK = 0x4553_5000;
const MTU = 1376;
const WORKERS = 2;

const { io, workers } = open();
const forwarder = new Forwarder(
  io,
  () => performance.now(),
  (event) => process.stderr.write(`${JSON.stringify(event)}\n`),
);
createInterface(process.stdin)
  .on('line', (line) => console.log(JSON.stringify(obey(JSON.parse(line)))))
  .on('close', () => process.exit(0));
console.log('ready');

function obey(order: Order): unknown {
  if (order.op === 'remove') {
    forwarder.run({ type: 'remove', child: order.id });
    return {};
  }
  const sa = staticChild(order.id, order.child);
  forwarder.run({ type: 'install', sa });
  startAt(order.child.first);
  return forwarder.plane.stats(order.id);
}

/** Only in a test does an SA begin anywhere but at 1: it is the one that has not sent yet. */
function startAt(first: number): void {
  const { stats } = workers.shared;
  for (let at = STAT.NEXT; at < stats.length; at += STAT_WORDS) {
    if (stats[at] === 1) stats[at] = first;
  }
}

function open(): { readonly io: Io; readonly workers: Workers } {
  const ike = openUdp(500, { mark: MARK });
  const nat = openGroup(4500, { mark: MARK, workers: WORKERS, uses: USE_ALL });
  const raw = openRaw({ mark: MARK, workers: WORKERS });
  const tun = openTun('esp0', { mtu: MTU, workers: WORKERS, uses: nat.uses });
  const pipelines = new Workers({
    uses: tun.uses,
    fds: fdsOf(tun, nat, raw),
    onDeath: (worker, error) => process.stderr.write(`worker ${worker} died: ${error?.stack}\n`),
    onHopeless: (error) => {
      throw error;
    },
  });
  new MainMailbox(() => {});
  const routes = openRoutes(tun, { mark: MARK });
  const host = openHost({ mark: MARK });
  return { io: { ike, nat: nat.main, raw: true, tun, routes, host, pipelines }, workers: pipelines };
}
