// What protection adds to a packet, and so how large a packet may be that a path still takes (RFC 4303 §2, §3.3;
// RFC 4302 §2, §3.3.3.2; RFC 3948 §2). The sizes are those of the inner packet and of the outer one, headers included.

export interface Shape {
  readonly protocol: 'esp' | 'ah';
  readonly mode: 'tunnel' | 'transport';
  /** ESP in UDP. */
  readonly udp: boolean;
  /** Of the outer addresses. */
  readonly version: 4 | 6;
  readonly ivSize: number;
  readonly icvSize: number;
  /** Payload, padding and trailer of ESP together are a multiple of this. */
  readonly align: number;
}

/** RFC 8200 §5: what every link of IPv6 takes, a tunnel among them. */
export const IPV6_LEAST = 1280;

const UDP_HEADER = 8;
const ESP_HEADER = 8;
/** Pad length and next header. */
const ESP_TRAILER = 2;
const AH_HEADER = 12;
const TCP_HEADER = 20;

export function ipHeader(family: 4 | 6): 20 | 40 {
  return family === 4 ? 20 : 40;
}

/**
 * The outer packet that an inner one becomes. In transport mode the first `header` bytes of the packet stay in front of
 * the protection: its IP header, with options or with extension headers for the way.
 */
export function sealedSize(inner: number, shape: Shape, header: number = ipHeader(shape.version)): number {
  const kept = shape.mode === 'tunnel' ? 0 : header;
  const text = inner - kept;
  const padded = shape.protocol === 'esp' ? roundUp(text + ESP_TRAILER, shape.align) : text;
  return overhead(shape, header) + padded;
}

/** The largest inner packet that fits into an outer one of `path` bytes; smaller than any packet when none does. */
export function innerMtu(path: number, shape: Shape, header: number = ipHeader(shape.version)): number {
  const room = path - overhead(shape, header);
  const kept = shape.mode === 'tunnel' ? 0 : header;
  return kept + (shape.protocol === 'esp' ? room - (room % shape.align) - ESP_TRAILER : room);
}

/** The TCP maximum segment size for packets of this size without options (RFC 6691 §2). */
export function tcpMss(mtu: number, family: 4 | 6): number {
  return mtu - ipHeader(family) - TCP_HEADER;
}

/** Everything but the payload, its padding and trailer. */
function overhead({ protocol, mode, udp, version, ivSize, icvSize }: Shape, header: number): number {
  const front = (mode === 'tunnel' ? ipHeader(version) : header) + (udp ? UDP_HEADER : 0);
  if (protocol === 'esp') return front + ESP_HEADER + ivSize + icvSize;
  // RFC 4302 §2.6: a whole number of words of 32 bits, in IPv6 of 64.
  return front + roundUp(AH_HEADER + icvSize, version === 4 ? 4 : 8);
}

function roundUp(size: number, unit: number): number {
  return Math.ceil(size / unit) * unit;
}
