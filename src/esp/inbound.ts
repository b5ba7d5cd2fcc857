// Packets from the network: to which SA each belongs and whether it may be opened at all, before; whether what came out
// may pass, after (RFC 4301 §5.2, RFC 4303 §3.4). Two functions over a batch, and nothing allocated in them.

import type { Millis } from '../ike/connection.ts';
import { DROP, type Drops } from './drop.ts';
import type { Fragments } from './fragments.ts';
import { FAILED, IN, IN_MAX, KIND_UDP, type Lane, MESSAGE, MESSAGE_WORDS, SA_NONE, WORDS } from './layout.ts';
import type { Inner } from './packet.ts';
import type { ReplayWindows } from './replay.ts';
import type { Selectors } from './selector.ts';
import { LEVEL, LIMIT, LIMIT_WORDS, REMOTE_WORDS, type Slots, STAT, STAT_WORDS } from './slots.ts';
import type { Spis } from './spis.ts';

/** RFC 4303 §2.1: 1 to 255 are reserved, 0 is never on the wire; in UDP it marks IKE (RFC 3948 §2.2). */
const FIRST_SPI = 256;
/** SPI and sequence number. */
const HEADER = 8;
const TWO32 = 2 ** 32;

const REASONS: readonly number[] = [
  DROP.short,
  DROP['bad-icv'],
  DROP.short,
  DROP.misaligned,
  DROP['bad-padding'],
  DROP.dummy,
  DROP['bad-next-header'],
  DROP['bad-inner'],
  DROP.ecn,
];

export class Inbound {
  readonly #lane: Lane;
  readonly #slots: Slots;
  readonly #spis: Spis;
  readonly #windows: ReplayWindows;
  readonly #selectors: Selectors;
  readonly #inner: Inner;
  readonly #fragments: Fragments;
  readonly #drops: Drops;
  readonly #raise: (slot: number, level: number) => void;
  readonly #first: (slot: number) => void;
  readonly #moved: (slot: number, message: number) => void;
  readonly #changes: () => boolean;
  /** Whole sequence numbers of the batch. */
  readonly #seqs = new Float64Array(IN_MAX);

  constructor(parts: {
    readonly lane: Lane;
    readonly slots: Slots;
    readonly spis: Spis;
    readonly windows: ReplayWindows;
    readonly selectors: Selectors;
    readonly inner: Inner;
    readonly fragments: Fragments;
    readonly drops: Drops;
    readonly raise: (slot: number, level: number) => void;
    /** The first packet of an SA has come. */
    readonly first: (slot: number) => void;
    /** The newest packet of an SA came from elsewhere. */
    readonly moved: (slot: number, message: number) => void;
    /** Takes in what the control plane has said meanwhile; false when there was nothing. */
    readonly changes: () => boolean;
  }) {
    this.#lane = parts.lane;
    this.#slots = parts.slots;
    this.#spis = parts.spis;
    this.#windows = parts.windows;
    this.#selectors = parts.selectors;
    this.#inner = parts.inner;
    this.#fragments = parts.fragments;
    this.#drops = parts.drops;
    this.#raise = parts.raise;
    this.#first = parts.first;
    this.#moved = parts.moved;
    this.#changes = parts.changes;
  }

