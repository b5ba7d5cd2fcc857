// Whether the peers can be reached, from which address, in packets of which size.

import { formatIp, type Ip, isV6 } from '../../bytes/ip.ts';
import { cipherShape, integrity } from '../../crypto/registry.ts';
import { IPV6_LEAST, innerMtu, type Shape, tcpMss } from '../../esp/mtu.ts';
import type { Child } from '../../ike/connection.ts';
import { TRANSFORM } from '../../ike/wire/constants.ts';
import type { Transform } from '../../ike/wire/payload.ts';
import { AF_INET, AF_INET6 } from '../../net/rtnetlink.ts';
import { type Flow, hasFamily, hostsIn, type Needs } from './needs.ts';
import { defaultRoute, ownAddresses, type Way, wayTo } from './network.ts';
import type { Verdict } from './verdict.ts';

export function routes(needs: Needs): Verdict[] {
  return [...defaults(needs), ...needs.peers.flatMap((peer) => reach(peer, needs)), ...addresses(needs)];
}

/** Where every peer has a way of its own, no default is needed. */
function defaults(needs: Needs): Verdict[] {
  const base = { code: 'default-route', about: 'default route' } as const;
  const v4 = defaultRoute(AF_INET);
  const v6 = defaultRoute(AF_INET6);
  const devices = [v4 && `IPv4 by ${v4.device}`, v6 && `IPv6 by ${v6.device}`].filter((text) => text !== undefined);
  if (devices.length > 0) return [{ ...base, health: 'ok', text: devices.join(', ') }];
  const text = 'there is no default route, neither for IPv4 nor for IPv6';
  const advice = 'ip route add default via ROUTER';
  if (needs.peers.length > 0) return [{ ...base, health: 'note', text: `${text}; peers are reached as told below` }];
  return [{ ...base, health: 'warning', text, advice }];
}

function reach(peer: Ip, needs: Needs): Verdict[] {
  const base = { code: 'peer-route', about: `peer ${peer}` } as const;
  const way = wayTo(peer);
  if (!way) {
    const family = isV6(peer) ? '-6 ' : '';
    const text = `there is no route to ${peer}`;
    return [{ ...base, health: 'problem', text, advice: `ip ${family}route add ${peer} via ROUTER` }];
  }
  const from = way.source === undefined ? '' : `, from ${way.source}`;
  const found: Verdict[] = [
    { ...base, health: 'ok', text: `is reached by ${way.device}${from}` },
    size(peer, way, needs),
  ];
  const around = needs.swallowed.get(peer);
  if (around !== undefined) {
    const text = `lies in ${around}, which is said to be behind it: our own IKE and ESP pass by the tunnel, all else does not`;
    found.push({ code: 'peer-in-tunnel', about: `peer ${peer}`, health: 'note', text });
  }
  return found;
}

/** What fits into the tunnel with the costliest of what is offered. */
function size(peer: Ip, { device, mtu, known }: Way, needs: Needs): Verdict {
  const base = { code: 'mtu', about: `MTU to ${peer}` } as const;
  const outside = Math.min(mtu, known ?? mtu);
  const version = isV6(peer) ? 6 : 4;
  const inner = Math.min(...shapes(needs, version).map((shape) => innerMtu(outside, shape)));
  const carries6 = needs.flows.some(({ local }) => local.start.length === 16);
  const said = known !== undefined && known < mtu ? `, ${known} beyond it` : '';
  const fits = `${device} takes ${mtu} bytes${said}; packets of ${inner} bytes fit inside, TCP segments of ${tcpMss(inner, carries6 ? 6 : 4)}`;
  if (!carries6 || inner >= IPV6_LEAST) return { ...base, health: 'ok', text: fits };
  const text = `${fits}; IPv6, which is to go there, needs ${IPV6_LEAST}: its packets will be fragmented outside`;
  const command = known !== undefined && known < mtu ? undefined : `ip link set dev ${device} mtu 1500`;
  return { ...base, health: 'warning', text, ...(command === undefined ? {} : { command }) };
}

function shapes({ children }: Needs, version: 4 | 6): Shape[] {
  const found = children.flatMap(({ child }) =>
    child.offers.flatMap(({ transforms }) => {
      const ciphers = transforms.filter(({ type }) => type === TRANSFORM.ENCR);
      const macs = transforms.filter(({ type }) => type === TRANSFORM.INTEG);
      return (ciphers.length > 0 ? ciphers : [undefined]).map((cipher) => shapeOf(child, cipher, macs, version));
    }),
  );
  return found.length > 0
    ? found
    : [{ protocol: 'esp', mode: 'tunnel', udp: true, version, ivSize: 8, icvSize: 16, align: 4 }];
}

function shapeOf(child: Child, cipher: Transform | undefined, macs: readonly Transform[], version: 4 | 6): Shape {
  const shape = cipher && cipherShape(cipher.id, cipher.keyBits);
  const icvs = shape?.aead ? [shape.icvSize] : macs.map(({ id }) => integrity(id)?.icvSize ?? 0);
  return {
    protocol: child.protocol,
    mode: child.mode,
    // A NAT may turn up on any way.
    udp: child.protocol === 'esp',
    version,
    ivSize: shape?.ivSize ?? 0,
    icvSize: Math.max(0, ...icvs),
    align: Math.max(4, shape?.blockSize ?? 4),
  };
}

/** Those that the configuration says are ours. */
function addresses({ own }: Needs): Verdict[] {
  if (own.length === 0) return [];
  const here = new Set(ownAddresses());
  return own.map((address) => {
    const base = { code: 'local-address', about: `our ${address}` };
    if (here.has(address)) return { ...base, health: 'ok' as const, text: 'is an address of this host' };
    const text = `is no address of this host, but local_addrs says so`;
    const length = isV6(address) ? 64 : 24;
    const device = wayOut(address);
    const advice = `correct local_addrs, or: ip address add ${address}/${length} dev ${device}`;
    return { ...base, health: 'problem' as const, text, advice };
  });
}

/** Where its neighbours are. */
function wayOut(address: Ip): string {
  return wayTo(address)?.device ?? 'DEVICE';
}

/** Devices by which our packets leave: those to the peers, or else those of the default routes. */
export function outsideDevices(needs: Needs): readonly string[] {
  const ways = needs.peers.flatMap((peer) => wayTo(peer)?.device ?? []);
  const usual = [
    ...(hasFamily(needs, 4) ? [defaultRoute(AF_INET)?.device] : []),
    ...(hasFamily(needs, 6) ? [defaultRoute(AF_INET6)?.device] : []),
  ].filter((device) => device !== undefined);
  return [...new Set(ways.length > 0 ? ways : usual)];
}

/** Devices behind which our own networks are. */
export function insideDevices({ flows }: Needs): readonly string[] {
  return [...new Set(flows.flatMap((flow) => insideDevice(flow) ?? []))];
}

/** Who routes by the tunnel's own table would be led into it. */
export function insideDevice({ local }: Flow): string | undefined {
  return hostsIn(local)
    .map((host) => wayTo(formatIp(host))?.device)
    .find((device) => device !== undefined && device !== 'lo');
}
