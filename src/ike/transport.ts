// Traffic selectors in transport mode: there the two ends of the traffic are the two ends of the IKE SA, so each side's
// selectors name one address, and a NAT makes the sides see different ones (RFC 7296 §1.3.1, §2.23.1).

import { compare } from '../bytes/bytes.ts';
import { type Ip, parseIp } from '../bytes/ip.ts';
import { narrow } from './ts.ts';
import type { Selector } from './wire/ts.ts';

/** What of the selectors is about this one address. */
export function atHost(selectors: readonly Selector[], ip: Ip): Selector[] {
  return narrow(selectors, [hostSelector(ip)]);
}

/**
 * The selectors with this address in the place of theirs; undefined where they do not all name the same single address,
 * as they must (RFC 7296 §2.23.1).
 */
export function moveTo(selectors: readonly Selector[], ip: Ip): Selector[] | undefined {
  const [first] = selectors;
  const { start, end } = hostSelector(ip);
  const single = first?.start.length === start.length && selectors.every((one) => isAt(one, first.start));
  return single ? selectors.map((selector) => ({ ...selector, start, end })) : undefined;
}

function isAt({ start, end }: Selector, address: Uint8Array): boolean {
  return compare(start, address) === 0 && compare(end, address) === 0;
}

function hostSelector(ip: Ip): Selector {
  const address = parseIp(ip);
  if (!address) throw new Error(`not an address: ${ip}`);
  return { protocol: 0, startPort: 0, endPort: 0xffff, start: address, end: address };
}
