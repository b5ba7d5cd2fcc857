// What selectors and policies mean, written over their bytes and lists as RFC 4301 §4.4.1.1 puts it: slow, and with
// nothing in common with the tables of the data plane.

import { compare } from '../../src/bytes/bytes.ts';
import { rangePrefix } from '../../src/bytes/ip.ts';
import type { Inner } from '../../src/esp/packet.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';

/** One of `sources` and one of `destinations` must take the packet. */
export function permitted(sources: readonly Selector[], destinations: readonly Selector[], inner: Inner): boolean {
  return (
    sources.some((each) => takesSource(each, inner) && takesUpper(each, inner, inner.sourcePort)) &&
    destinations.some((each) => takesDestination(each, inner) && takesUpper(each, inner, inner.destinationPort))
  );
}

function takesSource(selector: Selector, { version, packet }: Inner): boolean {
  return takesAddress(selector, version === 4 ? packet.subarray(12, 16) : packet.subarray(8, 24));
}

function takesDestination(selector: Selector, { version, packet }: Inner): boolean {
  return takesAddress(selector, version === 4 ? packet.subarray(16, 20) : packet.subarray(24, 40));
}

function takesAddress({ start, end }: Selector, address: Uint8Array): boolean {
  return start.length === address.length && compare(start, address) <= 0 && compare(address, end) <= 0;
}

function takesUpper({ protocol, startPort, endPort }: Selector, inner: Inner, port: number): boolean {
  if (protocol !== 0 && protocol !== inner.protocol) return false;
  if (startPort === 0 && endPort === 0xffff) return true;
  // OPAQUE (RFC 7296 §3.13.1)
  if (startPort === 0xffff && endPort === 0) return !inner.portsKnown || inner.laterFragment;
  return inner.portsKnown && startPort <= port && port <= endPort;
}

export interface Policy {
  readonly target: number;
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
  readonly rank: number;
}

interface Pair {
  readonly target: number;
  readonly source: Selector;
  readonly destination: Selector;
  readonly order: readonly number[];
}

/** The first of all pairs of selectors, best first, that takes the packet; -1 for none, -2 where a fragment hides it. */
export function lookup(policies: readonly Policy[], inner: Inner): number {
  let hidden = false;
  for (const { target, source, destination } of ranked(policies)) {
    if (!takesSource(source, inner) || !takesDestination(destination, inner)) continue;
    if (permitted([source], [destination], inner)) return hidden && !opaque(source, destination) ? -2 : target;
    const named = source.protocol || destination.protocol;
    if (inner.unseen && (named === 0 || named === inner.protocol)) hidden = true;
  }
  return hidden ? -2 : -1;
}

function opaque(...selectors: readonly Selector[]): boolean {
  return selectors.some(({ startPort, endPort }) => startPort > endPort);
}

/** `policies` are in the order in which they were added. */
function ranked(policies: readonly Policy[]): readonly Pair[] {
  const pairs = policies.flatMap(({ target, local, remote, rank }, age) =>
    local.flatMap((source) =>
      remote
        .filter((each) => each.start.length === source.start.length)
        .filter(({ protocol }) => protocol === 0 || source.protocol === 0 || protocol === source.protocol)
        .map((destination) => ({
          target,
          source,
          destination,
          order: [
            -shared(destination),
            -shared(source),
            Math.max(source.protocol, destination.protocol) === 0 ? 1 : 0,
            width(source) + width(destination),
            isPrefix(source) && isPrefix(destination) ? 1 : 0,
            -rank,
            -age,
          ],
        })),
    ),
  );
  return pairs.sort((a, b) => a.order.reduce((found, each, i) => found || each - (b.order[i] as number), 0));
}

function shared({ start, end }: Selector): number {
  const bits = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const [first, last] = [bits(start), bits(end)];
  for (let i = 0; i < first.length; i++) if (first[i] !== last[i]) return i;
  return first.length;
}

function width({ startPort, endPort }: Selector): number {
  return Math.abs(endPort - startPort);
}

function isPrefix({ start, end }: Selector): boolean {
  return rangePrefix(start, end) !== undefined;
}
