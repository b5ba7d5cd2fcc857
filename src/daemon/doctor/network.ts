// The host's network as the kernel tells it: which way packets go, through which device, and who else has rules there.

import { formatIp, type Ip, type Prefix, parseIp, prefixRange } from '../../bytes/ip.ts';
import {
  EAFNOSUPPORT,
  EHOSTUNREACH,
  EINVAL,
  ENETUNREACH,
  ENODEV,
  ENOENT,
  EOPNOTSUPP,
  failedWith,
} from '../../net/error.ts';
import { dumpAddresses, linkAt, linkNamed, readAddress, readLink } from '../../net/link.ts';
import {
  AF_INET,
  AF_INET6,
  dumpRoutes,
  dumpRules,
  type Family,
  type Route,
  type Rule,
  readRoute,
  readRule,
  routeTo,
} from '../../net/rtnetlink.ts';
import { type Rtnl, withRtnl } from '../../net/rtnl.ts';
import { MARK } from '../mark.ts';

export interface Way {
  readonly device: string;
  /** Of the device. */
  readonly mtu: number;
  /** What the network or the operator has said of the way beyond it. */
  readonly known: number | undefined;
  readonly source: Ip | undefined;
}

export const FAMILIES = [
  [4, AF_INET],
  [6, AF_INET6],
] as const;

/** The way of our own packets, past the tunnels; undefined where there is none. */
export function wayTo(address: Ip, mark: number = MARK): Way | undefined {
  const bytes = parseIp(address);
  return bytes && orNothing(() => withRtnl((rtnl) => way(rtnl, bytes, mark)));
}

function way(rtnl: Rtnl, address: Uint8Array, mark: number): Way | undefined {
  const route = readRoute(rtnl.query(routeTo(address, mark)));
  if (route?.oif === undefined) return undefined;
  const { name, mtu = 1500 } = readLink(rtnl.query(linkAt(route.oif)));
  return { device: name, mtu, known: route.mtu, source: route.source && formatIp(route.source) };
}

export interface Default {
  readonly device: string;
  readonly protocol: number;
}

/** Of the main table. */
export function defaultRoute(family: Family): Default | undefined {
  const MAIN = 254;
  return orNothing(() =>
    withRtnl((rtnl) => {
      const routes = rtnl.dump(dumpRoutes(family, MAIN)).map(readRoute);
      const found = routes.find(
        (route) => route?.table === MAIN && route.destination.length === 0 && route.oif !== undefined,
      );
      if (found?.oif === undefined) return undefined;
      return { device: readLink(rtnl.query(linkAt(found.oif))).name, protocol: found.protocol };
    }),
  );
}

export function ownAddresses(): readonly Ip[] {
  return withRtnl((rtnl) =>
    rtnl.dump(dumpAddresses()).flatMap((message) => {
      const address = readAddress(message)?.prefix.address;
      return address ? [formatIp(address)] : [];
    }),
  );
}

export interface Attached {
  readonly prefix: Prefix;
  readonly device: string;
}

/** Those that an address of this host lies in, but for the tunnels' own device and the loopback. */
export function attachedNetworks(): readonly Attached[] {
  return withRtnl((rtnl) =>
    rtnl.dump(dumpAddresses()).flatMap((message) => {
      const found = readAddress(message);
      if (!found) return [];
      const { start } = prefixRange(found.prefix);
      if (start[0] === 127 || isLinkLocal(start)) return [];
      const { name } = readLink(rtnl.query(linkAt(found.index)));
      return [{ prefix: { address: start, length: found.prefix.length }, device: name }];
    }),
  );
}

/** RFC 4291 §2.5.6, RFC 3927: every link has them. */
function isLinkLocal([first, second]: Uint8Array): boolean {
  return (first === 0xfe && second === 0x80) || (first === 169 && second === 254);
}

export function rulesOf(family: Family): readonly Rule[] {
  return (
    orNothing(() => withRtnl((rtnl) => rtnl.dump(dumpRules(family)).flatMap((message) => readRule(message) ?? []))) ??
    []
  );
}

export function routesOf(family: Family, table: number): readonly Route[] {
  const routes = orNothing(() =>
    withRtnl((rtnl) => rtnl.dump(dumpRoutes(family, table)).flatMap((message) => readRoute(message) ?? [])),
  );
  return (routes ?? []).filter((route) => route.table === table);
}

export function hasLink(name: string): boolean {
  return orNothing(() => withRtnl((rtnl) => readLink(rtnl.query(linkNamed(name))).index)) !== undefined;
}

/** A family, a table or a device that is not there has no routes: that is an answer. */
function orNothing<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (failedWith(error, ENETUNREACH, EHOSTUNREACH, ENOENT, ENODEV, EINVAL, EAFNOSUPPORT, EOPNOTSUPP))
      return undefined;
    throw error;
  }
}
