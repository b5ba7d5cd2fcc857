// The network and the TUN device in memory: everything arrives in order, in the microtask after it was sent.

import type { Ip, SocketAddress } from '../../src/bytes/ip.ts';
import { formatSocketAddress } from '../../src/bytes/ip.ts';
import { EADDRNOTAVAIL } from '../../src/net/error.ts';
import type { Tun, UdpPort } from '../../src/net/types.ts';

/** Protocol 50, both families. */
export interface RawEsp {
  /** `bytes` start at the ESP header and are borrowed. */
  onReceive: (bytes: Uint8Array, from: Ip, to: Ip) => void;
  send(bytes: Uint8Array, from: Ip, to: Ip): boolean;
  close(): void;
}

/** A packet under way; `port` is absent for protocol 50. */
export interface Flight {
  readonly bytes: Uint8Array;
  readonly from: { readonly ip: Ip; readonly port?: number };
  readonly to: { readonly ip: Ip; readonly port?: number };
}

/** Hosts that reach one another. Each is the addresses that its ports are opened with. */
export class MemoryNet {
  /** What passes; a test cuts or bends the wire here. */
  filter: (flight: Flight) => boolean = () => true;
  readonly #udp = new Map<string, MemoryUdp>();
  readonly #esp = new Map<Ip, MemoryEsp>();
  #queue: Flight[] = [];
  #next = 49_152;

  /** A port on each of `ips`; 0 takes a free one. */
  openUdp(ips: readonly Ip[], port: number): UdpPort {
    const chosen = port === 0 ? this.#next++ : port;
    const names = ips.map((ip) => formatSocketAddress({ ip, port: chosen }));
    const taken = names.find((name) => this.#udp.has(name));
    if (taken !== undefined) throw new Error(`${taken} is in use`);
    const opened = new MemoryUdp(
      chosen,
      (flight) => this.#send(ips, flight),
      () => {
        for (const name of names) this.#udp.delete(name);
      },
    );
    for (const name of names) this.#udp.set(name, opened);
    return opened;
  }

  openEsp(ips: readonly Ip[]): RawEsp {
    const opened = new MemoryEsp(
      (flight) => this.#send(ips, flight),
      () => {
        for (const ip of ips) this.#esp.delete(ip);
      },
    );
    for (const ip of ips) this.#esp.set(ip, opened);
    return opened;
  }

  /** Puts a packet on the wire as if somebody had sent it. */
  inject(flight: Flight): void {
    this.#queue.push({ ...flight, bytes: flight.bytes.slice() });
    if (this.#queue.length === 1) queueMicrotask(() => this.settle());
  }

  /** Delivers what is under way, and what that brings about, until nothing is. */
  settle(): void {
    for (let flight = this.#queue.shift(); flight; flight = this.#queue.shift()) {
      if (this.filter(flight)) this.#deliver(flight);
    }
  }

  #send(ips: readonly Ip[], flight: Flight): boolean {
    if (!ips.includes(flight.from.ip)) return false;
    this.inject(flight);
    return true;
  }

  #deliver({ bytes, from, to }: Flight): void {
    if (from.port === undefined || to.port === undefined) {
      this.#esp.get(to.ip)?.onReceive(bytes, from.ip, to.ip);
      return;
    }
    const target = { ip: to.ip, port: to.port };
    this.#udp.get(formatSocketAddress(target))?.onReceive(bytes, { ip: from.ip, port: from.port }, target);
  }
}

type Send = (flight: Flight) => boolean;

class MemoryUdp implements UdpPort {
  readonly port: number;
  onReceive: UdpPort['onReceive'] = () => {};
  onErrors: UdpPort['onErrors'] = () => {};
  readonly close: () => void;
  readonly #send: Send;

  constructor(port: number, send: Send, close: () => void) {
    this.port = port;
    this.#send = send;
    this.close = close;
  }

  send(bytes: Uint8Array, from: SocketAddress, to: SocketAddress): number {
    return this.#send({ bytes, from: { ip: from.ip, port: this.port }, to }) ? 0 : EADDRNOTAVAIL;
  }
}

class MemoryEsp implements RawEsp {
  onReceive: RawEsp['onReceive'] = () => {};
  readonly close: () => void;
  readonly #send: Send;

  constructor(send: Send, close: () => void) {
    this.#send = send;
    this.close = close;
  }

  send(bytes: Uint8Array, from: Ip, to: Ip): boolean {
    return this.#send({ bytes, from: { ip: from }, to: { ip: to } });
  }
}

export class MemoryTun implements Tun {
  readonly name: string;
  readonly index: number;
  mtu = 1500;
  /** `packet` is borrowed until the handler returns. */
  onPacket: (packet: Uint8Array) => void = () => {};
  /** What was written to the device: what its host has received. */
  readonly written: Uint8Array[] = [];
  closed = false;

  constructor(name = 'tun0', index = 1) {
    this.name = name;
    this.index = index;
  }

  resize(mtu: number): void {
    this.mtu = mtu;
  }

  write(packet: Uint8Array): boolean {
    if (this.closed) return false;
    this.written.push(packet.slice());
    return true;
  }

  /** The host sends a packet into the device. */
  send(packet: Uint8Array): void {
    if (!this.closed) this.onPacket(packet.slice());
  }

  close(): void {
    this.closed = true;
  }
}
