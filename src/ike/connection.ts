// What a connection is configured to be. `config/` makes these values; `ike/` negotiates by them. Durations in
// milliseconds. `where` says on which line of which file an option stands, so that a refusal can name it.

import type { Prefix } from '../bytes/ip.ts';
import type { Identity, Transform } from './wire/payload.ts';
import type { Selector } from './wire/ts.ts';

export type Millis = number;

/** A place in a configuration file. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** What the file calls the option that stands there, where it is not swanctl.conf's word. */
  readonly option?: string;
}

/** One configured proposal: alternatives by transform type, most wanted first. */
export interface Offer {
  /** As written: `aes256gcm16-prfsha384-ecp256`. */
  readonly text: string;
  readonly transforms: readonly Transform[];
}

export type AddressPattern =
  | { readonly kind: 'any' }
  | { readonly kind: 'prefix'; readonly prefix: Prefix }
  | { readonly kind: 'range'; readonly start: Uint8Array; readonly end: Uint8Array }
  /** Stands for no address until somebody has looked it up: whoever negotiates has addresses in its place. */
  | { readonly kind: 'name'; readonly name: string };

/** What a peer's identity must be: `any`, or exactly this one. */
export type IdentityPattern = { readonly kind: 'any' } | { readonly kind: 'is'; readonly id: Identity };

export interface Retransmit {
  readonly base: Millis;
  /** Factor from one wait to the next. */
  readonly factor: number;
  /** Transmissions in all, the first one included. */
  readonly transmissions: number;
  /** No wait is longer. */
  readonly limit: Millis;
  /** A share of each wait, 0 to 1, by which it may be shortened at random. */
  readonly jitter: number;
}

/** PRODUCT: 1, 2, 4, 8 s, given up 16 s after the last. */
export const RETRANSMIT: Retransmit = { base: 1000, factor: 2, transmissions: 5, limit: 60_000, jitter: 0 };

/** Huawei's gateways: 1, 2, 4 … 64 s, eight transmissions. */
export const RETRANSMIT_HUAWEI: Retransmit = { base: 1000, factor: 2, transmissions: 8, limit: 64_000, jitter: 0 };

/** Zero means no limit. */
export interface Lifetime {
  readonly rekeyTime: Millis;
  readonly lifeTime: Millis;
  /** The rekey time is shortened by a random part of this. */
  readonly randTime: Millis;
  readonly rekeyBytes: number;
  readonly lifeBytes: number;
  readonly randBytes: number;
  readonly rekeyPackets: number;
  readonly lifePackets: number;
  readonly randPackets: number;
}

export type Mode = 'tunnel' | 'transport';

export type Protocol = 'esp' | 'ah';

/** Which way the DSCP is copied: to the outer header, from it, both or neither. */
export type CopyDscp = 'out' | 'in' | 'yes' | 'no';

/** The largest TCP segment let through: what fits the path, this many bytes, or whatever the hosts say. */
export type Mss = number | 'auto' | 'no';

export interface Child {
  readonly name: string;
  readonly offers: readonly Offer[];
  /** Empty or with a `dynamic` entry: the IKE address of that side. */
  readonly localTs: readonly SelectorSource[];
  readonly remoteTs: readonly SelectorSource[];
  /** What is asked for, and given to who asks. */
  readonly mode: Mode;
  /** Tunnel mode will do where the peer does not take transport mode. */
  readonly tunnelFallback: boolean;
  readonly protocol: Protocol;
  /** HMAC-SHA2-256 is cut to 96 bits, as before RFC 4868: the peer does so too, and neither says it. */
  readonly shortSha256: boolean;
  readonly lifetime: Lifetime;
  readonly startAction: 'none' | 'start' | 'trap';
  readonly dpdAction: 'clear' | 'trap' | 'restart';
  readonly closeAction: 'none' | 'start' | 'trap';
  /** Packets of the replay window; 0 switches the check off. */
  readonly replayWindow: number;
  /** Tunnel mode: whether the outer header has the inner one's DF and, by RFC 6040, its ECN. */
  readonly copyDf: boolean;
  readonly copyEcn: boolean;
  readonly copyDscp: CopyDscp;
  readonly mss: Mss;
  /** Routes to its networks, and what blocks them without a tunnel; else whoever routes sees to both. */
  readonly installRoutes: boolean;
  /** The program to run when an SA of it comes and goes, and its arguments; empty for none. */
  readonly updown: readonly string[];
  /** For that program: packets to and from this host are to be let through, too. */
  readonly hostAccess: boolean;
  readonly where: ReadonlyMap<string, Place>;
}

/** A selector, or one whose address is that of the IKE endpoint (`dynamic[proto/port]`). */
export type SelectorSource =
  | { readonly kind: 'fixed'; readonly selector: Selector }
  | { readonly kind: 'dynamic'; readonly protocol: number; readonly startPort: number; readonly endPort: number };

export interface Connection {
  readonly name: string;
  /** 0 accepts both and initiates 2. */
  readonly version: 0 | 1 | 2;
  /** In IKEv1: begins in aggressive mode, and takes a peer that does. */
  readonly aggressive: boolean;
  /** In IKEv1: an SA that was replaced is deleted, and not left to the end of its life. */
  readonly deleteRekeyed: boolean;
  /** In IKEv1: an idle peer is left alone, and looked for only where we send and hear nothing. */
  readonly dpdOnDemand: boolean;
  readonly localAddrs: readonly AddressPattern[];
  readonly remoteAddrs: readonly AddressPattern[];
  readonly remotePort: number;
  readonly offers: readonly Offer[];
  readonly localId: Identity | undefined;
  readonly remoteId: IdentityPattern;
  readonly encap: 'auto' | 'yes';
  readonly fragmentation: 'yes' | 'accept' | 'force' | 'no';
  /** Whole datagram sizes, IP header included, for fragments over IPv4 and IPv6. */
  readonly fragmentSize: number;
  readonly childless: 'allow' | 'prefer' | 'force' | 'never';
  readonly unique: 'no' | 'never' | 'keep' | 'replace';
  /** 0 switches liveness checks off. */
  readonly dpdDelay: Millis;
  /** An upper bound of the liveness check's retransmission; 0 leaves it to `retransmit`. Honoured in IKEv2 too. */
  readonly dpdTimeout: Millis;
  readonly rekeyTime: Millis;
  readonly reauthTime: Millis;
  readonly overTime: Millis;
  readonly randTime: Millis;
  /** Attempts before the failed state; 0 for ever without one. */
  readonly keyingTries: number;
  /** Wait from the failed state to the next attempt; 0 never tries again by itself. */
  readonly retryInterval: Millis;
  readonly retransmit: Retransmit;
  readonly natKeepalive: Millis;
  readonly children: readonly Child[];
  readonly where: ReadonlyMap<string, Place>;
}

/** A pre-shared key and whom it is for; no owner means anybody. */
export interface SharedKey {
  /** What it is called where it is configured, if anything: `ike-office`. */
  readonly id?: string;
  readonly owners: readonly Identity[];
  /** Owners written as addresses or %any are matched against the peer's address too. */
  readonly secret: Secret;
  readonly place?: Place;
}

/** Bytes that never print: not in a log line, not in JSON, not in an error message. */
export class Secret {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** For the one who computes with it. */
  reveal(): Uint8Array {
    return this.#bytes;
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '***';
  }
}
