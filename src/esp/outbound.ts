// Packets from the inside: which SA each belongs to, whether it fits, and with which sequence numbers it goes
// (RFC 4301 §5.1, RFC 4303 §3.3.2, §3.3.3). One function over a batch, and nothing allocated in it.

import type { Millis } from '../ike/connection.ts';
import { Bucket } from './bucket.ts';
import { DROP, type Drops } from './drop.ts';
import { type Fragments, OUTBOUND } from './fragments.ts';
import { prohibited, tooBig } from './icmp.ts';
import { GSO, type Lane, OUT, SA, SA_NONE, TO_WORKER, TX_SIZE, TX_SPARE, WORDS } from './layout.ts';
import { IPV6_LEAST } from './mtu.ts';
import type { Inner } from './packet.ts';
import { UNDECIDED } from './policy.ts';
import { Reassembly } from './reassembly.ts';
import { LEVEL, LIMIT, LIMIT_WORDS, type Slots, STAT, STAT_WORDS } from './slots.ts';
import type { Spd } from './spd.ts';

const TCP = 6;
const TWO32 = 2 ** 32;
/** Around a packet of ours: its virtio header in front, an ESP trailer behind. */
const AROUND = 64;
/** ICMP answers to the inside in a second, and at once. */
const ANSWERS = { rate: 10, burst: 20 };
const TOO_BIG_ANSWERS = { rate: 100, burst: 200 };

export class Outbound {
  readonly #lane: Lane;
  readonly #worker: number;
  readonly #slots: Slots;
  readonly #spd: Spd;
  readonly #inner: Inner;
  readonly #fragments: Fragments;
  readonly #reassembly = new Reassembly();
  /** Bytes at the end of the tx arena that this batch has used. */
  #spare = 0;
  /** Of the packet that `#find` looked at. */
  #policy = -1;
  readonly #drops: Drops;
  readonly #answers = new Bucket(ANSWERS.rate, ANSWERS.burst);
  readonly #tooBigs = new Bucket(TOO_BIG_ANSWERS.rate, TOO_BIG_ANSWERS.burst);
  readonly #raise: (slot: number, level: number) => void;
  readonly #acquire: (policy: number, inner: Inner) => void;

  constructor(parts: {
    readonly lane: Lane;
    readonly worker: number;
    readonly slots: Slots;
    readonly spd: Spd;
    readonly inner: Inner;
    readonly fragments: Fragments;
    readonly drops: Drops;
    readonly raise: (slot: number, level: number) => void;
    readonly acquire: (policy: number, inner: Inner) => void;
  }) {
    this.#lane = parts.lane;
    this.#worker = parts.worker;
    this.#slots = parts.slots;
    this.#spd = parts.spd;
    this.#inner = parts.inner;
    this.#fragments = parts.fragments;
    this.#drops = parts.drops;
    this.#raise = parts.raise;
    this.#acquire = parts.acquire;
  }

  /** Gives each packet of the batch its SA and sequence numbers, or none. `handed`: another worker sent them here. */
  decide(count: number, now: Millis, handed: boolean): void {
    const { tx, out } = this.#lane.memory;
    const inner = this.#inner;
    const { owners, mtus, flags } = this.#slots;
    this.#spare = 0;
    for (let i = 0, d = 0; i < count; i++, d += WORDS) {
      out[d + OUT.SA] = SA_NONE;
      if (!inner.parse(tx, out[d + OUT.OFFSET] as number, out[d + OUT.LENGTH] as number)) {
        this.#drops.count(DROP['bad-packet']);
        continue;
      }
      let slot = this.#find(now);
      if (slot < 0) continue;
      if (owners[slot] !== this.#worker) {
        if (!handed) {
          out[d + OUT.SA] = TO_WORKER - (owners[slot] as number);
          continue;
        }
        // In the middle of a rekey the two of us may know different SAs to be active.
        slot = this.#spd.ownedBy(this.#policy, owners, this.#worker);
        if (slot < 0) {
          this.#drops.count(DROP['no-policy']);
          continue;
        }
      }
      if (inner.fragment && ((flags[slot] as number) & SA.TRANSPORT) !== 0 && !this.#gather(d, slot, now)) continue;
      const gso = out[d + OUT.GSO] as number;
      const header = (gso & GSO.KIND) === GSO.NONE ? 0 : this.#headers(tx);
      const largest = header === 0 ? inner.length : header + (out[d + OUT.MSS] as number);
      if (
        largest > (mtus[slot] as number) &&
        (gso & GSO.WHOLE) === 0 &&
        this.#mustFit(flags[slot] as number, largest)
      ) {
        this.#refuse(slot, header === 0 ? 0 : (out[d + OUT.MSS] as number), now);
        continue;
      }
      const segments = out[d + OUT.SEGMENTS] as number;
      const seq = this.#spend(slot, segments, inner.length + (segments - 1) * header, now);
      if (seq < 0) continue;
      out[d + OUT.SEQ_LOW] = seq | 0;
      out[d + OUT.SEQ_HIGH] = seq / TWO32;
      // What follows an IP packet is not of it.
      out[d + OUT.LENGTH] = inner.length;
      out[d + OUT.SA] = slot;
    }
  }

  /** The active SA of the packet's policy, or -1 with everything done that is to be done about it. */
  #find(now: Millis): number {
    const inner = this.#inner;
    const spd = this.#spd;
    if (inner.fragment) this.#fragments.follow(inner, OUTBOUND, now);
    const policy = spd.policies.lookup(inner);
    if (policy === UNDECIDED) {
      this.#drops.count(DROP.fragment);
      return -1;
    }
    if (policy < 0) {
      this.#reject(now);
      return -1;
    }
    this.#policy = policy;
    const slot = spd.active[policy] as number;
    if (slot >= 0) return this.#carries(slot) ? slot : -1;
    if (spd.isTrap(policy)) {
      this.#drops.count(DROP.acquire);
      this.#acquire(policy, inner);
    } else {
      this.#drops.count(DROP.blocked);
    }
    return -1;
  }

