// A router between two gateways of which neither knows: each takes the other for a neighbour, and the router answers in
// the other's name. What it forwards can be made narrow.

import type { Space, Topology } from './netns.ts';

export interface HopEnd {
  readonly space: Space;
  /** One address of each family. */
  readonly addresses: readonly [v4: string, v6: string];
  /** Whether the interface has them: not where a machine behind it does. */
  readonly own: boolean;
}

/** In whose name the router's ICMP errors come. */
const ROUTER = ['192.0.2.254/32', '2001:db8::fe/128'] as const;

export async function hop(topology: Topology, a: HopEnd, b: HopEnd): Promise<Space> {
  const router = await topology.space('hop');
  for (const address of ROUTER) await router.ip('address', 'add', address, 'dev', 'lo');
  await router.forward();
  for (const [near, far] of [
    [a, b],
    [b, a],
  ] as const) {
    const [v4, v6] = near.addresses;
    const dev = near.space.role;
    await topology.wire(near.space, near.own ? [`${v4}/24`, `${v6}/64`] : [], router, []);
    await router.sysctl({
      [`net.ipv4.conf.${dev}.proxy_arp`]: 1,
      [`net.ipv6.conf.${dev}.proxy_ndp`]: 1,
      // Answers at once, not after a random time.
      [`net.ipv4.neigh.${dev}.proxy_delay`]: 0,
      [`net.ipv6.neigh.${dev}.proxy_delay`]: 0,
    });
    for (const address of near.addresses) await router.ip('route', 'add', address, 'dev', dev);
    await router.ip('neighbour', 'add', 'proxy', far.addresses[1], 'dev', dev);
  }
  return router;
}
