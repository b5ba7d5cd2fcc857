// The pipelines in threads of their own. Descriptors, shared memory and the contexts of SAs are the process's: a thread
// that dies takes none of them along, and its successor goes on where it stopped.

import { randomInt } from 'node:crypto';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { SocketAddress } from '../bytes/ip.ts';
import type { Change, SaEvent, Way } from '../esp/change.ts';
import { DROPS, dropMemory } from '../esp/drop.ts';
import { COUNTERS } from '../esp/layout.ts';
import { sharedState } from '../esp/slots.ts';
import type { ChildSa } from '../ike/effects.ts';
import { SystemError } from '../net/error.ts';
import { Bell, forwardTo } from '../net/lane.ts';
import { addon } from '../net/native.ts';
import type { RawSockets } from '../net/raw.ts';
import type { TunQueues } from '../net/tun.ts';
import type { UdpGroup } from '../net/udp.ts';
import type { Counted, Pipelines } from './plane.ts';
import { CONTROL, CONTROL_WORDS, type WorkerData } from './thread.ts';

export interface WorkerPlan {
  readonly uses: number;
  /** By worker, in the order of `SOURCE`, without the bell. */
  readonly fds: readonly (readonly number[])[];
  /** Too many workers died: something is wrong that no new one mends. */
  readonly onHopeless: (error: Error) => void;
  readonly onDeath: (worker: number, error: Error | undefined) => void;
}

/** What each worker reads from; -1 where the host has no such socket. */
export function fdsOf(tun: TunQueues, group: UdpGroup, raw: RawSockets | undefined): WorkerPlan['fds'] {
  const sources = [tun.queues, group.v4, group.v6, raw?.esp4, raw?.esp6, raw?.ah4, raw?.ah6];
  return group.v4.map((_, worker) => sources.map((fds) => fds?.[worker] ?? -1));
}

interface Thread {
  readonly bell: Bell;
  readonly control: Int32Array;
  readonly counters: Float64Array;
  readonly total: Float64Array;
  worker: Worker;
  port: MessagePort;
  deaths: number[];
  /** How often it had gone round when it was last looked at, and how many times in a row nothing had changed. */
  beats: number;
  missed: number;
}

/** A thread goes round about once a second at least; one that was seen standing so many times is replaced. */
const LOOK_EVERY = 1000;
const MISSED = 5;
/** How long a thread may take to end by itself. */
const GRACE = 3000;
/** So many deaths of one worker in a minute are enough. */
const DEATHS = 5;
const MINUTE = 60_000;
const NOTHING = new Uint8Array(0);
const DEVICE_GONE = 'the TUN device is gone';

export class Workers implements Pipelines {
  readonly workers: number;
  readonly shared = sharedState();
  onEvent: (event: SaEvent, worker: number) => void = () => {};
  onReborn: (worker: number) => void = () => {};
  readonly #plan: WorkerPlan;
  readonly #threads: Thread[];
  readonly #epoch: number;
  readonly #watchdog: NodeJS.Timeout;
  /** How often another thread had to take the place of one. */
  restarts = 0;
  #closing = false;

