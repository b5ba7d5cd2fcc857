// Reads the inner IP packet as far as decisions need it (RFC 791, RFC 8200; RFC 4301 §4.4.1.1, §7). One object is filled
// again and again: all of it is numbers, so nothing is allocated, and the bytes are borrowed until the next `parse`. They
// are read through a `DataView`, a word at a time: put together from single bytes it takes more than twice as long.

const TCP = 6;
const UDP = 17;
const DCCP = 33;
const SCTP = 132;
const UDP_LITE = 136;
const ICMP = 1;
const ICMPV6 = 58;
const MOBILITY = 135;

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;

const V4_HEADER = 20;
const V6_HEADER = 40;
/** A chain of more extension headers than this has no honest use. */
const MAX_EXTENSIONS = 8;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const OFFSET = 0x1fff;

export class Inner {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the packet starts in `bytes`. */
  at = 0;
  version: 4 | 6 = 4;
  /** The packet's own length; padding may follow it. */
  length = 0;
  /** Where the upper layer, or what this fragment has of it, starts: counted from `at`. */
  header = 0;
  /** The upper-layer protocol; in a later IPv6 fragment it may be an extension header's. */
  protocol = 0;
  /** False in later fragments, and where the protocol has no ports. */
  portsKnown = false;
  /** Of ICMP and ICMPv6 both are type << 8 | code, as selectors write it; of Mobile IPv6 type << 8. */
  sourcePort = 0;
  destinationPort = 0;
  /** Of a datagram that came in several. */
  fragment = false;
  /** Any fragment but the first. */
  laterFragment = false;
  /** A fragment whose protocol or ports are in another one, until `Fragments` has told them. */
  unseen = false;
  /** Of a fragment: what all fragments of one datagram share. */
  identification = 0;
  /** The DF bit; always so in IPv6. */
  dontFragment = false;
  /** RFC 2474 and RFC 3168: DSCP and ECN. */
  trafficClass = 0;
  /** The addresses as big-endian words, an IPv4 address in the first. */
  s0 = 0;
  s1 = 0;
  s2 = 0;
  s3 = 0;
  d0 = 0;
  d1 = 0;
  d2 = 0;
  d3 = 0;
  #view = new DataView(this.bytes.buffer);
  /** What was read before, and its view: batches from the inside and from the outside take turns. */
  #otherBytes = this.bytes;
  #otherView = this.#view;

  /** The packet without what is around it: a new view, not for every packet. */
  get packet(): Uint8Array {
    return this.bytes.subarray(this.at, this.at + this.length);
  }

  /** False when the `available` bytes at `at` do not start with a well-formed IP packet. */
  parse(bytes: Uint8Array, at = 0, available = bytes.length - at): boolean {
    if (bytes !== this.bytes) this.#turnTo(bytes);
    this.at = at;
    this.portsKnown = false;
    this.sourcePort = 0;
    this.destinationPort = 0;
    this.fragment = false;
    this.laterFragment = false;
    this.unseen = false;
    this.identification = 0;
    if (available < V4_HEADER) return false;
    const view = this.#view;
    const version = view.getUint8(at) >> 4;
    if (version === 4) return parse4(this, view, at, available);
    return version === 6 && available >= V6_HEADER && parse6(this, view, at, available);
  }

  #turnTo(bytes: Uint8Array): void {
    const view =
      bytes === this.#otherBytes ? this.#otherView : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#otherBytes = this.bytes;
    this.#otherView = this.#view;
    this.bytes = bytes;
    this.#view = view;
  }
}

function parse4(inner: Inner, view: DataView, at: number, available: number): boolean {
  const header = (view.getUint8(at) & 0x0f) * 4;
  const length = view.getUint16(at + 2);
  const flags = view.getUint16(at + 6);
  inner.version = 4;
  inner.length = length;
  inner.header = header;
  inner.protocol = view.getUint8(at + 9);
  inner.trafficClass = view.getUint8(at + 1);
  inner.dontFragment = (flags & DONT_FRAGMENT) !== 0;
  inner.s0 = view.getInt32(at + 12);
  inner.d0 = view.getInt32(at + 16);
  inner.s1 = inner.s2 = inner.s3 = 0;
  inner.d1 = inner.d2 = inner.d3 = 0;
  if (header < V4_HEADER || length < header || length > available) return false;
  if ((flags & (MORE_FRAGMENTS | OFFSET)) !== 0) {
    inner.fragment = true;
    inner.laterFragment = (flags & OFFSET) !== 0;
    inner.identification = view.getUint16(at + 4);
  }
  upper(inner, view);
  return true;
}

