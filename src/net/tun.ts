// The TUN device: made, sized and brought up. It vanishes when it is closed, and its routes with it.

import { EACCES, EAFNOSUPPORT, EAGAIN, EBUSY, EINVAL, ENOENT, EPERM, SystemError, system } from './error.ts';
import { linkNamed, quietLink, readLink, setLink } from './link.ts';
import { addon, type Watch } from './native.ts';
import { type Rtnl, withRtnl } from './rtnl.ts';
import type { Tun } from './types.ts';

/** Packets read before others get their turn. */
const BURST = 32;

const buffer = new Uint8Array(65_535);

/** `name` may be a pattern as `esp%d`, of which the kernel makes the first free name. */
export function openTun(name: string, { mtu }: { readonly mtu: number }): Tun {
  const device = system(() => addon().tunOpen(name), hint);
  try {
    return new Device(
      device.fd,
      device.name,
      withRtnl((rtnl) => bringUp(rtnl, device.name, mtu)),
    );
  } catch (error) {
    addon().close(device.fd);
    throw error;
  }
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

class Device implements Tun {
  readonly name: string;
  readonly index: number;
  onPacket: Tun['onPacket'] = () => {};
  readonly #fd: number;
  readonly #watch: Watch;
  #closed = false;

  constructor(fd: number, name: string, index: number) {
    this.name = name;
    this.index = index;
    this.#fd = fd;
    this.#watch = system(() => addon().pollStart(fd, () => this.#drain()));
  }

  write(packet: Uint8Array): boolean {
    return !this.#closed && addon().tunWrite(this.#fd, packet) >= 0;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    addon().pollStop(this.#watch);
    addon().close(this.#fd);
  }

  #drain(): void {
    for (let i = 0; i < BURST && !this.#closed; i++) {
      const length = addon().tunRead(this.#fd, buffer);
      if (length === -EAGAIN) return;
      if (length < 0) {
        // Somebody deleted the device. It would be readable for ever, and nothing that we protect can pass any more.
        this.close();
        throw new SystemError(`read(${this.name})`, -length, 'the TUN device is gone');
      }
      this.onPacket(buffer.subarray(0, length));
    }
  }
}
