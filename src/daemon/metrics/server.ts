// GET /metrics for Prometheus, and /healthz for whoever wants to know whether the daemon answers and carries packets.
// Nothing else is there, and nothing that is sent is believed.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { utf8 } from '../../bytes/bytes.ts';
import type { Millis } from '../../ike/connection.ts';

export interface MetricsAddress {
  readonly host: string;
  readonly port: number;
}

/** What there is to tell. */
export interface Told {
  /** Makes the text; when it throws, `onBug` is told and the client gets 500. */
  readonly write: () => string;
  /** Whether the threads of the data plane go round. */
  readonly alive: () => boolean;
  readonly onBug: (error: unknown) => void;
}

export interface Limits {
  readonly clients: number;
  /** For a request to come, and for the next one on the same connection. */
  readonly patience: Millis;
}

const LIMITS: Limits = { clients: 64, patience: 5_000 };
const LONGEST_HEADER = 8 * 1024;

export class MetricsServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Rejects when it cannot listen. */
  static listen(address: MetricsAddress, told: Told, { clients, patience }: Limits = LIMITS): Promise<MetricsServer> {
    const limits = {
      maxHeaderSize: LONGEST_HEADER,
      headersTimeout: patience,
      requestTimeout: patience,
      keepAliveTimeout: patience,
      connectionsCheckingInterval: patience,
    };
    const server = createServer(limits, (request, response) => answer(request, response, told));
    server.maxConnections = clients;
    server.on('clientError', (_, socket) => socket.destroy());
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address.host, port: address.port }, () => {
        server.off('error', reject);
        // An accept(2) that fails is that client's loss alone.
        server.on('error', () => {});
        server.unref();
        resolve(new MetricsServer(server));
      });
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function answer(request: IncomingMessage, response: ServerResponse, told: Told): void {
  request.resume();
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  switch (request.url?.split('?')[0]) {
    case '/metrics':
      return send(response, told);
    case '/healthz':
      return health(response, told.alive());
    default:
      response.writeHead(404).end();
  }
}

function health(response: ServerResponse, alive: boolean): void {
  const text = alive ? 'ok\n' : 'a thread of the data plane hangs\n';
  response.writeHead(alive ? 200 : 503, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
}

function send(response: ServerResponse, { write, onBug }: Told): void {
  let text: string;
  try {
    text = write();
  } catch (error) {
    onBug(error);
    response.writeHead(500).end();
    return;
  }
  const body = utf8(text);
  const type = 'text/plain; version=0.0.4; charset=utf-8';
  response.writeHead(200, { 'content-type': type, 'content-length': body.length }).end(body);
}
