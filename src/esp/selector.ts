// Does a packet lie within traffic selectors (RFC 4301 §4.4.1.1, RFC 7296 §3.13.1)?

import type { Selector } from '../ike/wire/ts.ts';
import type { Inner } from './packet.ts';

const ANY_PROTOCOL = 0;
const LAST_PORT = 0xffff;

/** One of `sources` and one of `destinations` must take the packet. */
export function permits(sources: readonly Selector[], destinations: readonly Selector[], inner: Inner): boolean {
  return (
    sources.some((selector) => takesSource(selector, inner)) &&
    destinations.some((selector) => takesDestination(selector, inner))
  );
}

export function takesSource(selector: Selector, inner: Inner): boolean {
  return takesUpper(selector, inner, inner.sourcePort) && takesAddress(selector, inner, inner.sourceAt);
}

export function takesDestination(selector: Selector, inner: Inner): boolean {
  return takesUpper(selector, inner, inner.destinationPort) && takesAddress(selector, inner, inner.destinationAt);
}

/** Protocol and port alone. 0–65535 is any port, known or not; 65535–0, OPAQUE, is a port that cannot be seen. */
export function takesUpper({ protocol, startPort, endPort }: Selector, inner: Inner, port: number): boolean {
  if (protocol !== ANY_PROTOCOL && protocol !== inner.protocol) return false;
  if (startPort === 0 && endPort === LAST_PORT) return true;
  if (startPort > endPort) return !inner.portsKnown;
  return inner.portsKnown && port >= startPort && port <= endPort;
}

function takesAddress({ start, end }: Selector, { bytes, addressSize }: Inner, at: number): boolean {
  return start.length === addressSize && order(bytes, at, start) >= 0 && order(bytes, at, end) <= 0;
}

function order(bytes: Uint8Array, at: number, bound: Uint8Array): number {
  for (let i = 0; i < bound.length; i++) {
    const difference = (bytes[at + i] as number) - (bound[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
