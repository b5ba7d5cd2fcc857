// The data plane on the test's own thread: pipelines over the twin's lanes, fed by a network and a TUN device in memory.
// As with workers, what a pipeline tells is heard after its turn, and what it is told takes effect between batches.

import type { Ip, SocketAddress } from '../../src/bytes/ip.ts';
import { isV6 } from '../../src/bytes/ip.ts';
import type { Protection, ProtectionKeys, Random } from '../../src/crypto/types.ts';
import type { Pipelines } from '../../src/daemon/plane.ts';
import type { Change, SaEvent, Way } from '../../src/esp/change.ts';
import { type Drop, Drops, dropMemory } from '../../src/esp/drop.ts';
import { GSO, SOURCE } from '../../src/esp/layout.ts';
import { Pipeline } from '../../src/esp/pipeline.ts';
import { sharedState } from '../../src/esp/slots.ts';
import type { Millis } from '../../src/ike/connection.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import { Path } from '../../src/net/native.ts';
import type { UdpPort } from '../../src/net/types.ts';
import { type Sent, TwinLane } from '../esp/twin/lane.ts';
import { type Datagram, Mail, type Packet } from '../esp/twin/mail.ts';
import { TwinSas } from '../esp/twin/sas.ts';
import type { MemoryTun, RawEsp } from './memory.ts';
import { seeded } from './random.ts';

/** Enough for tests, and quickly had. */
const SLOTS = 256;

export interface TwinPlan {
  readonly now: () => Millis;
  readonly workers?: number;
  readonly random?: Random;
  readonly protection?: (keys: ProtectionKeys) => Protection;
}

interface Thread {
  readonly lane: TwinLane;
  readonly pipeline: Pipeline;
  readonly changes: Change[];
  readonly drops: Drops;
}

export class TwinPipelines implements Pipelines {
  readonly workers: number;
  readonly shared = sharedState(SLOTS);
  readonly sas: TwinSas;
  onEvent: (event: SaEvent, worker: number) => void = () => {};
  onReborn: (worker: number) => void = () => {};
  /** What the control plane says waits until a pipeline asks, as where a worker is busy with packets. */
  held = false;
  /** The child that each slot is for. */
  readonly children = new Map<number, number>();
  readonly #threads: Thread[];
  readonly #now: () => Millis;
  readonly #todo: (() => void)[] = [];
  #busy = false;

