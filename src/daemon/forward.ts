// Child SAs on their way to the data plane, and the routes that lead packets there.

import { everyOne } from '../bytes/everyone.ts';
import { IPV6_LEAST } from '../esp/mtu.ts';
import type { Millis } from '../ike/connection.ts';
import type { ChildSa, Effect } from '../ike/effects.ts';
import type { Host, Routes, Tun, UdpPort } from '../net/types.ts';
import { Laid, plan } from './lay.ts';
import { type Pipelines, Plane, type PlaneEvent } from './plane.ts';

/** What the gateway does its input and output with. */
export interface Io {
  readonly ike: UdpPort;
  readonly nat: UdpPort;
  /** False without CAP_NET_RAW: all ESP goes in UDP then. */
  readonly raw: boolean;
  readonly tun: Tun;
  readonly routes: Routes;
  readonly host: Host;
  readonly pipelines: Pipelines;
}

/** Runs `act`; when it throws, that is told and goes no further. */
export type Guarded = (what: string, act: () => void) => void;

type DataEffect = Extract<Effect, { type: 'install' | 'activate' | 'remove' | 'move' }>;

export class Forwarder {
  readonly plane: Plane;
  readonly #io: Io;
  readonly #children = new Map<number, { readonly laid: Laid; mtu: number }>();
  /** How many children have a largest packet of this size. */
  readonly #mtus = new Map<number, number>();

  constructor(io: Io, now: () => Millis, onEvent: (event: PlaneEvent) => void) {
    this.#io = io;
    this.plane = new Plane(io.pipelines, now, (remote) => io.host.mtuTo(remote));
    this.plane.onEvent = (event) => {
      if (event.kind === 'resized') this.#resize(event.id, event.mtu);
      else onEvent(event);
    };
  }

  run(effect: DataEffect): void {
    switch (effect.type) {
      case 'install':
        return this.#lay(effect.sa, this.plane.install(effect.sa));
      case 'activate':
        return this.plane.activate(effect.child);
      case 'remove':
        this.plane.remove(effect.child);
        return this.#take(effect.child);
      case 'move':
        return this.plane.move(effect.children, effect.local, effect.remote, effect.udp);
    }
  }

  #lay(sa: ChildSa, mtu: number): void {
    const child = { laid: new Laid(this.#io.routes), mtu };
    this.#children.set(sa.id, child);
    this.#count(mtu, 1);
    if (!sa.installRoutes) return;
    const { localTs, remoteTs, local, remote } = sa;
    const own = this.#io.host.addresses();
    child.laid.lay(plan({ localTs, remoteTs, outer: [local.ip, remote.ip], own, mtu, serves: true }));
  }

  #take(id: number): void {
    const child = this.#children.get(id);
    this.#children.delete(id);
    if (!child) return;
    everyOne([() => child.laid.take(), () => this.#count(child.mtu, -1)]);
  }

  #resize(id: number, mtu: number): void {
    const child = this.#children.get(id);
    if (!child) return;
    this.#count(mtu, 1);
    this.#count(child.mtu, -1);
    child.mtu = mtu;
    child.laid.resize(mtu);
  }

  /** The device takes what the widest child takes; the routes say what each of them does. */
  #count(mtu: number, by: number): void {
    const count = (this.#mtus.get(mtu) ?? 0) + by;
    if (count > 0) this.#mtus.set(mtu, count);
    else this.#mtus.delete(mtu);
    if (this.#mtus.size > 0) this.#io.tun.resize(Math.max(IPV6_LEAST, ...this.#mtus.keys()));
  }
}
