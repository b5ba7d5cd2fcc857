// Network namespaces for tests: hosts, gateways, wires, NAT boxes, loss. Nothing outside the namespaces made here is
// touched, and everything goes with `dispose()`, at exit and on a signal too. Names carry the owner's pid, so that
// what a killed process left behind is known as such (`sweep`).

import { type ChildProcess, execFile, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'espalier-test-';
const ETC = '/etc/netns';

export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs to the end, whatever the exit code. */
export function run(command: string, args: readonly string[], options: { timeout?: number; input?: string } = {}) {
  return new Promise<Done>((resolve) => {
    const limits = { timeout: options.timeout ?? 60_000, maxBuffer: 1 << 26, killSignal: 'SIGKILL' as const };
    const child = execFile(command, args, limits, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr: code === -1 ? `${stderr}${error?.message}` : stderr });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs to the end and throws unless it succeeded. */
export async function must(
  command: string,
  args: readonly string[],
  options: { timeout?: number; input?: string } = {},
) {
  const done = await run(command, args, options);
  if (done.code === 0) return done.stdout;
  throw new Error(
    `${command} ${args.join(' ')}: exit ${done.code}\n${done.stderr}${done.stdout}${options.input ?? ''}`,
  );
}

/** Waits for a condition in the outside world; `what` says what did not come. */
export async function until<T>(what: string, poll: () => Promise<T | undefined> | T | undefined, patience = 15_000) {
  for (const end = Date.now() + patience; ; ) {
    const value = await poll();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`waited ${patience / 1000} s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

/** One network namespace: a host, a gateway, a box on the way. */
export class Space {
  readonly name: string;
  readonly role: string;
  readonly #children = new Set<ChildProcess>();

  constructor(name: string, role: string) {
    this.name = name;
    this.role = role;
  }

  ip(...args: readonly string[]): Promise<string> {
    return must('ip', ['-n', this.name, ...args]);
  }

  run(command: string, args: readonly string[], options: { timeout?: number } = {}): Promise<Done> {
    return run('ip', ['netns', 'exec', this.name, command, ...args], options);
  }

  must(command: string, args: readonly string[], options: { timeout?: number } = {}): Promise<string> {
    return must('ip', ['netns', 'exec', this.name, command, ...args], options);
  }

  nft(rules: string): Promise<string> {
    return must('ip', ['netns', 'exec', this.name, 'nft', '-f', '-'], { input: rules });
  }

  /** `ip netns exec` ends in an exec: the child's pid is that of the command. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.name, command, ...args], options);
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  async sysctl(settings: Readonly<Record<string, number | string>>): Promise<void> {
    const lines = Object.entries(settings).map(
      ([key, value]) => `echo ${value} > /proc/sys/${key.replaceAll('.', '/')}`,
    );
    await this.must('sh', ['-ec', lines.join('\n')]);
  }

  async forward(): Promise<void> {
    await this.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 });
  }

  route(destination: string, via: string): Promise<string> {
    return this.ip('route', 'replace', destination, 'via', via);
  }

  /** Drops this share of what arrives on the interface; 100 cuts the wire, 0 mends it. */
  async lossy(dev: string, percent: number): Promise<void> {
    const drop = percent >= 100 ? 'drop' : `numgen random mod 100 < ${percent} drop`;
    const rule = percent > 0 ? `iifname "${dev}" ${drop}` : '';
    await this.nft(`
      table inet loss-${dev}
      delete table inet loss-${dev}
      table inet loss-${dev} {
        chain arriving {
          type filter hook prerouting priority -400
          ${rule}
        }
      }`);
  }

  /** Counts what arrives on the interface and matches, from now on. */
  async counter(dev: string, match: string): Promise<() => Promise<number>> {
    const table = `count-${++serial}`;
    await this.nft(`
      table inet ${table} {
        chain arriving {
          type filter hook prerouting priority -450
          iifname "${dev}" ${match} counter
        }
      }`);
    return async () => {
      const listing = await this.must('nft', ['list', 'table', 'inet', table]);
      return Number(/counter packets (\d+)/.exec(listing)?.[1]);
    };
  }

  async ping(address: string, options: { count?: number; patience?: number; from?: string } = {}): Promise<boolean> {
    const { count = 1, patience = 2, from } = options;
    const source = from === undefined ? [] : ['-I', from];
    const done = await this.run('ping', ['-n', '-q', `-c${count}`, '-i0.1', `-W${patience}`, ...source, address]);
    return done.code === 0;
  }

  /**
   * A file of /etc, as whoever is started here from now on sees it (ip-netns(8)). Written again, it changes for those
   * that have seen it before, too.
   */
  etc(name: 'hosts' | 'resolv.conf', text: string): void {
    const folder = join(ETC, this.name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), text);
  }

  /** At once and without waiting: for the end of the process. */
  remove(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    removeNamespace(this.name);
  }
}

let serial = 0;

/** All namespaces of one test, and what must end before them. */
export class Topology implements AsyncDisposable {
  readonly #spaces: Space[] = [];
  readonly #before: (() => Promise<void>)[] = [];
  readonly #folders: string[] = [];

  async space(role: string): Promise<Space> {
    if (live.size === 0) sweep();
    live.add(this);
    onTheWayOut();
    const space = new Space(`${PREFIX}${process.pid}-${++serial}-${role}`, role);
    await must('ip', ['netns', 'add', space.name]);
    this.#spaces.push(space);
    await space.sysctl({
      'net.ipv4.conf.all.rp_filter': 0,
      'net.ipv4.conf.default.rp_filter': 0,
      // An address can be used at once, without duplicate address detection.
      'net.ipv6.conf.all.accept_dad': 0,
      'net.ipv6.conf.default.accept_dad': 0,
      'net.ipv6.conf.default.dad_transmits': 0,
    });
    await space.ip('link', 'set', 'lo', 'up');
    return space;
  }

  /** Joins two namespaces. Each side's interface is called after the other's role. */
  async wire(a: Space, aAddresses: readonly string[], b: Space, bAddresses: readonly string[], mtu = 1500) {
    await a.ip('link', 'add', b.role, 'type', 'veth', 'peer', 'name', a.role, 'netns', b.name);
    for (const [space, dev, addresses] of [
      [a, b.role, aAddresses],
      [b, a.role, bAddresses],
    ] as const) {
      await space.ip('link', 'set', dev, 'mtu', `${mtu}`, 'up');
      for (const address of addresses) await space.ip('address', 'add', address, 'dev', dev, 'nodad');
    }
  }

  /** A directory for sockets, configurations and logs. */
  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
    this.#folders.push(folder);
    return folder;
  }

  /** Runs before the namespaces go, the last one first. */
  defer(end: () => Promise<void>): void {
    this.#before.push(end);
  }

  async dispose(): Promise<void> {
    const failures: unknown[] = [];
    for (const end of this.#before.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        failures.push(error);
      }
    }
    this.abandon();
    if (failures.length > 0) throw new AggregateError(failures, 'not everything ended as it should');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  abandon(): void {
    for (const space of this.#spaces.splice(0)) space.remove();
    for (const folder of this.#folders.splice(0)) rmSync(folder, { recursive: true, force: true });
    live.delete(this);
  }
}

const live = new Set<Topology>();
let watching = false;

function onTheWayOut(): void {
  if (watching) return;
  watching = true;
  process.on('exit', () => {
    for (const topology of live) topology.abandon();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
}

/** Removes what test processes that are gone left: namespaces, with what still runs in them, and directories. */
export function sweep(): readonly string[] {
  const namespaces = [...new Set([...orphans('/run/netns'), ...orphans(ETC)])];
  for (const name of namespaces) removeNamespace(name);
  const folders = orphans(tmpdir());
  for (const name of folders) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  return [...namespaces, ...folders];
}

function orphans(folder: string): readonly string[] {
  const owned = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(PREFIX)) : [];
  return owned.filter((name) => !alive(Number.parseInt(name.slice(PREFIX.length), 10)));
}

/** Whatever is inside was started by the tests: nobody else knows this namespace. */
function removeNamespace(name: string): void {
  try {
    const pids = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    for (const pid of pids.split('\n').map(Number)) if (pid > 1) kill(pid);
    execFileSync('ip', ['netns', 'delete', name], { stdio: 'ignore' });
  } catch {
    // It is gone already.
  }
  forgetEtc(name);
}

function forgetEtc(name: string): void {
  if (!existsSync(join(ETC, name))) return;
  rmSync(join(ETC, name), { recursive: true, force: true });
  try {
    rmdirSync(ETC);
  } catch {
    // Others have theirs in it.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
