// A client without manners: raw bytes to the control socket, and what came back.

import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { decodePacket, encodePacket, type Packet, Segments } from '../../../src/daemon/control/vici.ts';

export class Raw {
  readonly socket: Socket;
  readonly packets: Packet[] = [];
  readonly closed: Promise<void>;
  readonly #segments = new Segments();
  #heard = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    // A server that lets us go may do it with ECONNRESET or EPIPE.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  static async connect(t: TestContext, path: string): Promise<Raw> {
    const socket = connect(path);
    t.after(() => socket.destroy());
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new Raw(socket);
  }

  /** From now on what the server sends is read. */
  listen(): this {
    this.socket.on('data', (chunk) => {
      for (const segment of this.#segments.push(chunk)) this.packets.push(decodePacket(segment));
      this.#heard();
    });
    return this;
  }

  send(bytes: Uint8Array | Packet): void {
    this.socket.write(bytes instanceof Uint8Array ? bytes : encodePacket(bytes));
  }

  /** Until this many packets have come, or the server has closed. */
  async received(count: number): Promise<readonly Packet[]> {
    let gone = false;
    void this.closed.then(() => {
      gone = true;
      this.#heard();
    });
    while (this.packets.length < count && !gone) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
    return this.packets;
  }
}
