// Who has connected to a unix socket of ours, as the kernel says (SO_PEERCRED, SO_PEERGROUPS).

import { SystemError } from './error.ts';
import { addon } from './native.ts';

export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups; undefined where the kernel does not tell, or there are too many. */
  readonly groups: readonly number[] | undefined;
}

const WORDS = 64;
const FIXED = 3;

export function peerOf(fd: number): Peer {
  const who = new Int32Array(WORDS);
  const count = addon().peerOf(fd, who);
  if (count < 0) throw new SystemError('getsockopt(SO_PEERCRED)', -count);
  const [pid = 0, uid = 0, gid = 0, ...groups] = who;
  const known = count <= WORDS - FIXED;
  return {
    pid,
    uid: uid >>> 0,
    gid: gid >>> 0,
    groups: known ? groups.slice(0, count).map((id) => id >>> 0) : undefined,
  };
}
