// Does a packet lie within an SA's traffic selectors (RFC 4301 §4.4.1.1, RFC 7296 §3.13.1)? The selectors of all SAs are
// records of one pool, chained by slot and side.

import type { Selector } from '../ike/wire/ts.ts';
import { addressWords, within } from './address.ts';
import { type Inner, isExtension } from './packet.ts';
import { Pool } from './pool.ts';

/** Ports as start << 16 | end: 0–65535 is any port, known or not; 65535–0, OPAQUE, a port that cannot be seen. */
const ANY_PORT = 0x0000_ffff;

const NEXT = 0;
const VERSION = 1;
const PROTOCOL = 2;
const PORTS = 3;
/** The first and the last address. */
const RANGE = 4;
const STRIDE = 12;

export class Selectors {
  readonly #pool = new Pool(STRIDE);
  /** The first record of each side, by slot; 0 for none. */
  #local = new Int32Array(64);
  #remote = new Int32Array(64);

  set(slot: number, localTs: readonly Selector[], remoteTs: readonly Selector[]): void {
    this.#reach(slot);
    this.clear(slot);
    this.#local[slot] = this.#chain(localTs);
    this.#remote[slot] = this.#chain(remoteTs);
  }

  clear(slot: number): void {
    if (slot >= this.#local.length) return;
    this.#release(this.#local[slot] as number);
    this.#release(this.#remote[slot] as number);
    this.#local[slot] = 0;
    this.#remote[slot] = 0;
  }

  /** Of a packet that came out of the SA: its source must be the peer's, its destination ours. */
  permits(slot: number, inner: Inner): boolean {
    const { s0, s1, s2, s3, d0, d1, d2, d3 } = inner;
    return (
      this.#takes(this.#remote[slot] ?? 0, inner, inner.sourcePort, s0, s1, s2, s3) &&
      this.#takes(this.#local[slot] ?? 0, inner, inner.destinationPort, d0, d1, d2, d3)
    );
  }

  /** Of a packet that is not permitted: it would be, if only its ports were such; but they are in another fragment. */
  undecided(slot: number, inner: Inner): boolean {
    if (!inner.unseen) return false;
    const { s0, s1, s2, s3, d0, d1, d2, d3 } = inner;
    return (
      this.#mayTake(this.#remote[slot] ?? 0, inner, s0, s1, s2, s3) &&
      this.#mayTake(this.#local[slot] ?? 0, inner, d0, d1, d2, d3)
    );
  }

  #takes(first: number, inner: Inner, port: number, a0: number, a1: number, a2: number, a3: number): boolean {
    const { words } = this.#pool;
    for (let record = first; record !== 0; record = words[record + NEXT] as number) {
      if (
        words[record + VERSION] === inner.version &&
        takesProtocol(words[record + PROTOCOL] as number, inner) &&
        within(words, record + RANGE, a0, a1, a2, a3) &&
        takesPort(words[record + PORTS] as number, inner, port)
      ) {
        return true;
      }
    }
    return false;
  }

  #mayTake(first: number, inner: Inner, a0: number, a1: number, a2: number, a3: number): boolean {
    const { words } = this.#pool;
    for (let record = first; record !== 0; record = words[record + NEXT] as number) {
      if (
        words[record + VERSION] === inner.version &&
        mayTakeProtocol(words[record + PROTOCOL] as number, inner) &&
        within(words, record + RANGE, a0, a1, a2, a3)
      ) {
        return true;
      }
    }
    return false;
  }

  #chain(selectors: readonly Selector[]): number {
    let first = 0;
    for (const selector of selectors.toReversed()) {
      const record = this.#pool.take();
      const { words } = this.#pool;
      words[record + NEXT] = first;
      words[record + VERSION] = selector.start.length === 4 ? 4 : 6;
      words[record + PROTOCOL] = selector.protocol;
      words[record + PORTS] = packPorts(selector);
      words.set(addressWords(selector.start), record + RANGE);
      words.set(addressWords(selector.end), record + RANGE + 4);
      first = record;
    }
    return first;
  }

  #release(first: number): void {
    for (let record = first; record !== 0; ) {
      const next = this.#pool.words[record + NEXT] as number;
      this.#pool.give(record);
      record = next;
    }
  }

  #reach(slot: number): void {
    if (slot < this.#local.length) return;
    const slots = 2 ** Math.ceil(Math.log2(slot + 1));
    const local = new Int32Array(slots);
    const remote = new Int32Array(slots);
    local.set(this.#local);
    remote.set(this.#remote);
    this.#local = local;
    this.#remote = remote;
  }
}

export function packPorts({ startPort, endPort }: Selector): number {
  return (startPort << 16) | endPort;
}

export function takesProtocol(protocol: number, inner: Inner): boolean {
  return protocol === 0 || protocol === inner.protocol;
}

export function takesPort(ports: number, inner: Inner, port: number): boolean {
  if (ports === ANY_PORT) return true;
  if (isOpaque(ports)) return !inner.portsKnown || inner.laterFragment;
  return inner.portsKnown && port >= ports >>> 16 && port <= (ports & 0xffff);
}

export function isOpaque(ports: number): boolean {
  return ports >>> 16 > (ports & 0xffff);
}

/** Of a packet with something unseen: the protocol behind an extension header may be any. */
export function mayTakeProtocol(protocol: number, inner: Inner): boolean {
  return takesProtocol(protocol, inner) || (inner.version === 6 && isExtension(inner.protocol));
}
