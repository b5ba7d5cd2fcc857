// The data plane as the control plane sees it: gives SAs their slots, keeps what is known of paths, and tells the
// pipelines, wherever these run. The only place that knows which child sits in which slot.

import { formatIp, type Ip, isV6, type SocketAddress } from '../bytes/ip.ts';
import type { Change, Install, SaEvent, Way } from '../esp/change.ts';
import { type Drop, Drops } from '../esp/drop.ts';
import { SA, SLOTS } from '../esp/layout.ts';
import { IPV6_LEAST, innerMtu, tcpMss } from '../esp/mtu.ts';
import { PathErrors } from '../esp/patherrors.ts';
import { clearWindow } from '../esp/replay.ts';
import { type SharedState, STAT, STAT_WORDS } from '../esp/slots.ts';
import type { Millis } from '../ike/connection.ts';
import type { ChildSa, SessionId } from '../ike/effects.ts';
import { Path } from '../net/native.ts';
import { Bygone } from './bygone.ts';
import type { Account, Ledger } from './ledger.ts';
import { flagsOf, limitsOf, shapeOf } from './shape.ts';

export interface SaStats {
  readonly bytesIn: number;
  readonly packetsIn: number;
  readonly bytesOut: number;
  readonly packetsOut: number;
  readonly lastIn: Millis | undefined;
  readonly lastOut: Millis | undefined;
  readonly drops: Readonly<Record<Drop, number>>;
}

/** What happened to a child, in the control plane's terms. */
export type PlaneEvent =
  | { readonly kind: 'soft' | 'hard' | 'used'; readonly session: SessionId; readonly id: number }
  | {
      readonly kind: 'moved';
      readonly session: SessionId;
      readonly id: number;
      readonly remote: SocketAddress;
      readonly udp: boolean;
    }
  | { readonly kind: 'acquire'; readonly policy: number; readonly source: Ip; readonly destination: Ip }
  /** The largest inner packet of a child is another one now. */
  | { readonly kind: 'resized'; readonly id: number; readonly mtu: number }
  /** The worker that owned the child died. Another goes on with it, and new keys are due. */
  | { readonly kind: 'orphaned'; readonly id: number }
  | { readonly kind: 'undelivered'; readonly words: Int32Array }
  | { readonly kind: 'bug'; readonly text: string };

/** By names that are API: those of `COUNTERS` and of `DROPS`. */
export interface Counted {
  readonly io: Readonly<Record<string, number>>;
  readonly drops: Readonly<Record<string, number>>;
}

/** Where the pipelines run. */
export interface Pipelines {
  readonly workers: number;
  readonly shared: SharedState;
  /** Keys and all else that sealing and opening need, before the SA is announced. */
  place(slot: number, sa: ChildSa, way: Way): void;
  /** Nobody uses the slot any more. */
  clear(slot: number): void;
  /** Bytes of ESP or AH that the slot's SA has opened and sealed; undefined where there is none. */
  sealed(slot: number): readonly [number, number] | undefined;
  /** To all workers, or to one. */
  post(change: Change, only?: number): void;
  /** What all workers have counted since the start. */
  counted(): Counted;
  /** ESP in UDP that came to the main thread. */
  stray(worker: number, bytes: Uint8Array, from: SocketAddress, to: SocketAddress): void;
  onEvent: (event: SaEvent, worker: number) => void;
  /** The worker is a new one: it is told everything anew, and what it did not finish is finished. */
  onReborn: (worker: number) => void;
  close(): Promise<void>;
}

interface Entry {
  readonly sa: ChildSa;
  install: Install;
  /** Workers that may still use the slot, while it is being removed. */
  leaving: Set<number> | undefined;
}

/** The SAs with one reqid, the oldest first. */
interface Purpose {
  readonly entries: Set<Entry>;
  sender: Entry | undefined;
}

interface KnownPath {
  readonly mtu: number;
  readonly until: Millis;
}

const LAST_SEQ = 0xffff_ffff;
/** Numbers are exact up to here; nobody gets so far. */
const LAST_ESN = Number.MAX_SAFE_INTEGER;
/** RFC 1191 §6.3: how long a router is believed. */
const BELIEVED: Millis = 600_000;
const FIRST_SPI = 256;
/** As the source of an event: none of the workers. */
const MAIN = -1;

