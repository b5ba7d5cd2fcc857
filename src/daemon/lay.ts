// What traffic of one child needs in the host's routing: routes into the device, guards against clear packets that come
// from its networks, and a way past for local networks that lie inside remote ones.

import { formatIp, type Ip, inPrefix, type Prefix, parseIp, rangePrefixes } from '../bytes/ip.ts';
import { IPV6_LEAST } from '../esp/mtu.ts';
import type { Selector } from '../ike/wire/ts.ts';
import type { Host, Routes } from '../net/types.ts';

export interface Ground {
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
  /** Addresses of the two gateways, as far as they are known. */
  readonly outer: readonly Ip[];
  /** The largest packet that fits. */
  readonly mtu: number;
  /** Nothing goes to these networks, or comes from them, where there is no SA for it. */
  readonly blocked?: boolean;
}

/** What was laid, noted as it was done, so that what a refusal of the kernel cuts short can be taken back. */
export class Laid {
  readonly #routes: Routes;
  readonly #undo: (() => void)[] = [];
  readonly #into: { readonly prefix: Prefix; readonly source: Ip | undefined }[] = [];

  constructor(routes: Routes) {
    this.#routes = routes;
  }

  lay(host: Host, { localTs, remoteTs, outer: gateways, mtu, blocked = false }: Ground): void {
    const routes = this.#routes;
    const destinations = prefixes(remoteTs);
    const local = prefixes(localTs);
    const outer = parsed(gateways);
    const own = parsed(host.addresses());
    const source = own.find((ip) => local.some((prefix) => inPrefix(prefix, ip)));
    // A guard over the peer's own address would drop its ESP, one over ours everything we send.
    const guards = destinations.filter((prefix) => ![...outer, ...own].some((ip) => inPrefix(prefix, ip)));
    // A local network inside a remote one stays where it is.
    const exempt = local.filter(({ address, length }) =>
      destinations.some((prefix) => prefix.length < length && inPrefix(prefix, address)),
    );
    for (const prefix of exempt) {
      routes.exempt(prefix);
      this.#undo.push(() => routes.unexempt(prefix));
    }
    for (const prefix of destinations) {
      const from = source && source.length === prefix.address.length ? formatIp(source) : undefined;
      routes.add(prefix, from, largest(prefix, mtu));
      this.#into.push({ prefix, source: from });
      this.#undo.push(() => routes.remove(prefix));
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
    for (const undo of this.#undo.splice(0).reverse()) undo();
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
