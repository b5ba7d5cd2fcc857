// The hot path: batches from the inside to the network and back, over a lane that moves the bytes. It neither opens nor
// waits; one turn takes what is ready, a bounded amount of it, so that no direction starves the other.

import type { Millis } from '../ike/connection.ts';
import type { Change, Install, SaEvent } from './change.ts';
import { Drops } from './drop.ts';
import { Fragments } from './fragments.ts';
import { Inbound } from './inbound.ts';
import { type Lane, MESSAGE, MESSAGE_WORDS, READY_ERRORS, SA, SLOTS, SOURCE } from './layout.ts';
import { Outbound } from './outbound.ts';
import { Inner } from './packet.ts';
import { PathErrors } from './patherrors.ts';
import { ReplayWindows } from './replay.ts';
import { Selectors } from './selector.ts';
import { LEVEL, LIMIT, LIMIT_WORDS, REMOTE_WORDS, type SharedState, Slots } from './slots.ts';
import { Spd } from './spd.ts';
import { Spis } from './spis.ts';

/** Messages and super-packets in a turn: enough to fill the system calls, not so many that others wait. */
const RECEIVE = 16;
const RAW_RECEIVE = 64;
const READ = 32;
/** A few super-packets, the last of them begun below this: what a turn has read is still in the cache when it is sealed. */
const READ_BYTES = 1 << 18;
const COUNT = 0xffff;
/** That a peer moved is told again while it goes on, at most so often for an SA. */
const MOVED_EVERY: Millis = 100;
/** What of the packet is told with it: its addresses and ports. */
const ACQUIRE_BYTES = 64;
/** Datagrams in fragments that are known at once. */
const FRAGMENTED = 1024;
/** An acquire for a policy, at most so often. */
const ACQUIRE_EVERY: Millis = 1000;

export interface PipelineOptions {
  readonly lane: Lane;
  readonly worker: number;
  readonly shared: SharedState;
  /** What this lane has dropped, by reason. */
  readonly total: Float64Array;
  /** Random: what makes places in tables hard to foresee. */
  readonly seed: number;
  readonly events: (event: SaEvent) => void;
  /** Takes in what the control plane has said meanwhile; false when there was nothing. */
  readonly changes: () => boolean;
}

export class Pipeline {
  readonly #lane: Lane;
  readonly #worker: number;
  readonly #slots: Slots;
  readonly #spis = new Spis();
  readonly #spd = new Spd();
  readonly #windows: ReplayWindows;
  readonly #selectors = new Selectors();
  readonly #installs = new Map<number, Install>();
  readonly #quietUntil = new Float64Array(SLOTS);
  readonly #acquired = new Map<number, Millis>();
  readonly #outbound: Outbound;
  readonly #inbound: Inbound;
  readonly #errors: PathErrors;
  readonly #fragments: Fragments;
  readonly #emit: (event: SaEvent) => void;
  readonly #changes: () => boolean;
  #now: Millis = 0;
  #gone = false;
  readonly #removed: number[] = [];
  /** There is something left to do: the next turn must not wait. */
  busy = false;