export class Plane {
  onEvent: (event: PlaneEvent) => void = () => {};
  /** Where SAs go that are gone, if somebody wants to know. */
  ledger: Ledger | undefined;
  readonly #pipelines: Pipelines;
  readonly #drops: Drops;
  readonly #now: () => Millis;
  readonly #mtuTo: (remote: Ip) => number;
  readonly #entries = new Map<number, Entry>();
  readonly #slots = new Map<number, Entry>();
  readonly #gone = new Bygone<SaStats>();
  readonly #spis = new Set<number>();
  readonly #purposes = new Map<number, Purpose>();
  readonly #policies = new Map<number, Change>();
  readonly #paths = new Map<Ip, KnownPath>();
  readonly #errors = new PathErrors((event) => this.#event(event, MAIN));
  readonly #free: number[] = [];
  #next = 0;

  constructor(pipelines: Pipelines, now: () => Millis, mtuTo: (remote: Ip) => number) {
    this.#pipelines = pipelines;
    this.#drops = new Drops(undefined, pipelines.shared.drops);
    this.#now = now;
    this.#mtuTo = mtuTo;
    pipelines.onEvent = (event, worker) => this.#event(event, worker);
    pipelines.onReborn = (worker) => this.#reborn(worker);
  }

  /** Since the start, over all SAs and for none. */
  counted(): Counted {
    return this.#pipelines.counted();
  }

  /** Takes the keys over, and wipes them here. The largest inner packet is the answer. */
  install(sa: ChildSa): number {
    if (sa.inbound.spi < FIRST_SPI) throw new Error('a reserved SPI');
    if (this.#entries.has(sa.id)) throw new Error(`child ${sa.id} is installed already`);
    if (this.#spis.has(sa.inbound.spi)) throw new Error('an inbound SPI in use');
    const slot = this.#take();
    this.#reset(slot);
    let way: Way;
    try {
      way = this.#way(sa, sa.local, sa.remote, sa.udp);
      this.#pipelines.place(slot, sa, way);
    } catch (error) {
      this.#free.push(slot);
      throw error;
    } finally {
      wipe(sa);
    }
    const install: Install = {
      type: 'install',
      slot,
      owner: sa.inbound.spi % this.#pipelines.workers,
      id: sa.id,
      session: sa.session,
      reqid: sa.reqid,
      spi: sa.inbound.spi,
      spiOut: sa.outbound.spi,
      localTs: sa.localTs,
      remoteTs: sa.remoteTs,
      replayWindow: sa.replayWindow,
      limits: limitsOf(sa),
      lastSeq: sa.esn ? LAST_ESN : LAST_SEQ,
      active: sa.active,
      ...way,
    };
    const entry: Entry = { sa, install, leaving: undefined };
    this.#entries.set(sa.id, entry);
    this.#slots.set(slot, entry);
    this.#spis.add(sa.inbound.spi);
    const purpose = this.#purposes.get(sa.reqid) ?? { entries: new Set(), sender: undefined };
    this.#purposes.set(sa.reqid, purpose);
    purpose.entries.add(entry);
    if (sa.active) sends(purpose, entry);
    this.#errors.add(entry.install);
    this.#pipelines.post(entry.install);
    return way.mtu;
  }

  /** Nothing when the child is gone. */
  activate(id: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const purpose = this.#purposes.get(entry.sa.reqid);
    if (purpose) sends(purpose, entry);
    this.#pipelines.post({ type: 'activate', slot: entry.install.slot });
  }

  remove(id: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#gone.add(id, this.#statsOf(entry));
    this.#entries.delete(id);
    this.#spis.delete(entry.install.spi);
    this.#leave(entry);
    this.#errors.remove(entry.install);
    entry.leaving = new Set(Array.from({ length: this.#pipelines.workers }, (_, worker) => worker));
    this.#pipelines.post({ type: 'remove', slot: entry.install.slot });
  }

  move(ids: readonly number[], local: SocketAddress, remote: SocketAddress, udp: boolean): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry) this.#reroute(entry, this.#way(entry.sa, local, remote, udp));
    }
  }

  trap(id: number, kind: 'trap' | 'block', localTs: ChildSa['localTs'], remoteTs: ChildSa['remoteTs']): void {
    const change: Change = { type: 'policy', id, kind, localTs, remoteTs };
    this.#policies.set(id, change);
    this.#pipelines.post(change);
  }

  untrap(id: number): void {
    this.#policies.delete(id);
    this.#pipelines.post({ type: 'no-policy', id });
  }

  /** ESP in UDP that came to the main thread, from its header on. */
  stray(bytes: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    // What is too short to be anybody's is counted by the first.
    const spi = bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    this.#pipelines.stray(spi % this.#pipelines.workers, bytes, from, to);
  }

  /** What the network says of our packets, where the kernel told the main thread. */
  pathErrors(records: Int32Array, count: number): void {
    this.#errors.take(records, count, this.#now());
  }

  /** Of a child that was just removed, how they were. */
  stats(id: number): SaStats | undefined {
    const entry = this.#entries.get(id);
    return entry ? this.#statsOf(entry) : this.#gone.of(id);
  }

  #statsOf(entry: Entry): SaStats {
    const { stats } = this.#pipelines.shared;
    const at = entry.install.slot * STAT_WORDS;
    const word = (index: number) => stats[at + index] as number;
    const time = (index: number) => (word(index) === 0 ? undefined : word(index));
    return {
      bytesIn: word(STAT.BYTES_IN),
      packetsIn: word(STAT.PACKETS_IN),
      bytesOut: word(STAT.BYTES_OUT),
      packetsOut: word(STAT.PACKETS_OUT),
      lastIn: time(STAT.LAST_IN),
      lastOut: time(STAT.LAST_OUT),
      drops: this.#drops.of(entry.install.slot),
    };
  }

  /** Of all SAs, those that a worker may still use included. */
  accounts(): Account[] {
    return [...this.#slots.values()].map((entry) => this.#account(entry));
  }

  #account(entry: Entry): Account {
    const { bytesIn, packetsIn, bytesOut, packetsOut, drops } = this.#statsOf(entry);
    const [sealedIn, sealedOut] = this.#pipelines.sealed(entry.install.slot) ?? [0, 0];
    const { conn, child } = entry.sa;
    return { conn, child, traffic: { bytesIn, packetsIn, bytesOut, packetsOut, sealedIn, sealedOut }, drops };
  }

  async close(): Promise<void> {
    await this.#pipelines.close();
    for (const slot of this.#slots.keys()) this.#pipelines.clear(slot);
    this.#slots.clear();
    this.#entries.clear();
  }

  // --- slots -----------------------------------------------------------------------------------------------------------

  #take(): number {
    const slot = this.#free.pop() ?? this.#next++;
    if (slot >= SLOTS) throw new Error(`more than ${SLOTS} child SAs`);
    return slot;
  }

  /** As the pipelines do it by themselves: the newest that is left takes over. */
  #leave(entry: Entry): void {
    const { reqid } = entry.sa;
    const purpose = this.#purposes.get(reqid);
    if (!purpose) return;
    purpose.entries.delete(entry);
    if (purpose.entries.size === 0) this.#purposes.delete(reqid);
    if (purpose.sender !== entry) return;
    purpose.sender = undefined;
    const newest = [...purpose.entries].at(-1);
    if (newest) sends(purpose, newest);
  }

