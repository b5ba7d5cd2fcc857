// Transport mode protects whole datagrams (RFC 4303 §3.3.4), but the kernel gives us what fits the device: fragments are
// put together again here (RFC 791 §3.2, RFC 8200 §4.5). Bounded in number and time; overlaps discard the datagram
// (RFC 5722). Only this host's own datagrams come here: transport mode is between the gateways themselves.

import type { Millis } from '../ike/connection.ts';
import type { Inner } from './packet.ts';

/** Datagrams under way at once, and how long. */
const PLACES = 8;
const LIFETIME: Millis = 5000;
const LARGEST = 65_535;
const UNIT = 8;
const V4_HEADER = 20;
const V6_HEADER = 40;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_HEADER = 8;

interface Datagram {
  readonly bytes: Uint8Array;
  /** Which units of 8 bytes are there. */
  readonly there: Uint8Array;
  readonly key: Int32Array;
  until: Millis;
  fragments: number;
  /** Payload bytes so far, and in all once the last fragment is there. */
  got: number;
  total: number;
  /** The end of the fragment that reaches furthest. */
  end: number;
}

export class Reassembly {
  readonly #datagrams: Datagram[] = [];
  readonly #key = new Int32Array(11);
  /** Fragments that were given up: malformed, overlapping, or with a datagram that did not become whole in time. */
  lost = 0;

  /** The whole packet that this fragment completes, borrowed until the next call; undefined while others are missing. */
  add(inner: Inner, now: Millis): Uint8Array | undefined {
    const header = inner.version === 4 ? V4_HEADER : V6_HEADER;
    const view = new DataView(inner.bytes.buffer, inner.bytes.byteOffset + inner.at, inner.length);
    // Options and further extension headers have no place in transport mode.
    const front = inner.version === 4 ? V4_HEADER : V6_HEADER + FRAGMENT_HEADER;
    const plain = inner.version === 4 ? (view.getUint8(0) & 15) === 5 : view.getUint8(6) === 44;
    const size = inner.length - front;
    if (!plain || size <= 0) return this.#lose(1);
    const word = inner.version === 4 ? view.getUint16(6) : view.getUint16(V6_HEADER + 2);
    const offset = inner.version === 4 ? (word & 0x1fff) * UNIT : word & 0xfff8;
    const more = inner.version === 4 ? (word & MORE_FRAGMENTS) !== 0 : (word & 1) !== 0;
    if (offset + size > LARGEST - header || (more && size % UNIT !== 0)) return this.#lose(1);
    const datagram = this.#place(inner, now);
    if (!this.#fits(datagram, offset + size, more) || !this.#fill(datagram, offset, size)) {
      const fragments = datagram.fragments + 1;
      datagram.until = 0;
      datagram.fragments = 0;
      return this.#lose(fragments);
    }
    datagram.fragments++;
    datagram.bytes.set(inner.bytes.subarray(inner.at + front, inner.at + inner.length), header + offset);
    datagram.got += size;
    if (!more) datagram.total = offset + size;
    if (offset === 0) this.#head(datagram, inner, view, header);
    if (datagram.got !== datagram.total) return undefined;
    datagram.until = 0;
    datagram.fragments = 0;
    return finish(datagram, inner.version, header);
  }

  #lose(fragments: number): undefined {
    this.lost += fragments;
  }

  #place(inner: Inner, now: Millis): Datagram {
    const { version, s0, s1, s2, s3, d0, d1, d2, d3, identification } = inner;
    const protocol = version === 4 ? (inner.bytes[inner.at + 9] as number) : 0;
    this.#key.set([version, protocol, identification, s0, s1, s2, s3, d0, d1, d2, d3]);
    const known = this.#datagrams.find(
      ({ key, until }) => until > now && key.every((word, i) => word === this.#key[i]),
    );
    if (known) return known;
    const datagram = this.#free(now);
    this.#lose(datagram.fragments);
    datagram.fragments = 0;
    datagram.key.set(this.#key);
    datagram.there.fill(0);
    datagram.until = now + LIFETIME;
    datagram.got = 0;
    datagram.total = -1;
    datagram.end = 0;
    return datagram;
  }

  /** One that is done or expired, a new one, or the one that would expire first. */
  #free(now: Millis): Datagram {
    const done = this.#datagrams.find(({ until }) => until <= now);
    if (done) return done;
    if (this.#datagrams.length < PLACES) {
      const bytes = new Uint8Array(LARGEST);
      const there = new Uint8Array(Math.ceil(LARGEST / UNIT));
      const datagram = { bytes, there, key: new Int32Array(11), until: 0, fragments: 0, got: 0, total: -1, end: 0 };
      this.#datagrams.push(datagram);
      return datagram;
    }
    return this.#datagrams.reduce((first, each) => (each.until < first.until ? each : first));
  }

  /** False when something lies behind the last fragment: the sum of all would not tell of a hole. */
  #fits(datagram: Datagram, end: number, more: boolean): boolean {
    datagram.end = Math.max(datagram.end, end);
    if (datagram.total >= 0) return more && end <= datagram.total;
    return more || end === datagram.end;
  }

  /** False when some of it was there already. */
  #fill({ there }: Datagram, offset: number, size: number): boolean {
    const units = there.subarray(offset / UNIT, Math.ceil((offset + size) / UNIT));
    if (units.includes(1)) return false;
    units.fill(1);
    return true;
  }

  #head({ bytes }: Datagram, inner: Inner, view: DataView, header: number): void {
    bytes.set(inner.bytes.subarray(inner.at, inner.at + header));
    if (inner.version === 6) bytes[6] = view.getUint8(V6_HEADER);
  }
}

function finish({ bytes, total }: Datagram, version: 4 | 6, header: number): Uint8Array {
  const view = new DataView(bytes.buffer);
  if (version === 4) {
    view.setUint16(2, header + total);
    view.setUint16(6, 0);
  } else {
    view.setUint16(4, total);
  }
  return bytes.subarray(0, header + total);
}
