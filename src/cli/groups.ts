// Groups of this host by name, for roles on the control socket.

import { readFileSync } from 'node:fs';
import { nearest } from '../bytes/nearest.ts';
import { UsageError } from './io.ts';

const FILE = '/etc/group';
const LARGEST = 0xffff_fffe;

/** The number of a group that is named or numbered. */
export function groupId(option: string, group: string): number {
  if (/^\d{1,10}$/.test(group) && Number(group) <= LARGEST) return Number(group);
  const known = new Map(
    readFileSync(FILE, 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .flatMap(([name = '', , id = '']) => (/^\d+$/.test(id) ? [[name, Number(id)] as const] : [])),
  );
  const id = known.get(group);
  if (id !== undefined) return id;
  const [near] = nearest(group, [...known.keys()]);
  throw new UsageError(
    `--${option}: there is no group "${group}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
  );
}
