// Node, the addon, the processor, the limits of the process.

import { availableParallelism } from 'node:os';
import { addon } from '../../net/native.ts';
import { clock } from './clock.ts';
import { read } from './files.ts';
import type { Patient, Verdict } from './verdict.ts';

export function program(patient: Patient): Verdict[] {
  return [
    node(process.versions.node, patient.oldestNode),
    loads(),
    ...processor(),
    clock(patient.built),
    openFiles(patient.workers ?? Math.max(1, availableParallelism() - 1)),
  ];
}

/** Without it nothing that asks the kernel through netlink can be looked at. */
export function hasAddon(): boolean {
  try {
    addon();
    return true;
  } catch {
    // `loads` says why.
    return false;
  }
}

export function node(version: string, oldest: string): Verdict {
  const code = 'node-version';
  const about = 'Node';
  if (compareVersions(version, oldest) >= 0) return { code, about, health: 'ok', text: `Node ${version} will do` };
  const text = `Node ${version} is too old: ${oldest} or later is needed`;
  return { code, about, health: 'problem', text, advice: 'install a current one from https://nodejs.org' };
}

function compareVersions(a: string, b: string): number {
  const [ours, theirs] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (ours?.[i] ?? 0) - (theirs?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function loads(): Verdict {
  const about = 'addon';
  try {
    addon();
    return { code: 'addon', about, health: 'ok', text: 'the native addon loads' };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const [what = text] = text.split(': build it');
    return { code: 'addon', about, health: 'problem', text: what, command: 'npm run build:native' };
  }
}

function processor(): Verdict[] {
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(read('/proc/cpuinfo') ?? '')?.[1]?.split(' ');
  if (!flags) return [];
  const base = { code: 'processor', about: 'processor' } as const;
  if (!flags.includes('aes')) {
    const text = 'the processor has no instructions for AES: ChaCha20-Poly1305 is the faster cipher here';
    return [{ ...base, health: 'note', text, advice: 'offer chacha20poly1305 first' }];
  }
  if (!hasAddon()) return [];
  const { vaes, openssl } = addon().cipherFacilities();
  const how = vaes ? 'with vector AES (VAES)' : `with AES instructions, by OpenSSL ${openssl}`;
  return [{ ...base, health: 'ok', text: `AES-GCM runs ${how}` }];
}

/** What the main thread, its sockets and the clients of the control socket take, and what each worker does. */
const BASE_FILES = 320;
const WORKER_FILES = 16;

function openFiles(workers: number): Verdict {
  const base = { code: 'open-files', about: 'open files' } as const;
  const limit = /^Max open files\s+(\d+|unlimited)/m.exec(read('/proc/self/limits') ?? '')?.[1];
  const needed = BASE_FILES + workers * WORKER_FILES;
  if (limit === undefined || limit === 'unlimited' || Number(limit) >= needed) {
    return { ...base, health: 'ok', text: `${limit ?? 'enough'} files may be open` };
  }
  const text = `only ${limit} files may be open; with ${workers} worker${workers === 1 ? '' : 's'} and all clients the daemon needs ${needed}`;
  return { ...base, health: 'warning', text, command: 'ulimit -n 4096', advice: 'LimitNOFILE=4096 in a systemd unit' };
}
