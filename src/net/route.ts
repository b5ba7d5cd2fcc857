// Routes and rules of our own (ARCHITECTURE §4), and what the host says about its addresses. With priority 220:
//
//   218: iif TUN goto 220             what comes out of the tunnel is not suspect
//   218: iif lo goto 220              nor what this host sends itself
//   218: from LOCAL goto 220          nor a local network inside a guarded one
//   219: from SUBNET blackhole        anything else that claims to come from a protected subnet
//   220: not fwmark MARK lookup 220   our own sockets' packets never take a tunnel
//
// A `goto` leads to the table rather than past it: a packet out of one tunnel may be for another one.

import { formatIp, formatPrefix, type Ip, type Prefix, parseIp, prefixRange } from '../bytes/ip.ts';
import {
  EAFNOSUPPORT,
  EBUSY,
  EHOSTUNREACH,
  EINVAL,
  ENETUNREACH,
  ENODEV,
  ENOENT,
  EOPNOTSUPP,
  ESRCH,
  SystemError,
} from './error.ts';
import { dumpAddresses, linkAt, linkNamed, readAddress, readLink } from './link.ts';
import {
  AF_INET,
  AF_INET6,
  addRoute,
  addRule,
  deleteRoute,
  deleteRule,
  dumpRoutes,
  dumpRules,
  type Family,
  familyOf,
  type Request,
  type Route,
  type Rule,
  readRoute,
  readRule,
  routeTo,
} from './rtnetlink.ts';
import { Rtnl, withRtnl } from './rtnl.ts';
import type { Host, Routes, Tun } from './types.ts';

/** Who we are in the `proto` column of routes and rules: what carries it and was not made by us is a leftover. */
const PROTOCOL = 220;

/** What a path is taken to carry while there is no route to it. */
const ETHERNET = 1500;

export interface RouteOptions {
  readonly table?: number;
  /** Of the rule that leads to the table; the guards use the two numbers before it. */
  readonly priority?: number;
  readonly mark: number;
}

/** Removes what a dead predecessor left, and installs the rules that are always there. */
export function openRoutes(tun: Tun, { table = 220, priority = 220, mark }: RouteOptions): Routes {
  const rtnl = new Rtnl();
  const routes = new Table(rtnl, tun, table, priority);
  try {
    routes.open(mark);
  } catch (error) {
    routes.close();
    throw error;
  }
  return routes;
}

/** How to take back what was installed, and how often it was asked for. */
interface Entry {
  readonly undo: readonly Request[];
  uses: number;
}

class Table implements Routes {
  readonly #rtnl: Rtnl;
  readonly #tun: Tun;
  readonly #table: number;
  readonly #priority: number;
  readonly #entries = new Map<string, Entry>();
  #closed = false;

  constructor(rtnl: Rtnl, tun: Tun, table: number, priority: number) {
    this.#rtnl = rtnl;
    this.#tun = tun;
    this.#table = table;
    this.#priority = priority;
  }

