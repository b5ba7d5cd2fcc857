// Routes of our own, and the rules that lead to them (ARCHITECTURE §4), and what the host says about its addresses.

import { everyOne } from '../bytes/everyone.ts';
import { formatIp, formatPrefix, type Ip, type Prefix, parseIp, prefixRange } from '../bytes/ip.ts';
import { EAFNOSUPPORT, EHOSTUNREACH, EINVAL, ENETUNREACH, ENODEV, ENOENT, EOPNOTSUPP, failedWith } from './error.ts';
import { type GuardNews, type Guards, openGuards } from './guards.ts';
import { dumpAddresses, type Link, linkAt, readAddress, readLink } from './link.ts';
import {
  AF_INET,
  AF_INET6,
  addRoute,
  addRule,
  deleteRoute,
  deleteRule,
  dumpRoutes,
  type Family,
  type Request,
  type Route,
  type Rule,
  readRoute,
  routeTo,
} from './rtnetlink.ts';
import { Rtnl, withRtnl } from './rtnl.ts';
import { PROTOCOL, Rules } from './rules.ts';
import type { Host, Routes, Tun } from './types.ts';

/** What a path is taken to carry while there is no route to it. */
const ETHERNET = 1500;

export interface RouteOptions {
  readonly table?: number;
  /** Of the rule that leads to the table; the two numbers before it are ours, too. */
  readonly priority?: number;
  readonly mark: number;
  /** False keeps the guards out of nf_tables. */
  readonly nftables?: boolean;
  readonly onNews?: (news: GuardNews) => void;
}

/** Of what blocks a network: anything else in the table comes before it. */
const LAST_METRIC = 0xff00_0000;

/** Removes what a dead predecessor left, but for what it blocks, and installs the rules that are always there. */
export function openRoutes(tun: Tun, options: RouteOptions): Routes {
  const rtnl = new Rtnl();
  const routes = new Table(rtnl, tun, options);
  try {
    routes.open(options);
  } catch (error) {
    routes.close();
    throw error;
  }
  return routes;
}

/** How to take back what was installed, and how often it was asked for. */
interface Entry {
  readonly undo: readonly (() => void)[];
  uses: number;
}

class Table implements Routes {
  readonly #rtnl: Rtnl;
  readonly #tun: Tun;
  readonly #table: number;
  readonly #rules: Rules;
  readonly #entries = new Map<string, Entry>();
  /** How many SAs a route serves. */
  readonly #serving = new Map<string, number>();
  /** What a predecessor has blocked. */
  readonly #inherited = new Map<string, Route>();
  #guards: Guards | undefined;
  #closed = false;

  constructor(rtnl: Rtnl, tun: Tun, { table = 220, priority = 220 }: RouteOptions) {
    this.#rtnl = rtnl;
    this.#tun = tun;
    this.#table = table;
    this.#rules = new Rules(rtnl, priority);
  }

