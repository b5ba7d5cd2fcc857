// A short name for a state of the configuration, so that an audit can say that it was another one before. Nothing can be
// read from it, and no secret goes into it.

import { createHash } from 'node:crypto';
import { hex } from '../bytes/bytes.ts';
import type { Configured } from './configuration.ts';

const LENGTH = 16;

/** Of the connections with these names, or of all; or of a list of names. */
export function fingerprint(
  of: readonly Configured[] | readonly string[],
  names: readonly string[] | undefined = undefined,
): string {
  const wanted = names && new Set(names);
  const meant = of.filter((entry) => typeof entry === 'string' || !wanted || wanted.has(entry.conn.name));
  return createHash('sha256').update(JSON.stringify(meant, replace)).digest('hex').slice(0, LENGTH);
}

/** Where a thing is written is not what it says. */
function replace(key: string, value: unknown): unknown {
  if (key === 'where' || key === 'place') return undefined;
  return value instanceof Uint8Array ? hex(value) : value;
}