  open(mark: number): void {
    for (const family of [AF_INET, AF_INET6] as const) {
      if (!this.#sweep(family)) continue;
      const lookup = this.#rule(family, this.#priority, { type: 'table', table: this.#table });
      this.#install(`open ${family}`, [
        byRule({ ...lookup, mark: { value: mark, mask: 0xffffffff, not: true } }),
        byRule({ ...this.#pass(family), iif: this.#tun.name }),
        // Output is seen as coming in from `lo`.
        byRule({ ...this.#pass(family), iif: 'lo' }),
      ]);
    }
  }

  add(destination: Prefix, source: Ip | undefined, mtu: number): void {
    const route = this.#through(destination, source);
    const { unmake } = byRoute(route);
    this.#install(`route ${key(destination)}`, [{ make: addRoute({ ...route, mtu }), unmake }]);
  }

  resize(destination: Prefix, source: Ip | undefined, mtu: number): void {
    if (!this.#entries.has(`route ${key(destination)}`)) return;
    this.#rtnl.change(addRoute({ ...this.#through(destination, source), mtu }));
  }

  remove(destination: Prefix): void {
    this.#release(`route ${key(destination)}`);
  }

  guard(source: Prefix): void {
    // Everything there is would be suspect, the other networks of this host first of all.
    if (source.length === 0) return;
    const rule = this.#rule(familyOf(source.address), this.#priority - 1, { type: 'blackhole' });
    this.#install(`guard ${key(source)}`, [byRule({ ...rule, source })]);
  }

  unguard(source: Prefix): void {
    this.#release(`guard ${key(source)}`);
  }

  exempt(local: Prefix): void {
    this.#install(`exempt ${key(local)}`, [
      byRoute({ ...this.#route(local), type: 'throw' }),
      byRule({ ...this.#pass(familyOf(local.address)), source: local }),
    ]);
  }

  unexempt(local: Prefix): void {
    this.#release(`exempt ${key(local)}`);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Newest first: the guards go before the rules that keep them off our own packets.
    for (const { undo } of [...this.#entries.values()].reverse()) this.#undo(undo);
    this.#entries.clear();
    this.#rtnl.close();
  }

  #install(name: string, changes: readonly Change[]): void {
    const entry = this.#entries.get(name);
    if (entry) {
      entry.uses++;
      return;
    }
    const undo: Request[] = [];
    try {
      for (const { make, unmake } of changes) {
        this.#rtnl.change(make);
        undo.unshift(unmake);
      }
    } catch (error) {
      this.#undo(undo);
      throw error;
    }
    this.#entries.set(name, { undo, uses: 1 });
  }

  #release(name: string): void {
    const entry = this.#entries.get(name);
    if (!entry || --entry.uses > 0) return;
    this.#entries.delete(name);
    this.#undo(entry.undo);
  }

  /** What somebody else has removed already, or what went with the device, is gone: that was the purpose. */
  #undo(requests: readonly Request[]): void {
    for (const request of requests) {
      try {
        this.#rtnl.change(request);
      } catch (error) {
        if (!failedWith(error, ESRCH, ENOENT, ENODEV)) throw error;
      }
    }
  }

  /** False when the host does not have this family. */
  #sweep(family: Family): boolean {
    try {
      this.#refuseLiving(family);
      for (const message of this.#rtnl.dump(dumpRules(family))) {
        const rule = readRule(message);
        if (rule && this.#isOurs(rule)) this.#undo([deleteRule(rule)]);
      }
      for (const message of this.#rtnl.dump(dumpRoutes(family, this.#table))) {
        const route = readRoute(message);
        if (route?.table === this.#table && route.protocol === PROTOCOL) this.#undo([deleteRoute(route)]);
      }
      return true;
    } catch (error) {
      // A table that does not exist has nothing left over in it.
      if (failedWith(error, ENOENT)) return true;
      if (failedWith(error, EAFNOSUPPORT, EOPNOTSUPP)) return false;
      throw error;
    }
  }

  /** A device of our kind goes with its process: a rule for one that exists belongs to a daemon that runs. */
  #refuseLiving(family: Family): void {
    for (const message of this.#rtnl.dump(dumpRules(family))) {
      const rule = readRule(message);
      const { iif } = rule ?? {};
      if (!rule || !this.#isOurs(rule) || iif === undefined || iif === 'lo' || iif === this.#tun.name) continue;
      if (!this.#exists(iif)) continue;
      const hint = `another Espalier runs here, with the device ${iif}; one network namespace has room for one`;
      throw new SystemError('rules', EBUSY, hint);
    }
  }

  #exists(name: string): boolean {
    try {
      this.#rtnl.query(linkNamed(name));
      return true;
    } catch (error) {
      if (failedWith(error, ENODEV)) return false;
      throw error;
    }
  }

  #isOurs({ protocol, priority }: Rule): boolean {
    return protocol === PROTOCOL && priority <= this.#priority && priority >= this.#priority - 2;
  }

  #rule(family: Family, priority: number, action: Rule['action']): Rule {
    return { family, priority, protocol: PROTOCOL, source: undefined, iif: undefined, mark: undefined, action };
  }

  #pass(family: Family): Rule {
    return this.#rule(family, this.#priority - 2, { type: 'goto', priority: this.#priority });
  }

  #through(destination: Prefix, source: Ip | undefined): Route {
    const address = source === undefined ? undefined : parseIp(source);
    return { ...this.#route(destination), oif: this.#tun.index, source: address };
  }

  #route(destination: Prefix): Route {
    const common = { table: this.#table, protocol: PROTOCOL, type: 'unicast', metric: undefined } as const;
    return { ...common, destination, oif: undefined, source: undefined };
  }
}

interface Change {
  readonly make: Request;
  readonly unmake: Request;
}

function byRule(rule: Rule): Change {
  return { make: addRule(rule), unmake: deleteRule(rule) };
}

function byRoute(route: Route): Change {
  return { make: addRoute(route), unmake: deleteRoute(route) };
}

/** Host bits make no difference. */
function key(prefix: Prefix): string {
  return formatPrefix({ address: prefixRange(prefix).start, length: prefix.length });
}

function failedWith(error: unknown, ...numbers: readonly number[]): boolean {
  return error instanceof SystemError && numbers.includes(error.errno);
}

/** `mark` is that of our sockets: their packets are routed by the host's own tables. */
export function openHost({ mark = 0 }: { readonly mark?: number } = {}): Host {
  return {
    sourceFor(remote) {
      const address = parseIp(remote);
      if (!address) return undefined;
      return withRtnl((rtnl) => sourceOf(rtnl, address, mark));
    },
    mtuTo(remote) {
      const address = parseIp(remote);
      return (address && withRtnl((rtnl) => mtuOf(rtnl, address, mark))) ?? ETHERNET;
    },
    addresses() {
      return withRtnl((rtnl) => rtnl.dump(dumpAddresses()).flatMap((message) => usable(readAddress(message)?.prefix)));
    },
  };
}

function sourceOf(rtnl: Rtnl, address: Uint8Array, mark: number): Ip | undefined {
  try {
    const source = readRoute(rtnl.query(routeTo(address, mark)))?.source;
    return source && formatIp(source);
  } catch (error) {
    if (failedWith(error, ENETUNREACH, EHOSTUNREACH, ENOENT, EINVAL, EAFNOSUPPORT, EOPNOTSUPP)) return undefined;
    throw error;
  }
}

function mtuOf(rtnl: Rtnl, address: Uint8Array, mark: number): number | undefined {
  try {
    const route = readRoute(rtnl.query(routeTo(address, mark)));
    if (route?.oif === undefined) return undefined;
    const { mtu } = readLink(rtnl.query(linkAt(route.oif)));
    return mtu === undefined || route.mtu === undefined ? (route.mtu ?? mtu) : Math.min(mtu, route.mtu);
  } catch (error) {
    if (failedWith(error, ENETUNREACH, EHOSTUNREACH, ENOENT, ENODEV, EINVAL, EAFNOSUPPORT, EOPNOTSUPP))
      return undefined;
    throw error;
  }
}

/** A link-local address means nothing without its link. */
function usable(prefix: Prefix | undefined): Ip[] {
  const [first, second] = prefix?.address ?? [];
  if (!prefix || first === undefined || second === undefined) return [];
  return prefix.address.length === 16 && first === 0xfe && (second & 0xc0) === 0x80 ? [] : [formatIp(prefix.address)];
}
