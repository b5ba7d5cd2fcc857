// The host as the daemon sees it: sockets, the TUN device, routes. Tests have them in memory (test/support/memory.ts).

import type { Ip, Prefix, SocketAddress } from '../bytes/ip.ts';

/** One UDP port on every local address, both families. Knows to which address of ours a datagram came. */
export interface UdpPort {
  readonly port: number;
  /** Called for each datagram; `bytes` are borrowed until the handler returns. */
  onReceive: (bytes: Uint8Array, from: SocketAddress, to: SocketAddress) => void;
  /** What the network says of packets that we sent: records as a lane has them (esp/layout.ts), borrowed. */
  onErrors: (records: Int32Array, count: number) => void;
  /** 0, or the errno with which the kernel refused (no route, full buffer): the datagram is lost, as datagrams are. */
  send(bytes: Uint8Array, from: SocketAddress, to: SocketAddress): number;
  close(): void;
}

/** The inside: its packets are the data plane's. */
export interface Tun {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  /** The largest packet that the kernel gives it. */
  resize(mtu: number): void;
  close(): void;
}

/** Routes and rules of our own table (ARCHITECTURE §4). All of them go with `close`. */
export interface Routes {
  /** `source` is the address that local traffic should carry, when one of ours lies in the local selectors. */
  /**
   * `mtu` is the largest packet that fits this way. What `serves` is the route of an SA, and nothing that is laid in
   * advance changes it; otherwise the newest says how.
   */
  add(destination: Prefix, source: Ip | undefined, mtu: number, serves?: boolean): void;
  /** A route that is there takes packets of another size from now on. */
  resize(destination: Prefix, source: Ip | undefined, mtu: number): void;
  remove(destination: Prefix, served?: boolean): void;
  /** Clear packets from this subnet are dropped unless they come out of the TUN. */
  guard(source: Prefix): void;
  unguard(source: Prefix): void;
  /** Runs `act`, which guards these: they are laid in one go before, and what `act` does not guard is taken back. */
  together(sources: readonly Prefix[], act: () => void): void;
  /** A local network that lies inside a remote one: reached as ever, and never suspect. */
  exempt(local: Prefix): void;
  unexempt(local: Prefix): void;
  /** What finds no other route of ours to this network goes nowhere. Outlives a process that is killed. */
  block(destination: Prefix): void;
  unblock(destination: Prefix): void;
  /** Everything is laid that the configuration asks for: what else a predecessor has blocked is free. */
  settle(): void;
  /** `keepBlocks` leaves what is blocked and guarded in force, for the next one to take over. */
  close(keepBlocks?: boolean): void;
}

export interface Host {
  /** The source address the kernel would use towards `remote`. */
  sourceFor(remote: Ip): Ip | undefined;
  /** Addresses on our interfaces. */
  addresses(): readonly Ip[];
  /** The name of the first link towards `remote`. */
  linkTo(remote: Ip): string | undefined;
  /** The largest packet that the first link towards `remote` takes, IP header included. */
  mtuTo(remote: Ip): number;
}
