// Who has connected to a unix socket of ours. The kernel noted it when the connection was made (SO_PEERCRED,
// SO_PEERGROUPS): what that process has become since, or who has its number now, makes no difference.

import type { Socket } from 'node:net';
import { SystemError } from './error.ts';
import { addon } from './native.ts';

export interface Peer {
  /** 0 where the process is in a namespace that we do not see. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups; undefined where the kernel does not tell. */
  readonly groups: readonly number[] | undefined;
}

/** In front of the groups: pid, uid, gid, and how many there are. */
const FIXED = 4;
/** More groups than nearly anybody has. */
const USUAL = 64;
/** Nobody. */
const UNSAID = -1;

/** Throws where it cannot be told. */
export function peerOf(socket: Socket): Peer {
  const fd = descriptorOf(socket);
  if (fd === undefined) throw new Error('a socket without a descriptor');
  let words = read(fd, USUAL);
  if ((words[3] as number) > USUAL) words = read(fd, words[3] as number);
  const [pid = 0, uid = UNSAID, gid = UNSAID, count = UNSAID, ...groups] = words;
  return {
    pid,
    uid: uid >>> 0,
    gid: gid >>> 0,
    groups: count < 0 ? undefined : groups.slice(0, count).map((id) => id >>> 0),
  };
}

function read(fd: number, groups: number): Int32Array {
  const words = new Int32Array(FIXED + groups).fill(UNSAID);
  const result = addon().peerOf(fd, words);
  if (result < 0) throw new SystemError('getsockopt(SO_PEERCRED)', -result);
  return words;
}

/** Node has no name for it that it promises to keep: the only place that looks inside a socket. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = '_handle' in socket ? socket._handle : undefined;
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return undefined;
  return typeof handle.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined;
}