  open({ mark, nftables = true, onNews = () => {} }: RouteOptions): void {
    const rules = this.#rules;
    const families = ([AF_INET, AF_INET6] as const).filter((family) => {
      const lookup = rules.lookup(family, this.#table, mark);
      const swept = this.#sweep(family, lookup);
      if (swept === 'no-family') return false;
      const leads = { make: () => {}, unmake: () => this.#rtnl.withdraw(deleteRule(lookup)) };
      const pass = this.#rule(rules.passFrom(family, this.#tun.name));
      this.#install(`open ${family}`, [swept === 'leads' ? leads : this.#rule(lookup), pass]);
      return true;
    });
    this.#guards = openGuards({ rtnl: this.#rtnl, rules, index: this.#tun.index, families, nftables, onNews });
  }

  add(destination: Prefix, source: Ip | undefined, mtu: number, serves = false): void {
    const name = key(destination);
    const serving = this.#serving.get(name) ?? 0;
    // Those who share a route follow the newest.
    if (serves || serving === 0) this.resize(destination, source, mtu);
    const route = { ...this.#through(destination, source), mtu };
    // Whatever source and size it has by then: the kernel deletes nothing that differs from what is named.
    const unmake = deleteRoute(this.#through(destination, undefined));
    this.#install(`route ${name}`, [this.#change(addRoute(route), unmake)]);
    if (serves) this.#serving.set(name, serving + 1);
  }

  resize(destination: Prefix, source: Ip | undefined, mtu: number): void {
    if (!this.#entries.has(`route ${key(destination)}`)) return;
    this.#rtnl.change(addRoute({ ...this.#through(destination, source), mtu }));
  }

  remove(destination: Prefix, served = false): void {
    const name = key(destination);
    const serving = (this.#serving.get(name) ?? 0) - (served ? 1 : 0);
    if (serving > 0) this.#serving.set(name, serving);
    else this.#serving.delete(name);
    this.#release(`route ${name}`);
  }

  guard(source: Prefix): void {
    // Everything there is would be suspect, the other networks of this host first of all.
    if (source.length === 0) return;
    const change = { make: () => this.#guards?.guard(source), unmake: () => this.#guards?.unguard(source) };
    this.#install(`guard ${key(source)}`, [change]);
  }

  unguard(source: Prefix): void {
    this.#release(`guard ${key(source)}`);
  }

  together(sources: readonly Prefix[], act: () => void): void {
    const fresh = sources.filter((source) => source.length > 0 && !this.#entries.has(`guard ${key(source)}`));
    if (this.#guards) this.#guards.together(fresh, act);
    else act();
  }

  exempt(local: Prefix): void {
    const change = { make: () => this.#guards?.exempt(local), unmake: () => this.#guards?.unexempt(local) };
    this.#install(`exempt ${key(local)}`, [this.#route({ ...this.#to(local), type: 'throw' }), change]);
  }

  unexempt(local: Prefix): void {
    this.#release(`exempt ${key(local)}`);
  }

  block(destination: Prefix): void {
    const route: Route = { ...this.#to(destination), type: 'blackhole', metric: LAST_METRIC };
    this.#install(`block ${key(destination)}`, [this.#route(route)]);
  }

  unblock(destination: Prefix): void {
    this.#release(`block ${key(destination)}`);
  }

  settle(): void {
    for (const [name, route] of this.#inherited) {
      if (!this.#entries.has(`block ${name}`)) this.#rtnl.withdraw(deleteRoute(route));
    }
    this.#inherited.clear();
  }

  close(keepBlocks = false): void {
    if (this.#closed) return;
    this.#closed = true;
    // A start that fails before it has settled opens nothing that a predecessor has shut.
    const stay = keepBlocks || this.#inherited.size > 0;
    const meant = [...this.#entries].reverse().filter(([name]) => !stay || /^(route|exempt)/.test(name));
    this.#entries.clear();
    everyOne([
      // All of them at once, which leaves nothing to do for the entries that are theirs.
      () => this.#guards?.close(stay),
      ...meant.flatMap(([, { undo }]) => undo),
      () => this.#rtnl.close(),
    ]);
  }

  #install(name: string, changes: readonly Change[]): void {
    const entry = this.#entries.get(name);
    if (entry) {
      entry.uses++;
      return;
    }
    const undo: (() => void)[] = [];
    try {
      for (const { make, unmake } of changes) {
        make();
        undo.unshift(unmake);
      }
    } catch (error) {
      everyOne(undo);
      throw error;
    }
    this.#entries.set(name, { undo, uses: 1 });
  }

  #release(name: string): void {
    const entry = this.#entries.get(name);
    if (!entry || --entry.uses > 0) return;
    this.#entries.delete(name);
    everyOne(entry.undo);
  }

  /** Whether the host has this family, and whether the rule that leads to our table is there already. */
  #sweep(family: Family, lookup: Rule): 'swept' | 'leads' | 'no-family' {
    let swept: 'swept' | 'leads' = 'swept';
    try {
      this.#rules.refuseLiving(family, this.#tun.name);
      if (this.#rules.sweep(family, lookup)) swept = 'leads';
      for (const message of this.#rtnl.dump(dumpRoutes(family, this.#table))) {
        const route = readRoute(message);
        if (route?.table !== this.#table || route.protocol !== PROTOCOL) continue;
        if (route.type === 'blackhole') this.#inherited.set(key(route.destination), route);
        else this.#rtnl.withdraw(deleteRoute(route));
      }
      return swept;
    } catch (error) {
      // A table that does not exist has nothing left over in it.
      if (failedWith(error, ENOENT)) return swept;
      if (failedWith(error, EAFNOSUPPORT, EOPNOTSUPP)) return 'no-family';
      throw error;
    }
  }

  #rule(rule: Rule): Change {
    return this.#change(addRule(rule), deleteRule(rule));
  }

  #route(route: Route): Change {
    return this.#change(addRoute(route), deleteRoute(route));
  }

  #change(make: Request, unmake: Request): Change {
    return { make: () => this.#rtnl.change(make), unmake: () => this.#rtnl.withdraw(unmake) };
  }

  #through(destination: Prefix, source: Ip | undefined): Route {
    const address = source === undefined ? undefined : parseIp(source);
    return { ...this.#to(destination), oif: this.#tun.index, source: address };
  }

  #to(destination: Prefix): Route {
    const common = { table: this.#table, protocol: PROTOCOL, type: 'unicast', metric: undefined } as const;
    return { ...common, destination, oif: undefined, source: undefined };
  }
}

interface Change {
  readonly make: () => void;
  readonly unmake: () => void;
}

/** Host bits make no difference. */
function key(prefix: Prefix): string {
  return formatPrefix({ address: prefixRange(prefix).start, length: prefix.length });
}

/** `mark` is that of our sockets: their packets are routed by the host's own tables. */
export function openHost({ mark = 0 }: { readonly mark?: number } = {}): Host {
  return {
    sourceFor(remote) {
      return towards(remote, (rtnl, address) => sourceOf(rtnl, address, mark));
    },
    linkTo(remote) {
      return towards(remote, (rtnl, address) => linkOf(rtnl, address, mark)?.name);
    },
    mtuTo(remote) {
      return towards(remote, (rtnl, address) => mtuOf(rtnl, address, mark)) ?? ETHERNET;
    },
    addresses() {
      return withRtnl((rtnl) => rtnl.dump(dumpAddresses()).flatMap((message) => usable(readAddress(message)?.prefix)));
    },
  };
}

function sourceOf(rtnl: Rtnl, address: Uint8Array, mark: number): Ip | undefined {
  const source = readRoute(rtnl.query(routeTo(address, mark)))?.source;
  return source && formatIp(source);
}

function linkOf(rtnl: Rtnl, address: Uint8Array, mark: number): Link | undefined {
  const oif = readRoute(rtnl.query(routeTo(address, mark)))?.oif;
  return oif === undefined ? undefined : readLink(rtnl.query(linkAt(oif)));
}

function mtuOf(rtnl: Rtnl, address: Uint8Array, mark: number): number | undefined {
  const link = linkOf(rtnl, address, mark);
  if (!link) return undefined;
  const configured = readRoute(rtnl.query(routeTo(address, mark, true)))?.mtu;
  return link.mtu === undefined || configured === undefined ? (configured ?? link.mtu) : Math.min(link.mtu, configured);
}

/** What the kernel says of the way to an address; undefined when there is none. */
function towards<T>(remote: Ip, ask: (rtnl: Rtnl, address: Uint8Array) => T): T | undefined {
  const address = parseIp(remote);
  if (!address) return undefined;
  try {
    return withRtnl((rtnl) => ask(rtnl, address));
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
