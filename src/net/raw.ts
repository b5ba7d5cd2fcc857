// Raw sockets for ESP without UDP encapsulation and for AH (RFC 4303 §2, RFC 4302 §2: protocols 50 and 51), both
// families, one of each for every worker. Each sees every packet of its protocol, so that a filter on the SPI keeps
// the others' away.

import { EPERM, markHint, system } from './error.ts';
import { addon, type Version } from './native.ts';
import { ifSupported, type SocketOptions } from './socket.ts';

const ESP = 50;
const AH = 51;

/** Descriptors of worker n are at index n; IPv6 may be missing. */
export interface RawSockets {
  readonly esp4: readonly number[];
  readonly esp6: readonly number[] | undefined;
  readonly ah4: readonly number[];
  readonly ah6: readonly number[] | undefined;
  close(): void;
}

export function openRaw({ mark = 0, workers }: SocketOptions & { readonly workers: number }): RawSockets {
  const fds: number[] = [];
  const close = () => {
    for (const fd of fds) addon().close(fd);
  };
  const one = (version: Version, protocol: number, index: number): number => {
    const fd = open(version, protocol, mark, workers, index);
    fds.push(fd);
    return fd;
  };
  const all = (version: Version, protocol: number): number[] | undefined => {
    const first = version === 4 ? one(4, protocol, 0) : ifSupported(() => one(6, protocol, 0));
    if (first === undefined) return undefined;
    return [first, ...Array.from({ length: workers - 1 }, (_, i) => one(version, protocol, i + 1))];
  };
  try {
    return { esp4: all(4, ESP) ?? [], esp6: all(6, ESP), ah4: all(4, AH) ?? [], ah6: all(6, AH), close };
  } catch (error) {
    close();
    throw error;
  }
}

function open(version: Version, protocol: number, mark: number, workers: number, index: number): number {
  return system(
    () => addon().rawOpen(version, protocol, mark, workers, index),
    (errno, syscall) =>
      errno === EPERM && syscall === 'socket'
        ? 'ESP outside UDP needs CAP_NET_RAW; with encap = yes it is not needed'
        : markHint(errno, syscall),
  );
}
