// What the bench knows of a tunnel, whoever makes it.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Sites } from '../../test/support/sites.ts';

/** Where a tunnel is measured. Everything in it goes with its topology. */
export interface Bed extends Sites {
  /** The binary of the reference pump. */
  readonly pump: string | undefined;
}

export interface Tunnel {
  /** The daemons of both gateways; none where the kernel forwards. */
  readonly pids: readonly number[];
  /** Starts a rekey of the child SA. */
  readonly rekey?: () => Promise<void>;
  /** What the daemons have said: for an error. */
  readonly log?: () => Promise<string>;
}

export type Start = (bed: Bed) => Promise<Tunnel>;

/** The inner MTU of those that do not find their own: what IPsec needs fits into 1500 bytes with every cipher. */
export const MTU = 1400;

export function installed(command: string): boolean {
  if (command.startsWith('/')) return existsSync(command);
  const path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;
  return path.split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, command)));
}

export function pidOf({ pid }: { readonly pid?: number | undefined }): number {
  if (pid === undefined) throw new Error('a daemon has not started');
  return pid;
}
