// Raw sockets for ESP without UDP encapsulation (RFC 4303 §2: protocol 50), both families.

import type { Ip } from '../bytes/ip.ts';
import { EPERM, markHint, system } from './error.ts';
import { addon, type Version } from './native.ts';
import { ifSupported, type SocketOptions, Sockets } from './socket.ts';
import type { RawEsp } from './types.ts';

/** Works with IPv4 alone where the host has no IPv6. */
export function openRawEsp({ mark = 0 }: SocketOptions = {}): RawEsp {
  const v4 = open(4, mark);
  let v6: number | undefined;
  try {
    v6 = ifSupported(() => open(6, mark));
  } catch (error) {
    addon().close(v4);
    throw error;
  }
  return new Raw(v4, v6);
}

function open(version: Version, mark: number): number {
  return system(
    () => addon().rawOpen(version, mark),
    (errno, syscall) =>
      errno === EPERM && syscall === 'socket'
        ? 'ESP outside UDP needs CAP_NET_RAW; with encap = yes it is not needed'
        : markHint(errno, syscall),
  );
}

class Raw implements RawEsp {
  onReceive: RawEsp['onReceive'] = () => {};
  readonly #sockets: Sockets;

  constructor(v4: number, v6: number | undefined) {
    this.#sockets = new Sockets(v4, v6, {
      receive: addon().rawReceive,
      deliver: (bytes, path) => this.onReceive(bytes, path.remote, path.local),
    });
  }

  send(bytes: Uint8Array, from: Ip, to: Ip): boolean {
    return this.#sockets.send(bytes, from, { ip: to, port: 0 });
  }

  close(): void {
    this.#sockets.close();
  }
}
