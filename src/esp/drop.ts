// Why a packet went no further, and how many there were of each. The names are API: metrics and scripts rely on them.

export const DROPS = [
  /** From outside: shorter than its SA's header, IV, trailer and ICV. */
  'short',
  /** SPI 0 to 255 (RFC 4303 §2.1). */
  'reserved-spi',
  'unknown-spi',
  /** Ciphertext that is no multiple of the cipher's block or of 4. */
  'misaligned',
  /** Sequence number seen already, too old, or 0. */
  'replay',
  'bad-icv',
  'bad-padding',
  /** Next header 59: a dummy packet of traffic flow confidentiality, discarded as meant (RFC 4303 §2.6). */
  'dummy',
  'bad-next-header',
  /** What was inside is not an IP packet. */
  'bad-inner',
  /** Inner addresses, protocol or ports that the SA's selectors do not allow. */
  'policy',
  /** Congestion experienced outside, not supported inside (RFC 6040 §4.2). */
  'ecn',
  /** From inside: not an IP packet. */
  'bad-packet',
  'no-policy',
  /** The SA's last sequence number is used up. */
  'exhausted',
  /** The SA's hard limit of bytes or packets is reached. */
  'expired',
  /** Too large for the path, and not to be fragmented. */
  'too-big',
  /** A policy forbids it. */
  'blocked',
  /** A policy without an SA: one is being asked for. */
  'acquire',
  /** Selectors name ports; those of this fragment are in another one, which was not seen (RFC 4301 §7). */
  'fragment',
  /** A form of packet that this SA's mode or the host cannot carry. */
  'unsupported',
] as const;

export type Drop = (typeof DROPS)[number];

/** The place of each name in `DROPS`: what is counted with. */
export const DROP = Object.fromEntries(DROPS.map((name, index) => [name, index])) as Record<Drop, number>;

/** By slot, for all reasons. */
export function dropMemory(slots: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(8 * slots * DROPS.length));
}

/** The sum over all packets, and the packets of each SA beside it. */
export class Drops {
  readonly #total: Float64Array;
  readonly #bySlot: Float64Array;

  constructor(total: Float64Array = new Float64Array(DROPS.length), bySlot: Float64Array = new Float64Array(0)) {
    this.#total = total;
    this.#bySlot = bySlot;
  }

  count(reason: number): void {
    this.#total[reason] = (this.#total[reason] as number) + 1;
  }

  countAt(slot: number, reason: number): void {
    const at = slot * DROPS.length + reason;
    this.#total[reason] = (this.#total[reason] as number) + 1;
    this.#bySlot[at] = (this.#bySlot[at] as number) + 1;
  }

  /** For a new SA. */
  clear(slot: number): void {
    this.#bySlot.fill(0, slot * DROPS.length, (slot + 1) * DROPS.length);
  }

  total(): Record<Drop, number> {
    return named(this.#total, 0);
  }

  of(slot: number): Record<Drop, number> {
    return named(this.#bySlot, slot * DROPS.length);
  }
}

function named(counts: Float64Array, at: number): Record<Drop, number> {
  return Object.fromEntries(DROPS.map((name, index) => [name, counts[at + index] as number])) as Record<Drop, number>;
}
