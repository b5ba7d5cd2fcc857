// Network namespaces for a test, and agents that run inside them. Nothing of the host's own network is touched.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Reply, Request } from './agent.ts';

const AGENT = fileURLToPath(new URL('./agent.js', import.meta.url));

/** A sanitizer's runtime is for our processes alone: iproute2 would be reported, too. */
const { LD_PRELOAD: preload, ...ENV } = process.env;
const PRELOADED = preload === undefined ? [] : ['env', `LD_PRELOAD=${preload}`];

/** Why these tests cannot run here, or false. */
export function unable(): string | false {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    return '/dev/net/tun is missing';
  }
  try {
    execFileSync('ip', ['netns', 'list'], { stdio: 'ignore', env: ENV });
    return false;
  } catch {
    return 'iproute2 is missing';
  }
}

export interface Datagram {
  readonly hex: string;
  readonly from: string;
  readonly to: string;
}

export class Refused extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly hint: string;

  constructor({ code, syscall, hint }: { code: string; syscall: string; hint: string }) {
    super(`${syscall}: ${code}: ${hint}`);
    this.code = code;
    this.syscall = syscall;
    this.hint = hint;
  }
}

type Waiting = { resolve: (result: unknown) => void; reject: (error: Error) => void };

export class Agent {
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, Waiting>();
  readonly #events = new Map<string, Datagram[]>();
  readonly #listeners = new Map<string, (() => void)[]>();
  readonly #exited: Promise<void>;
  #id = 0;

  constructor(command: readonly string[]) {
    const [program = '', ...args] = [...command, ...PRELOADED, process.execPath, AGENT];
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: ENV });
    this.#exited = new Promise((resolve) => {
      this.#child.on('exit', () => {
        for (const { reject } of this.#calls.values()) reject(new Error('the agent has exited'));
        resolve();
      });
    });
    if (!this.#child.stdout) throw new Error('no pipe');
    createInterface(this.#child.stdout).on('line', (line) => this.#take(JSON.parse(line)));
  }

  call(op: string, values: Readonly<Record<string, string | number>> = {}): Promise<unknown> {
    const id = ++this.#id;
    const text: Record<string, string> = {};
    const number: Record<string, number> = {};
    for (const [name, value] of Object.entries(values)) {
      if (typeof value === 'string') text[name] = value;
      else number[name] = value;
    }
    const request: Request = { id, op, text, number };
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    return new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }));
  }

  /** What was received and not yet asked for, in order: waits for the next one. */
  async next(on: string): Promise<Datagram> {
    for (;;) {
      const first = this.#events.get(on)?.shift();
      if (first) return first;
      await new Promise<void>((resolve) => this.#listeners.set(on, [...(this.#listeners.get(on) ?? []), resolve]));
    }
  }

  /** The first one that `wanted` accepts; those before it are passed over. */
  async nextWhere(on: string, wanted: (datagram: Datagram) => boolean): Promise<Datagram> {
    for (;;) {
      const datagram = await this.next(on);
      if (wanted(datagram)) return datagram;
    }
  }

  /** Resolves when the kernel has taken everything away from it. */
  kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    return this.#exited;
  }

  #take(reply: Reply): void {
    if ('on' in reply) {
      this.#events.set(reply.on, [...(this.#events.get(reply.on) ?? []), reply]);
      for (const wake of this.#listeners.get(reply.on) ?? []) wake();
      this.#listeners.delete(reply.on);
      return;
    }
    const waiting = this.#calls.get(reply.id);
    this.#calls.delete(reply.id);
    if ('error' in reply) waiting?.reject(new Refused(reply.error));
    else waiting?.resolve(reply.result);
  }
}

let made = 0;

export class Space {
  /** With the owner's pid, as `support/netns.ts` has it: what a killed process leaves is swept away by that. */
  readonly name = `espalier-test-${process.pid}-${++made}-net`;
  readonly #agents: Agent[] = [];

  constructor() {
    execFileSync('ip', ['netns', 'add', this.name], { env: ENV });
    open.add(this);
    this.ip('link set lo up');
  }

  /** `ip -n <this> …`, words separated by single spaces. */
  ip(words: string): string {
    return execFileSync('ip', ['-n', this.name, ...words.split(' ')], { encoding: 'utf8', env: ENV });
  }

  json(words: string): readonly Readonly<Record<string, unknown>>[] {
    const text = this.ip(`-j ${words}`).trim();
    return text === '' ? [] : JSON.parse(text);
  }

  exec(program: string, ...args: readonly string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.name, program, ...args], { encoding: 'utf8', env: ENV });
  }

  /** A script of ours, to its end; throws what it printed unless it ends well. */
  node(file: string, ...args: readonly string[]): void {
    const command = ['netns', 'exec', this.name, ...PRELOADED, process.execPath, file, ...args];
    const { status, stdout, stderr } = spawnSync('ip', command, { encoding: 'utf8', env: ENV, timeout: 60_000 });
    if (status !== 0) throw new Error(`exit ${status}\n${stdout}${stderr}`);
  }

  /** A pair of interfaces, one in each namespace, up, with these addresses; IPv6 ones without a wait for duplicates. */
  link(name: string, addresses: readonly string[], other: Space, otherName: string, others: readonly string[]): void {
    this.ip(`link add ${name} type veth peer name ${otherName} netns ${other.name}`);
    for (const [space, device, list] of [
      [this, name, addresses],
      [other, otherName, others],
    ] as const) {
      for (const address of list)
        space.ip(`address add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`);
      space.ip(`link set ${device} up`);
    }
  }

  /** `wrapper` is put before the program, to take capabilities away. */
  agent(...wrapper: readonly string[]): Agent {
    const agent = new Agent(['ip', 'netns', 'exec', this.name, ...wrapper]);
    this.#agents.push(agent);
    return agent;
  }

  close(): void {
    if (!open.delete(this)) return;
    for (const agent of this.#agents) agent.kill();
    execFileSync('ip', ['netns', 'delete', this.name], { env: ENV });
  }
}

const open = new Set<Space>();

/** A test that ran out of time never gets to its end, and its agents would keep the process alive. */
function closeAll(): void {
  for (const space of open) space.close();
}

after(closeAll);
process.on('exit', closeAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

/** Runs `body` with as many namespaces as it asks for, and takes them away whatever happens. */
export async function inSpaces(count: number, body: (...spaces: Space[]) => Promise<void>): Promise<void> {
  const spaces: Space[] = [];
  try {
    for (let i = 0; i < count; i++) spaces.push(new Space());
    await body(...spaces);
  } finally {
    for (const space of spaces) space.close();
  }
}
