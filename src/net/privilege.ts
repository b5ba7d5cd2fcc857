// What this process may do, as the kernel sees it, and the way to become less (native/privilege.c, capabilities(7)).

import { readFileSync } from 'node:fs';
import { EPERM, system } from './error.ts';
import { addon } from './native.ts';

/** Numbers of linux/capability.h. */
export const CAPABILITY = { NET_BIND_SERVICE: 10, NET_ADMIN: 12, NET_RAW: 13 } as const;
export type Capability = keyof typeof CAPABILITY;

export interface Rights {
  /** All that it has or could get back: a bit for each. */
  readonly capabilities: bigint;
  /** What it has. */
  readonly permitted: bigint;
  /** No program that it starts can have more. */
  readonly noNewPrivileges: boolean;
}

const SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'];

export function ownRights(): Rights {
  const status = new Map(
    readFileSync('/proc/self/status', 'utf8')
      .split('\n')
      .map((line) => line.split(/:\s*/, 2) as [string, string]),
  );
  const set = (name: string) => BigInt(`0x${status.get(name) ?? '0'}`);
  return {
    capabilities: SETS.reduce((all, name) => all | set(name), 0n),
    permitted: set('CapPrm'),
    noNewPrivileges: status.get('NoNewPrivs') === '1',
  };
}

export function maskOf(capabilities: readonly Capability[]): number {
  return capabilities.reduce((mask, name) => mask | (1 << CAPABILITY[name]), 0);
}

export interface User {
  readonly uid: number;
  readonly gid: number;
}

export function findUser(name: string): User | undefined {
  const [uid, gid] = system(() => addon().userFind(name)) ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

/** What crashes leaves none of its memory behind, where keys are. Until this process starts another program. */
export function forbidDumps(): void {
  system(() => addon().dumpForbid());
}

/** This same program, with those capabilities alone, and as another user if one is named. Never returns. */
export function startAnew(keep: readonly Capability[], env: NodeJS.ProcessEnv, user?: string): never {
  const { execPath, execArgv, argv } = process;
  const program = strings([execPath, ...execArgv, ...argv.slice(1)]);
  const variables = strings(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  return system(
    () => addon().startAnew(maskOf(keep), program, variables, user),
    (errno, syscall) => (errno === EPERM && syscall === 'setresuid' ? 'only root may become another user' : ''),
  );
}

function strings(list: readonly string[]): Uint8Array {
  return Buffer.from(list.map((text) => `${text}\0`).join(''));
}
