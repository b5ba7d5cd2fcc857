// The process behind bare.ts: baremain.js TUN WORKERS [USES]. Obeys orders until its parent is gone.

import { hex } from '../../src/bytes/bytes.ts';
import { Plane, type PlaneEvent } from '../../src/daemon/plane.ts';
import { fdsOf, Workers } from '../../src/daemon/workers.ts';
import type { Way } from '../../src/esp/change.ts';
import { USE_ALL } from '../../src/esp/layout.ts';
import { STAT, STAT_WORDS } from '../../src/esp/slots.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import { MainMailbox } from '../../src/net/lane.ts';
import { openRaw } from '../../src/net/raw.ts';
import { openHost } from '../../src/net/route.ts';
import { openTun } from '../../src/net/tun.ts';
import { openGroup } from '../../src/net/udp.ts';
import type { Message, News, Order, Totals } from './bare.ts';

const [name = 'esp0', count = '1', wished = `${USE_ALL}`] = process.argv.slice(2);
const workers = Number(count);
const PORT = 4500;
const MTU = 1400;
/** As much of a datagram as tells what it is. */
const GLIMPSE = 64;

/** Knows which slot an SA has. */
class Known extends Workers {
  readonly slots = new Map<number, number>();

  override place(slot: number, sa: ChildSa, way: Way): void {
    this.slots.set(sa.id, slot);
    super.place(slot, sa, way);
  }
}

const group = openGroup(PORT, { workers, uses: Number(wished) });
const raw = openRaw({ workers });
const tun = openTun(name, { mtu: MTU, workers, uses: group.uses });
const pipelines = new Known({
  uses: tun.uses,
  fds: fdsOf(tun, group, raw),
  onDeath: (worker, error) => tell({ kind: 'died', worker, fault: error?.message }),
  onHopeless: (error) => {
    throw error;
  },
});
const host = openHost();
const plane = new Plane(
  pipelines,
  () => performance.now(),
  (remote) => host.mtuTo(remote),
);
plane.onEvent = (event) => tell(newsOf(event));
group.main.onReceive = (bytes, from) => glimpse(bytes, from.ip);
new MainMailbox((bytes, from) => glimpse(bytes, from.ip));

process.on('message', ({ serial, order }: { readonly serial: number; readonly order: Order }) => {
  try {
    say({ answer: serial, value: obey(order) });
  } catch (error) {
    say({ answer: serial, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
tell({ kind: 'ready' });

function obey(order: Order): unknown {
  switch (order.op) {
    case 'install':
      return void order.sas.map((sa) => plane.install(sa));
    case 'remove':
      return void order.ids.map((id) => plane.remove(id));
    case 'jump':
      return void order.ids.map((id) => jump(pipelines.slots.get(id) ?? -1, order.last));
    case 'stats':
      return plane.stats(order.id);
    case 'totals':
      return totals();
    case 'replace':
      return pipelines.replace(order.worker);
  }
}

function jump(slot: number, last: number): void {
  const { stats, replay } = pipelines.shared;
  stats[slot * STAT_WORDS + STAT.NEXT] = last + 1;
  replay.newest[slot] = last;
}

function totals(): Totals {
  const { io, drops } = pipelines.counted();
  return { drops: drops as Totals['drops'], counters: io, rss: process.memoryUsage.rss() };
}

/** The group's main socket, and what workers pass on: IKE as it is, with its four zeros (RFC 3948 §2.2). */
function glimpse(bytes: Uint8Array, from: string): void {
  tell({ kind: 'ike', bytes: hex(bytes.subarray(0, GLIMPSE)), from });
}

function newsOf(event: PlaneEvent): News {
  switch (event.kind) {
    case 'moved':
      return { kind: 'moved', id: event.id, remote: event.remote.ip, port: event.remote.port };
    case 'acquire':
      return { kind: 'acquire', policy: event.policy };
    case 'bug':
    case 'resized':
      return event;
    case 'undelivered':
      return { kind: event.kind };
    default:
      return { kind: event.kind, id: event.id };
  }
}

function tell(news: News): void {
  say({ news });
}

function say(message: Message): void {
  process.send?.(message);
}
