// Packets from one lane to another, where they came to the wrong one: what native/mailbox.c is to the C ones.

import type { Ip, SocketAddress } from '../../../src/bytes/ip.ts';

/** A packet, or one to be cut, from the inside. */
export interface Packet {
  readonly bytes: Uint8Array;
  readonly gso: number;
  readonly mss: number;
}

/** From the network: ESP in UDP or, from its own header on, ESP or AH in IP. */
export interface Datagram {
  readonly bytes: Uint8Array;
  /** The IPv4 header in front of it, where the socket gives it. */
  readonly outer?: Uint8Array;
  readonly remote: SocketAddress;
  readonly local: Ip;
  /** DSCP and ECN; 0 where the socket does not tell. */
  readonly class?: number;
  readonly hops?: number;
  /** Where the kernel has joined datagrams of one flow: the size of each. */
  readonly segment?: number;
}

export type Letter = { readonly esp: Datagram } | { readonly plain: Packet };

export class Mail {
  readonly #boxes: Letter[][];
  /** IKE among ESP, for the main thread. */
  onIke: (datagram: Datagram) => void = () => {};
  /** Something came to an empty box. */
  onLetter: (worker: number) => void = () => {};

  constructor(workers: number) {
    this.#boxes = Array.from({ length: workers }, () => []);
  }

  put(worker: number, letter: Letter): void {
    const box = this.#boxes[worker];
    if (!box) throw new Error(`there is no worker ${worker}`);
    box.push(letter);
    if (box.length === 1) this.onLetter(worker);
  }

  take(worker: number): Letter | undefined {
    return this.#boxes[worker]?.shift();
  }

  has(worker: number): boolean {
    return (this.#boxes[worker]?.length ?? 0) > 0;
  }
}
