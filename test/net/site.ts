// A gateway in its namespace, and a LAN and a WAN beside it.

import { type Agent, inSpaces, type Space } from './space.ts';

export const MARK = 0xdc;

/** The two ways to guard: sets of nf_tables, and the rules of kernels without. What they drop is the same. */
export const WAYS = ['nftables', 'rules'] as const;
export type Way = (typeof WAYS)[number];

export async function gateway(space: Space, guards: Way): Promise<Agent> {
  const agent = space.agent();
  await agent.call('tun', { name: 'esp0', mtu: 1400 });
  await agent.call('routes', { mark: MARK, guards });
  return agent;
}

/** LAN – gateway – WAN: the gateway protects what is behind the tunnel, 10.2.0.0/16 and fd02::/64. */
export async function site(
  guards: Way,
  body: (wan: Space, gate: Space, lan: Space, agents: Record<'wan' | 'gate' | 'lan', Agent>) => Promise<void>,
) {
  await inSpaces(3, async (wan, gate, lan) => {
    gate.exec('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
    wan.link('eth0', ['192.0.2.2/24', '2001:db8::2/64'], gate, 'wan', ['192.0.2.1/24', '2001:db8::1/64']);
    gate.link('lan', ['10.1.0.1/24', 'fd01::1/64'], lan, 'eth0', ['10.1.0.5/24', 'fd01::5/64']);
    wan.ip('route add 10.1.0.0/24 via 192.0.2.1');
    wan.ip('-6 route add fd01::/64 via 2001:db8::1');
    lan.ip('route add default via 10.1.0.1');
    lan.ip('-6 route add default via fd01::1');
    // Somebody outside who claims to be inside.
    wan.ip('address add 10.2.0.9/32 dev lo');
    wan.ip('address add fd02::9/128 dev lo nodad');
    const agents = { wan: wan.agent(), gate: await gateway(gate, guards), lan: lan.agent() };
    await agents.wan.call('udp', { port: 7000 });
    await agents.lan.call('udp', { port: 7000 });
    await body(wan, gate, lan, agents);
  });
}

export const SIDES = [
  { remote: '10.2.0.0/16', forged: '10.2.0.9', honest: '192.0.2.2', inside: '10.1.0.5', version: '4' },
  { remote: 'fd02::/64', forged: 'fd02::9', honest: '2001:db8::2', inside: 'fd01::5', version: '6' },
] as const;
