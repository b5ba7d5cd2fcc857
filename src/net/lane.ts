// The lane of this thread: native/lane.c behind the interface that the pipeline knows, and what belongs to it in the
// process: contexts of SAs, doorbells, mailboxes.

import type { SocketAddress } from '../bytes/ip.ts';
import { addon, Path } from './native.ts';

/** As many as `SOURCE` in esp/layout.ts counts, in its order; -1 for what is not there. */
export interface LaneConfig {
  readonly index: number;
  readonly workers: number;
  readonly uses: number;
  readonly fds: readonly number[];
}

export interface LaneArrays {
  readonly tx: Uint8Array;
  readonly rx: Uint8Array;
  readonly out: Int32Array;
  readonly in: Int32Array;
  readonly messages: Int32Array;
  readonly errors: Int32Array;
}

/** A thread has one at a time. `counters` may be in shared memory. */
export function openLane<M extends LaneArrays>(
  { index, workers, uses, fds }: LaneConfig,
  memory: M,
  counters: Float64Array | Uint8Array,
) {
  const native = addon();
  const { tx, rx, out, messages, errors } = memory;
  const bytes = new Uint8Array(counters.buffer, counters.byteOffset, counters.byteLength);
  native.laneStart(Int32Array.from([index, workers, uses, ...fds]), tx, rx, out, memory.in, messages, bytes);
  const { laneWait, laneRead, laneSeal, laneFlush, laneReceive, laneCollect, laneOpen, laneDeliver, laneInject } =
    native;
  return {
    memory,
    wait: laneWait,
    read: laneRead,
    seal: laneSeal,
    flush: laneFlush,
    receive: laneReceive,
    collect: laneCollect,
    open: laneOpen,
    deliver: laneDeliver,
    inject: (packet: Uint8Array): void => void laneInject(packet),
    errors: (): number => native.laneErrors(errors),
    change: native.saChange,
    close: native.laneStop,
  };
}

/** Datagrams taken from the mailbox at once. */
const BURST = 32;

/** Rings from one thread, wakes another. */
export class Bell {
  readonly fd = addon().eventOpen();

  ring(): void {
    addon().eventRing(this.fd);
  }

  close(): void {
    addon().close(this.fd);
  }
}

/** Datagrams that the kernel brought to the wrong thread, for the main one: IKE among ESP. */
export class MainMailbox {
  readonly #bell = new Bell();
  readonly #watch;
  readonly #path = new Path(4);
  readonly #path6 = new Path(6);
  readonly #bytes = new Uint8Array(65_536);

  constructor(deliver: (bytes: Uint8Array, from: SocketAddress, to: string) => void) {
    addon().mailboxOpen(0, this.#bell.fd);
    this.#watch = addon().pollStart(this.#bell.fd, () => this.#drain(deliver));
  }

  close(): void {
    addon().mailboxOpen(0, -1);
    addon().pollStop(this.#watch);
    this.#bell.close();
  }

  #drain(deliver: (bytes: Uint8Array, from: SocketAddress, to: string) => void): void {
    addon().eventClear(this.#bell.fd);
    for (let taken = 0; taken < BURST; taken++) {
      const size = addon().mailboxTake(0, this.#path.bytes, this.#bytes);
      if (size === 0) return;
      if (size < 0) continue;
      let path = this.#path;
      if (path.bytes[0] === 6) {
        path = this.#path6;
        path.bytes.set(this.#path.bytes);
      }
      deliver(this.#bytes.subarray(0, size), { ip: path.remote, port: path.port }, path.local);
    }
    // Others get their turn before what may be left.
    this.#bell.ring();
  }
}

/** ESP in UDP that came to the main thread, to the worker that owns it. */
export function forwardTo(worker: number, bytes: Uint8Array, from: SocketAddress, to: string): void {
  const path = new Path(to.includes(':') ? 6 : 4);
  path.set(to, from);
  addon().mailboxPut(worker + 1, path.bytes, bytes);
}