  constructor({ now, workers = 1, random = seeded(1), protection }: TwinPlan) {
    this.workers = workers;
    this.#now = now;
    this.sas = new TwinSas(protection);
    const mail = new Mail(workers);
    const { sas } = this;
    this.#threads = Array.from({ length: workers }, (_, index) =>
      this.#thread(index, new TwinLane({ sas, random, mail, index, workers })),
    );
    mail.onLetter = (worker) => this.wake(worker);
  }

  #thread(index: number, lane: TwinLane): Thread {
    const changes: Change[] = [];
    const total = dropMemory(1);
    const take = (): boolean => {
      const some = changes.splice(0);
      for (const change of some) pipeline.apply(change);
      return some.length > 0;
    };
    const pipeline: Pipeline = new Pipeline({
      ...{ lane, worker: index, shared: this.shared, total, seed: 1, changes: take },
      events: (event) => this.#do(() => this.onEvent(event, index)),
    });
    return { lane, pipeline, changes, drops: new Drops(total) };
  }

  get lanes(): readonly TwinLane[] {
    return this.#threads.map(({ lane }) => lane);
  }

  counted() {
    return { io: {}, drops: this.drops };
  }

  /** Of all workers, by reason. */
  get drops(): Record<Drop, number> {
    const sum = new Drops().total();
    for (const { drops } of this.#threads) {
      for (const [name, count] of Object.entries(drops.total())) sum[name as Drop] += count;
    }
    return sum;
  }

  /** Everything that comes out of `tun`, `nat` and `esp` goes to the first worker, as steering may have it. */
  connect(tun: MemoryTun, nat: UdpPort, esp: RawEsp | undefined): void {
    tun.onPacket = (bytes) => this.fromInside({ bytes, gso: GSO.NONE, mss: 0 });
    if (esp) {
      esp.onReceive = (bytes, from, to) => this.receive({ bytes, remote: { ip: from, port: 0 }, local: to }, false);
    }
    for (const lane of this.lanes) {
      lane.onWrite = (packet) => tun.write(packet);
      lane.onSend = ({ bytes, path, udp }) => {
        const { local, remote } = ends(path);
        if (udp) nat.send(bytes, { ip: local, port: nat.port }, remote);
        else esp?.send(bytes, local, remote.ip);
      };
    }
  }

  fromInside(packet: Packet, worker = 0): void {
    this.lanes[worker]?.inside.push({ ...packet, bytes: packet.bytes.slice() });
    this.wake(worker);
  }

  receive(datagram: Datagram, udp: boolean, worker = 0): void {
    const v6 = isV6(datagram.local);
    this.#arrive(datagram, udp ? (v6 ? SOURCE.UDP6 : SOURCE.UDP4) : v6 ? SOURCE.ESP6 : SOURCE.ESP4, worker);
  }

  receiveAh(datagram: Datagram): void {
    this.#arrive(datagram, isV6(datagram.local) ? SOURCE.AH6 : SOURCE.AH4, 0);
  }

  #arrive(datagram: Datagram, source: number, worker: number): void {
    this.lanes[worker]?.outside[source]?.push({ ...datagram, bytes: datagram.bytes.slice() });
    this.wake(worker);
  }

  /** A worker takes what waits for its lane. */
  wake(worker = 0): void {
    this.#do(() => this.#turn(worker));
  }

  place(slot: number, sa: ChildSa, way: Way): void {
    this.sas.place(slot, sa, way);
    this.children.set(slot, sa.id);
  }

  clear(slot: number): void {
    this.sas.drop(slot);
    this.children.delete(slot);
  }

  /** The twin does not count them. */
  sealed() {
    return undefined;
  }

  post(change: Change, only?: number): void {
    for (const [index, { changes }] of this.#threads.entries()) {
      if (only === undefined || only === index) changes.push(structuredClone(change));
    }
    if (this.held) return;
    for (let worker = 0; worker < this.workers; worker++) this.applyAt(worker);
  }

  stray(worker: number, bytes: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    this.receive({ bytes, remote: from, local: to.ip }, true, worker);
  }

  async close(): Promise<void> {}

  /** One worker takes what the control plane has said. */
  applyAt(worker: number): void {
    this.#do(() => this.#take(worker));
  }

  /** The worker dies between two batches, and another takes its place. */
  replace(worker: number): void {
    const dead = this.#threads[worker];
    if (!dead) throw new Error(`there is no worker ${worker}`);
    this.#threads[worker] = this.#thread(worker, dead.lane);
    this.onReborn(worker);
  }

  #take(worker: number): void {
    const thread = this.#threads[worker];
    if (!thread) return;
    const { changes, pipeline } = thread;
    for (let change = changes.shift(); change; change = changes.shift()) pipeline.apply(change);
    // As the thread goes round after them, whether there are packets or not.
    pipeline.turn(0, this.#now());
  }

  #turn(worker: number): void {
    const thread = this.#threads[worker];
    if (!thread) return;
    const { lane, pipeline } = thread;
    for (let ready = lane.wait(); ready !== 0; ready = lane.wait()) {
      try {
        pipeline.turn(ready, this.#now());
      } catch (error) {
        this.onEvent({ kind: 'bug', text: error instanceof Error ? error.message : String(error) }, worker);
      }
    }
  }

  /** One thing after the other: whatever asks for something in the middle of a turn must wait. */
  #do(act: () => void): void {
    this.#todo.push(act);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#todo.shift(); next; next = this.#todo.shift()) next();
    } finally {
      this.#busy = false;
    }
  }
}

/** Of an SA's path, as a packet takes it. */
export function ends(bytes: Sent['path']): { readonly local: Ip; readonly remote: SocketAddress } {
  const path = new Path(bytes[0] === 4 ? 4 : 6);
  path.bytes.set(bytes);
  return { local: path.local, remote: { ip: path.remote, port: path.port } };
}
