// The algebra of traffic selectors: narrowing (RFC 7296 §2.9), what a configuration's text means, and strongSwan's text
// for what was negotiated. The value and its encoding are in `wire/ts.ts`.

import { compare } from '../bytes/bytes.ts';
import { formatIp, formatPrefix, type Ip, parseIp, parsePrefix, prefixRange, rangePrefix } from '../bytes/ip.ts';
import type { SelectorSource } from './connection.ts';
import type { Selector } from './wire/ts.ts';

/** A TS payload counts its selectors in one byte (RFC 7296 §3.13). */
const MOST = 255;

const ICMP = 1;
const ICMPV6 = 58;
const LAST_PORT = 0xffff;

/** Names as Debian's /etc/protocols and /etc/services have them first; those are what strongSwan prints. */
const PROTOCOLS = new Map<number, string>([
  [1, 'icmp'],
  [2, 'igmp'],
  [4, 'ipencap'],
  [6, 'tcp'],
  [17, 'udp'],
  [41, 'ipv6'],
  [47, 'gre'],
  [50, 'esp'],
  [51, 'ah'],
  [58, 'ipv6-icmp'],
  [88, 'eigrp'],
  [89, 'ospf'],
  [94, 'ipip'],
  [103, 'pim'],
  [108, 'ipcomp'],
  [112, 'vrrp'],
  [115, 'l2tp'],
  [132, 'sctp'],
  [136, 'udplite'],
]);

const SERVICES: readonly (readonly [port: number, name: string, protocols: string])[] = [
  [20, 'ftp-data', 'tcp'],
  [21, 'ftp', 'tcp'],
  [22, 'ssh', 'tcp'],
  [23, 'telnet', 'tcp'],
  [25, 'smtp', 'tcp'],
  [53, 'domain', 'tcp udp'],
  [67, 'bootps', 'udp'],
  [68, 'bootpc', 'udp'],
  [69, 'tftp', 'udp'],
  [80, 'http', 'tcp'],
  [110, 'pop3', 'tcp'],
  [123, 'ntp', 'udp'],
  [143, 'imap2', 'tcp'],
  [161, 'snmp', 'tcp udp'],
  [162, 'snmp-trap', 'tcp udp'],
  [179, 'bgp', 'tcp'],
  [389, 'ldap', 'tcp udp'],
  [443, 'https', 'tcp udp'],
  [445, 'microsoft-ds', 'tcp udp'],
  [514, 'syslog', 'udp'],
  [636, 'ldaps', 'tcp udp'],
  [993, 'imaps', 'tcp'],
  [995, 'pop3s', 'tcp'],
  [1701, 'l2f', 'udp'],
  [1812, 'radius', 'tcp udp'],
  [1813, 'radius-acct', 'tcp udp'],
  [3306, 'mysql', 'tcp'],
  [3389, 'ms-wbt-server', 'tcp'],
  [5060, 'sip', 'tcp udp'],
  [5432, 'postgresql', 'tcp'],
  [8080, 'http-alt', 'tcp udp'],
];

const protocolNumbers = new Map<string, number>([
  ['any', 0],
  ['%any', 0],
  ['', 0],
  ['icmp6', ICMPV6],
  ['icmpv6', ICMPV6],
  ...[...PROTOCOLS].map(([number, name]): [string, number] => [name, number]),
]);

const serviceNames = new Map(
  SERVICES.flatMap(([port, name, protocols]) =>
    protocols.split(' ').map((protocol): [string, string] => [`${protocol}/${port}`, name]),
  ),
);

const servicePorts = new Map<string, number>([
  ['l2tp', 1701],
  ['imap', 143],
  ...SERVICES.map(([port, name]): [string, number] => [name, port]),
]);

/** What both match; undefined when nothing. */
export function intersect(a: Selector, b: Selector): Selector | undefined {
  if (a.start.length !== b.start.length) return undefined;
  if (a.protocol !== b.protocol && a.protocol !== 0 && b.protocol !== 0) return undefined;
  const ports = sharedPorts(a, b);
  const start = compare(a.start, b.start) >= 0 ? a.start : b.start;
  const end = compare(a.end, b.end) <= 0 ? a.end : b.end;
  if (!ports || compare(start, end) > 0) return undefined;
  return { protocol: a.protocol || b.protocol, ...ports, start, end };
}