  /** Transport mode protects whole packets without options or extension headers (RFC 4303 §3.1.1, §3.3.4). */
  #carries(slot: number): boolean {
    if (((this.#slots.flags[slot] as number) & SA.TRANSPORT) === 0) return true;
    if (this.#inner.fragment || this.#isPlain()) return true;
    this.#drops.countAt(slot, DROP.unsupported);
    return false;
  }

  /** Without options or extension headers. */
  #isPlain(): boolean {
    return this.#inner.header === (this.#inner.version === 4 ? 20 : 40);
  }

  /** A fragment for transport mode waits for the others; the last one becomes the whole packet. False while it waits. */
  #gather(d: number, slot: number, now: Millis): boolean {
    const whole = this.#reassembly.add(this.#inner, now);
    for (; this.#reassembly.lost > 0; this.#reassembly.lost--) this.#drops.countAt(slot, DROP.fragment);
    if (!whole) return false;
    const room = Math.ceil((AROUND + whole.length + AROUND) / AROUND) * AROUND;
    if (this.#spare + room > TX_SPARE) {
      this.#drops.countAt(slot, DROP.fragment);
      return false;
    }
    const { tx, out } = this.#lane.memory;
    const at = TX_SIZE - TX_SPARE + this.#spare + AROUND;
    this.#spare += room;
    tx.set(whole, at);
    tx.fill(0, at - AROUND, at);
    out[d + OUT.OFFSET] = at;
    out[d + OUT.GSO] = GSO.WHOLE;
    // Behind the header of the fragments there may be further extension headers.
    if (this.#inner.parse(tx, at, whole.length) && !this.#inner.fragment && this.#isPlain()) return true;
    this.#drops.countAt(slot, DROP.unsupported);
    return false;
  }

  /** Bytes in front of the payload of a super-packet. */
  #headers(tx: Uint8Array): number {
    const { at, header, protocol } = this.#inner;
    return protocol === TCP ? header + ((tx[at + header + 12] as number) >> 4) * 4 : header + 8;
  }

  /** Whether the outer packet may not be cut on its way (RFC 4301 §8.1; RFC 2473 §7.1 for what IPv6 counts on). */
  #mustFit(flags: number, size: number): boolean {
    if ((flags & SA.COPY_DF) === 0 || !this.#inner.dontFragment) return false;
    return this.#inner.version === 4 || size > IPV6_LEAST;
  }

  /** The first of `segments` sequence numbers; -1 when a limit forbids it. */
  #spend(slot: number, segments: number, bytes: number, now: Millis): number {
    const { shared, limits, lastSeqs } = this.#slots;
    const { stats } = shared;
    const s = slot * STAT_WORDS;
    const l = slot * LIMIT_WORDS;
    const next = stats[s + STAT.NEXT] as number;
    const last = lastSeqs[slot] as number;
    // RFC 4303 §3.3.3: the counter never cycles, whether the peer checks for replay or not.
    if (next + segments - 1 > last) {
      this.#drops.countAt(slot, DROP.exhausted);
      this.#raise(slot, LEVEL.HARD);
      return -1;
    }
    const packets = (stats[s + STAT.PACKETS_OUT] as number) + segments;
    const total = (stats[s + STAT.BYTES_OUT] as number) + bytes;
    if (total > (limits[l + LIMIT.HARD_BYTES] as number) || packets > (limits[l + LIMIT.HARD_PACKETS] as number)) {
      this.#drops.countAt(slot, DROP.expired);
      this.#raise(slot, LEVEL.HARD);
      return -1;
    }
    stats[s + STAT.NEXT] = next + segments;
    stats[s + STAT.PACKETS_OUT] = packets;
    stats[s + STAT.BYTES_OUT] = total;
    stats[s + STAT.LAST_OUT] = now;
    if (
      total >= (limits[l + LIMIT.SOFT_BYTES] as number) ||
      packets >= (limits[l + LIMIT.SOFT_PACKETS] as number) ||
      next >= last * 0.75
    ) {
      const full =
        total === (limits[l + LIMIT.HARD_BYTES] as number) || packets === (limits[l + LIMIT.HARD_PACKETS] as number);
      this.#raise(slot, full ? LEVEL.HARD : LEVEL.SOFT);
    }
    return next;
  }

  #reject(now: Millis): void {
    this.#drops.count(DROP['no-policy']);
    if (!this.#answers.take(now)) return;
    const icmp = prohibited(this.#inner);
    if (icmp) this.#lane.inject(icmp);
  }

  #refuse(slot: number, segment: number, now: Millis): void {
    this.#drops.countAt(slot, DROP['too-big']);
    if (!this.#tooBigs.take(now)) return;
    const icmp = tooBig(this.#inner, this.#slots.mtus[slot] as number, segment);
    if (icmp) this.#lane.inject(icmp);
  }
}