  constructor({ lane, worker, shared, total, seed, events, changes }: PipelineOptions) {
    this.#lane = lane;
    this.#worker = worker;
    this.#emit = events;
    this.#changes = changes;
    this.#slots = new Slots(shared);
    this.#windows = new ReplayWindows(shared.replay);
    this.#fragments = new Fragments(FRAGMENTED, seed);
    this.#errors = new PathErrors(events);
    const common = {
      lane,
      slots: this.#slots,
      inner: new Inner(),
      drops: new Drops(total, shared.drops),
      fragments: this.#fragments,
      raise: (slot: number, level: number) => this.#raise(slot, level),
    };
    this.#outbound = new Outbound({
      ...common,
      worker,
      spd: this.#spd,
      acquire: (policy, inner) => this.#acquire(policy, inner),
    });
    this.#inbound = new Inbound({
      ...common,
      spis: this.#spis,
      windows: this.#windows,
      selectors: this.#selectors,
      first: (slot) => this.#first(slot),
      moved: (slot, message) => this.#moved(slot, message),
      changes,
    });
  }

  /** `ready` as `Lane.wait` tells it. */
  turn(given: number, now: Millis): void {
    const lane = this.#lane;
    const ready = this.busy ? given | (1 << SOURCE.EVENT) : given;
    this.#now = now;
    // Until the mailbox was found empty: its bell does not ring again for what is in it, whatever goes wrong here.
    this.busy = (ready & (1 << SOURCE.EVENT)) !== 0;
    this.#letGo();
    for (let source: number = SOURCE.UDP4; source <= SOURCE.AH6; source++) {
      if ((ready & (1 << source)) === 0) continue;
      this.#incoming(lane.receive(source, source <= SOURCE.UDP6 ? RECEIVE : RAW_RECEIVE) & COUNT);
    }
    if ((ready & (1 << SOURCE.EVENT)) !== 0) this.#collect();
    if ((ready & (1 << SOURCE.TUN)) !== 0) this.#read();
    if ((ready & READY_ERRORS) !== 0) this.#errors.take(lane.memory.errors, lane.errors(), now);
  }

  #incoming(count: number): void {
    if (count === 0) return;
    this.#inbound.check(count);
    this.#lane.open(count);
    this.#inbound.accept(count, this.#now);
    this.#lane.deliver(count);
  }

  #read(): void {
    const count = this.#lane.read(READ, READ_BYTES);
    if (count >= 0) return this.#outgoing(count & COUNT, false);
    // It stays readable for ever; who hears of it ends the daemon.
    if (!this.#gone) this.#emit({ kind: 'device-gone', errno: -count });
    this.#gone = true;
  }

  #outgoing(count: number, handed: boolean): void {
    if (count === 0) return;
    this.#outbound.decide(count, this.#now, handed);
    this.#lane.seal(count);
    this.#lane.flush();
  }

  /** What other threads have handed over, a bounded amount of it. */
  #collect(): void {
    const counts = this.#lane.collect(RAW_RECEIVE);
    if (counts === 0) this.busy = false;
    this.#incoming(counts & COUNT);
    // Who hands packets over for an SA of ours has heard of it; we have been told before him, but may not have looked.
    if (counts >>> 16 > 0) this.#changes();
    this.#outgoing(counts >>> 16, true);
  }

  /** Slots that were removed may go only now: a batch that was under way then still had them. */
  #letGo(): void {
    for (const slot of this.#removed.splice(0)) this.#emit({ kind: 'removed', slot });
  }

  // --- changes -------------------------------------------------------------------------------------------------------

  apply(change: Change): void {
    switch (change.type) {
      case 'install':
        return this.#install(change);
      case 'activate':
        return this.#spd.activate(change.slot);
      case 'remove':
        return this.#remove(change.slot);
      case 'route': {
        const { slot, path, flags, mtu, mss4, mss6 } = change;
        const known = this.#installs.get(slot);
        if (!known) return;
        const changed = { ...known, path, flags, mtu, mss4, mss6 };
        this.#installs.set(slot, changed);
        this.#errors.add(changed);
        this.#point(slot, path, flags, mtu);
        if (known.owner === this.#worker) this.#lane.change(slot, path, flags, mss4, mss6);
        return;
      }
      case 'policy':
        return this.#spd.add(change.id, change.kind, change.localTs, change.remoteTs);
      case 'no-policy':
        return this.#spd.remove(change.id);
    }
  }

  /** All workers know all policies: a packet from the inside may come to any of them. */
  #install(sa: Install): void {
    const slots = this.#slots;
    const { slot, limits } = sa;
    this.#installs.set(slot, sa);
    this.#errors.add(sa);
    this.#fragments.forget(slot);
    slots.ids[slot] = sa.id;
    slots.owners[slot] = sa.owner;
    slots.reported[slot] = LEVEL.FRESH;
    slots.used[slot] = 0;
    slots.endedIn[slot] = 0;
    this.#quietUntil[slot] = 0;
    slots.lastSeqs[slot] = sa.lastSeq;
    const l = slot * LIMIT_WORDS;
    const hardBytes = limits.hardBytes || Number.POSITIVE_INFINITY;
    const hardPackets = limits.hardPackets || Number.POSITIVE_INFINITY;
    // Whoever is at the hard limit has passed the soft one.
    slots.limits[l + LIMIT.SOFT_BYTES] = Math.min(limits.softBytes || hardBytes, hardBytes);
    slots.limits[l + LIMIT.HARD_BYTES] = hardBytes;
    slots.limits[l + LIMIT.SOFT_PACKETS] = Math.min(limits.softPackets || hardPackets, hardPackets);
    slots.limits[l + LIMIT.HARD_PACKETS] = hardPackets;
    this.#point(slot, sa.path, sa.flags, sa.mtu);
    if (sa.owner === this.#worker) {
      const esn = (sa.flags & SA.ESN) !== 0;
      this.#windows.resume(slot, sa.replayWindow, esn);
      this.#selectors.set(slot, sa.localTs, sa.remoteTs);
      this.#spis.add(sa.spi, slot);
    }
    this.#spd.join(sa.reqid, slot, sa.localTs, sa.remoteTs, sa.active);
  }

  #remove(slot: number): void {
    const sa = this.#installs.get(slot);
    if (sa) {
      this.#installs.delete(slot);
      this.#errors.remove(sa);
      this.#slots.ids[slot] = 0;
      this.#spd.leave(slot);
      if (sa.owner === this.#worker) {
        this.#spis.remove(sa.spi);
        this.#selectors.clear(slot);
      }
    }
    this.#removed.push(slot);
  }

  #point(slot: number, path: Uint8Array, flags: number, mtu: number): void {
    const { remotes } = this.#slots;
    const view = new DataView(path.buffer, path.byteOffset, path.byteLength);
    const r = slot * REMOTE_WORDS;
    remotes[r] = path[0] as number;
    remotes[r + 1] = (flags & SA.UDP) === 0 ? 0 : view.getUint16(2);
    for (let i = 0; i < 4; i++) remotes[r + 2 + i] = view.getInt32(20 + 4 * i);
    this.#slots.flags[slot] = flags;
    this.#slots.mtus[slot] = mtu;
  }

  // --- what is rare ----------------------------------------------------------------------------------------------------

  #raise(slot: number, level: number): void {
    const { reported } = this.#slots;
    if (level <= (reported[slot] as number)) return;
    reported[slot] = level;
    const sa = this.#installs.get(slot);
    if (sa) this.#emit({ kind: level === LEVEL.HARD ? 'hard' : 'soft', session: sa.session, id: sa.id });
  }

  #first(slot: number): void {
    this.#slots.used[slot] = 1;
    const sa = this.#installs.get(slot);
    if (sa && !this.#spd.isActive(slot)) this.#emit({ kind: 'used', session: sa.session, id: sa.id });
  }

  #moved(slot: number, message: number): void {
    const sa = this.#installs.get(slot);
    if (!sa || this.#now < (this.#quietUntil[slot] as number)) return;
    this.#quietUntil[slot] = this.#now + MOVED_EVERY;
    const { messages } = this.#lane.memory;
    const m = message * MESSAGE_WORDS;
    const kind = messages[m + MESSAGE.KIND] as number;
    const address = new Uint8Array((kind & 0xff) === 4 ? 4 : 16);
    const view = new DataView(address.buffer);
    for (let i = 0; i < address.length; i += 4) view.setInt32(i, messages[m + MESSAGE.REMOTE + i / 4] as number);
    const remote = { address, port: messages[m + MESSAGE.PORT] as number };
    this.#emit({ kind: 'moved', session: sa.session, id: sa.id, remote, udp: kind >> 8 !== 0 });
  }

  #acquire(policy: number, inner: Inner): void {
    const id = this.#spd.idOf(policy);
    if (id === undefined) return;
    if (this.#now - (this.#acquired.get(id) ?? Number.NEGATIVE_INFINITY) < ACQUIRE_EVERY) return;
    this.#acquired.set(id, this.#now);
    this.#emit({ kind: 'acquire', policy: id, packet: inner.packet.slice(0, ACQUIRE_BYTES) });
  }
}
