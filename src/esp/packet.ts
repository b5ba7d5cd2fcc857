// Reads the inner IP packet as far as selectors need it (RFC 791, RFC 8200; RFC 4301 §4.4.1.1, §7). One object is filled
// again and again, and the packet's bytes are borrowed until the next `parse`.

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

const V6_HEADER = 40;
/** A chain of more extension headers than this has no honest use. */
const MAX_EXTENSIONS = 8;

export class Inner {
  bytes: Uint8Array = new Uint8Array(0);
  version: 4 | 6 = 4;
  /** The packet's own length; `bytes` may go on with padding. */
  length = 0;
  /** The upper-layer protocol. */
  protocol = 0;
  /** False in later fragments, and where the protocol has no ports. */
  portsKnown = false;
  /** Of ICMP and ICMPv6 both are type << 8 | code, as selectors write it; of Mobile IPv6 type << 8. */
  sourcePort = 0;
  destinationPort = 0;
  /** Any fragment but the first. */
  laterFragment = false;

  get addressSize(): 4 | 16 {
    return this.version === 4 ? 4 : 16;
  }

  get sourceAt(): number {
    return this.version === 4 ? 12 : 8;
  }

  get destinationAt(): number {
    return this.version === 4 ? 16 : 24;
  }

  /** RFC 2474 and RFC 3168: DSCP and ECN. */
  get trafficClass(): number {
    return this.version === 4 ? this.#u8(1) : ((this.#u8(0) & 0x0f) << 4) | (this.#u8(1) >> 4);
  }

  /** The packet without what follows it. */
  get packet(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** False when this is no well-formed IP packet. */
  parse(bytes: Uint8Array): boolean {
    this.bytes = bytes;
    this.portsKnown = false;
    this.sourcePort = 0;
    this.destinationPort = 0;
    this.laterFragment = false;
    if (bytes.length === 0) return false;
    const version = this.#u8(0) >> 4;
    if (version === 4) return this.#parse4();
    return version === 6 && this.#parse6();
  }

  #parse4(): boolean {
    this.version = 4;
    if (this.bytes.length < 20) return false;
    const header = (this.#u8(0) & 0x0f) * 4;
    this.length = this.#u16(2);
    if (header < 20 || this.length < header || this.length > this.bytes.length) return false;
    this.protocol = this.#u8(9);
    this.laterFragment = (this.#u16(6) & 0x1fff) !== 0;
    if (!this.laterFragment) this.#ports(header);
    return true;
  }

  #parse6(): boolean {
    this.version = 6;
    if (this.bytes.length < V6_HEADER) return false;
    this.length = V6_HEADER + this.#u16(4);
    if (this.length > this.bytes.length) return false;
    let next = this.#u8(6);
    let at = V6_HEADER;
    for (let count = 0; count <= MAX_EXTENSIONS; count++) {
      if (!isExtension(next)) {
        this.protocol = next;
        this.#ports(at);
        return true;
      }
      // RFC 8200 §4.1: hop-by-hop options come first or not at all.
      if ((next === HOP_BY_HOP && count > 0) || at + 8 > this.length) return false;
      const size = this.#extensionSize(next, at);
      if (next === FRAGMENT && this.#u16(at + 2) >>> 3 !== 0) {
        this.protocol = this.#u8(at);
        this.laterFragment = true;
        return true;
      }
      next = this.#u8(at);
      at += size;
      if (at > this.length) return false;
    }
    return false;
  }

  #extensionSize(kind: number, at: number): number {
    if (kind === FRAGMENT) return 8;
    // RFC 4302 §2.2 counts in words of 4 bytes, RFC 8200 in words of 8.
    return kind === AUTHENTICATION ? (this.#u8(at + 1) + 2) * 4 : (this.#u8(at + 1) + 1) * 8;
  }

  #ports(at: number): void {
    switch (this.protocol) {
      case TCP:
      case UDP:
      case UDP_LITE:
      case SCTP:
      case DCCP:
        if (at + 4 > this.length) return;
        this.sourcePort = this.#u16(at);
        this.destinationPort = this.#u16(at + 2);
        break;
      case ICMP:
      case ICMPV6:
        if (at + 2 > this.length) return;
        this.sourcePort = this.#u16(at);
        this.destinationPort = this.sourcePort;
        break;
      case MOBILITY:
        if (at + 3 > this.length) return;
        this.sourcePort = this.#u8(at + 2) << 8;
        this.destinationPort = this.sourcePort;
        break;
      default:
        return;
    }
    this.portsKnown = true;
  }

  #u8(at: number): number {
    return this.bytes[at] as number;
  }

  #u16(at: number): number {
    return (this.#u8(at) << 8) | this.#u8(at + 1);
  }
}

function isExtension(next: number): boolean {
  return (
    next === HOP_BY_HOP ||
    next === ROUTING ||
    next === FRAGMENT ||
    next === AUTHENTICATION ||
    next === DESTINATION_OPTIONS
  );
}
