// One Espalier daemon of the demonstration: its configuration, its process, its log, and questions over its socket.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from '../../daemon/control/client.ts';
import { sections, text } from '../../daemon/control/section.ts';
import type { Section } from '../../daemon/control/vici.ts';
import { connections, sessions } from '../ask.ts';
import { DemoError } from './error.ts';
import { FOLDER, SITES, type Side, type Stage } from './stage.ts';

export const MAIN = join(import.meta.dirname, '../main.js');

export type LogLine = Readonly<Record<string, unknown>>;

export interface View {
  readonly state: string;
  /** Seconds in this state. */
  readonly since: number;
  readonly reason: string;
  readonly session: Section | undefined;
  /** The child SA that carries the packets now. */
  readonly child: Section | undefined;
}

export function controlOf(side: Side): string {
  return `unix://${join(FOLDER, `${side}.vici`)}`;
}

export interface Settings {
  readonly secret: string;
  readonly proposals: string;
  /** The age in seconds at which this side changes the keys of the tunnel; 0 leaves that to the other one. */
  readonly renewal: number;
  /** A second connection, to nobody. */
  readonly branch: boolean;
}

/** Where `proposals` stands. */
export const PROPOSALS_LINE = 5;

/** Writes the file, of which a gateway that runs does not know yet. */
export function configure(side: Side, settings: Settings): void {
  writeFileSync(fileOf(side), configuration(side, settings), { mode: 0o600 });
}

function fileOf(side: Side): string {
  return join(FOLDER, `${side}.conf`);
}

function configuration(side: Side, { secret, proposals, renewal, branch }: Settings): string {
  const [own, peer] = [SITES[side], SITES[side === 'a' ? 'b' : 'a']];
  return `connections {
  gw {
    local_addrs = ${own.outside}
    remote_addrs = ${peer.outside}
    proposals = ${proposals}
    local {
      auth = psk
      id = ${own.id}
    }
    remote {
      auth = psk
      id = ${peer.id}
    }
    children {
      net {
        local_ts = ${own.net}
        remote_ts = ${peer.net}
        rekey_time = ${renewal}s
      }
    }
  }
${branch ? BRANCH : ''}}
secrets {
  ike-gw {
    id-1 = ${own.id}
    id-2 = ${peer.id}
    secret = "${secret}"
  }
}
`;
}

const BRANCH = `  branch {
    remote_addrs = 192.0.2.3
    local {
      auth = psk
    }
    remote {
      auth = psk
    }
    children {
      net {
        remote_ts = 10.3.0.0/24
      }
    }
  }
`;

export class Gateway {
  readonly #child: ChildProcess;
  readonly #control: string;
  #errors = '';
  #client: Client | undefined;

  private constructor(child: ChildProcess, control: string) {
    this.#child = child;
    this.#control = control;
    child.stderr?.on('data', (chunk) => {
      this.#errors = `${this.#errors}${chunk}`.slice(-4000);
    });
  }

  /** Returns once it can be asked. */
  static async start(stage: Stage, side: Side, onLog: (line: LogLine) => void): Promise<Gateway> {
    const control = controlOf(side);
    const args = [
      'daemon',
      '--config',
      fileOf(side),
      '--control',
      control,
      '--state-dir',
      join(FOLDER, `${side}.state`),
    ];
    const child = stage.spawn(side, process.execPath, [MAIN, ...args]);
    const gateway = new Gateway(child, control);
    const ended = once(child, 'close').then(([code, signal]) => {
      throw new DemoError(`gateway ${side.toUpperCase()} ended (${code ?? signal}):\n${gateway.#errors.trimEnd()}`);
    });
    ended.catch(() => {});
    const started = new Promise<void>((resolve) => {
      if (!child.stdout) throw new Error('no pipe');
      createInterface(child.stdout).on('line', (text) => {
        const line = parse(text);
        if (line.event === 'started') resolve();
        onLog(line);
      });
    });
    await Promise.race([started, ended]);
    return gateway;
  }

  async view(): Promise<View> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      throw new DemoError(`a gateway ended unexpectedly:\n${this.#errors.trimEnd()}`);
    }
    this.#client ??= await Client.connect(this.#control);
    const connection = (await connections(this.#client)).find(({ name }) => name === 'gw');
    const all = (await sessions(this.#client)).map(([, session]) => session);
    const session = all.find((one) => text(one, 'state') === 'ESTABLISHED') ?? all[0];
    const children = session ? sections(session, 'child-sas').map(([, child]) => child) : [];
    return {
      state: connection?.state ?? 'down',
      since: connection?.since ?? 0,
      reason: connection?.reason.text ?? '',
      session,
      child: children.findLast((child) => text(child, 'state') === 'INSTALLED') ?? children.at(-1),
    };
  }

  disconnect(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}

function parse(text: string): LogLine {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as LogLine;
  } catch {
    // Not a line of the log, but still something to show.
  }
  return { level: 40, msg: text };
}
