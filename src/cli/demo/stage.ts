// Where the demonstration plays: two network namespaces, a cable between them, and the processes in them. Its folder is
// the claim that one demonstration runs, and notes what was started, so that the next one can take away what a killed
// one left. Only root may write to /run: nobody else can make it end processes of their choice.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DemoError } from './error.ts';
import { alive, end, identify, type Process } from './process.ts';

export const SIDES = ['a', 'b'] as const;
export type Side = (typeof SIDES)[number];

export interface Site {
  readonly namespace: string;
  /** On the cable. */
  readonly outside: string;
  /** Of a machine in the protected network. */
  readonly inside: string;
  readonly net: string;
  readonly id: string;
}

export const SITES: Readonly<Record<Side, Site>> = {
  a: {
    namespace: 'espalier-demo-a',
    outside: '192.0.2.1',
    inside: '10.1.0.1',
    net: '10.1.0.0/24',
    id: 'a.espalier.example',
  },
  b: {
    namespace: 'espalier-demo-b',
    outside: '192.0.2.2',
    inside: '10.2.0.1',
    net: '10.2.0.0/24',
    id: 'b.espalier.example',
  },
};

export const FOLDER = '/run/espalier-demo';
const NOTE = 'run.json';
/** A gateway says goodbye to its peer before it ends. */
const GRACE = 4000;

interface Note {
  readonly owner: Process;
  readonly children: readonly Process[];
}

/** `ip` is not on the PATH that everybody has. */
export const ENV = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' };

export class Stage {
  /** An earlier demonstration was killed, and what it left has been removed. */
  readonly swept: boolean;
  readonly #owner: Process;
  readonly #children = new Map<ChildProcess, Process>();

  private constructor(owner: Process, swept: boolean) {
    this.#owner = owner;
    this.swept = swept;
  }

  static async claim(): Promise<Stage> {
    const owner = identify(process.pid);
    if (!owner) throw new DemoError('/proc is not mounted');
    const swept = await sweep();
    if (!occupy(owner)) throw new DemoError('another demonstration has just started on this machine');
    return new Stage(owner, swept);
  }

  /** The cable and the addresses. Nothing here leads from one protected network to the other. */
  async build(): Promise<void> {
    for (const side of SIDES) {
      await ip('netns', 'add', SITES[side].namespace);
      await this.#ip(side, 'link', 'set', 'lo', 'up');
    }
    await this.#ip('a', 'link', 'add', 'wan', 'type', 'veth', 'peer', 'name', 'wan', 'netns', SITES.b.namespace);
    for (const side of SIDES) {
      await this.#ip(side, 'address', 'add', `${SITES[side].outside}/24`, 'dev', 'wan');
      await this.#ip(side, 'address', 'add', `${SITES[side].inside}/32`, 'dev', 'lo');
      await this.#ip(side, 'link', 'set', 'wan', 'up');
    }
  }

  /** A process of ours, in a namespace or outside; its own session, so that Ctrl-C reaches the demonstration alone. */
  spawn(side: Side | undefined, command: string, args: readonly string[]): ChildProcess {
    const [program, ...rest] =
      side === undefined ? [command, ...args] : ['ip', 'netns', 'exec', SITES[side].namespace, command, ...args];
    const child = spawn(program as string, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: ENV, detached: true });
    // `ip netns exec` becomes the command: number and start time stay.
    const started = child.pid === undefined ? undefined : identify(child.pid);
    if (started) this.#children.set(child, started);
    this.#note();
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** Nothing that the demonstration made is there afterwards. */
  async close(): Promise<void> {
    await end([...this.#children.values()], GRACE);
    await clear(FOLDER);
  }

  #ip(side: Side, ...args: readonly string[]): Promise<void> {
    return ip('-n', SITES[side].namespace, ...args);
  }

  #note(): void {
    write(FOLDER, { owner: this.#owner, children: [...this.#children.values()] });
  }
}

/** Removes what a demonstration left that was killed. Throws when one is running. */
async function sweep(): Promise<boolean> {
  const note = read();
  if (note && alive(note.owner)) {
    throw new DemoError(`a demonstration is running already (process ${note.owner.pid}): end that one first`);
  }
  if (note) await end(note.children, GRACE);
  const left = await clear(FOLDER);
  return note !== undefined || left;
}

/** A folder appears with the note in it, or not at all: of two that start at once, one gets it. */
function occupy(owner: Process): boolean {
  mkdirSync('/run', { recursive: true });
  const own = mkdtempSync(`${FOLDER}-`);
  write(own, { owner, children: [] });
  try {
    renameSync(own, FOLDER);
    return true;
  } catch {
    rmSync(own, { recursive: true, force: true });
    return false;
  }
}

/** True when there was a namespace. Nobody else has namespaces of these names. */
async function clear(folder: string): Promise<boolean> {
  const removed = await Promise.all(
    SIDES.map((side) =>
      ip('netns', 'delete', SITES[side].namespace).then(
        () => true,
        () => false,
      ),
    ),
  );
  rmSync(folder, { recursive: true, force: true });
  return removed.includes(true);
}

function read(): Note | undefined {
  try {
    const note: unknown = JSON.parse(readFileSync(join(FOLDER, NOTE), 'utf8'));
    // Root wrote it, and in one piece.
    if (typeof note === 'object' && note !== null && 'owner' in note && 'children' in note) return note as Note;
  } catch {
    // There is none, or a killed demonstration did not finish it.
  }
  return undefined;
}

function write(folder: string, note: Note): void {
  const file = join(folder, NOTE);
  writeFileSync(`${file}.new`, JSON.stringify(note), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function ip(...args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile('ip', args, { env: ENV, timeout: 10_000 }, (error, _stdout, stderr) => {
      if (!error) return resolve();
      reject(new DemoError(`"ip ${args.join(' ')}" failed: ${stderr.trim() || error.message}`));
    });
  });
}