function parse6(inner: Inner, view: DataView, at: number, available: number): boolean {
  inner.version = 6;
  inner.length = V6_HEADER + view.getUint16(at + 4);
  inner.trafficClass = ((view.getUint8(at) & 0x0f) << 4) | (view.getUint8(at + 1) >> 4);
  inner.dontFragment = true;
  inner.s0 = view.getInt32(at + 8);
  inner.s1 = view.getInt32(at + 12);
  inner.s2 = view.getInt32(at + 16);
  inner.s3 = view.getInt32(at + 20);
  inner.d0 = view.getInt32(at + 24);
  inner.d1 = view.getInt32(at + 28);
  inner.d2 = view.getInt32(at + 32);
  inner.d3 = view.getInt32(at + 36);
  if (inner.length > available || !extensions(inner, view, at)) return false;
  upper(inner, view);
  return true;
}

/** Walks to the upper layer, or to where a later fragment goes on. */
function extensions(inner: Inner, view: DataView, start: number): boolean {
  let next = view.getUint8(start + 6);
  let header = V6_HEADER;
  for (let count = 0; isExtension(next); count++) {
    const at = start + header;
    // RFC 8200 §4.1: hop-by-hop options come first or not at all.
    if (count === MAX_EXTENSIONS || (next === HOP_BY_HOP && count > 0) || header + 8 > inner.length) return false;
    header += extensionSize(next, view, at);
    if (header > inner.length) return false;
    const fragment = next === FRAGMENT ? view.getUint16(at + 2) : 0;
    next = view.getUint8(at);
    // RFC 6946: neither offset nor more to come is a whole packet.
    if ((fragment & 0xfff9) === 0) continue;
    inner.fragment = true;
    inner.laterFragment = fragment >>> 3 !== 0;
    inner.identification = view.getInt32(at + 4);
    if (inner.laterFragment) break;
  }
  inner.protocol = next;
  inner.header = header;
  return true;
}

function extensionSize(kind: number, view: DataView, at: number): number {
  if (kind === FRAGMENT) return 8;
  // RFC 4302 §2.2 counts in words of 4 bytes, RFC 8200 in words of 8.
  return kind === AUTHENTICATION ? (view.getUint8(at + 1) + 2) * 4 : (view.getUint8(at + 1) + 1) * 8;
}

function upper(inner: Inner, view: DataView): void {
  const needed = portBytes(inner.protocol);
  if (inner.laterFragment) {
    inner.unseen = needed > 0 || (inner.version === 6 && isExtension(inner.protocol));
    return;
  }
  if (needed === 0) return;
  if (inner.header + needed > inner.length) {
    inner.unseen = inner.fragment;
    return;
  }
  const at = inner.at + inner.header;
  inner.portsKnown = true;
  if (needed === 4) {
    inner.sourcePort = view.getUint16(at);
    inner.destinationPort = view.getUint16(at + 2);
  } else {
    inner.sourcePort = needed === 2 ? view.getUint16(at) : view.getUint8(at + 2) << 8;
    inner.destinationPort = inner.sourcePort;
  }
}

/** How much of the upper layer shows what selectors call ports; 0 where the protocol has none. */
function portBytes(protocol: number): number {
  switch (protocol) {
    case TCP:
    case UDP:
    case UDP_LITE:
    case SCTP:
    case DCCP:
      return 4;
    case ICMP:
    case ICMPV6:
      return 2;
    case MOBILITY:
      return 3;
    default:
      return 0;
  }
}

export function isExtension(next: number): boolean {
  return (
    next === HOP_BY_HOP ||
    next === ROUTING ||
    next === FRAGMENT ||
    next === AUTHENTICATION ||
    next === DESTINATION_OPTIONS
  );
}
