// Two sites and what lies between them, both families:
//
//   hosta 10.1.0.2 -- 10.1.0.1 gwa 192.0.2.1 == 192.0.2.2 gwb 10.2.0.1 -- 10.2.0.2 hostb
//         fd00:a::2   fd00:a::1   2001:db8::1   2001:db8::2   fd00:b::1   fd00:b::2
//
// With a NAT, gwa has 100.64.0.1 and 2001:db8:a::1 behind it, and its outside addresses are those that gwa has above.
// Neither gateway has a route to the other's inside: only a tunnel gets there.

import { hop } from './hop.ts';
import { type Space, Topology } from './netns.ts';

export const A = {
  outside: '192.0.2.1',
  outside6: '2001:db8::1',
  behind: '100.64.0.1',
  behind6: '2001:db8:a::1',
  net: '10.1.0.0/24',
  net6: 'fd00:a::/64',
  host: '10.1.0.2',
  host6: 'fd00:a::2',
} as const;

export const B = {
  outside: '192.0.2.2',
  outside6: '2001:db8::2',
  net: '10.2.0.0/24',
  net6: 'fd00:b::/64',
  host: '10.2.0.2',
  host6: 'fd00:b::2',
} as const;

export interface Sites {
  readonly topology: Topology;
  readonly hosta: Space;
  readonly gwa: Space;
  readonly gwb: Space;
  readonly hostb: Space;
  readonly nat: Nat | undefined;
  readonly hop: Space | undefined;
}

export interface SitesOptions {
  readonly nat?: boolean;
  readonly mtu?: number;
  /** gwb is not a gateway but the place where one stands: what has its addresses is a machine behind its interfaces. */
  readonly guest?: boolean;
  /** A router on the way that neither gateway knows of (hop.ts). */
  readonly hop?: boolean;
}

export async function sites(options: SitesOptions = {}): Promise<Sites> {
  const topology = new Topology();
  try {
    const [hosta, gwa, gwb, hostb] = [
      await topology.space('hosta'),
      await topology.space('gwa'),
      await topology.space('gwb'),
      await topology.space('hostb'),
    ];
    await topology.wire(hosta, [`${A.host}/24`, `${A.host6}/64`], gwa, ['10.1.0.1/24', 'fd00:a::1/64']);
    const inside = options.guest ? [] : ['10.2.0.1/24', 'fd00:b::1/64'];
    await topology.wire(hostb, [`${B.host}/24`, `${B.host6}/64`], gwb, inside);
    for (const [host, gateway] of [
      [hosta, ['10.1.0.1', 'fd00:a::1']],
      [hostb, ['10.2.0.1', 'fd00:b::1']],
    ] as const) {
      for (const via of gateway) await host.route('default', via);
    }
    await gwa.forward();
    if (!options.guest) await gwb.forward();
    const b = options.guest ? [] : [`${B.outside}/24`, `${B.outside6}/64`];
    const nat = options.nat === true ? await Nat.between(topology, gwa, gwb, b) : undefined;
    const router = options.hop
      ? await hop(
          topology,
          { space: gwa, addresses: [A.outside, A.outside6], own: true },
          { space: gwb, addresses: [B.outside, B.outside6], own: b.length > 0 },
        )
      : undefined;
    if (!nat && !router) await topology.wire(gwa, [`${A.outside}/24`, `${A.outside6}/64`], gwb, b, options.mtu);
    return { topology, hosta, gwa, gwb, hostb, nat, hop: router };
  } catch (error) {
    await topology.dispose();
    throw error;
  }
}

/** They are gone afterwards. */
export async function inSites(work: (net: Sites) => Promise<void>, options: SitesOptions = {}): Promise<void> {
  const net = await sites(options);
  try {
    await work(net);
  } finally {
    await net.topology.dispose();
  }
}

/** A box that hides gwa behind one address and gives its UDP ports others; nothing comes in unasked. */
export class Nat {
  readonly space: Space;
  #mapping = 0;

  private constructor(space: Space) {
    this.space = space;
  }

  static async between(topology: Topology, gwa: Space, gwb: Space, b: readonly string[]): Promise<Nat> {
    const space = await topology.space('nat');
    await topology.wire(gwa, [`${A.behind}/24`, `${A.behind6}/64`], space, ['100.64.0.254/24', '2001:db8:a::fe/64']);
    await topology.wire(space, [`${A.outside}/24`, `${A.outside6}/64`], gwb, b);
    await gwa.route('192.0.2.0/24', '100.64.0.254');
    await gwa.route('2001:db8::/64', '2001:db8:a::fe');
    await space.forward();
    const nat = new Nat(space);
    await nat.#map(undefined);
    return nat;
  }

  /**
   * From the next packet on gwa appears on another port, and at `address` if one is given (it must be in the outside
   * networks): what a NAT does that was restarted. The old mapping answers no more.
   */
  async rebind(address?: string): Promise<void> {
    if (address !== undefined) {
      const prefix = address.includes(':') ? 64 : 24;
      await this.space.ip('address', 'add', `${address}/${prefix}`, 'dev', 'gwb', 'nodad');
    }
    this.#mapping++;
    await this.#map(address);
  }

  /** Connections are known per conntrack zone: in a new zone none of the old ones exists. */
  async #map(address: string | undefined): Promise<void> {
    const first = 20_000 + 1000 * (this.#mapping % 40);
    const ports = `${first}-${first + 999}`;
    const to = (family: 4 | 6) => {
      if (address === undefined || address.includes(':') !== (family === 6)) return `masquerade to :${ports}`;
      return `snat to ${family === 6 ? `[${address}]` : address}:${ports}`;
    };
    await this.space.nft(`
      table inet nat
      delete table inet nat
      table inet nat {
        chain zone {
          type filter hook prerouting priority raw
          ct zone set ${this.#mapping + 1}
        }
        chain out {
          type nat hook postrouting priority srcnat
          oifname "gwb" meta nfproto ipv4 meta l4proto udp ${to(4)}
          oifname "gwb" meta nfproto ipv6 meta l4proto udp ${to(6)}
          oifname "gwb" masquerade
        }
        chain unasked {
          type filter hook input priority filter
          iifname "gwb" meta l4proto { udp, esp } drop
        }
        chain through {
          type filter hook forward priority filter
          iifname "gwb" ct state new drop
        }
      }`);
  }
}