  #reset(slot: number): void {
    const { stats, replay } = this.#pipelines.shared;
    stats.fill(0, slot * STAT_WORDS, (slot + 1) * STAT_WORDS);
    // RFC 4303 §3.3.3: the first packet of an SA carries 1.
    stats[slot * STAT_WORDS + STAT.NEXT] = 1;
    this.#drops.clear(slot);
    clearWindow(replay, slot);
  }

  #left(slot: number, worker: number): void {
    const entry = this.#slots.get(slot);
    if (!entry?.leaving?.delete(worker) || entry.leaving.size > 0) return;
    this.ledger?.close(this.#account(entry));
    this.#slots.delete(slot);
    this.#pipelines.clear(slot);
    this.#free.push(slot);
  }

  // --- paths -----------------------------------------------------------------------------------------------------------

  #way(sa: ChildSa, local: SocketAddress, remote: SocketAddress, udp: boolean): Way {
    const path = new Path(isV6(remote.ip) ? 6 : 4);
    path.set(local.ip, remote);
    const mtu = innerMtu(this.#pathMtu(remote.ip), shapeOf(sa, udp, path.version));
    const [mss4, mss6] = ([4, 6] as const).map((family) =>
      sa.mss === 'no' ? 0 : sa.mss === 'auto' ? tcpMss(mtu, family) : Math.min(sa.mss, tcpMss(mtu, family)),
    ) as [number, number];
    const narrow = mtu < IPV6_LEAST ? SA.NARROW : 0;
    return { path: path.bytes, flags: flagsOf(sa, udp) | narrow, mtu, mss4, mss6 };
  }

  #pathMtu(remote: Ip): number {
    const link = this.#mtuTo(remote);
    const known = this.#paths.get(remote);
    if (!known) return link;
    if (known.until > this.#now()) return Math.min(link, known.mtu);
    this.#paths.delete(remote);
    return link;
  }

  #reroute(entry: Entry, way: Way): void {
    const resized = way.mtu !== entry.install.mtu;
    entry.install = { ...entry.install, ...way };
    this.#errors.add(entry.install);
    this.#pipelines.post({ type: 'route', slot: entry.install.slot, ...way });
    if (resized) this.onEvent({ kind: 'resized', id: entry.sa.id, mtu: way.mtu });
  }

  /** For every child of that peer, the one that is quoted and the others. */
  #tooBig(id: number, mtu: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const remote = remoteOf(entry.install);
    const known = this.#paths.get(remote.ip);
    if (known && mtu >= known.mtu && known.until > this.#now()) return;
    // The kernel has heard it too, and may say so of the route already: what counts is what the SAs still believe.
    this.#paths.set(remote.ip, { mtu, until: this.#now() + BELIEVED });
    this.#reroutePeer(remote.ip);
    if (known) return;
    setTimeout(() => this.#forget(remote.ip), BELIEVED).unref();
  }

  /** A path is tried again as its first link has it. What was heard of it meanwhile counts from then on. */
  #forget(ip: Ip): void {
    const left = (this.#paths.get(ip)?.until ?? 0) - this.#now();
    if (left > 0) {
      setTimeout(() => this.#forget(ip), left).unref();
      return;
    }
    this.#paths.delete(ip);
    this.#reroutePeer(ip);
  }

  #reroutePeer(ip: Ip): void {
    for (const each of this.#entries.values()) {
      const { local, remote, udp } = endsOf(each.install);
      if (remote.ip !== ip) continue;
      const way = this.#way(each.sa, local, remote, udp);
      if (way.mtu !== each.install.mtu) this.#reroute(each, way);
    }
  }

  // --- what the pipelines tell ---------------------------------------------------------------------------------------------

  #event(event: SaEvent, worker: number): void {
    switch (event.kind) {
      case 'removed':
        return this.#left(event.slot, worker);
      case 'device-gone':
        // Told to whoever runs the threads.
        return;
      case 'too-big':
        return this.#tooBig(event.id, event.mtu);
      case 'moved': {
        const { session, id, udp } = event;
        const remote = { ip: formatIp(event.remote.address), port: event.remote.port };
        return this.onEvent({ kind: 'moved', session, id, remote, udp });
      }
      case 'acquire': {
        const { policy, packet } = event;
        const size = (packet[0] as number) >> 4 === 4 ? 4 : 16;
        const at = size === 4 ? 12 : 8;
        const source = formatIp(packet.subarray(at, at + size));
        return this.onEvent({
          kind: 'acquire',
          policy,
          source,
          destination: formatIp(packet.subarray(at + size, at + 2 * size)),
        });
      }
      default:
        return this.onEvent(event);
    }
  }

  #reborn(worker: number): void {
    for (const policy of this.#policies.values()) this.#pipelines.post(policy, worker);
    for (const entry of [...this.#slots.values()]) {
      if (entry.leaving) this.#left(entry.install.slot, worker);
      else this.#pipelines.post(entry.install, worker);
    }
    for (const { sa, install } of [...this.#entries.values()]) {
      if (install.owner === worker) this.onEvent({ kind: 'orphaned', id: sa.id });
    }
  }
}

/** What a new worker must know; the others hear of it by themselves. */
function sends(purpose: Purpose, entry: Entry): void {
  const { sender } = purpose;
  if (sender) sender.install = { ...sender.install, active: false };
  entry.install = { ...entry.install, active: true };
  purpose.sender = entry;
}

function wipe({ inbound, outbound }: ChildSa): void {
  for (const { keys } of [inbound, outbound]) {
    keys.encrKey.fill(0);
    keys.integKey.fill(0);
  }
}

function endsOf({ path: bytes, flags }: Way): {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly udp: boolean;
} {
  const path = new Path(bytes[0] === 4 ? 4 : 6);
  path.bytes.set(bytes);
  const local = { ip: path.local, port: 0 };
  return { local, remote: { ip: path.remote, port: path.port }, udp: (flags & SA.UDP) !== 0 };
}

function remoteOf(way: Way): SocketAddress {
  return endsOf(way).remote;
}
