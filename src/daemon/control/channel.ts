// One client of the control socket: its packets in the order they come, the events it asked for, its command under way.

import type { Socket } from 'node:net';
import { WireError } from '../../bytes/error.ts';
import type { Peer } from '../../net/peer.ts';
import type { Gate } from './gate.ts';
import { refusal } from './reply.ts';
import { decodePacket, encodePacket, type Packet, type Section, Segments } from './vici.ts';

/** One command of one client. */
export interface Call {
  readonly message: Section;
  /** True when this client registered for the event; without that `stream` and `tell` send nothing. */
  wants(event: string): boolean;
  /** Sends an event to this client and waits while it is slow to read: for answers that may be long. */
  stream(event: string, message: Section): Promise<void>;
  /** Sends an event to this client without waiting. */
  tell(event: string, message: Section): void;
}

export type Command = (call: Call) => Section | Promise<Section>;

/** Events that nobody asks for with a command: they are raised to whoever registered. */
export interface Source {
  readonly events: readonly string[];
  /** Called when the first client registers for one of them; what it answers, when the last one has gone. */
  begin(raise: (event: string, message: () => Section) => void): () => void;
}

export interface Dialect {
  readonly commands: ReadonlyMap<string, Command>;
  /** That commands tell to the client that gave them. */
  readonly events: ReadonlySet<string>;
  readonly sources?: readonly Source[];
}

/** Why a client was let go, for the log. */
export type Gone =
  | { readonly kind: 'left' }
  | { readonly kind: 'malformed'; readonly error: WireError }
  | { readonly kind: 'not-reading'; readonly queued: number }
  /** The kernel does not tell who it is. */
  | { readonly kind: 'unknown'; readonly error: unknown };

/** What may wait for a client that does not read. A whole segment fits many times over. */
export const MAX_QUEUE = 4 * 1024 * 1024;

export interface ChannelOptions {
  readonly commands: ReadonlyMap<string, Command>;
  readonly events: ReadonlySet<string>;
  readonly onBug: (command: string, error: unknown) => void;
  /** The client registers for other events than before. */
  readonly onInterest: () => void;
  /** Where commands pass, and who the client is. Without it everything is allowed, and nothing is recorded. */
  readonly entrance?: { readonly gate: Gate; readonly peer: Peer } | undefined;
}

export class Channel {
  readonly #socket: Socket;
  readonly #options: ChannelOptions;
  readonly #registered = new Set<string>();
  #overflow: number | undefined;

  constructor(socket: Socket, options: ChannelOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** Serves the client until its socket is closed. Never rejects. */
  async serve(): Promise<Gone> {
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    const gone = await this.#read();
    if (gone.kind === 'left') this.#socket.end();
    else this.#socket.destroy();
    await closed;
    return this.#overflow === undefined ? gone : { kind: 'not-reading', queued: this.#overflow };
  }

  wants(event: string): boolean {
    return this.#registered.has(event);
  }

  /** A whole packet, encoded. */
  write(packet: Uint8Array): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(packet);
    const queued = this.#socket.writableLength;
    if (queued <= MAX_QUEUE) return;
    this.#overflow = queued;
    this.#socket.destroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  async #read(): Promise<Gone> {
    const segments = new Segments();
    try {
      // The next chunk is taken only when this one is answered: a client can make us hold no more than one.
      for await (const chunk of this.#socket.iterator({ destroyOnReturn: false })) {
        for (const segment of segments.push(chunk)) await this.#handle(decodePacket(segment));
      }
    } catch (error) {
      if (error instanceof WireError) return { kind: 'malformed', error };
      // Else the stream itself failed (ECONNRESET, EPIPE) or was destroyed: commands that throw end in `#answer`.
    }
    return { kind: 'left' };
  }

  async #handle(packet: Packet): Promise<void> {
    switch (packet.type) {
      case 'request':
        this.write(await this.#answer(packet.name, packet.message));
        break;
      case 'register':
        this.write(encodePacket({ type: this.#register(packet.name) ? 'confirm' : 'unknown-event' }));
        break;
      case 'unregister':
        this.write(encodePacket({ type: this.#unregister(packet.name) ? 'confirm' : 'unknown-event' }));
        break;
      case 'response':
      case 'unknown-command':
      case 'confirm':
      case 'unknown-event':
      case 'event':
        throw new WireError('unexpected', 0);
    }
    await this.#drained();
  }

  #register(event: string): boolean {
    if (!this.#options.events.has(event)) return false;
    this.#registered.add(event);
    this.#options.onInterest();
    return true;
  }

  #unregister(event: string): boolean {
    if (!this.#registered.delete(event)) return false;
    this.#options.onInterest();
    return true;
  }

  async #answer(name: string, message: Section): Promise<Uint8Array> {
    const command = this.#options.commands.get(name);
    if (!command) return encodePacket({ type: 'unknown-command' });
    const { entrance, onBug } = this.#options;
    const entry = entrance?.gate.enter(entrance.peer, name, message);
    if (entry?.refused !== undefined) return encodePacket({ type: 'response', message: refusal(entry.refused) });
    try {
      const reply = await command(this.#call(name, message));
      entry?.done(reply);
      return encodePacket({ type: 'response', message: reply });
    } catch (error) {
      onBug(name, error);
      const reply = refusal(`internal error in '${name}'`);
      entry?.done(reply);
      return encodePacket({ type: 'response', message: reply });
    }
  }

  #call(command: string, message: Section): Call {
    const tell = (event: string, content: Section) => {
      if (!this.wants(event)) return;
      try {
        this.write(encodePacket({ type: 'event', name: event, message: content }));
      } catch (error) {
        // An event that cannot be encoded is lost; whoever reports progress through it must not fail for that.
        this.#options.onBug(command, error);
      }
    };
    return {
      message,
      wants: (event) => this.wants(event),
      stream: (event, content) => {
        tell(event, content);
        return this.#drained();
      },
      tell,
    };
  }

  #drained(): Promise<void> {
    const socket = this.#socket;
    if (!socket.writableNeedDrain || socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = () => {
        socket.off('drain', settle);
        socket.off('close', settle);
        resolve();
      };
      socket.on('drain', settle);
      socket.on('close', settle);
    });
  }
}
