// Traffic selectors as values (RFC 7296 §3.13.1).

export interface Selector {
  /** IP protocol, 0 for any. */
  readonly protocol: number;
  /** For ICMP and ICMPv6 the port is type << 8 | code (RFC 4301 §4.4.1.1). 0–65535 is any, 65535–0 is OPAQUE. */
  readonly startPort: number;
  readonly endPort: number;
  /** 4 bytes for TS_IPV4_ADDR_RANGE (7), 16 for TS_IPV6_ADDR_RANGE (8); both ends have the same length. */
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}
