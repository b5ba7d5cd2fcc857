// The audit log: what was changed or refused, when, and by whom. Lines of JSON in the state directory, only ever appended
// to. A disk that is full costs the lines and not the daemon. What is recorded never holds a secret: names, never values.

import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { utf8 } from '../bytes/bytes.ts';
import type { Peer } from '../net/peer.ts';

export interface AuditEntry {
  /** The command's name on the control socket, or `start`, `stop`, `reload`. */
  readonly action: string;
  /** Who asked; absent for what the daemon does by itself. */
  readonly peer?: Peer;
  readonly what?: Readonly<Record<string, string>>;
  readonly ok: boolean;
  readonly error?: string;
  /** Fingerprints of what it was about. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

const FILE = 'audit.jsonl';
/** Then it is renamed to `audit.jsonl.1`, whose predecessor goes. */
const LARGEST = 16 * 1024 * 1024;
const LONGEST = 512;

export class Audit {
  readonly #dir: string | undefined;
  readonly #onFailure: (error: Error) => void;
  #failing = false;
  /** Lines that could not be written. */
  failures = 0;

  /** `onFailure` is told the first of several failures in a row. */
  constructor(dir: string | undefined, onFailure: (error: Error) => void = () => {}) {
    this.#dir = dir;
    this.#onFailure = onFailure;
  }

  record({ action, peer, what, ok, error, before, after }: AuditEntry): void {
    const line = {
      time: new Date().toISOString(),
      action,
      ...(peer ? { uid: peer.uid, gid: peer.gid, pid: peer.pid, command: commandOf(peer.pid) } : {}),
      ...(what ? shortened(what) : {}),
      ok,
      ...(error === undefined ? {} : { error: error.slice(0, LONGEST) }),
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    };
    try {
      this.#append(`${JSON.stringify(line)}\n`);
      this.#failing = false;
    } catch (failure) {
      this.failures++;
      if (!this.#failing) this.#onFailure(failure instanceof Error ? failure : new Error(String(failure)));
      this.#failing = true;
    }
  }

  #append(line: string): void {
    if (this.#dir === undefined) return;
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    const file = join(this.#dir, FILE);
    const fd = openSync(file, 'a', 0o600);
    try {
      const bytes = utf8(line);
      // Half a line would spoil the next one.
      if (writeSync(fd, bytes) < bytes.length) throw new Error(`${file}: not all of a line could be written`);
      if (fstatSync(fd).size < LARGEST) return;
    } finally {
      closeSync(fd);
    }
    renameSync(file, `${file}.1`);
  }
}

/** What the process calls itself: a hint for the reader, as it could call itself anything. */
function commandOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    // It has ended.
    return undefined;
  }
}

function shortened(what: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(what).map(([key, value]) => [key, value.slice(0, LONGEST)]));
}