  constructor(plan: WorkerPlan) {
    this.#plan = plan;
    this.workers = plan.fds.length;
    const [seconds, nanos] = process.hrtime();
    this.#epoch = seconds * 1000 + nanos / 1e6 - performance.now();
    this.#threads = plan.fds.map((_, index) => {
      const thread = {
        bell: new Bell(),
        control: new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS)),
        counters: new Float64Array(new SharedArrayBuffer(8 * COUNTERS.length)),
        total: dropMemory(1),
        deaths: [],
        beats: 0,
        missed: 0,
      };
      return { ...thread, ...this.#spawn(index, thread) };
    });
    this.#watchdog = setInterval(() => this.#look(), LOOK_EVERY);
    this.#watchdog.unref();
  }

  /** By worker; the values are whole numbers of 64 bits. */
  get counters(): readonly Float64Array[] {
    return this.#threads.map(({ counters }) => counters);
  }

  /** By worker, what it dropped, in the order of `DROPS`. */
  get drops(): readonly Float64Array[] {
    return this.#threads.map(({ total }) => total);
  }

  /** False while a thread stands still and does not even end when it is told to. */
  get alive(): boolean {
    return this.#threads.every(({ missed }) => missed <= MISSED + 1);
  }

  counted(): Counted {
    const words = this.counters.map(({ buffer }) => new BigUint64Array(buffer));
    return {
      io: named(COUNTERS, (i) => words.map((of) => Number(of[i] ?? 0n))),
      drops: named(DROPS, (i) => this.drops.map((of) => of[i] ?? 0)),
    };
  }

  place(slot: number, sa: ChildSa, { path, flags, mss4, mss6 }: Way): void {
    const { keys } = sa.outbound;
    const inbound = sa.inbound.keys;
    const spec = [sa.inbound.spi, sa.outbound.spi, keys.encr, keys.keyBits ?? 0, keys.integ, flags, mss4, mss6];
    addon().saInstall(
      slot,
      Int32Array.from(spec),
      path,
      sa.protocol === 'ah' ? NOTHING : inbound.encrKey,
      inbound.integKey,
      sa.protocol === 'ah' ? NOTHING : keys.encrKey,
      keys.integKey,
    );
  }

  clear(slot: number): void {
    addon().saDrop(slot);
  }

  sealed(slot: number): readonly [number, number] | undefined {
    return addon().saCarried(slot);
  }

  /** An SA is told to its owner first: whoever hands it packets has heard of it later. */
  post(change: Change, only?: number): void {
    if (only !== undefined) return this.#tell(only, change);
    const owner = change.type === 'install' ? change.owner : 0;
    this.#tell(owner, change);
    for (const index of this.#threads.keys()) if (index !== owner) this.#tell(index, change);
  }

  #tell(index: number, change: Change): void {
    const thread = this.#threads[index];
    if (!thread) return;
    thread.port.postMessage(change);
    Atomics.add(thread.control, CONTROL.CHANGES, 1);
    thread.bell.ring();
  }

  stray(worker: number, bytes: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    forwardTo(worker, bytes, from, to.ip);
  }

  /** Another thread takes its place, as after its death. */
  replace(worker: number): void {
    void this.#threads[worker]?.worker.terminate();
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    clearInterval(this.#watchdog);
    await Promise.all(
      this.#threads.map(({ worker, control, bell }) => {
        const stubborn = setTimeout(() => void worker.terminate(), GRACE);
        const ended = new Promise<void>((resolve) => {
          worker.once('exit', () => {
            clearTimeout(stubborn);
            resolve();
          });
        });
        Atomics.store(control, CONTROL.STOP, 1);
        bell.ring();
        return ended;
      }),
    );
    for (const [index, { bell }] of this.#threads.entries()) {
      addon().mailboxOpen(index + 1, -1);
      bell.close();
    }
  }

  #look(): void {
    for (const [index, thread] of this.#threads.entries()) {
      const beats = Atomics.load(thread.control, CONTROL.BEATS);
      thread.missed = beats === thread.beats ? thread.missed + 1 : 0;
      thread.beats = beats;
      if (thread.missed > 0 && thread.missed % MISSED === 0) this.replace(index);
    }
  }

  #spawn(
    index: number,
    thread: Pick<Thread, 'bell' | 'control' | 'counters' | 'total'>,
  ): Pick<Thread, 'worker' | 'port'> {
    const { uses, fds } = this.#plan;
    const { port1, port2 } = new MessageChannel();
    addon().mailboxOpen(index + 1, thread.bell.fd);
    const workerData: WorkerData = {
      index,
      workers: this.workers,
      uses,
      fds: [...(fds[index] ?? []), thread.bell.fd],
      shared: this.shared,
      counters: thread.counters,
      total: thread.total,
      seed: randomInt(2 ** 32),
      control: thread.control,
      port: port2,
      epoch: this.#epoch,
    };
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData, transferList: [port2] });
    let fault: Error | undefined;
    worker.on('error', (error) => {
      fault = error instanceof Error ? error : new Error(String(error));
    });
    worker.on('exit', () => {
      if (!this.#closing) this.#died(index, fault);
    });
    port1.on('message', (event: SaEvent) => {
      if (event.kind === 'device-gone') this.#plan.onHopeless(new SystemError('read', event.errno, DEVICE_GONE));
      else this.onEvent(event, index);
    });
    return { worker, port: port1 };
  }

  #died(index: number, fault: Error | undefined): void {
    const thread = this.#threads[index];
    if (!thread) return;
    this.restarts++;
    this.#plan.onDeath(index, fault);
    const now = performance.now();
    thread.deaths = [...thread.deaths.filter((at) => now - at < MINUTE), now];
    if (thread.deaths.length >= DEATHS) {
      this.#plan.onHopeless(fault ?? new Error(`data-plane worker ${index} ends again and again`));
      return;
    }
    thread.port.close();
    Object.assign(thread, this.#spawn(index, thread), { missed: 0 });
    this.onReborn(index);
  }
}

function named(names: readonly string[], of: (i: number) => readonly number[]): Readonly<Record<string, number>> {
  return Object.fromEntries(names.map((name, i) => [name, of(i).reduce((sum, count) => sum + count, 0)]));
}
