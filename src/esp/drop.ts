// Why a packet went no further. The names are API: metrics and scripts rely on them.

const NONE = {
  /** From outside: shorter than its SA's header, IV, trailer and ICV. */
  short: 0,
  /** SPI 0 to 255 (RFC 4303 §2.1). */
  'reserved-spi': 0,
  'unknown-spi': 0,
  /** Ciphertext that is no multiple of the cipher's block or of 4. */
  misaligned: 0,
  /** Sequence number seen already, too old, or 0. */
  replay: 0,
  'bad-icv': 0,
  'bad-padding': 0,
  /** Next header 59: a dummy packet of traffic flow confidentiality, discarded as meant (RFC 4303 §2.6). */
  dummy: 0,
  'bad-next-header': 0,
  /** What was inside is not an IP packet. */
  'bad-inner': 0,
  /** Inner addresses, protocol or ports that the SA's selectors do not allow. */
  policy: 0,
  /** Congestion experienced outside, not supported inside (RFC 6040 §4.2). */
  ecn: 0,
  /** From inside: not an IP packet. */
  'bad-packet': 0,
  'no-policy': 0,
  /** The SA's last sequence number is used up. */
  exhausted: 0,
  /** The SA's hard limit of bytes or packets is reached. */
  expired: 0,
};

export type Drop = keyof typeof NONE;

export type Drops = Record<Drop, number>;

export function noDrops(): Drops {
  return { ...NONE };
}
