// A short name for what is configured, so that an audit can say that it was another one before. Nothing can be read from
// it, and no secret goes into it: a weak one could be guessed by it.

import { createHash } from 'node:crypto';
import { hex } from '../bytes/bytes.ts';
import type { Connection } from '../ike/connection.ts';
import type { Configured } from './configuration.ts';

/** By name, of each connection. */
export type Fingerprints = ReadonlyMap<string, string>;

/** A connection is never changed, only replaced. */
const known = new WeakMap<Connection, string>();

/** Of all connections, or of those with these names. */
export function fingerprints(configured: readonly Configured[], names?: readonly string[]): Fingerprints {
  const wanted = names && new Set(names);
  const meant = configured.filter(({ conn }) => !wanted || wanted.has(conn.name));
  return new Map(meant.map(({ conn }) => [conn.name, fingerprintOf(conn)]));
}

/** Of all of them together. */
export function overall(each: Fingerprints): string {
  return sha256([...each].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function fingerprintOf(conn: Connection): string {
  const found = known.get(conn) ?? sha256(conn);
  known.set(conn, found);
  return found;
}

function sha256(value: unknown): string {
  return `sha256:${createHash('sha256').update(canonical(value)).digest('hex')}`;
}

/** The same text for the same meaning: where a thing is written is not what it says, nor is the order of what has names. */
function canonical(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Uint8Array) return `x${hex(value)}`;
  let text = '';
  if (Array.isArray(value)) {
    for (const item of value) text += `${canonical(item)},`;
    return `[${text}]`;
  }
  const named = value as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(named).sort()) {
    if (key !== 'where' && key !== 'place' && named[key] !== undefined) text += `${key}:${canonical(named[key])},`;
  }
  return `{${text}}`;
}
