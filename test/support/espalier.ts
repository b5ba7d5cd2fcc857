// Our daemon in a namespace, driven as a user drives it: through its command line and its vici socket.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Gateway, listening, listSas, swanctl } from './gateway.ts';
import { type Done, run, type Space, type Topology, until } from './netns.ts';
import type { Sa } from './sas.ts';

export const MAIN = join(import.meta.dirname, '../../src/cli/main.js');

/** One line of the daemon's log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface EspalierOptions {
  /** Text of the configuration, swanctl.conf or ipsec.conf. */
  readonly conf: string;
  readonly secrets?: string;
  readonly tun?: string;
  /** Further options of `espalier daemon`. */
  readonly args?: readonly string[];
  /** Beside the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** What is run in front of `daemon`; the one that is built unless another is named. */
  readonly program?: readonly string[];
  /** Whom the daemon's folder belongs to, and the configuration in it. */
  readonly owner?: number;
  /** Shell commands that come first, with mounts of their own; `$STATE` is the state directory. */
  readonly first?: string;
}

export class Espalier implements Gateway {
  readonly kind = 'espalier';
  readonly space: Space;
  readonly lines: LogLine[] = [];
  readonly folder: string;
  readonly #options: EspalierOptions;
  #conf: string;
  #daemon: ChildProcess | undefined;
  #stderr = '';

  private constructor(space: Space, folder: string, options: EspalierOptions) {
    this.space = space;
    this.folder = folder;
    this.#options = options;
    this.#conf = options.conf;
  }

  static async start(topology: Topology, space: Space, options: EspalierOptions): Promise<Espalier> {
    const gateway = new Espalier(space, topology.folder(), options);
    topology.defer(() => gateway.stop());
    await gateway.start();
    return gateway;
  }

  async start(conf = this.#conf): Promise<void> {
    this.rewrite(conf);
    const { config } = this;
    const { secrets, tun = 'esp0', args = [], env, owner, first, program = [process.execPath, MAIN] } = this.#options;
    if (owner !== undefined) for (const path of [this.folder, config]) chownSync(path, owner, owner);
    const command = ['daemon', '--config', config, '--control', this.control, '--tun', tun];
    command.push('--state-dir', this.state, ...args);
    if (secrets !== undefined) {
      const file = join(this.folder, 'ipsec.secrets');
      writeFileSync(file, secrets, { mode: 0o600 });
      command.push('--secrets', file);
    }
    const shell = first === undefined ? [] : ['unshare', '-m', 'sh', '-ec', `${first}\nexec "$@"`, 'sh'];
    const [file = process.execPath, ...rest] = [...shell, ...program, ...command];
    const daemon = this.space.spawn(file, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env, STATE: this.state },
    });
    this.#daemon = daemon;
    daemon.stderr?.on('data', (chunk) => {
      this.#stderr += chunk;
    });
    if (daemon.stdout) createInterface(daemon.stdout).on('line', (line) => this.lines.push(parseLine(line)));
    await listening(this.#socket, () => {
      if (daemon.exitCode === null && daemon.signalCode === null) return undefined;
      return `the daemon ended with ${daemon.exitCode ?? daemon.signalCode}: ${this.#stderr}${this.#text()}`;
    });
  }

  /** What the file says from now on; the daemon does not know of it yet. */
  rewrite(conf: string): void {
    this.#conf = conf;
    writeFileSync(this.config, conf, { mode: 0o600 });
  }

  get config(): string {
    return join(this.folder, 'espalier.conf');
  }

  get state(): string {
    return join(this.folder, 'state');
  }

  get control(): string {
    return `unix://${this.#socket}`;
  }

  /** A client verb: `cli('up', 'gw')`. */
  cli(verb: string, ...args: readonly string[]): Promise<Done> {
    return run(process.execPath, [MAIN, verb, ...args, '--control', this.control], { timeout: 120_000 });
  }

  /** What a client verb says with `--json`. */
  async json(verb: string, ...args: readonly string[]): Promise<unknown> {
    const done = await this.cli(verb, ...args, '--json');
    try {
      return JSON.parse(done.stdout);
    } catch {
      throw new Error(`espalier ${verb} ${args.join(' ')} --json: exit ${done.code}\n${done.stdout}${done.stderr}`);
    }
  }

  swanctl(...args: readonly string[]): Promise<Done> {
    return swanctl(this.#socket, args);
  }

  sas(): Promise<readonly Sa[]> {
    return listSas(this);
  }

  /** The first log line, past or to come, that fits. */
  line(what: string, fits: (line: LogLine) => boolean, patience?: number): Promise<LogLine> {
    return until(`a log line: ${what}`, () => this.lines.find(fits), patience);
  }

  async log(): Promise<string> {
    return `${this.#text()}\n${this.#stderr}`;
  }

  get pid(): number | undefined {
    return this.#daemon?.pid;
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** With which code it ends, of this signal or by itself; null when it has to be killed. */
  async exitCode(signal?: NodeJS.Signals): Promise<number | null> {
    const daemon = this.#daemon;
    if (!daemon) throw new Error('the daemon does not run');
    const gone = once(daemon, 'exit');
    if (signal) daemon.kill(signal);
    const impatience = setTimeout(() => daemon.kill('SIGKILL'), 10_000);
    const [code] = await gone;
    clearTimeout(impatience);
    return code;
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (!daemon || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const gone = once(daemon, 'exit');
    daemon.kill(signal);
    const impatience = setTimeout(() => daemon.kill('SIGKILL'), 10_000);
    const [, by] = await gone;
    clearTimeout(impatience);
    if (signal === 'SIGKILL' || by !== 'SIGKILL') return;
    const last = this.lines.slice(-5).map((line) => JSON.stringify(line));
    throw new Error(['the daemon did not end within 10 s of SIGTERM; its last lines:', ...last].join('\n'));
  }

  get #socket(): string {
    return join(this.folder, 'vici.sock');
  }

  #text(): string {
    return this.lines.map((line) => JSON.stringify(line)).join('\n');
  }
}

function parseLine(line: string): LogLine {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as LogLine;
  } catch {
    // Not JSON: kept as it is, so that a test which looks for it finds it.
  }
  return { text: line };
}
