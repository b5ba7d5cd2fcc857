// Directories that the daemon writes to.

import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseUri } from '../control/uri.ts';
import type { Patient, Verdict } from './verdict.ts';

export function places({ stateDir, control }: Patient): Verdict[] {
  const uri = parseUri(control);
  return [
    place('state-dir', 'state', stateDir, 'choose another with --state-dir'),
    ...('path' in uri
      ? [place('control-dir', 'control', dirname(uri.path), 'choose another socket with --control')]
      : []),
  ];
}

function place(code: string, about: string, path: string, advice: string): Verdict {
  const stat = statSync(path, { throwIfNoEntry: false });
  const command = `install -d -m 0750 -o ${process.geteuid?.() ?? 0} ${quoted(path)}`;
  if (stat && !stat.isDirectory()) return { code, about, health: 'problem', text: `${path} is no directory`, advice };
  const wrong = trouble(stat ? path : nearest(path));
  if (wrong === undefined) {
    return { code, about, health: 'ok', text: stat ? `${path} can be written to` : `${path} will be made` };
  }
  // A file system that is read-only stays so, whatever is made on it.
  const text = `${path} ${stat ? '' : 'is not there and '}cannot be ${stat ? 'written to' : 'made'}: ${wrong.text}`;
  return { code, about, health: 'problem', text, ...(wrong.mends ? { command } : {}), advice };
}

/** The directory above it that exists. */
function nearest(path: string): string {
  const above = dirname(path);
  return above === path || statSync(above, { throwIfNoEntry: false }) ? above : nearest(above);
}

function trouble(path: string): { readonly text: string; readonly mends: boolean } | undefined {
  try {
    if (!statSync(path).isDirectory()) return { text: `${path} is no directory`, mends: false };
    accessSync(path, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EROFS') return { text: `${path} is on a file system that is read-only`, mends: false };
    if (code === 'EACCES') return { text: `${path} is not writable for this user`, mends: true };
    return { text: error instanceof Error ? error.message : String(error), mends: false };
  }
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
