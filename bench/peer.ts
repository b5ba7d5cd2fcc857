// One side of the IKE benches, a process of its own: an endpoint, or the whole gateway without a data plane, on a real UDP
// port. Its parent (`bench/run.ts`) tells it what to do.

import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import type { SocketAddress } from '../src/bytes/ip.ts';
import { Gateway } from '../src/daemon/gateway.ts';
import { solve } from '../src/daemon/keyexchange.ts';
import type { Pipelines } from '../src/daemon/plane.ts';
import { sharedState } from '../src/esp/slots.ts';
import type { Effect, Event } from '../src/ike/effects.ts';
import { Endpoint } from '../src/ike/endpoint.ts';
import type { Routes, Tun, UdpPort } from '../src/net/types.ts';
import { openUdp } from '../src/net/udp.ts';
import { GATEWAY, gatewaySite, type Plan, peerIp, peerSite, type Site } from './site.ts';

export type Shell = 'endpoint' | 'gateway';

export type Order =
  | { readonly do: 'start'; readonly role: 'peers' | 'gateway'; readonly shell: Shell; readonly plan: Plan }
  /** Set-ups of these peers, so many at a time. */
  | { readonly do: 'run'; readonly peers: readonly number[]; readonly parallel: number }
  | { readonly do: 'measure' };

export interface Measure {
  /** CPU time so far, in ms. */
  readonly cpu: number;
  readonly sessions: number;
  /** Messages that were not what was expected. */
  readonly dropped: number;
  readonly heap: number;
  /** What V8 knows to be held outside its heap, ArrayBuffers above all. */
  readonly external: number;
  readonly resident: number;
}

export type Report =
  | { readonly port: number }
  /** How long the set-ups took, in ms. */
  | { readonly wall: number }
  | { readonly measure: Measure };

const MARKER = new Uint8Array(4);
const now = () => performance.now();
const random = (size: number) => new Uint8Array(randomBytes(size));

interface Side {
  readonly endpoint: Endpoint;
  run(effects: readonly Effect[]): void;
  /** Called for each event. */
  onEvent: (event: Event) => void;
}

/** The least that an endpoint needs to run. */
class Bare implements Side {
  readonly endpoint: Endpoint;
  onEvent: Side['onEvent'] = () => {};
  readonly #port: UdpPort;

  constructor(port: UdpPort, { connections, sharedKeys }: Site) {
    this.#port = port;
    this.endpoint = new Endpoint({ random, port: 500, natPort: port.port, rawEsp: false, connections, sharedKeys });
    port.onReceive = (bytes, from, to) => this.run(this.endpoint.receive(now(), bytes.subarray(4), from, to));
    setInterval(() => this.run(this.endpoint.tick(now())), 100);
  }

  run(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'send') this.#send(effect.bytes, effect.local, effect.remote);
      else if (effect.type === 'event') this.onEvent(effect.event);
      else if (effect.type === 'generate' || effect.type === 'agree') {
        this.run(this.endpoint.answer(now(), solve(effect)));
      }
    }
  }

  #send(bytes: Uint8Array, local: SocketAddress, remote: SocketAddress): void {
    const marked = new Uint8Array(MARKER.length + bytes.length);
    marked.set(bytes, MARKER.length);
    this.#port.send(marked, local, remote);
  }
}

const noRoutes: Routes = {
  ...{
    add() {},
    resize() {},
    remove() {},
    guard() {},
    unguard() {},
    together: (_sources, act) => act(),
    exempt() {},
    unexempt() {},
    block() {},
    unblock() {},
    settle() {},
    close() {},
  },
};
const noTun: Tun = { name: 'none', index: 0, mtu: 1500, resize() {}, close() {} };

/** SAs are installed and removed, and nothing goes through them. */
class NoPipelines implements Pipelines {
  readonly workers = 1;
  readonly shared = sharedState();
  onEvent: Pipelines['onEvent'] = () => {};
  onReborn: Pipelines['onReborn'] = () => {};

  place(): void {}
  clear(): void {}
  sealed() {
    return undefined;
  }
  stray(): void {}
  async close(): Promise<void> {}

  counted() {
    return { io: {}, drops: {} };
  }

  post(change: Parameters<Pipelines['post']>[0]): void {
    if (change.type === 'remove') this.onEvent({ kind: 'removed', slot: change.slot }, 0);
  }
}

class Whole implements Side {
  readonly endpoint: Endpoint;
  onEvent: Side['onEvent'] = () => {};
  readonly #gateway: Gateway;

  constructor(port: UdpPort, { connections, sharedKeys }: Site) {
    const host = {
      sourceFor: () => GATEWAY,
      addresses: () => [GATEWAY],
      linkTo: () => undefined,
      mtuTo: () => noTun.mtu,
    };
    const parts = { raw: false, tun: noTun, routes: noRoutes, host, pipelines: new NoPipelines() };
    const io = { ike: openUdp(0), nat: port, ...parts };
    const log = pino({ level: 'info' }, { write: () => {} });
    this.#gateway = new Gateway({ io, random, now, log, connections, sharedKeys });
    this.#gateway.watchers.add((event) => this.onEvent(event));
    this.endpoint = this.#gateway.endpoint;
  }

  run(effects: readonly Effect[]): void {
    this.#gateway.run(effects);
  }
}

class Peer {
  readonly #port = openUdp(0);
  #side: Side | undefined;
  #site: Site = { connections: [], sharedKeys: [] };

  obey(order: Order): void {
    switch (order.do) {
      case 'start':
        return this.#start(order);
      case 'run':
        return this.#run(order);
      case 'measure':
        return say({ measure: measure(this.#side?.endpoint) });
    }
  }

  #start({ role, shell, plan }: Extract<Order, { do: 'start' }>): void {
    this.#site = role === 'peers' ? peerSite(plan) : gatewaySite(plan);
    this.#side = shell === 'endpoint' ? new Bare(this.#port, this.#site) : new Whole(this.#port, this.#site);
    say({ port: this.#port.port });
  }

  #run({ peers, parallel }: Extract<Order, { do: 'run' }>): void {
    const side = this.#side;
    if (!side) throw new Error('not started');
    const waiting = [...peers];
    let left = waiting.length;
    const begin = () => {
      const peer = waiting.pop();
      if (peer === undefined) return;
      const conn = this.#site.connections[peer];
      if (!conn) throw new Error(`there is no peer ${peer}`);
      side.run(side.endpoint.initiate(now(), conn, peerIp(peer), GATEWAY).effects);
    };
    const start = now();
    side.onEvent = (event) => {
      if (event.kind === 'session-closed' || event.kind === 'child-failed') throw new Error(event.reason.text);
      if (event.kind === 'no-answer') throw new Error('a datagram was lost: the figures would be wrong');
      if (event.kind !== 'child-established') return;
      if (--left === 0) say({ wall: now() - start });
      // Not from inside the event: the endpoint is still at work.
      else setImmediate(begin);
    };
    for (let i = 0; i < parallel; i++) begin();
  }
}

function measure(endpoint: Endpoint | undefined): Measure {
  const { user, system } = process.cpuUsage();
  for (let i = 0; i < 3; i++) global.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  let dropped = 0;
  for (const count of endpoint?.counters().values() ?? []) dropped += count;
  const sessions = endpoint?.size ?? 0;
  return { cpu: (user + system) / 1000, sessions, dropped, heap: heapUsed, external, resident: rss };
}

function say(report: Report): void {
  process.send?.(report);
}

const peer = new Peer();
process.on('message', (order: Order) => peer.obey(order));
process.on('disconnect', () => process.exit());
