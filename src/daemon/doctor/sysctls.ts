// Settings of the kernel's routing: forwarding, reverse-path filters, redirects (SECURITY E6).

import { AF_INET6 } from '../../net/rtnetlink.ts';
import { sysctl } from './files.ts';
import type { Needs } from './needs.ts';
import { defaultRoute, hasLink } from './network.ts';
import { insideDevices, outsideDevices } from './routes.ts';
import type { Patient, Verdict } from './verdict.ts';

const STRICT = 1;
const LOOSE = 2;
/** The `proto` of routes that came in router advertisements. */
const RTPROT_RA = 9;

export function sysctls(patient: Patient, needs: Needs): Verdict[] {
  return [...forwarding4(needs), ...forwarding6(needs), ...reversePaths(patient, needs), ...redirects(patient, needs)];
}

/** Between two networks packets are forwarded; between two hosts they are not. */
function forwarding4(needs: Needs): Verdict[] {
  const base = { code: 'forwarding', about: 'ip_forward' } as const;
  if (needs.known && !needs.forward.v4) {
    return needs.forward.v6 ? [] : [{ ...base, health: 'ok', text: 'is not needed: there is no network behind us' }];
  }
  const unsure = needs.known ? '' : ', which every tunnel needs that is not for this host alone';
  const health = needs.known ? 'problem' : 'warning';
  if (sysctl('net', 'ipv4', 'ip_forward') !== 1) {
    const text = `this host does not forward IPv4${unsure}`;
    return [{ ...base, health, text, ...set('net.ipv4.ip_forward=1') }];
  }
  const closed = insideDevices(needs).filter((device) => sysctl('net', 'ipv4', 'conf', device, 'forwarding') === 0);
  if (closed.length === 0) return [{ ...base, health: 'ok', text: 'this host forwards IPv4' }];
  const text = `what comes in by ${closed.join(', ')} is not forwarded`;
  return [{ ...base, health, text, ...set(...closed.map((device) => `net.ipv4.conf.${dotted(device)}.forwarding=1`)) }];
}

function forwarding6(needs: Needs): Verdict[] {
  if (!needs.forward.v6) return [];
  const base = { code: 'forwarding6', about: 'IPv6 forwarding' } as const;
  if (sysctl('net', 'ipv6', 'conf', 'all', 'forwarding') === 1) {
    return [{ ...base, health: 'ok', text: 'this host forwards IPv6' }];
  }
  const route = defaultRoute(AF_INET6);
  // Who forwards does not listen to advertisements any more, and its default route would be gone.
  const listens = route?.protocol === RTPROT_RA ? [`net.ipv6.conf.${dotted(route.device)}.accept_ra=2`] : [];
  const text = 'this host does not forward IPv6';
  return [{ ...base, health: 'problem', text, ...set(...listens, 'net.ipv6.conf.all.forwarding=1') }];
}

/** The stricter of both counts: 1 before 2 before 0 is the kernel's order, which is by number. */
function effective(device: string, name: string): number {
  return Math.max(sysctl('net', 'ipv4', 'conf', 'all', name) ?? 0, sysctl('net', 'ipv4', 'conf', device, name) ?? 0);
}

function reversePaths({ tun }: Patient, needs: Needs): Verdict[] {
  const base = { code: 'rp-filter', about: 'rp_filter' } as const;
  // A device that is not there yet begins with the defaults.
  const inner = hasLink(tun) ? tun : 'default';
  const outside = outsideDevices(needs).filter((device) => effective(device, 'rp_filter') === STRICT);
  const inside = effective(inner, 'rp_filter') === STRICT ? [inner] : [];
  const strict = [...outside, ...inside];
  if (strict.length === 0) return [{ ...base, health: 'ok', text: 'no reverse-path filter is in the way' }];
  const command = set(...strict.map((device) => `net.ipv4.conf.${dotted(device)}.rp_filter=${LOOSE}`));
  const [peer] = needs.swallowed.keys();
  if (outside.length > 0 && peer !== undefined) {
    const text = `the strict filter of ${outside.join(', ')} will drop what comes from ${peer}, because the way back to it leads into its own tunnel`;
    return [{ ...base, health: 'problem', text, ...command }];
  }
  const names = strict.map((device) => (device === 'default' ? `${tun}, once it is made` : device));
  const text = `the filter of ${names.join(' and ')} is strict: it drops what comes by another way than the answer would go`;
  return [{ ...base, health: 'warning', text, ...command }];
}

function redirects({ tun }: Patient, needs: Needs): Verdict[] {
  const base = { code: 'redirects', about: 'redirects' } as const;
  const forwards = sysctl('net', 'ipv4', 'ip_forward') === 1;
  const accepting = forwards ? outsideDevices(needs).filter(accepts) : [];
  const inner = hasLink(tun) ? tun : 'default';
  // From one tunnel into another a packet leaves by the device that it came from, which looks like a detour.
  const sends = forwards && needs.connections > 1 && effective(inner, 'send_redirects') > 0;
  const settings = [
    ...accepting.flatMap((device) => ['all', dotted(device)].map((name) => `net.ipv4.conf.${name}.accept_redirects=0`)),
    ...(sends ? ['all', inner].map((name) => `net.ipv4.conf.${dotted(name)}.send_redirects=0`) : []),
  ];
  if (settings.length === 0) return [{ ...base, health: 'ok', text: 'ICMP redirects change nothing' }];
  const texts = [
    ...(accepting.length > 0
      ? [`anybody on the network of ${accepting.join(', ')} can lead our packets elsewhere by ICMP redirects`]
      : []),
    ...(sends
      ? ['hosts behind one tunnel will be told to go past this gateway, where packets go from one tunnel into another']
      : []),
  ];
  return [{ ...base, health: 'warning', text: texts.join('; '), ...set(...new Set(settings)) }];
}

/** A router takes them only where both settings allow it. */
function accepts(device: string): boolean {
  return ['all', device].every((name) => (sysctl('net', 'ipv4', 'conf', name, 'accept_redirects') ?? 0) > 0);
}

function set(...settings: readonly string[]): { readonly command: string } {
  return { command: `sysctl -w ${settings.join(' ')}` };
}

/** In the names of sysctl a dot of a device's name is a slash. */
function dotted(device: string): string {
  return device.replaceAll('.', '/');
}
