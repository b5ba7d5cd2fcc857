// The SAs and policies of the data plane, one packet at a time: out of the tunnel device into ESP and back (RFC 4301
// §5.1, §5.2). Tunnel mode. It neither sends nor waits; what the control plane must know is collected in `events`.

import type { SocketAddress } from '../bytes/ip.ts';
import type { Protection, ProtectionKeys, Random } from '../crypto/types.ts';
import type { Millis } from '../ike/connection.ts';
import type { ChildSa, SessionId } from '../ike/effects.ts';
import { Bucket } from './bucket.ts';
import { type Drop, type Drops, noDrops } from './drop.ts';
import { combine, mark } from './ecn.ts';
import { hasHeader, NEXT_IPV4, NEXT_IPV6, NEXT_NONE, spiOf } from './frame.ts';
import { prohibited } from './icmp.ts';
import { Inner } from './packet.ts';
import { Policies } from './policy.ts';
import { InboundSa, type Level, OutboundSa, type Received } from './sa.ts';
import { permits } from './selector.ts';

/** RFC 4303 §2.1: 1 to 255 are reserved, 0 is never on the wire; in UDP it marks IKE (RFC 3948 §2.2). */
const FIRST_SPI = 256;

/** "Prohibited" answers in a second, and at once. */
const ANSWERS = { rate: 10, burst: 20 };

export interface Options {
  readonly protection: (keys: ProtectionKeys) => Protection;
  readonly random: Random;
}

export interface Send {
  readonly tag: 'send';
  /** ESP from its header on. */
  readonly bytes: Uint8Array;
  readonly id: number;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly udp: boolean;
  /** DSCP and ECN for the outer header, where the socket can set them (RFC 6040 §4.1, RFC 4301 §5.1.2). */
  readonly trafficClass: number;
}

export type Outbound =
  | Send
  | { readonly tag: 'drop'; readonly reason: Drop }
  /** A drop with an ICMP error to be delivered to the inside. */
  | { readonly tag: 'reject'; readonly reason: Drop; readonly icmp: Uint8Array };

export type Inbound =
  | { readonly tag: 'deliver'; readonly packet: Uint8Array; readonly id: number }
  | { readonly tag: 'drop'; readonly reason: Drop };

export type SaEvent =
  /** A limit of bytes, packets or sequence numbers: time for a successor, or the end. Each once per child. */
  | { readonly kind: 'soft' | 'hard'; readonly session: SessionId; readonly id: number }
  /** The peer sends on this SA, though our own traffic does not use it yet. Once. */
  | { readonly kind: 'used'; readonly session: SessionId; readonly id: number }
  /** An authentic packet, the newest of its SA, came from another address. For every such packet until `move`. */
  | {
      readonly kind: 'moved';
      readonly session: SessionId;
      readonly id: number;
      readonly remote: SocketAddress;
      readonly udp: boolean;
    };

export interface SaStats {
  readonly bytesIn: number;
  readonly packetsIn: number;
  readonly bytesOut: number;
  readonly packetsOut: number;
  readonly lastIn: Millis | undefined;
  readonly lastOut: Millis | undefined;
  readonly active: boolean;
  readonly drops: Readonly<Drops>;
}

interface Entry {
  readonly sa: ChildSa;
  readonly inbound: InboundSa;
  readonly outbound: OutboundSa;
  readonly drops: Drops;
  local: SocketAddress;
  remote: SocketAddress;
  udp: boolean;
  used: boolean;
  reported: Level;
}

/** The SAs of one policy, oldest first. Outbound traffic takes the active one. */
interface Group {
  readonly members: Entry[];
  active: Entry | undefined;
}

export class SaTable {
  readonly #options: Options;
  readonly #entries = new Map<number, Entry>();
  readonly #bySpi = new Map<number, Entry>();
  readonly #groups = new Map<number, Group>();
  readonly #policies = new Policies<Entry>();
  readonly #drops = noDrops();
  readonly #answers = new Bucket(ANSWERS.rate, ANSWERS.burst);
  readonly #inner = new Inner();
  #events: SaEvent[] = [];

