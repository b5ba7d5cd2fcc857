// Who has our UDP ports. The kernel's lists name sockets by inode; whose they are stands in everybody's /proc/PID/fd.

import { readdirSync, readlinkSync } from 'node:fs';
import { read } from './files.ts';
import type { Patient, Verdict } from './verdict.ts';

export interface Owner {
  readonly pid: number;
  readonly name: string;
  /** A daemon of ours. */
  readonly own: boolean;
  /** The systemd unit that it belongs to. */
  readonly unit: string | undefined;
}

export function ports({ port, natPort }: Patient): Verdict[] {
  const taken = [...udpSockets(read('/proc/net/udp')), ...udpSockets(read('/proc/net/udp6'))];
  return [...new Set([port, natPort])].map((number) => verdict(number, taken));
}

interface UdpSocket {
  readonly port: number;
  readonly inode: string;
}

function udpSockets(list: string | undefined): UdpSocket[] {
  return (list?.split('\n') ?? []).slice(1).flatMap((line) => {
    const [, local = '', , , , , , , , inode = ''] = line.trim().split(/\s+/);
    const port = Number.parseInt(local.split(':')[1] ?? '', 16);
    return Number.isNaN(port) ? [] : [{ port, inode }];
  });
}

function verdict(port: number, taken: readonly UdpSocket[]): Verdict {
  const base = { code: 'port', about: `UDP ${port}` } as const;
  const sockets = taken.filter((socket) => socket.port === port);
  if (sockets.length === 0) return { ...base, health: 'ok', text: `UDP port ${port} is free` };
  const owners = sockets.flatMap(({ inode }) => ownerOf(inode) ?? []);
  const stranger = owners.find(({ own }) => !own);
  if (owners.length > 0 && !stranger) {
    return { ...base, health: 'ok', text: `UDP port ${port} is this gateway's (process ${owners[0]?.pid})` };
  }
  const elsewhere = 'choose other ports with --port and --nat-port, if the peers can be told';
  if (!stranger) {
    const text = `UDP port ${port} is taken, by the kernel or by a process that this user may not see`;
    return { ...base, health: 'problem', text, command: `ss -lunp 'sport = :${port}'`, advice: elsewhere };
  }
  const { pid, name, unit } = stranger;
  const who = KNOWN.get(name) ?? name;
  const command = unit === undefined ? `kill ${pid}` : `systemctl disable --now ${unit}`;
  return {
    ...base,
    health: 'problem',
    text: `UDP port ${port} is taken by ${who} (process ${pid})`,
    command,
    advice: elsewhere,
  };
}

/** Other daemons of the trade, by the name of their process. */
const KNOWN = new Map([
  ['charon', "strongSwan's charon"],
  ['charon-systemd', "strongSwan's charon"],
  ['pluto', "libreswan's pluto"],
  ['iked', 'OpenIKED'],
  ['racoon', 'racoon'],
  ['vpp_main', 'VPP'],
]);

function ownerOf(inode: string): Owner | undefined {
  for (const pid of numbered('/proc')) {
    if (!numbered(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`)) continue;
    const name = read(`/proc/${pid}/comm`)?.trim() ?? 'a process';
    return {
      pid,
      name,
      own: isOurs(read(`/proc/${pid}/cmdline`) ?? ''),
      unit: unitOf(read(`/proc/${pid}/cgroup`) ?? ''),
    };
  }
  return undefined;
}

function numbered(folder: string): number[] {
  try {
    return readdirSync(folder).map(Number).filter(Number.isInteger);
  } catch {
    // It ended meanwhile, or is somebody else's.
    return [];
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // Closed meanwhile.
    return undefined;
  }
}

/** `node …/espalier daemon …`, however it was started. */
export function isOurs(commandLine: string): boolean {
  const words = commandLine.split('\0');
  const at = words.indexOf('daemon');
  return at > 0 && /(^|\/)(espalier|cli\/main\.js)$/.test(words[at - 1] ?? '');
}

export function unitOf(cgroup: string): string | undefined {
  return /\/([^/\n]+\.service)$/m.exec(cgroup)?.[1];
}
