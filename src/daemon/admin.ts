// Management status: what an operator has set to DOWN stays so, over restarts too. A file in the state directory holds
// the names; one that cannot be written costs the memory of it, not the status.

import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'admin.json';
const VERSION = 1;
const MAX_NAMES = 100_000;

/** A connection, or one child of it. */
export interface Managed {
  readonly conn: string;
  readonly child?: string;
}

export class Admin {
  readonly #dir: string | undefined;
  #down: Managed[] = [];

  /** Without a directory nothing outlives the process. */
  constructor(dir: string | undefined) {
    this.#dir = dir;
  }

  /** Throws what is wrong with the file; nothing is down then. */
  read(): void {
    if (this.#dir === undefined) return;
    let text: string;
    try {
      text = readFileSync(join(this.#dir, FILE), 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
      throw error;
    }
    this.#down = parse(text);
  }

  /** Whether anything is. */
  get any(): boolean {
    return this.#down.length > 0;
  }

  isDown(conn: string, child: string): boolean {
    return this.#down.some((one) => one.conn === conn && (one.child === undefined || one.child === child));
  }

  /** `children` are all that the connection has. Throws when it cannot be kept; it counts all the same. */
  set({ conn, child }: Managed, down: boolean, children: readonly string[]): void {
    const others = children.filter((name) => name !== child && this.isDown(conn, name));
    this.#down = this.#down.filter((one) => one.conn !== conn);
    if (child === undefined) {
      if (down) this.#down.push({ conn });
    } else {
      this.#down.push(...others.map((name) => ({ conn, child: name })));
      if (down) this.#down.push({ conn, child });
    }
    this.#write();
  }

  #write(): void {
    if (this.#dir === undefined) return;
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    const file = join(this.#dir, FILE);
    const fresh = `${file}.new`;
    try {
      writeFileSync(fresh, `${JSON.stringify({ version: VERSION, down: this.#down }, undefined, 2)}\n`, {
        mode: 0o600,
      });
      chmodSync(fresh, 0o600);
      renameSync(fresh, file);
    } catch (error) {
      rmSync(fresh, { force: true });
      throw error;
    }
  }
}

function parse(text: string): Managed[] {
  const value: unknown = JSON.parse(text);
  const down = typeof value === 'object' && value !== null && 'down' in value ? value.down : undefined;
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  if (version !== VERSION || !Array.isArray(down) || down.length > MAX_NAMES) throw new Error('not a list of names');
  return down.map((entry: unknown) => {
    const conn = typeof entry === 'object' && entry !== null && 'conn' in entry ? entry.conn : undefined;
    const child = typeof entry === 'object' && entry !== null && 'child' in entry ? entry.child : undefined;
    if (typeof conn !== 'string' || (child !== undefined && typeof child !== 'string')) {
      throw new Error('not a list of names');
    }
    return child === undefined ? { conn } : { conn, child };
  });
}
