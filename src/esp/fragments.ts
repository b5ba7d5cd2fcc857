// Ports for fragments that carry none (RFC 4301 §7.3, stateful fragment checking): the first fragment of a datagram is
// remembered for a while, and the later ones are decided like it. Those that come before it, or long after it, stay
// without ports. A table of a fixed size in which each datagram has one of a few places, so that an attacker who sends
// first fragments alone costs others their fragments at most, and nobody any memory or time.

import type { Millis } from '../ike/connection.ts';
import type { Inner } from './packet.ts';

/** Packets from the inside; those that came out of an SA have its slot, so that no peer decides for another. */
export const OUTBOUND = -1;

/** RFC 1122 §3.3.2 and RFC 8200 §4.5 give a datagram 60 s; what a sender sends at once arrives at once. */
const LIFETIME = 30_000;

/** Places where one datagram may be. */
const WAYS = 4;

const SCOPE = 0;
const SOURCE = 1;
const DESTINATION = 5;
const IDENTIFICATION = 9;
/** RFC 791 tells datagrams apart by their protocol too, RFC 8200 does not. */
const KIND = 10;
const PROTOCOL = 11;
/** Source << 16 | destination. */
const PORTS = 12;
const PORTS_KNOWN = 13;
const STRIDE = 16;

export class Fragments {
  readonly #records: Int32Array;
  readonly #expires: Float64Array;
  readonly #mask: number;
  readonly #seed: number;

  /** Room for `capacity` datagrams, a power of two; `seed` is a random number that makes places hard to foresee. */
  constructor(capacity: number, seed: number) {
    this.#records = new Int32Array(capacity * STRIDE);
    this.#expires = new Float64Array(capacity).fill(-1);
    this.#mask = capacity / WAYS - 1;
    this.#seed = seed;
  }

  /** Remembers a first fragment; gives a later one the protocol and ports of its first, where that is known. */
  follow(inner: Inner, scope: number, now: Millis): void {
    if (!inner.fragment) return;
    const kind = inner.version === 4 ? 0x400 | inner.protocol : 0x600;
    const set = (this.#hash(inner, scope, kind) & this.#mask) * WAYS;
    const known = this.#find(set, inner, scope, kind);
    if (!inner.laterFragment) {
      this.#remember(known === -1 ? this.#oldest(set) : known, inner, scope, kind, now);
    } else if (known !== -1 && now < (this.#expires[known] as number)) {
      this.#tell(known * STRIDE, inner);
    }
  }

  /** An SA's slot is to be used by another one. */
  forget(scope: number): void {
    for (let place = 0; place < this.#expires.length; place++) {
      if (this.#records[place * STRIDE + SCOPE] === scope) this.#expires[place] = -1;
    }
  }

  #find(set: number, inner: Inner, scope: number, kind: number): number {
    const records = this.#records;
    for (let place = set; place < set + WAYS; place++) {
      const at = place * STRIDE;
      if (
        records[at + IDENTIFICATION] === inner.identification &&
        records[at + KIND] === kind &&
        records[at + SCOPE] === scope &&
        records[at + SOURCE] === inner.s0 &&
        records[at + SOURCE + 1] === inner.s1 &&
        records[at + SOURCE + 2] === inner.s2 &&
        records[at + SOURCE + 3] === inner.s3 &&
        records[at + DESTINATION] === inner.d0 &&
        records[at + DESTINATION + 1] === inner.d1 &&
        records[at + DESTINATION + 2] === inner.d2 &&
        records[at + DESTINATION + 3] === inner.d3
      ) {
        return place;
      }
    }
    return -1;
  }

  /** The place whose datagram has expired, or will first. */
  #oldest(set: number): number {
    let oldest = set;
    for (let place = set + 1; place < set + WAYS; place++) {
      if ((this.#expires[place] as number) < (this.#expires[oldest] as number)) oldest = place;
    }
    return oldest;
  }

  #remember(place: number, inner: Inner, scope: number, kind: number, now: Millis): void {
    const records = this.#records;
    const at = place * STRIDE;
    records[at + SCOPE] = scope;
    records[at + SOURCE] = inner.s0;
    records[at + SOURCE + 1] = inner.s1;
    records[at + SOURCE + 2] = inner.s2;
    records[at + SOURCE + 3] = inner.s3;
    records[at + DESTINATION] = inner.d0;
    records[at + DESTINATION + 1] = inner.d1;
    records[at + DESTINATION + 2] = inner.d2;
    records[at + DESTINATION + 3] = inner.d3;
    records[at + IDENTIFICATION] = inner.identification;
    records[at + KIND] = kind;
    records[at + PROTOCOL] = inner.protocol;
    records[at + PORTS] = (inner.sourcePort << 16) | inner.destinationPort;
    records[at + PORTS_KNOWN] = inner.portsKnown ? 1 : 0;
    // A first fragment that hides its own ports tells the others nothing.
    this.#expires[place] = inner.unseen ? -1 : now + LIFETIME;
  }

  #tell(at: number, inner: Inner): void {
    const ports = this.#records[at + PORTS] as number;
    inner.protocol = this.#records[at + PROTOCOL] as number;
    inner.portsKnown = this.#records[at + PORTS_KNOWN] === 1;
    inner.sourcePort = ports >>> 16;
    inner.destinationPort = ports & 0xffff;
    inner.unseen = false;
  }

  #hash(inner: Inner, scope: number, kind: number): number {
    let hash = mix(this.#seed, inner.identification);
    hash = mix(hash, kind ^ (scope << 12));
    hash = mix(mix(mix(mix(hash, inner.s0), inner.s1), inner.s2), inner.s3);
    return mix(mix(mix(mix(hash, inner.d0), inner.d1), inner.d2), inner.d3);
  }
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e37_79b1);
  return mixed ^ (mixed >>> 15);
}
