// `load-conn`, `unload-conn`, `get-conns`: connections that clients bring. A message has the names and values of a
// swanctl.conf, so it becomes a section of settings, which is read by the same rules and refused with the same words.

import type { Setting } from '../../config/cursor.ts';
import { ConfigError, formatWarning } from '../../config/error.ts';
import { isOfIpsecConf } from '../../config/ipsec/kept.ts';
import { OPTIONS } from '../../config/options.ts';
import type { Section as Settings } from '../../config/settings.ts';
import { loadConnection } from '../../config/swanctl.ts';
import type { Connection, Place } from '../../ike/connection.ts';
import type { Gateway } from '../status.ts';
import type { Call, Command } from './channel.ts';
import { answer, refusal, wrong } from './reply.ts';
import { section, text } from './section.ts';
import type { Item, Section, Value } from './vici.ts';

/** Tells of an option that has no effect. */
export type Warn = (conn: string, warning: string) => void;

export function conns(gateway: Gateway, warn: Warn): readonly (readonly [string, Command])[] {
  return [
    ['load-conn', (call) => load(gateway, call.message, warn)],
    ['unload-conn', (call) => unload(gateway, call)],
    ['get-conns', () => section(['conns', loadable(gateway)])],
  ];
}

/**
 * Of a swanctl.conf and of clients. What an ipsec.conf says swanctl does not know, and would unload what it finds in no
 * file of its own.
 */
function loadable(gateway: Gateway): string[] {
  return gateway.configured().flatMap(({ conn }) => (isOfIpsecConf(conn) ? [] : conn.name));
}

function load(gateway: Gateway, message: Section, warn: Warn): Section {
  const [entry, ...more] = message;
  if (!entry || more.length > 0) return refusal('a load-conn message has one section, named like the connection');
  const [name, value] = entry;
  if (name === '' || !(value instanceof Map)) return refusal(`'${name}' is not a section with a name`);
  const read = readConnection(name, value);
  if ('wrong' in read) return refusal(read.wrong);
  for (const warning of read.warnings) warn(name, warning);
  return answer(gateway.loadConnection(read.connection));
}

function unload(gateway: Gateway, call: Call): Section {
  const why = wrong(call);
  if (why !== undefined) return refusal(why);
  const name = text(call.message, 'name');
  return name === undefined ? refusal('unload: missing connection name') : answer(gateway.unloadConnection(name));
}

type Read = { readonly connection: Connection; readonly warnings: readonly string[] } | { readonly wrong: string };

/** Exported for its test. */
export function readConnection(name: string, message: Section): Read {
  try {
    const { connection, warnings } = loadConnection(settings(name, message, name));
    return { connection, warnings: warnings.map(formatWarning) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { wrong: error.message };
  }
}

function settings(name: string, message: Section, path: string): Settings {
  const place: Place = { file: `vici ${path}`, line: 0, column: 0 };
  const found = { settings: new Map<string, Setting>(), sections: new Map<string, Settings>() };
  for (const [key, value] of message) {
    if (value instanceof Map) found.sections.set(key, settings(key, value, `${path}.${key}`));
    else found.settings.set(key, { text: plain(key, value, place), key: place, place, verbatim: false, cut: false });
  }
  return { name, place, ...found, references: [] };
}

function plain(key: string, value: Exclude<Value, Section>, place: Place): string {
  if (!Array.isArray(value)) return one(key, value as Item, place);
  if (!LISTS.has(key)) throw new ConfigError(place, `${key} has one value, not a list`);
  return value.map((item: Item) => one(key, item, place)).join(', ');
}

/** swanctl sends certificates themselves where the file has their names. */
function one(key: string, item: Item, place: Place): string {
  if (typeof item === 'string') return item;
  if (BLOBS.has(key)) return '(data)';
  throw new ConfigError(place, `${key} is not text`);
}

const BLOBS: ReadonlySet<string> = new Set(['certs', 'cacerts', 'pubkeys']);

/** Options that may have several values, by their last word. */
const LISTS: ReadonlySet<string> = new Set(
  OPTIONS.filter(({ type }) => ['list', 'addresses', 'peers', 'proposals', 'selectors'].includes(type.kind)).map(
    ({ path }) => path.split('.').at(-1) as string,
  ),
);
