// Who may read, write and own a file with secrets in it. The facts come from fstat of the descriptor that the file was
// read through, so that nobody can put another file in its place between the check and the reading.

import type { Place } from '../ike/connection.ts';
import { ConfigError, wholeFile } from './error.ts';

export interface FileFacts {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** The name is a symbolic link in a directory that everybody may write to. */
  readonly looseLink: boolean;
}

/** The daemon. */
export interface Self {
  readonly uid: number;
  readonly gid: number;
  /** The group of a service on whose behalf root looks. */
  readonly service?: number;
}

const OTHERS = 0o007;
const GROUP = 0o060;

/** Throws ConfigError with the command that mends it. `secret` is where the file holds a secret. */
export function checkPermissions(file: string, facts: FileFacts, self: Self, secret?: Place): void {
  const place = wholeFile(file);
  const why = secret ? ` but holds a secret (line ${secret.line})` : '';
  const mode = (facts.mode & 0o7777).toString(8).padStart(4, '0');
  if (facts.looseLink) {
    throw new ConfigError(place, 'is a symbolic link in a directory that everybody may write to; name the file itself');
  }
  if (facts.uid !== 0 && facts.uid !== self.uid) {
    throw new ConfigError(place, `belongs to user ${facts.uid}${why}; run: chown root ${quoted(file)}`);
  }
  if ((facts.mode & OTHERS) !== 0) {
    throw new ConfigError(place, `is open to everybody (mode ${mode})${why}; run: chmod o= ${quoted(file)}`);
  }
  if ((facts.mode & GROUP) !== 0 && facts.gid !== self.gid && facts.gid !== self.service) {
    throw new ConfigError(place, `is open to group ${facts.gid} (mode ${mode})${why}; run: chmod g= ${quoted(file)}`);
  }
}

/** As a shell takes it. */
export function quoted(file: string): string {
  return /^[\w./+-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;
}