  check(count: number): void {
    const words = this.#lane.memory.in;
    const windows = this.#windows;
    const { endedIn } = this.#slots;
    for (let i = 0, d = 0; i < count; i++, d += WORDS) {
      words[d + IN.SA] = SA_NONE;
      if ((words[d + IN.LENGTH] as number) < HEADER) {
        this.#drops.count(DROP.short);
        continue;
      }
      const spi = words[d + IN.SPI] as number;
      if (spi >= 0 && spi < FIRST_SPI) {
        this.#drops.count(DROP['reserved-spi']);
        continue;
      }
      let slot = this.#spis.find(spi);
      // The peer may use an SA the moment it knows of it: what we were told of it waits already.
      if (slot < 0 && this.#changes()) slot = this.#spis.find(spi);
      if (slot < 0) {
        this.#drops.count(DROP['unknown-spi']);
        continue;
      }
      const seq = windows.fresh(slot, words[d + IN.SEQ] as number);
      if (seq < 0) {
        this.#drops.countAt(slot, DROP.replay);
        continue;
      }
      if (endedIn[slot] === 1) {
        this.#drops.countAt(slot, DROP.expired);
        continue;
      }
      this.#seqs[i] = seq;
      words[d + IN.INNER] = seq / TWO32;
      words[d + IN.SA] = slot;
    }
  }

  accept(count: number, now: Millis): void {
    const { in: words, rx } = this.#lane.memory;
    const windows = this.#windows;
    const inner = this.#inner;
    const { used } = this.#slots;
    for (let i = 0, d = 0; i < count; i++, d += WORDS) {
      const slot = words[d + IN.SA] as number;
      if (slot < 0) continue;
      const size = words[d + IN.SIZE] as number;
      if (size <= FAILED.BAD_ICV && size >= FAILED.MISALIGNED) {
        this.#refuse(d, slot, REASONS[-size] as number);
        continue;
      }
      // RFC 4303 §3.4.3: only now may the packet move the window.
      const accepted = windows.accept(slot, this.#seqs[i] as number);
      if (accepted === 0) {
        this.#refuse(d, slot, DROP.replay);
        continue;
      }
      if (used[slot] === 0) this.#first(slot);
      if (accepted === 2) this.#compare(slot, (words[d + IN.EXTRA] as number) >>> 16);
      if (size <= 0) {
        this.#refuse(d, slot, REASONS[-size] as number);
        continue;
      }
      if (!this.#spend(slot, size, now)) {
        this.#refuse(d, slot, DROP.expired);
        continue;
      }
      if (!inner.parse(rx, words[d + IN.INNER] as number, size)) {
        this.#refuse(d, slot, DROP['bad-inner']);
        continue;
      }
      // RFC 4301 §5.2 step 4: what came out must be what this SA is for, whoever sent it.
      if (inner.fragment) this.#fragments.follow(inner, slot, now);
      if (this.#selectors.permits(slot, inner)) continue;
      this.#refuse(d, slot, this.#selectors.undecided(slot, inner) ? DROP.fragment : DROP.policy);
    }
  }

  /** False when the packet would go beyond a hard limit. */
  #spend(slot: number, size: number, now: Millis): boolean {
    const { shared, limits } = this.#slots;
    const { stats } = shared;
    const s = slot * STAT_WORDS;
    const l = slot * LIMIT_WORDS;
    const bytes = (stats[s + STAT.BYTES_IN] as number) + size;
    const packets = (stats[s + STAT.PACKETS_IN] as number) + 1;
    const hardBytes = limits[l + LIMIT.HARD_BYTES] as number;
    const hardPackets = limits[l + LIMIT.HARD_PACKETS] as number;
    if (bytes > hardBytes || packets > hardPackets) {
      this.#end(slot);
      return false;
    }
    stats[s + STAT.BYTES_IN] = bytes;
    stats[s + STAT.PACKETS_IN] = packets;
    stats[s + STAT.LAST_IN] = now;
    if (bytes >= (limits[l + LIMIT.SOFT_BYTES] as number) || packets >= (limits[l + LIMIT.SOFT_PACKETS] as number)) {
      if (bytes === hardBytes || packets === hardPackets) this.#end(slot);
      else this.#raise(slot, LEVEL.SOFT);
    }
    return true;
  }

  #end(slot: number): void {
    this.#slots.endedIn[slot] = 1;
    this.#raise(slot, LEVEL.HARD);
  }

  /** Whether the datagram came from where the SA's peer is believed to be. */
  #compare(slot: number, message: number): void {
    const { messages } = this.#lane.memory;
    const { remotes } = this.#slots;
    const m = message * MESSAGE_WORDS;
    const r = slot * REMOTE_WORDS;
    const kind = messages[m + MESSAGE.KIND] as number;
    const version = kind & 0xff;
    if (
      version === remotes[r] &&
      messages[m + MESSAGE.REMOTE] === remotes[r + 2] &&
      ((kind & KIND_UDP) === 0 || remotes[r + 1] === 0 || messages[m + MESSAGE.PORT] === remotes[r + 1]) &&
      (version === 4 ||
        (messages[m + MESSAGE.REMOTE + 1] === remotes[r + 3] &&
          messages[m + MESSAGE.REMOTE + 2] === remotes[r + 4] &&
          messages[m + MESSAGE.REMOTE + 3] === remotes[r + 5]))
    ) {
      return;
    }
    this.#moved(slot, message);
  }

  #refuse(d: number, slot: number, reason: number): void {
    this.#lane.memory.in[d + IN.SA] = SA_NONE;
    this.#drops.countAt(slot, reason);
  }
}
