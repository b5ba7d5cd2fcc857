// The control socket: a unix socket with mode 0660 on which clients speak vici (SECURITY: A24, control socket). Clients are
// independent of each other; whoever breaks the protocol or does not read loses its own connection.

import { lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { type Peer, peerOf } from '../../net/peer.ts';
import { Channel, type Dialect, type Gone, type Source } from './channel.ts';
import type { Gate } from './gate.ts';
import { parseUri } from './uri.ts';
import { encodePacket, type Section } from './vici.ts';

export interface ControlOptions extends Dialect {
  readonly uri: string;
  /** A client was let go for another reason than its own wish. */
  readonly onDropped?: (gone: Gone) => void;
  /** Who may do what, and what of it is recorded. */
  readonly gate?: Gate;
  /** A command threw: our fault. The client is told, the others do not notice. */
  readonly onBug?: (command: string, error: unknown) => void;
}

/** No host needs more at a time; what a client makes us hold is bounded, so all of them are. */
const MAX_CLIENTS = 256;

/** The socket could not be made: `path` says where, `cause` carries the system's error if there was one. */
export class ControlSocketError extends Error {
  override readonly name = 'ControlSocketError';
  readonly path: string;

  constructor(path: string, why: string, cause?: unknown) {
    super(`control socket ${path}: ${why}`, { cause });
    this.path = path;
  }
}

export class ControlServer {
  readonly #options: ControlOptions;
  readonly #server: Server;
  readonly #channels = new Set<Channel>();
  readonly #events: ReadonlySet<string>;
  /** Sources that somebody listens to, and how they end. */
  readonly #flowing = new Map<Source, () => void>();

  private constructor(options: ControlOptions) {
    this.#options = options;
    const { events, sources = [] } = options;
    this.#events = new Set([...events, ...sources.flatMap((source) => source.events)]);
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CLIENTS;
  }

  static async listen(options: ControlOptions): Promise<ControlServer> {
    const uri = parseUri(options.uri);
    if ('wrong' in uri) throw new ControlSocketError(options.uri, uri.wrong);
    const control = new ControlServer(options);
    try {
      mkdirSync(dirname(uri.path), { recursive: true, mode: 0o750 });
      await removeStale(uri.path);
      await control.#bind(uri.path);
    } catch (error) {
      if (error instanceof ControlSocketError) throw error;
      throw new ControlSocketError(uri.path, error instanceof Error ? error.message : 'failed', error);
    }
    return control;
  }

  /** To every client that registered for it; the message is made if there is one. */
  raise(event: string, message: () => Section): void {
    const listeners = [...this.#channels].filter((channel) => channel.wants(event));
    if (listeners.length === 0) return;
    try {
      const packet = encodePacket({ type: 'event', name: event, message: message() });
      for (const channel of listeners) channel.write(packet);
    } catch (error) {
      // An event that cannot be made is lost; whoever brought it about must not fail for that.
      this.#options.onBug?.(event, error);
    }
  }

  #listen(): void {
    for (const source of this.#options.sources ?? []) {
      const end = this.#flowing.get(source);
      const heard = source.events.some((event) => [...this.#channels].some((channel) => channel.wants(event)));
      if (heard && !end)
        this.#flowing.set(
          source,
          source.begin((event, message) => this.raise(event, message)),
        );
      else if (end && !heard) {
        this.#flowing.delete(source);
        end();
      }
    }
  }

  get clients(): number {
    return this.#channels.size;
  }

  /** Ends all clients and removes the socket. */
  close(): Promise<void> {
    for (const channel of this.#channels) channel.close();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #bind(path: string): Promise<void> {
    const bound = new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.once('listening', () => {
        this.#server.off('error', reject);
        // A later accept(2) that fails (EMFILE) is that client's loss alone.
        this.#server.on('error', () => {});
        resolve();
      });
    });
    // bind(2) happens inside `listen` and gives the socket its mode, 0660: a chmod afterwards would come late.
    const mask = process.umask(0o117);
    try {
      this.#server.listen(path);
    } finally {
      process.umask(mask);
    }
    return bound;
  }

  #accept(socket: Socket): void {
    // `serve` hears of failures through the stream's iterator; one outside of it must not end the process.
    socket.on('error', () => {});
    const { gate } = this.#options;
    let entrance: { readonly gate: Gate; readonly peer: Peer } | undefined;
    try {
      entrance = gate && { gate, peer: peerOf(socket) };
    } catch (error) {
      // Who cannot be told apart may do nothing.
      socket.destroy();
      this.#options.onDropped?.({ kind: 'unknown', error });
      return;
    }
    const channel = new Channel(socket, {
      commands: this.#options.commands,
      events: this.#events,
      onBug: (command, error) => this.#options.onBug?.(command, error),
      onInterest: () => this.#listen(),
      entrance,
    });
    this.#channels.add(channel);
    void channel.serve().then((gone) => {
      this.#channels.delete(channel);
      this.#listen();
      if (gone.kind !== 'left') this.#options.onDropped?.(gone);
    });
  }
}

/** A socket file that nobody listens on any more is left by a killed daemon. Nothing else is ever removed. */
async function removeStale(path: string): Promise<void> {
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (!file) return;
  if (!file.isSocket()) throw new ControlSocketError(path, 'exists and is not a socket');
  if (await answers(path))
    throw new ControlSocketError(path, 'another daemon listens there; choose another with --control');
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      // The other daemon's queue of connections is full: it is there.
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}
