// The kernel's files, which may be missing or closed to us, and programs, which may be missing too.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Undefined where it cannot be read, for whatever reason: a fact that is not to be had is none. */
export function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not there in this kernel, this container or for this user.
    return undefined;
  }
}

/** A setting below /proc/sys, as a whole number. */
export function sysctl(...path: readonly string[]): number | undefined {
  const text = read(['/proc/sys', ...path].join('/'))?.trim();
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

export type Ran = { readonly ok: true; readonly out: string } | { readonly ok: false; readonly missing: boolean };

const PATIENCE = 5000;
/** Those of administrators, too, which are not on everybody's path. */
const PATHS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export function run(program: string, ...args: readonly string[]): Ran {
  const env = { ...process.env, PATH: [process.env.PATH ?? '', ...PATHS].filter(Boolean).join(':'), LC_ALL: 'C' };
  const limits = { timeout: PATIENCE, maxBuffer: 1 << 28 };
  const done = spawnSync(program, args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'], ...limits });
  if (done.error && 'code' in done.error && done.error.code === 'ENOENT') return { ok: false, missing: true };
  return done.status === 0 ? { ok: true, out: done.stdout } : { ok: false, missing: false };
}
