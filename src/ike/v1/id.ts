// ID payloads: in phase 1 a name, in quick mode a selector (RFC 2407 §4.6.2).

import { compare, concat, same } from '../../bytes/bytes.ts';
import { type Ip, parseIp, prefixRange, rangePrefix } from '../../bytes/ip.ts';
import { sameSelector, within } from '../ts.ts';
import type { Identity } from '../wire/payload.ts';
import type { Selector } from '../wire/ts.ts';
import { ID } from './wire/constants.ts';
import type { Id } from './wire/payload.ts';

const UDP = 17;
const LAST_PORT = 0xffff;

/** Types that are names; the numbers are those of IKEv2. */
const NAMES: ReadonlySet<number> = new Set([
  ID.IPV4_ADDR,
  ID.FQDN,
  ID.USER_FQDN,
  ID.IPV6_ADDR,
  ID.DER_ASN1_DN,
  ID.DER_ASN1_GN,
  ID.KEY_ID,
]);

/** Zero for both is what every device takes; some want 17 and 500, and take nothing else from nobody. */
export function idOf({ type, data }: Identity): Id {
  return { type, protocol: 0, port: 0, data };
}

/**
 * Undefined where it is no name, or protocol and port say something else than RFC 2407 §4.6.2 and RFC 3947 §4 allow:
 * 0/0, 17/500, 17/4500, and 17/0, which devices send behind a NAT.
 */
export function identityOf({ type, protocol, port, data }: Id): Identity | undefined {
  const plain = protocol === 0 && port === 0;
  const ike = protocol === UDP && (port === 0 || port === 500 || port === 4500);
  return NAMES.has(type) && (plain || ike) ? { type, data: data.slice() } : undefined;
}

export function idOfSelector({ protocol, startPort, endPort, start, end }: Selector): Id {
  // One port or all of them: there is no way to write a range.
  const port = startPort === endPort ? startPort : 0;
  const common = { protocol, port };
  const v4 = start.length === 4;
  if (same(start, end)) return { ...common, type: v4 ? ID.IPV4_ADDR : ID.IPV6_ADDR, data: start };
  const prefix = rangePrefix(start, end);
  if (!prefix) return { ...common, type: v4 ? ID.IPV4_ADDR_RANGE : ID.IPV6_ADDR_RANGE, data: concat(start, end) };
  const data = concat(prefix.address, maskOf(prefix.length, start.length));
  return { ...common, type: v4 ? ID.IPV4_ADDR_SUBNET : ID.IPV6_ADDR_SUBNET, data };
}

/** Undefined where it is none: a name, a mask with holes, a range that ends before it begins (CVE-2023-38711). */
export function selectorOf({ type, protocol, port, data }: Id): Selector | undefined {
  const ports = port === 0 ? { startPort: 0, endPort: LAST_PORT } : { startPort: port, endPort: port };
  const range = rangeOf(type, data);
  return range && { protocol, ...ports, ...range };
}

/**
 * What is agreed on where the peer answers one of our selectors; undefined where it goes beyond it. A range of ports cannot
 * be said: who gets all of them back keeps to the range that it wanted.
 */
export function answered(asked: Selector, answer: Selector): Selector | undefined {
  const said = selectorOf(idOfSelector(asked));
  if (said && sameSelector(said, answer)) return asked;
  return within([answer], [asked]) ? answer : undefined;
}

function rangeOf(type: number, data: Uint8Array): Pick<Selector, 'start' | 'end'> | undefined {
  const half = data.length / 2;
  const [first, second] = [data.slice(0, half), data.slice(half)];
  switch (type) {
    case ID.IPV4_ADDR:
    case ID.IPV6_ADDR:
      return { start: data.slice(), end: data.slice() };
    case ID.IPV4_ADDR_SUBNET:
    case ID.IPV6_ADDR_SUBNET: {
      const length = prefixLength(second);
      return length === undefined ? undefined : prefixRange({ address: first, length });
    }
    case ID.IPV4_ADDR_RANGE:
    case ID.IPV6_ADDR_RANGE:
      return compare(first, second) <= 0 ? { start: first, end: second } : undefined;
    default:
      return undefined;
  }
}

function maskOf(length: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (0xff00 >> Math.min(8, Math.max(0, length - 8 * i))) & 0xff);
}

function prefixLength(mask: Uint8Array): number | undefined {
  let length = 0;
  for (const byte of mask) for (let bit = 0x80; bit > 0; bit >>= 1) if ((byte & bit) !== 0) length++;
  return same(mask, maskOf(length, mask.length)) ? length : undefined;
}

/** What a quick mode without ID payloads is for (RFC 2409 §5.5). */
export function hostOf(ip: Ip): Selector {
  const address = parseIp(ip);
  if (!address) throw new Error(`not an address: ${ip}`);
  return { protocol: 0, startPort: 0, endPort: LAST_PORT, start: address, end: address };
}