/** OPAQUE means that there are no ports to see: it meets itself and "any", never a range (RFC 7296 §3.13.1). */
function sharedPorts(a: Selector, b: Selector): Pick<Selector, 'startPort' | 'endPort'> | undefined {
  if (isOpaque(a) || isOpaque(b)) {
    const other = isOpaque(a) ? b : a;
    return isOpaque(other) || anyPort(other) ? { startPort: LAST_PORT, endPort: 0 } : undefined;
  }
  const startPort = Math.max(a.startPort, b.startPort);
  const endPort = Math.min(a.endPort, b.endPort);
  return startPort <= endPort ? { startPort, endPort } : undefined;
}

export function sameSelector(a: Selector, b: Selector): boolean {
  return (
    a.protocol === b.protocol &&
    a.startPort === b.startPort &&
    a.endPort === b.endPort &&
    compare(a.start, b.start) === 0 &&
    compare(a.end, b.end) === 0
  );
}

/** Whether `outer` matches everything that `inner` does. */
export function contains(outer: Selector, inner: Selector): boolean {
  const shared = intersect(outer, inner);
  return shared !== undefined && sameSelector(shared, inner);
}

/** Whether each of `inner` lies in one of `outer`. */
export function within(inner: readonly Selector[], outer: readonly Selector[]): boolean {
  return missing(inner, outer).length === 0;
}

/** Those of `wanted` that no single one of `got` contains. */
export function missing(wanted: readonly Selector[], got: readonly Selector[]): Selector[] {
  return wanted.filter((selector) => !got.some((candidate) => contains(candidate, selector)));
}

/** All intersections, in our order and then theirs, without repetition and without those that others contain. */
export function narrow(ours: readonly Selector[], theirs: readonly Selector[]): Selector[] {
  let kept: Selector[] = [];
  for (const mine of ours) {
    for (const yours of theirs) {
      const shared = intersect(mine, yours);
      if (!shared || kept.some((selector) => contains(selector, shared))) continue;
      kept = kept.filter((selector) => !contains(shared, selector));
      if (kept.length < MOST) kept.push(shared);
    }
  }
  return kept;
}

/**
 * The pairs that still need a child when a peer answered with less than we asked for (one pair per SA, RFC 7296 §2.9).
 * A pair of which the peer took a part counts as served: it would narrow the rest in the same way again.
 */
export function remainingPairs(
  local: readonly Selector[],
  remote: readonly Selector[],
  gotLocal: readonly Selector[],
  gotRemote: readonly Selector[],
): { local: Selector; remote: Selector }[] {
  const meets = (selector: Selector, got: readonly Selector[]) => got.some((other) => intersect(selector, other));
  return local.flatMap((l) =>
    remote.filter((r) => !(meets(l, gotLocal) && meets(r, gotRemote))).map((r) => ({ local: l, remote: r })),
  );
}

/** Selectors as they are negotiated, once the address of the IKE endpoint is known. */
export function resolveTs(sources: readonly SelectorSource[], ip: Ip): Selector[] {
  if (sources.length === 0) return [resolve(DYNAMIC, ip)];
  return sources.map((source) => resolve(source, ip));
}

const DYNAMIC: SelectorSource = { kind: 'dynamic', protocol: 0, startPort: 0, endPort: LAST_PORT };

function resolve(source: SelectorSource, ip: Ip): Selector {
  if (source.kind === 'fixed') return source.selector;
  const address = parseIp(ip);
  if (!address) throw new Error(`not an address: ${ip}`);
  const { protocol, startPort, endPort } = source;
  return { protocol, startPort, endPort, start: address, end: address };
}

/** As it is configured: `10.1.0.0/24[tcp/http]`, `dynamic[udp]`. */
export function formatSource(source: SelectorSource): string {
  return source.kind === 'fixed' ? formatSelector(source.selector) : `dynamic${formatLimits(source)}`;
}

/** `10.1.0.0/24`, `10.0.0.5..10.0.0.9`, `10.1.0.0/24[tcp/http]`, `fd00::1/128[ipv6-icmp/128]`. */
export function formatSelector(selector: Selector): string {
  const { start, end } = selector;
  const prefix = rangePrefix(start, end);
  const addresses = prefix ? formatPrefix(prefix) : `${formatIp(start)}..${formatIp(end)}`;
  return `${addresses}${formatLimits(selector)}`;
}

