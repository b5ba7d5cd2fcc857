// One direction of a child SA: sequence numbers, IVs, replay window, counters and limits (RFC 4303 §3.3.2, §3.3.3,
// §3.4.3; RFC 4301 §4.4.2.1). Sequence numbers of 32 bits.

import type { Protection, Random } from '../crypto/types.ts';
import type { Millis } from '../ike/connection.ts';
import type { ChildSa } from '../ike/effects.ts';
import type { Drop } from './drop.ts';
import { fault, type Opened, open, seal, seqOf, unpad } from './frame.ts';
import { ReplayWindow } from './replay.ts';

const LAST_SEQ = 0xffff_ffff;
const SOFT_SEQ = 0xc000_0000;

// A cipher with blocks of 64 bits leaks by the birthday bound (Sweet32): it is rekeyed at 1 GiB and stopped at 4 GiB.
const SMALL_BLOCK = 8;
const SMALL_BLOCK_SOFT = 2 ** 30;
const SMALL_BLOCK_HARD = 2 ** 32;

export type Limits = ChildSa['limits'];

/** How far an SA's life has gone: `soft` asks for a successor, `hard` ends it. */
export type Level = 'fresh' | 'soft' | 'hard';

/** Counts what passes and compares with the limits. Bytes are those of the inner packets. */
export class Meter {
  readonly #limits: Limits;
  #packets = 0;
  #bytes = 0;
  #lastUse: Millis | undefined;
  #level: Level = 'fresh';

  constructor(limits: Limits, blockSize: number) {
    this.#limits = blockSize === SMALL_BLOCK ? capped(limits) : limits;
  }

  get packets(): number {
    return this.#packets;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get lastUse(): Millis | undefined {
    return this.#lastUse;
  }

  get level(): Level {
    return this.#level;
  }

  /** False when the packet would go beyond a hard limit; it is not counted then. */
  spend(length: number, now: Millis): boolean {
    const { softBytes, hardBytes, softPackets, hardPackets } = this.#limits;
    const bytes = this.#bytes + length;
    const packets = this.#packets + 1;
    if (exceeds(bytes, hardBytes) || exceeds(packets, hardPackets)) {
      this.raise('hard');
      return false;
    }
    this.#bytes = bytes;
    this.#packets = packets;
    this.#lastUse = now;
    if (reached(bytes, softBytes) || reached(packets, softPackets)) this.raise('soft');
    if (reached(bytes, hardBytes) || reached(packets, hardPackets)) this.raise('hard');
    return true;
  }

  raise(level: 'soft' | 'hard'): void {
    if (this.#level !== 'hard') this.#level = level;
  }
}

function exceeds(count: number, limit: number): boolean {
  return limit > 0 && count > limit;
}

function reached(count: number, limit: number): boolean {
  return limit > 0 && count >= limit;
}

function capped(limits: Limits): Limits {
  const hardBytes = Math.min(limits.hardBytes || SMALL_BLOCK_HARD, SMALL_BLOCK_HARD);
  const softBytes = Math.min(limits.softBytes || SMALL_BLOCK_SOFT, hardBytes);
  return { ...limits, softBytes, hardBytes };
}

export class OutboundSa {
  readonly spi: number;
  readonly meter: Meter;
  readonly #protection: Protection;
  readonly #random: Random;
  #next: number;

  /** `next` is the first sequence number to be sent. */
  constructor(spi: number, protection: Protection, limits: Limits, random: Random, next = 1) {
    this.spi = spi;
    this.meter = new Meter(limits, protection.blockSize);
    this.#protection = protection;
    this.#random = random;
    this.#next = next;
  }

  seal(packet: Uint8Array, nextHeader: number, now: Millis): Uint8Array | 'exhausted' | 'expired' {
    // RFC 4303 §3.3.3: the counter never cycles, whether the peer checks for replay or not.
    if (this.#next > LAST_SEQ) {
      this.meter.raise('hard');
      return 'exhausted';
    }
    if (!this.meter.spend(packet.length, now)) return 'expired';
    const seq = this.#next++;
    if (seq >= SOFT_SEQ) this.meter.raise('soft');
    return seal(this.#protection, this.spi, seq, this.#iv(seq), packet, nextHeader);
  }

  /** The sequence number makes a counter IV unique under its key; a CBC IV must not be foreseen (RFC 3602 §3). */
  #iv(seq: number): Uint8Array {
    const { counterIv, ivSize } = this.#protection;
    if (!counterIv) return this.#random(ivSize);
    const iv = new Uint8Array(ivSize);
    if (ivSize >= 4) new DataView(iv.buffer).setUint32(ivSize - 4, seq);
    return iv;
  }
}

export interface Received extends Opened {
  /** Its sequence number is the highest so far. */
  readonly newest: boolean;
}

export class InboundSa {
  readonly spi: number;
  readonly meter: Meter;
  readonly #protection: Protection;
  readonly #window: ReplayWindow;

  constructor(spi: number, protection: Protection, limits: Limits, replayWindow: number) {
    this.spi = spi;
    this.meter = new Meter(limits, protection.blockSize);
    this.#protection = protection;
    this.#window = new ReplayWindow(replayWindow);
  }

  open(esp: Uint8Array, now: Millis): Received | Drop {
    const wrong = fault(this.#protection, esp);
    if (wrong !== undefined) return wrong;
    const seq = seqOf(esp);
    if (!this.#window.fresh(seq)) return 'replay';
    if (this.meter.level === 'hard') return 'expired';
    const plain = open(this.#protection, esp);
    if (plain === undefined) return 'bad-icv';
    // RFC 4303 §3.4.3: only now may the packet move the window.
    const newest = this.#window.accept(seq);
    const opened = unpad(plain);
    if (opened === 'bad-padding') return opened;
    return this.meter.spend(opened.payload.length, now) ? { ...opened, newest } : 'expired';
  }
}
