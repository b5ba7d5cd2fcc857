// A gateway under test, whichever program it is: both read swanctl.conf and speak vici, so the stock `swanctl` drives
// both, and both are asked in the same words.

import { createConnection } from 'node:net';
import { type Done, run, type Space, until } from './netns.ts';
import { parseSas, type Sa } from './sas.ts';

export interface Gateway {
  /** `kernel` is a strongSwan too, with a kernel's ESP and AH instead of its own. */
  readonly kind: 'strongswan' | 'espalier' | 'kernel';
  readonly space: Space;
  swanctl(...args: readonly string[]): Promise<Done>;
  sas(): Promise<readonly Sa[]>;
  log(): Promise<string>;
  /** Ends it in good order. */
  stop(): Promise<void>;
  /** As when the machine is switched off. */
  kill(): Promise<void>;
  /** Starts it again after `stop` or `kill`, with the configuration it had or another one. */
  start(conf?: string): Promise<void>;
}

export function swanctl(socket: string, args: readonly string[], env: readonly string[] = []): Promise<Done> {
  return run('env', [...env, 'swanctl', ...args, '--uri', `unix://${socket}`], { timeout: 120_000 });
}

export async function listSas(gateway: Pick<Gateway, 'swanctl'>): Promise<readonly Sa[]> {
  const done = await gateway.swanctl('--list-sas', '--raw');
  if (done.code !== 0) throw new Error(`swanctl --list-sas: ${done.stderr}${done.stdout}`);
  return parseSas(done.stdout);
}

/** Resolves once something listens on the socket; `ended` tells that nothing ever will. */
export function listening(socket: string, ended: () => string | undefined): Promise<true> {
  return until(`a listener on ${socket}`, async () => {
    const why = ended();
    if (why !== undefined) throw new Error(why);
    return (await connects(socket)) ? true : undefined;
  });
}

function connects(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket);
    const answer = (up: boolean) => {
      connection.destroy();
      resolve(up);
    };
    connection.once('connect', () => answer(true));
    connection.once('error', () => answer(false));
  });
}
