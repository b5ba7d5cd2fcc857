// What this process may do, and what the service will be allowed to.

import { read, sysctl } from './files.ts';
import type { Needs } from './needs.ts';
import type { Patient, Verdict } from './verdict.ts';

const CAPS = { NET_BIND_SERVICE: 10, NET_ADMIN: 12, NET_RAW: 13 } as const;
type Cap = keyof typeof CAPS;

export interface Capabilities {
  readonly effective: ReadonlySet<Cap>;
  /** What could be had at most, by root too. */
  readonly bounding: ReadonlySet<Cap>;
}

export function capabilities(patient: Patient, needs: Needs): Verdict[] {
  const own = readCapabilities(read('/proc/self/status') ?? '');
  return [admin(own), bind(own, patient), raw(own, needs), ...service(needs)];
}

export function readCapabilities(status: string): Capabilities {
  const set = (name: string): ReadonlySet<Cap> => {
    const bits = BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
    const names = Object.keys(CAPS) as Cap[];
    return new Set(names.filter((cap) => ((bits >> BigInt(CAPS[cap])) & 1n) === 1n));
  };
  return { effective: set('CapEff'), bounding: set('CapBnd') };
}

export function mayAdmin(): boolean {
  return readCapabilities(read('/proc/self/status') ?? '').effective.has('NET_ADMIN');
}

function admin(own: Capabilities): Verdict {
  const base = { code: 'cap-net-admin', about: 'CAP_NET_ADMIN' } as const;
  if (own.effective.has('NET_ADMIN'))
    return { ...base, health: 'ok', text: 'the device, routes and marks are allowed' };
  const text = 'the TUN device, routes and the mark on our own packets need CAP_NET_ADMIN, which this process lacks';
  return { ...base, health: 'problem', text, ...remedy(own, 'NET_ADMIN') };
}

function bind(own: Capabilities, { port, natPort }: Patient): Verdict {
  const base = { code: 'cap-net-bind-service', about: 'CAP_NET_BIND_SERVICE' } as const;
  const lowest = sysctl('net', 'ipv4', 'ip_unprivileged_port_start') ?? 1024;
  const first = Math.min(port, natPort);
  if (first >= lowest || own.effective.has('NET_BIND_SERVICE')) {
    return { ...base, health: 'ok', text: `UDP ports ${port} and ${natPort} are allowed` };
  }
  const text = `UDP port ${first} needs CAP_NET_BIND_SERVICE, which this process lacks`;
  const command = `sysctl -w net.ipv4.ip_unprivileged_port_start=${first}`;
  const { advice } = remedy(own, 'NET_BIND_SERVICE');
  return { ...base, health: 'problem', text, command, advice: `or ${advice}` };
}

function raw(own: Capabilities, { ah }: Needs): Verdict {
  const base = { code: 'cap-net-raw', about: 'CAP_NET_RAW' } as const;
  if (own.effective.has('NET_RAW'))
    return { ...base, health: 'ok', text: 'ESP and AH as protocols of their own are allowed' };
  const text = ah
    ? 'AH, which the configuration asks for, needs CAP_NET_RAW, which this process lacks'
    : 'without CAP_NET_RAW all ESP goes in UDP: peers without NAT traversal cannot be had';
  return { ...base, health: ah ? 'problem' : 'warning', text, ...remedy(own, 'NET_RAW') };
}

function remedy({ bounding }: Capabilities, cap: Cap): { readonly advice: string } {
  return bounding.has(cap)
    ? { advice: `run it as root, or with AmbientCapabilities=CAP_${cap} in a systemd unit` }
    : { advice: `nobody here can have it: start the container with --cap-add ${cap}` };
}

const UNITS = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];
const UNIT = 'espalier.service';

/** The unit that would be started, and what its user is given. */
function service({ ah }: Needs): Verdict[] {
  const [path, text] = UNITS.map((folder) => [`${folder}/${UNIT}`, read(`${folder}/${UNIT}`)] as const).find(
    ([, unit]) => unit !== undefined,
  ) ?? ['', undefined];
  if (text === undefined) return [];
  const base = { code: 'service', about: UNIT } as const;
  const value = (key: string) =>
    [...text.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, words]) => words).join(' ');
  const user = value('User').trim() || 'root';
  const given = user === 'root' ? value('CapabilityBoundingSet') || 'all' : value('AmbientCapabilities');
  const wanted: readonly Cap[] = ah ? ['NET_ADMIN', 'NET_BIND_SERVICE', 'NET_RAW'] : ['NET_ADMIN', 'NET_BIND_SERVICE'];
  const lacking = wanted.filter((cap) => given !== 'all' && !given.includes(`CAP_${cap}`));
  if (lacking.length === 0) return [{ ...base, health: 'ok', text: `runs as ${user}, with the capabilities it needs` }];
  const names = lacking.map((cap) => `CAP_${cap}`).join(' ');
  const key = user === 'root' ? 'CapabilityBoundingSet' : 'AmbientCapabilities';
  return [
    {
      ...base,
      health: 'problem',
      text: `${path} runs as ${user} without ${names}`,
      advice: `add ${names} to ${key} in ${path}, then: systemctl daemon-reload`,
    },
  ];
}
