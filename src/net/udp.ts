// One UDP port on every local address, both families: a socket of the main thread's own, or one that it shares with
// the data plane's workers.

import type { SocketAddress } from '../bytes/ip.ts';
import { EACCES, EADDRINUSE, markHint, SystemError, system } from './error.ts';
import { addon, type Opened, type Version } from './native.ts';
import { ifSupported, type SocketOptions, Sockets } from './socket.ts';
import type { UdpPort } from './types.ts';

/** 16 records of 12 words (native/lane.h). */
const ERROR_RECORDS = 16 * 12;
/** What records say they come from: the numbers of a lane's sources. */
const SOURCE = { 4: 1, 6: 2 } as const;

/** Attempts to find a number that is free in both families, when the kernel chooses. */
const TRIES = 16;

/** Port 0 takes any port that is free in both families. Works with IPv4 alone where the host has no IPv6. */
export function openUdp(port: number, { mark = 0 }: SocketOptions = {}): UdpPort {
  const { v4, v6, number } = inBothFamilies(port, (version, wanted) => open(version, wanted, mark));
  return new Port(number, v4, v6);
}

/** A port that main thread and workers share. Descriptors of worker n are at index n. */
export interface UdpGroup {
  /** It hears of errors of any socket of the group. */
  readonly main: UdpPort;
  readonly v4: readonly number[];
  readonly v6: readonly number[] | undefined;
  /** The facilities of `uses` that the kernel has. */
  readonly uses: number;
  close(): void;
}

export interface GroupOptions extends SocketOptions {
  readonly workers: number;
  readonly uses: number;
}

/** The main thread's socket is the first of the group, as steering has it (native/steer.c). */
export function openGroup(port: number, { mark = 0, workers, uses: wished }: GroupOptions): UdpGroup {
  let uses = wished;
  const fds: number[] = [];
  const member = (version: Version, wanted: number, data: boolean): number => {
    const { fd, uses: left } = openMember(version, wanted, mark, data, uses);
    uses = left;
    return fd;
  };
  const of = (version: Version, first: number, number: number): number[] => {
    const added: number[] = [];
    for (let n = 0; n < workers; n++) {
      added.push(member(version, number, true));
      fds.push(added.at(-1) as number);
    }
    // Where it is refused packets come to any of the sockets, and mailboxes lead them on.
    addon().udpSteer(first, workers);
    return added;
  };
  const { v4, v6, number } = inBothFamilies(port, (version, wanted) => member(version, wanted, false));
  try {
    const group = { v4: of(4, v4, number), v6: v6 === undefined ? undefined : of(6, v6, number) };
    const made: UdpGroup = {
      main: new Port(number, v4, v6),
      ...group,
      uses,
      close() {
        made.main.close();
        for (const fd of fds) addon().close(fd);
      },
    };
    return made;
  } catch (error) {
    for (const fd of [...fds, v4, ...(v6 === undefined ? [] : [v6])]) addon().close(fd);
    throw error;
  }
}

function inBothFamilies(port: number, openOne: (version: Version, port: number) => number) {
  for (let tries = 1; ; tries++) {
    const v4 = openOne(4, port);
    const number = addon().udpPort(v4);
    try {
      return { v4, v6: ifSupported(() => openOne(6, number)), number };
    } catch (error) {
      addon().close(v4);
      const taken = error instanceof SystemError && error.errno === EADDRINUSE;
      if (port === 0 && taken && tries < TRIES) continue;
      throw error;
    }
  }
}

function open(version: Version, port: number, mark: number): number {
  return system(
    () => addon().udpOpen(version, port, mark),
    (errno, syscall) => hint(errno, syscall, port),
  );
}

function openMember(version: Version, port: number, mark: number, data: boolean, uses: number): Opened {
  return system(
    () => addon().udpMember(version, port, mark, data, uses),
    (errno, syscall) => hint(errno, syscall, port),
  );
}

function hint(errno: number, syscall: string, port: number): string {
  if (errno === EADDRINUSE) return `another program, perhaps another IKE daemon, has UDP port ${port}`;
  if (errno === EACCES) return `UDP port ${port} needs CAP_NET_BIND_SERVICE`;
  return markHint(errno, syscall);
}

class Port implements UdpPort {
  readonly port: number;
  onReceive: UdpPort['onReceive'] = () => {};
  onErrors: UdpPort['onErrors'] = () => {};
  readonly #sockets: Sockets;

  constructor(port: number, v4: number, v6: number | undefined) {
    this.port = port;
    const records = new Int32Array(ERROR_RECORDS);
    this.#sockets = new Sockets(v4, v6, {
      errors: (fd, version) => {
        const count = addon().udpErrors(fd, SOURCE[version], records);
        if (count > 0) this.onErrors(records, count);
      },
      receive: addon().udpReceive,
      deliver: (bytes, path) => {
        this.onReceive(bytes, { ip: path.remote, port: path.port }, { ip: path.local, port });
      },
    });
  }

  send(bytes: Uint8Array, from: SocketAddress, to: SocketAddress): number {
    return this.#sockets.send(bytes, from.ip, to);
  }

  close(): void {
    this.#sockets.close();
  }
}