function formatLimits(limits: Limits): string {
  const { protocol } = limits;
  const parts = [
    ...(protocol === 0 ? [] : [PROTOCOLS.get(protocol) ?? `${protocol}`]),
    ...(anyPort(limits) ? [] : [formatPorts(limits)]),
  ];
  return parts.length === 0 ? '' : `[${parts.join('/')}]`;
}

function formatPorts(limits: Limits): string {
  if (isOpaque(limits)) return 'OPAQUE';
  const { protocol, startPort, endPort } = limits;
  if (protocol === ICMP || protocol === ICMPV6) {
    return startPort === endPort ? icmp(startPort) : `${icmp(startPort)}-${icmp(endPort)}`;
  }
  if (startPort !== endPort) return `${startPort}-${endPort}`;
  const lookup = protocol === 0 ? ['tcp', 'udp'] : [PROTOCOLS.get(protocol)];
  return lookup.map((name) => serviceNames.get(`${name}/${startPort}`)).find(Boolean) ?? `${startPort}`;
}

function icmp(port: number): string {
  return (port & 0xff) === 0 ? `${port >> 8}` : `${port >> 8}(${port & 0xff})`;
}

/**
 * What `local_ts` and `remote_ts` take: a prefix, an address, a range or `dynamic`, then `[protocol/port]`. As in
 * strongSwan an ICMP type is written here as type × 256 + code, although it is printed as the type.
 */
export function parseSelector(text: string): SelectorSource | undefined {
  const match = /^([^[\]]*)(?:\[([^[\]]*)\])?$/.exec(text.trim());
  const [whole, addresses = '', inBrackets = ''] = match ?? [];
  const limits = parseLimits(inBrackets);
  if (!whole || !limits) return undefined;
  const word = addresses.trim();
  if (word === '' || word === 'dynamic') return { kind: 'dynamic', ...limits };
  const range = parseAddresses(word);
  return range && { kind: 'fixed', selector: { ...limits, ...range } };
}

function parseAddresses(text: string): Pick<Selector, 'start' | 'end'> | undefined {
  if (text === '%any' || text === '%any4') return prefixRange({ address: new Uint8Array(4), length: 0 });
  if (text === '%any6') return prefixRange({ address: new Uint8Array(16), length: 0 });
  const [from = '', to, ...more] = text.split(/\s*(?:-|\.\.)\s*/);
  if (to === undefined) {
    const prefix = parsePrefix(text);
    return prefix && prefixRange(prefix);
  }
  const start = parseIp(from);
  const end = parseIp(to);
  if (!start || !end || more.length > 0) return undefined;
  return start.length === end.length && compare(start, end) <= 0 ? { start, end } : undefined;
}

type Limits = Pick<Selector, 'protocol' | 'startPort' | 'endPort'>;

function parseLimits(text: string): Limits | undefined {
  const [protocolText = '', portText = '', ...more] = text.split('/').map((part) => part.trim().toLowerCase());
  const protocol = protocolNumbers.get(protocolText) ?? number(protocolText, 0xff);
  const ports = parsePorts(portText);
  return protocol === undefined || !ports || more.length > 0 ? undefined : { protocol, ...ports };
}

function parsePorts(text: string): Pick<Selector, 'startPort' | 'endPort'> | undefined {
  if (text === '' || text === 'any' || text === '%any') return { startPort: 0, endPort: LAST_PORT };
  if (text === 'opaque') return { startPort: LAST_PORT, endPort: 0 };
  const service = servicePorts.get(text);
  if (service !== undefined) return { startPort: service, endPort: service };
  const [from = '', to = from, ...more] = text.split('-').map((part) => part.trim());
  const startPort = number(from, LAST_PORT);
  const endPort = number(to, LAST_PORT);
  if (startPort === undefined || endPort === undefined || more.length > 0) return undefined;
  return startPort <= endPort ? { startPort, endPort } : undefined;
}

function number(text: string, most: number): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= most ? Number(text) : undefined;
}

function anyPort({ startPort, endPort }: Limits): boolean {
  return startPort === 0 && endPort === LAST_PORT;
}

function isOpaque({ startPort, endPort }: Limits): boolean {
  return startPort === LAST_PORT && endPort === 0;
}
