// A service manager that only listens: what a daemon tells it (sd_notify(3)). See manager.py.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type Space, type Topology, until } from './netns.ts';

const PYTHON = '/usr/bin/python3';
/** Tests run from `dist/test/support`; the script is not compiled. */
const SCRIPT = new URL('../../../test/support/manager.py', import.meta.url).pathname;

export class Manager {
  /** By message, its lines. */
  readonly told: (readonly string[])[] = [];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Abstract names are those of one network namespace. */
  static async listen(topology: Topology, space: Space, name: string): Promise<Manager> {
    const child = space.spawn(PYTHON, [SCRIPT, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    const manager = new Manager(child);
    topology.defer(() => manager.close());
    if (!child.stdout) throw new Error('no pipe');
    const lines = createInterface(child.stdout);
    await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`the listener ended with ${code}`))),
    ]);
    lines.on('line', (line) => manager.told.push(String(JSON.parse(line)).split('\n')));
    return manager;
  }

  count(line: string): number {
    return this.told.flat().filter((one) => one === line).length;
  }

  /** Waits until this was said so often. */
  async hears(line: string, times = 1): Promise<void> {
    await until(`${line}, ${times} times`, () => this.count(line) >= times);
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}
