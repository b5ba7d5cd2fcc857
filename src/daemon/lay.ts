// What traffic of one child needs in the host's routing: routes into the device, guards against clear packets that come
// from its networks, and a way past for local networks that lie inside remote ones.

import { everyOne } from '../bytes/everyone.ts';
import { formatIp, type Ip, inPrefix, type Prefix, parseIp, rangePrefixes } from '../bytes/ip.ts';
import { IPV6_LEAST } from '../esp/mtu.ts';
import type { Selector } from '../ike/wire/ts.ts';
import type { Routes } from '../net/types.ts';

export interface Ground {
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
  /** Addresses of the two gateways, as far as they are known. */
  readonly outer: readonly Ip[];
  /** All addresses of this host. */
  readonly own: readonly Ip[];
  /** The largest packet that fits. */
  readonly mtu: number;
  /** Nothing goes to these networks, or comes from them, where there is no SA for it. */
  readonly blocked?: boolean;
  /** There is an SA for it, and what is laid in advance for the same networks does not change how it goes. */
  readonly serves?: boolean;
}

export interface Plan {
  readonly exempt: readonly Prefix[];
  readonly into: readonly Way[];
  readonly guards: readonly Prefix[];
  readonly blocked: boolean;
  readonly serves: boolean;
}

interface Way {
  readonly prefix: Prefix;
  readonly source: Ip | undefined;
  readonly mtu: number;
}

export function plan(ground: Ground): Plan {
  const { localTs, remoteTs, outer: gateways, own: ours, mtu, blocked = false, serves = false } = ground;
  const destinations = prefixes(remoteTs);
  const local = prefixes(localTs);
  const outer = parsed(gateways);
  const own = parsed(ours);
  const source = own.find((ip) => local.some((prefix) => inPrefix(prefix, ip)));
  return {
    // A local network inside a remote one stays where it is.
    exempt: local.filter(({ address, length }) =>
      destinations.some((prefix) => prefix.length < length && inPrefix(prefix, address)),
    ),
    into: destinations.map((prefix) => ({
      prefix,
      source: source && source.length === prefix.address.length ? formatIp(source) : undefined,
      mtu: largest(prefix, mtu),
    })),
    // A guard over the peer's own address would drop its ESP, one over ours everything we send.
    guards: destinations.filter((prefix) => ![...outer, ...own].some((ip) => inPrefix(prefix, ip))),
    blocked,
    serves,
  };
}

/** What was laid, noted as it was done, so that what a refusal of the kernel cuts short can be taken back. */
export class Laid {
  readonly #routes: Routes;
  readonly #undo: (() => void)[] = [];
  readonly #into: Way[] = [];

  constructor(routes: Routes) {
    this.#routes = routes;
  }

  lay({ exempt, into, guards, blocked, serves }: Plan): void {
    const routes = this.#routes;
    for (const prefix of exempt) {
      routes.exempt(prefix);
      this.#undo.push(() => routes.unexempt(prefix));
    }
    for (const way of into) {
      const { prefix, source, mtu } = way;
      routes.add(prefix, source, mtu, serves);
      this.#into.push(way);
      this.#undo.push(() => routes.remove(prefix, serves));
      if (!blocked) continue;
      routes.block(prefix);
      this.#undo.push(() => routes.unblock(prefix));
    }
    for (const prefix of guards) {
      routes.guard(prefix);
      this.#undo.push(() => routes.unguard(prefix));
    }
  }

  resize(mtu: number): void {
    for (const { prefix, source } of this.#into) this.#routes.resize(prefix, source, largest(prefix, mtu));
  }

  /** The last first. */
  take(): void {
    everyOne(this.#undo.splice(0).reverse());
  }
}

function prefixes(selectors: readonly Selector[]): Prefix[] {
  return selectors.flatMap(({ start, end }) => rangePrefixes(start, end));
}

function parsed(addresses: readonly Ip[]): Uint8Array[] {
  return addresses.map(parseIp).filter((ip) => ip !== undefined);
}

/** A route of IPv6, as a device that carries it, must take what every link of IPv6 does (RFC 8200 §5). */
function largest({ address }: Prefix, mtu: number): number {
  return address.length === 4 ? mtu : Math.max(mtu, IPV6_LEAST);
}
