// The TUN device: made, sized and brought up, with a queue for each worker. It vanishes when it is closed, and its
// routes with it. Its packets are the data plane's.

import { EACCES, EAFNOSUPPORT, EBUSY, EINVAL, ENOENT, EPERM, SystemError, system } from './error.ts';
import { linkNamed, quietLink, readLink, setLink } from './link.ts';
import { addon, type Opened } from './native.ts';
import { type Rtnl, withRtnl } from './rtnl.ts';
import type { Tun } from './types.ts';

export interface TunOptions {
  readonly mtu: number;
  readonly workers: number;
  /** Wished facilities. */
  readonly uses: number;
}

export interface TunQueues extends Tun {
  /** Descriptors; that of worker n is at index n. */
  readonly queues: readonly number[];
  /** The facilities that the kernel has. */
  readonly uses: number;
}

/** `name` may be a pattern as `esp%d`, of which the kernel makes the first free name. */
export function openTun(name: string, { mtu, workers, uses }: TunOptions): TunQueues {
  const several = workers > 1;
  const first = open(name, several, uses);
  const queues = [first.fd];
  try {
    for (let n = 1; n < workers; n++) queues.push(open(first.name, several, first.uses).fd);
    const index = withRtnl((rtnl) => bringUp(rtnl, first.name, mtu));
    return new Device(first.name, index, mtu, queues, first.uses);
  } catch (error) {
    for (const fd of queues) addon().close(fd);
    throw error;
  }
}

function open(name: string, several: boolean, uses: number): Opened {
  return system(() => addon().tunOpen(name, several, uses), hint);
}

function hint(errno: number): string {
  switch (errno) {
    case ENOENT:
      return 'load the tun module, or give the container the device /dev/net/tun';
    case EPERM:
    case EACCES:
      return 'CAP_NET_ADMIN is needed, and /dev/net/tun must be readable and writable';
    case EBUSY:
      return 'another process has this device: choose another name with --tun';
    case EINVAL:
      return 'the name is not a valid one, or belongs to an interface of another kind: choose another with --tun';
    default:
      return '';
  }
}

function bringUp(rtnl: Rtnl, name: string, mtu: number): number {
  const { index } = readLink(rtnl.query(linkNamed(name)));
  try {
    rtnl.change(quietLink(index));
  } catch (error) {
    // Without IPv6 there is nothing to quieten.
    if (!(error instanceof SystemError) || error.errno !== EAFNOSUPPORT) throw error;
  }
  rtnl.change(setLink({ index, mtu, up: true }));
  return index;
}

class Device implements TunQueues {
  readonly name: string;
  readonly index: number;
  readonly queues: readonly number[];
  readonly uses: number;
  #mtu: number;
  #closed = false;

  constructor(name: string, index: number, mtu: number, queues: readonly number[], uses: number) {
    this.name = name;
    this.index = index;
    this.queues = queues;
    this.uses = uses;
    this.#mtu = mtu;
  }

  get mtu(): number {
    return this.#mtu;
  }

  resize(mtu: number): void {
    if (this.#closed || mtu === this.#mtu) return;
    this.#mtu = mtu;
    withRtnl((rtnl) => rtnl.change(setLink({ index: this.index, mtu })));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const fd of this.queues) addon().close(fd);
  }
}