  constructor(options: Options) {
    this.#options = options;
  }

  /** Counts of dropped packets, those of unknown SAs and policies among them. */
  get drops(): Readonly<Drops> {
    return this.#drops;
  }

  /** Keys are borrowed until `remove`, which wipes them. */
  install(sa: ChildSa): void {
    if (sa.protocol !== 'esp' || sa.mode !== 'tunnel') throw new Error(`no ${sa.protocol} in ${sa.mode} mode`);
    if (sa.esn) throw new Error('no extended sequence numbers');
    if (sa.inbound.spi < FIRST_SPI) throw new Error('a reserved SPI');
    if (this.#entries.has(sa.id)) throw new Error(`child ${sa.id} is installed already`);
    if (this.#bySpi.has(sa.inbound.spi)) throw new Error('an inbound SPI in use');
    const { protection, random } = this.#options;
    const entry: Entry = {
      sa,
      inbound: new InboundSa(sa.inbound.spi, protection(sa.inbound.keys), sa.limits, sa.replayWindow),
      outbound: new OutboundSa(sa.outbound.spi, protection(sa.outbound.keys), sa.limits, random),
      drops: noDrops(),
      local: sa.local,
      remote: sa.remote,
      udp: sa.udp,
      used: false,
      reported: 'fresh',
    };
    this.#entries.set(sa.id, entry);
    this.#bySpi.set(sa.inbound.spi, entry);
    const group = this.#groups.get(sa.reqid) ?? { members: [], active: undefined };
    this.#groups.set(sa.reqid, group);
    group.members.push(entry);
    if (sa.active) this.#use(group, entry);
  }

  /** Nothing when the child is gone. */
  activate(id: number): void {
    const entry = this.#entries.get(id);
    const group = entry && this.#groups.get(entry.sa.reqid);
    if (group) this.#use(group, entry);
  }

  /** Where the active SA goes and another is left, the newest of those takes over: nothing falls through to clear text. */
  remove(id: number): void {
    const entry = this.#entries.get(id);
    const group = entry && this.#groups.get(entry.sa.reqid);
    if (!entry || !group) return;
    this.#entries.delete(id);
    this.#bySpi.delete(entry.inbound.spi);
    group.members.splice(group.members.indexOf(entry), 1);
    if (group.active === entry) this.#use(group, group.members.at(-1));
    if (group.members.length === 0) this.#groups.delete(entry.sa.reqid);
    for (const { keys } of [entry.sa.inbound, entry.sa.outbound]) {
      keys.encrKey.fill(0);
      keys.integKey.fill(0);
    }
  }

  move(ids: readonly number[], local: SocketAddress, remote: SocketAddress, udp: boolean): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry) Object.assign(entry, { local, remote, udp });
    }
  }

  /** A packet from the tunnel device. */
  outbound(packet: Uint8Array, now: Millis): Outbound {
    const inner = this.#inner;
    if (!inner.parse(packet)) return this.#drop('bad-packet');
    const entry = this.#policies.lookup(inner);
    if (!entry) return this.#reject(now);
    const bytes = entry.outbound.seal(inner.packet, inner.version === 4 ? NEXT_IPV4 : NEXT_IPV6, now);
    this.#report(entry);
    if (bytes === 'exhausted' || bytes === 'expired') return this.#drop(bytes, entry);
    const { local, remote, udp } = entry;
    return { tag: 'send', bytes, id: entry.sa.id, local, remote, udp, trafficClass: inner.trafficClass };
  }

  /** An ESP packet from its header on. `trafficClass` is the outer header's, where the socket tells it. */
  inbound(esp: Uint8Array, from: SocketAddress, udp: boolean, now: Millis, trafficClass = 0): Inbound {
    if (!hasHeader(esp)) return this.#drop('short');
    const spi = spiOf(esp);
    if (spi < FIRST_SPI) return this.#drop('reserved-spi');
    const entry = this.#bySpi.get(spi);
    if (!entry) return this.#drop('unknown-spi');
    const received = entry.inbound.open(esp, now);
    this.#report(entry);
    if (typeof received === 'string') return this.#drop(received, entry);
    this.#notice(entry, received.newest, from, udp);
    return this.#deliver(entry, received, trafficClass);
  }

  stats(id: number): SaStats | undefined {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    const { meter: into } = entry.inbound;
    const { meter: out } = entry.outbound;
    return {
      bytesIn: into.bytes,
      packetsIn: into.packets,
      bytesOut: out.bytes,
      packetsOut: out.packets,
      lastIn: into.lastUse,
      lastOut: out.lastUse,
      active: this.#groups.get(entry.sa.reqid)?.active === entry,
      drops: { ...entry.drops },
    };
  }

  /** What has happened since the last call. */
  events(): readonly SaEvent[] {
    if (this.#events.length === 0) return NO_EVENTS;
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** RFC 4301 §5.2 step 4: what came out must be what this SA is for, whoever sent it. */
  #deliver(entry: Entry, { nextHeader, payload }: Received, trafficClass: number): Inbound {
    if (nextHeader === NEXT_NONE) return this.#drop('dummy', entry);
    if (nextHeader !== NEXT_IPV4 && nextHeader !== NEXT_IPV6) return this.#drop('bad-next-header', entry);
    const inner = this.#inner;
    if (!inner.parse(payload) || (inner.version === 4) !== (nextHeader === NEXT_IPV4)) {
      return this.#drop('bad-inner', entry);
    }
    if (!permits(entry.sa.remoteTs, entry.sa.localTs, inner)) return this.#drop('policy', entry);
    const ecn = combine(inner.trafficClass, trafficClass);
    if (ecn === undefined) return this.#drop('ecn', entry);
    const { packet } = inner;
    if (ecn !== (inner.trafficClass & 3)) mark(packet, ecn);
    return { tag: 'deliver', packet, id: entry.sa.id };
  }

  #notice(entry: Entry, newest: boolean, from: SocketAddress, udp: boolean): void {
    const { id, session, reqid } = entry.sa;
    if (!entry.used && this.#groups.get(reqid)?.active !== entry) {
      this.#events.push({ kind: 'used', session, id });
    }
    entry.used = true;
    const elsewhere = from.ip !== entry.remote.ip || (udp && entry.udp && from.port !== entry.remote.port);
    if (newest && elsewhere) this.#events.push({ kind: 'moved', session, id, remote: from, udp });
  }

  #report(entry: Entry): void {
    const { id, session } = entry.sa;
    for (const level of [entry.inbound.meter.level, entry.outbound.meter.level]) {
      if (level === 'fresh' || level === entry.reported || entry.reported === 'hard') continue;
      entry.reported = level;
      this.#events.push({ kind: level, session, id });
    }
  }

  #use(group: Group, entry: Entry | undefined): void {
    if (group.active === entry) return;
    if (group.active) this.#policies.remove(group.active);
    group.active = entry;
    if (entry) this.#policies.add(entry, entry.sa.localTs, entry.sa.remoteTs);
  }

  #reject(now: Millis): Outbound {
    this.#drops['no-policy']++;
    const icmp = prohibited(this.#inner);
    if (!icmp || !this.#answers.take(now)) return { tag: 'drop', reason: 'no-policy' };
    return { tag: 'reject', reason: 'no-policy', icmp };
  }

  #drop(reason: Drop, entry?: Entry): { readonly tag: 'drop'; readonly reason: Drop } {
    this.#drops[reason]++;
    if (entry) entry.drops[reason]++;
    return { tag: 'drop', reason };
  }
}

const NO_EVENTS: readonly SaEvent[] = [];
