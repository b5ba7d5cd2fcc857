// How the two halves of the hot path share memory: descriptors of eight words a packet, arenas that they point into.
// native/lane.h has the same numbers; net/native.ts refuses an addon with other ones by its API number.

export const WORDS = 8;

/** A packet from the TUN device. */
export const OUT = { OFFSET: 0, LENGTH: 1, GSO: 2, MSS: 3, SA: 4, SEQ_LOW: 5, SEQ_HIGH: 6, SEGMENTS: 7 } as const;

/** A packet from the network. `INNER` is the sequence number's high half until it is opened; `EXTRA` is the message << 16. */
export const IN = { OFFSET: 0, LENGTH: 1, SPI: 2, SEQ: 3, SA: 4, INNER: 5, SIZE: 6, EXTRA: 7 } as const;

/** A datagram: where it came from. Addresses are big-endian words, an IPv4 address the first of them. */
export const MESSAGE = { KIND: 0, CLASS: 1, PORT: 2, HOPS: 3, REMOTE: 4, LOCAL: 8 } as const;
export const MESSAGE_WORDS = 16;
/** Of `MESSAGE.KIND`, beside the IP version. */
export const KIND_UDP = 1 << 8;

/** `WHOLE`, beside a kind: it may be fragmented outside, whatever its own header says. */
export const GSO = { NONE: 0, TCP: 1, UDP: 2, KIND: 3, WHOLE: 4 } as const;

/** Not to be sent. Anything lower is `TO_WORKER - n`: for worker n, whose SA it is. */
export const SA_NONE = -1;
export const TO_WORKER = -2;

/** In `IN.SIZE`, where there is no inner packet. */
export const FAILED = {
  BAD_ICV: -1,
  SHORT: -2,
  MISALIGNED: -3,
  BAD_PADDING: -4,
  DUMMY: -5,
  BAD_NEXT: -6,
  BAD_INNER: -7,
  ECN: -8,
} as const;

/** Bits of what `wait` returns, and the sources that `receive` takes. */
export const SOURCE = { TUN: 0, UDP4: 1, UDP6: 2, ESP4: 3, ESP6: 4, AH4: 5, AH6: 6, EVENT: 7 } as const;
export const SOURCES = 8;
export const READY_ERRORS = 1 << SOURCES;

/** Beside a count: the source has no more for now. */
export const DRAINED = 1 << 16;

/** Facilities of the kernel, each of which can be done without. */
export const USE = { VNET: 1, USO: 2, GSO: 4, GRO: 8, MMSG: 16 } as const;
export const USE_ALL = USE.VNET | USE.USO | USE.GSO | USE.GRO | USE.MMSG;

/** Flags of an SA. */
export const SA = {
  TRANSPORT: 1,
  AH: 2,
  ESN: 4,
  UDP: 8,
  COPY_DF: 16,
  COPY_ECN: 32,
  COPY_DSCP_OUT: 64,
  COPY_DSCP_IN: 128,
  NATTED: 256,
  /** The path takes less than any of IPv6 does. */
  NARROW: 512,
} as const;

/** SAs that there can be at once. */
export const SLOTS = 1 << 16;

/** A lane's counters, in order. Names are API: metrics rely on them. */
export const COUNTERS = [
  'tun-reads',
  'tun-read-bytes',
  'tun-writes',
  'tun-write-failures',
  'joined',
  'segments-out',
  'messages-out',
  'sends',
  'send-failures',
  'send-full',
  'receives',
  'messages-in',
  'segments-in',
  'strays',
  'mail-full',
  'keepalives',
  'truncated',
  'unsplittable',
  'seal-failures',
  'waits',
] as const;

/** Room for a packet of any size. */
export const TX_CELL = 65_536 + 192;
export const BATCH = 64;
export const IN_MAX = 4096;
export const OUT_MAX = 256;
const RX_STRIDE = 64 + 65_536 + 448;
export const TX_SIZE = 2 << 20;
/** The end of the tx arena, where packets are put that the lane did not read. */
export const TX_SPARE = 4 * TX_CELL;
export const RX_SIZE = BATCH * RX_STRIDE + BATCH * 66_048;

/** What the network says of a packet of ours. */
export const ERROR = {
  SOURCE: 0,
  ORIGIN: 1,
  TYPE: 2,
  MTU: 3,
  SPI: 4,
  SEQ: 5,
  PORT: 6,
  VERSION: 7,
  ADDRESS: 8,
} as const;
export const ERROR_WORDS = 12;
export const ERRORS_MAX = 16;

/** The memory of one lane; the arenas are the lane's own, the counters may be read by others. */
export interface LaneMemory {
  readonly tx: Uint8Array;
  readonly rx: Uint8Array;
  readonly out: Int32Array;
  readonly in: Int32Array;
  readonly messages: Int32Array;
  readonly errors: Int32Array;
}

export function laneMemory(): LaneMemory {
  return {
    tx: new Uint8Array(TX_SIZE),
    rx: new Uint8Array(RX_SIZE),
    out: new Int32Array(OUT_MAX * WORDS),
    in: new Int32Array(IN_MAX * WORDS),
    messages: new Int32Array(BATCH * MESSAGE_WORDS),
    errors: new Int32Array(ERRORS_MAX * ERROR_WORDS),
  };
}

/**
 * What moves bytes, in batches. In C it is native/lane.c; in TypeScript test/support/lane.ts, on the same memory, which
 * is what C is compared with.
 */
export interface Lane {
  readonly memory: LaneMemory;
  /** Sources that have something, as bits; 0 after `timeout` ms. */
  wait(timeout: number): number;
  /** Packets from the inside: their number, and `DRAINED`. */
  read(max: number, bytes: number): number;
  /** Splits, frames and seals what has an SA, and puts it into the send buffers. */
  seal(count: number): void;
  flush(): void;
  /** Packets from the network: their number, and `DRAINED`. */
  receive(source: number, max: number): number;
  /** What other threads hand over: packets from the network, and from the inside << 16. */
  collect(max: number): number;
  /** Decrypts in place what has an SA. */
  open(count: number): void;
  /** Writes what has an SA and was opened to the inside, joined where that loses nothing. */
  deliver(count: number): void;
  /** One packet of our own to the inside. */
  inject(packet: Uint8Array): void;
  /** What the network says of what we sent, into `memory.errors`. */
  errors(): number;
  /** Where an SA's packets go, and what its TCP connections may announce. Only by the owner of the slot. */
  change(slot: number, path: Uint8Array, flags: number, mss4: number, mss6: number): void;
}
