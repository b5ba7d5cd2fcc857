// One run of a program that the operator has named: no shell, an environment and a process group of its own, nothing to
// read, and an end to its time and to what is kept of its words.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Millis } from '../../ike/connection.ts';
import { escaped } from '../../ike/identity.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** What it wrote may still be under way when it ends; and what it leaves behind may hold its output for ever. */
const DRAIN: Millis = 250;
const MOST_OUTPUT = 4096;
const MOST_LINES = 20;
const LONGEST_LINE = 200;

export interface Ended {
  /** Its exit code; undefined when it was not run, or did not end by itself. */
  readonly code?: number;
  /** Why it was not, or did not. */
  readonly trouble?: string;
  /** The first lines of what it wrote. */
  readonly output: readonly string[];
}

export class Program {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess | undefined;
  readonly #output: string[] = [];
  #left = MOST_OUTPUT;
  #trouble: string | undefined;
  #late: NodeJS.Timeout | undefined;
  #settle: (end: { readonly code?: number; readonly trouble?: string }) => void = () => {};

  constructor([path = '', ...args]: readonly string[], env: Readonly<Record<string, string>>, limit: Millis) {
    const timer = setTimeout(() => this.kill(`it took longer than ${limit / 1000} s`), limit);
    this.ended = new Promise((resolve) => {
      this.#settle = (end) => {
        clearTimeout(timer);
        clearTimeout(this.#late);
        this.#child?.stdout?.destroy();
        this.#child?.stderr?.destroy();
        resolve({ ...end, output: linesOf(this.#output.join('')) });
      };
    });
    // The group is for the end: what it has started ends with it.
    const options: SpawnOptions = {
      env: { PATH, ...env },
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    };
    try {
      this.#child = spawn(path, args, options);
    } catch (error) {
      this.#settle({ trouble: reason(error) });
      return;
    }
    this.#read(this.#child.stdout);
    this.#read(this.#child.stderr);
    this.#child.once('error', (error) => this.#settle({ trouble: reason(error) }));
    this.#child.once('exit', (code, signal) => this.#exited(code, signal));
    this.#child.once('close', (code, signal) => this.#settle(this.#end(code, signal)));
  }

  /** Ends it now, and everything in its group. */
  kill(why: string): void {
    const { pid, exitCode, signalCode } = this.#child ?? {};
    if (pid === undefined || exitCode !== null || signalCode !== null || this.#trouble !== undefined) return;
    this.#trouble = why;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It ended in this moment, or has made itself another user's.
    }
    // The kernel may keep it in a call that nothing interrupts: nobody waits for that.
    this.#late = setTimeout(() => this.#settle({ trouble: why }), DRAIN);
  }

  #exited(code: number | null, signal: string | null): void {
    clearTimeout(this.#late);
    this.#late = setTimeout(() => this.#settle(this.#end(code, signal)), DRAIN);
  }

  #end(code: number | null, signal: string | null): { readonly code?: number; readonly trouble?: string } {
    return code === null ? { trouble: this.#trouble ?? `it was ended by ${signal}` } : { code };
  }

  #read(stream: Readable | null): void {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      this.#output.push(text.slice(0, this.#left));
      this.#left = Math.max(0, this.#left - text.length);
    });
  }
}

/** Harmless for terminals and logs, whatever it wrote. */
function linesOf(text: string): readonly string[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(0, MOST_LINES).map((line) => [...line].slice(0, LONGEST_LINE).map(escaped).join(''));
}

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file, or no such interpreter as its first line names';
  if (code === 'EACCES') return 'it may not be executed: chmod +x';
  return error instanceof Error ? error.message : String(error);
}
