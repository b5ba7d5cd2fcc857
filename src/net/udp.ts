// One UDP port on every local address, both families.

import type { SocketAddress } from '../bytes/ip.ts';
import { EACCES, EADDRINUSE, markHint, SystemError, system } from './error.ts';
import { addon, type Version } from './native.ts';
import { ifSupported, type SocketOptions, Sockets } from './socket.ts';
import type { UdpPort } from './types.ts';

/** Attempts to find a number that is free in both families, when the kernel chooses. */
const TRIES = 16;

/** Port 0 takes any port that is free in both families. Works with IPv4 alone where the host has no IPv6. */
export function openUdp(port: number, { mark = 0 }: SocketOptions = {}): UdpPort {
  for (let tries = 1; ; tries++) {
    const v4 = open(4, port, mark);
    const number = addon().udpPort(v4);
    let v6: number | undefined;
    try {
      v6 = ifSupported(() => open(6, number, mark));
    } catch (error) {
      addon().close(v4);
      const taken = error instanceof SystemError && error.errno === EADDRINUSE;
      if (port === 0 && taken && tries < TRIES) continue;
      throw error;
    }
    return new Port(number, v4, v6);
  }
}

function open(version: Version, port: number, mark: number): number {
  return system(
    () => addon().udpOpen(version, port, mark),
    (errno, syscall) => {
      if (errno === EADDRINUSE) return `another program, perhaps another IKE daemon, has UDP port ${port}`;
      if (errno === EACCES) return `UDP port ${port} needs CAP_NET_BIND_SERVICE`;
      return markHint(errno, syscall);
    },
  );
}

class Port implements UdpPort {
  readonly port: number;
  onReceive: UdpPort['onReceive'] = () => {};
  readonly #sockets: Sockets;

  constructor(port: number, v4: number, v6: number | undefined) {
    this.port = port;
    this.#sockets = new Sockets(v4, v6, {
      receive: addon().udpReceive,
      deliver: (bytes, path) => {
        this.onReceive(bytes, { ip: path.remote, port: path.port }, { ip: path.local, port });
      },
    });
  }

  send(bytes: Uint8Array, from: SocketAddress, to: SocketAddress): boolean {
    return this.#sockets.send(bytes, from.ip, to);
  }

  close(): void {
    this.#sockets.close();
  }
}
