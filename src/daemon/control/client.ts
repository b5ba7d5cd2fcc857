// A vici client: one connection, one command at a time, events while it runs. What the command line and the tests speak.

import { connect as connectSocket, type Socket } from 'node:net';
import { WireError } from '../../bytes/error.ts';
import { parseUri } from './uri.ts';
import { decodePacket, encodePacket, type Packet, type Section, Segments } from './vici.ts';

export type ControlFault =
  | 'unreachable'
  | 'closed'
  | 'timeout'
  | 'malformed'
  | 'unknown-command'
  | 'unknown-event'
  | 'bad-uri';

export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly code: ControlFault;

  constructor(code: ControlFault, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface RequestOptions {
  /** Milliseconds until the connection is given up; undefined waits for as long as it takes. */
  readonly timeout?: number;
}

export type EventHandler = (message: Section) => void;

interface Waiting {
  readonly resolve: (packet: Packet) => void;
  readonly reject: (error: ControlError) => void;
}

export class Client {
  readonly #socket: Socket;
  readonly #handlers = new Map<string, EventHandler>();
  #waiting: Waiting | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #failed: ControlError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const segments = new Segments();
    socket.on('data', (chunk) => {
      try {
        for (const segment of segments.push(chunk)) this.#receive(decodePacket(segment));
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        this.#fail(
          new ControlError('malformed', `the daemon sent something that is not vici (${error.message})`, error),
        );
      }
    });
    socket.on('error', (error) => this.#fail(new ControlError('closed', error.message, error)));
    socket.on('close', () => this.#fail(new ControlError('closed', 'the daemon closed the connection')));
  }

  static connect(uri: string): Promise<Client> {
    const parsed = parseUri(uri);
    if ('wrong' in parsed) return Promise.reject(new ControlError('bad-uri', parsed.wrong));
    return new Promise((resolve, reject) => {
      const socket = connectSocket(parsed.path);
      const refused = (error: NodeJS.ErrnoException) => {
        reject(new ControlError('unreachable', `cannot reach the daemon at ${uri}: ${plain(error)}`, error));
      };
      socket.once('error', refused);
      socket.once('connect', () => {
        socket.off('error', refused);
        resolve(new Client(socket));
      });
    });
  }

  async request(command: string, message: Section = new Map(), options: RequestOptions = {}): Promise<Section> {
    const answer = await this.#exchange({ type: 'request', name: command, message }, options);
    if (answer.type === 'response') return answer.message;
    throw new ControlError('unknown-command', `the daemon does not know the command '${command}'`);
  }

  /** A request whose answer comes as events before the response. */
  async stream(
    command: string,
    event: string,
    message: Section,
    handler: EventHandler,
    options: RequestOptions = {},
  ): Promise<Section> {
    await this.register(event, handler);
    try {
      return await this.request(command, message, options);
    } finally {
      if (!this.#failed) await this.unregister(event);
    }
  }

  async register(event: string, handler: EventHandler): Promise<void> {
    this.#handlers.set(event, handler);
    const answer = await this.#exchange({ type: 'register', name: event }, {});
    if (answer.type === 'confirm') return;
    this.#handlers.delete(event);
    throw new ControlError('unknown-event', `the daemon does not know the event '${event}'`);
  }

  async unregister(event: string): Promise<void> {
    await this.#exchange({ type: 'unregister', name: event }, {});
    this.#handlers.delete(event);
  }

  /** Resolves when the connection has ended, whoever ended it. */
  closed(): Promise<ControlError> {
    return new Promise((resolve) => {
      const over = () => resolve(this.#failed ?? new ControlError('closed', 'closed'));
      if (this.#failed) over();
      else this.#socket.once('close', over);
    });
  }

  close(): void {
    this.#fail(new ControlError('closed', 'closed'));
  }

  /** The protocol has no numbers that pair answers with requests: each waits for the one before it. */
  #exchange(packet: Packet, options: RequestOptions): Promise<Packet> {
    const answer = this.#turn.then(() => this.#ask(packet, options.timeout));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  #ask(packet: Packet, timeout: number | undefined): Promise<Packet> {
    if (this.#failed) return Promise.reject(this.#failed);
    return new Promise((resolve, reject) => {
      const timer =
        timeout === undefined
          ? undefined
          : setTimeout(() => this.#fail(new ControlError('timeout', `no answer within ${timeout} ms`)), timeout);
      this.#waiting = {
        resolve: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#socket.write(encodePacket(packet));
    });
  }

  #receive(packet: Packet): void {
    if (packet.type === 'event') {
      this.#handlers.get(packet.name)?.(packet.message);
      return;
    }
    const waiting = this.#waiting;
    if (!waiting) throw new WireError('unexpected', 0);
    this.#waiting = undefined;
    waiting.resolve(packet);
  }

  #fail(error: ControlError): void {
    this.#failed ??= error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
    this.#socket.destroy();
  }
}

function plain(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT':
      return 'there is no such socket (is the daemon running?)';
    case 'ECONNREFUSED':
      return 'nobody listens on the socket (did the daemon end?)';
    case 'EACCES':
    case 'EPERM':
      return "permission denied (the socket is open to root and to the daemon's group)";
    default:
      return error.message;
  }
}
