// The audit log: what was changed or refused, when, and by whom. Lines of JSON in the state directory, only ever appended
// to. A disk that is full costs the lines and not the daemon. What is recorded never holds a secret: names, never values.

import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { utf8 } from '../bytes/bytes.ts';
import type { Peer } from '../net/peer.ts';
import { programName, userName } from './accounts.ts';

export type Outcome = 'begun' | 'done' | 'failed' | 'refused';

export interface AuditEntry {
  /** Names are API; the README has a table of them. */
  readonly action: string;
  readonly outcome: Outcome;
  /** A client of the control socket, or a signal; absent for what the daemon does by itself. */
  readonly by?: Peer | { readonly signal: string };
  /** Of the control socket. */
  readonly command?: string;
  /** Names of what it was about. */
  readonly what?: Readonly<Record<string, string | number>>;
  readonly error?: string;
  /** Fingerprints of what it was about. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** Lines like this one that were left out since the last. */
  readonly suppressed?: number;
}

/** What becomes of the log itself. */
export interface AuditNews {
  /** The first of several failures in a row. */
  failed(error: Error): void;
  restored(lost: number): void;
}

const FILE = 'audit.jsonl';
/** Then it is renamed to `audit.jsonl.1`, whose predecessor goes. */
const LARGEST = 16 * 1024 * 1024;
const LONGEST = 512;
const LINE_END = 0x0a;
/** Nothing but a file of our own is written to, whatever somebody has put in its place. */
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export class Audit {
  readonly #dir: string | undefined;
  readonly #news: AuditNews;
  readonly #clients = new WeakMap<Peer, object>();
  /** Failures in a row. */
  #lost = 0;
  /** Lines that could not be written. */
  failures = 0;

  /** Without a directory nothing is recorded. */
  constructor(dir: string | undefined, news: AuditNews = { failed() {}, restored() {} }) {
    this.#dir = dir;
    this.#news = news;
  }

  record({ action, outcome, by, command, what, error, before, after, suppressed }: AuditEntry): void {
    if (this.#dir === undefined) return;
    const line = {
      time: new Date().toISOString(),
      action,
      ...(command === undefined ? {} : { command }),
      who: by && 'uid' in by ? this.#client(by) : (by ?? { daemon: true }),
      ...(what && Object.keys(what).length > 0 ? { what: shortened(what) } : {}),
      outcome,
      ...(error === undefined ? {} : { error: error.slice(0, LONGEST) }),
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
      ...(suppressed ? { suppressed } : {}),
      ...(this.#lost > 0 ? { lost: this.#lost } : {}),
    };
    try {
      append(this.#dir, `${JSON.stringify(line)}\n`);
    } catch (failure) {
      this.failures++;
      if (this.#lost++ === 0) this.#news.failed(failure instanceof Error ? failure : new Error(String(failure)));
      return;
    }
    if (this.#lost > 0) this.#news.restored(this.#lost);
    this.#lost = 0;
  }

  /** Notes who a client is, as long as it is there: later its number may be another's. */
  meet(peer: Peer): void {
    this.#client(peer);
  }

  #client(peer: Peer): object {
    const known = this.#clients.get(peer);
    if (known) return known;
    const { uid, gid, pid } = peer;
    const [user, program] = [userName(uid), programName(pid)];
    const found = {
      uid,
      ...(user === undefined ? {} : { user }),
      gid,
      pid,
      ...(program === undefined ? {} : { program }),
    };
    this.#clients.set(peer, found);
    return found;
  }
}

/** The file is opened for each line, so that whoever rotates it need not tell us. */
function append(dir: string, line: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, FILE);
  const fd = openSync(file, FLAGS, 0o600);
  try {
    const { mode, size } = fstatSync(fd);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw new Error(`${file} is no file`);
    if ((mode & 0o077) !== 0) fchmodSync(fd, 0o600);
    const bytes = utf8(isTorn(fd, size) ? `\n${line}` : line);
    if (writeSync(fd, bytes) < bytes.length) throw new Error(`${file}: not all of a line could be written`);
    if (size + bytes.length < LARGEST) return;
  } finally {
    closeSync(fd);
  }
  try {
    renameSync(file, `${file}.1`);
  } catch {
    // Whoever forbids it (chattr +a) wants it to grow.
  }
}

/** A crash or a full disk has left half a line, which must not spoil this one. */
function isTorn(fd: number, size: number): boolean {
  const last = new Uint8Array(1);
  return size > 0 && readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== LINE_END;
}

function shortened(what: Readonly<Record<string, string | number>>): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(what).map(([key, value]) => [key, typeof value === 'string' ? value.slice(0, LONGEST) : value]),
  );
}
