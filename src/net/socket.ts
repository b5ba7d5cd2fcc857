// An IPv4 and an IPv6 socket that act as one: what UDP ports and raw sockets have in common.

import { type Ip, isV6, type SocketAddress } from '../bytes/ip.ts';
import { EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, SystemError, system } from './error.ts';
import { addon, Path, type Version, type Watch } from './native.ts';

export interface SocketOptions {
  /** Put on every packet, so that the routing rule of `openRoutes` lets it pass by the tunnels. */
  readonly mark?: number;
}

/** Undefined where the host has no IPv6. */
export function ifSupported(open: () => number): number | undefined {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno === EAFNOSUPPORT || error.errno === EADDRNOTAVAIL) return undefined;
    throw error;
  }
}

export interface Use {
  readonly receive: (fd: number, bytes: Uint8Array, path: Uint8Array) => number;
  /** `bytes` and `path` are borrowed. */
  readonly deliver: (bytes: Uint8Array, path: Path) => void;
  /** A socket that tells errors, too: who takes them. */
  readonly errors: (fd: number, version: Version) => void;
}

interface Socket {
  readonly fd: number;
  readonly path: Path;
  /** What is polled: it stands for the socket. */
  readonly polled: number;
  watch: Watch | undefined;
}

/** Datagrams taken from one socket before others get their turn. */
const BURST = 32;

/** Shared by all sockets: a datagram is handed on before the next one is read. */
const buffer = new Uint8Array(65_535);

/** Owns both descriptors from the start. */
export class Sockets {
  readonly #use: Use;
  readonly #v4: Socket;
  readonly #v6: Socket | undefined;
  #closed = false;

  constructor(v4: number, v6: number | undefined, use: Use) {
    this.#use = use;
    this.#v4 = this.#made(v4, 4);
    this.#v6 = v6 === undefined ? undefined : this.#made(v6, 6);
    try {
      for (const socket of this.#all()) {
        socket.watch = system(() => addon().pollStart(socket.polled, () => this.#drain(socket)));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** 0, or the errno. */
  send(bytes: Uint8Array, from: Ip, to: SocketAddress): number {
    const socket = this.#socket(isV6(to.ip) ? 6 : 4);
    if (this.#closed || !socket) return EAFNOSUPPORT;
    socket.path.set(from, to);
    return Math.max(0, -addon().send(socket.fd, bytes, socket.path.bytes));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { fd, polled, watch } of this.#all()) {
      if (watch) addon().pollStop(watch);
      addon().close(polled);
      addon().close(fd);
    }
  }

  #made(fd: number, version: Version): Socket {
    // Who polls the socket itself would take its errors for its end.
    return { fd, path: new Path(version), polled: addon().udpWatch(fd), watch: undefined };
  }

  #socket(version: Version): Socket | undefined {
    return version === 4 ? this.#v4 : this.#v6;
  }

  #all(): readonly Socket[] {
    return this.#v6 ? [this.#v4, this.#v6] : [this.#v4];
  }

  /** What is left after a burst makes the socket readable again in the next turn of the event loop. */
  #drain({ fd, path }: Socket): void {
    this.#use.errors(fd, path.version);
    for (let i = 0; i < BURST && !this.#closed; i++) {
      const length = this.#use.receive(fd, buffer, path.bytes);
      if (length === -EAGAIN) return;
      // Something unusable was taken from the queue, or an error that was pending: the next one may be good.
      if (length >= 0) this.#deliver(length, path);
    }
  }

  /** One datagram, or several of one size that the kernel has joined. */
  #deliver(length: number, path: Path): void {
    const size = path.segment === 0 ? length : path.segment;
    if (length === 0) return this.#use.deliver(buffer.subarray(0, 0), path);
    for (let at = 0; at < length; at += size) {
      this.#use.deliver(buffer.subarray(at, Math.min(at + size, length)), path);
    }
  }
}
