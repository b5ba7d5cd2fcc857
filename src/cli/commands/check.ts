// `espalier check`: reads the configuration as the daemon would, and says what is wrong with it. Starts nothing.

import { clean } from '../../bytes/printable.ts';
import { ConfigError, type ConfigWarning, formatWarning } from '../../config/error.ts';
import { type LoadedConfig, loadConfig } from '../../config/load.ts';
import type { Connection, Offer, Place } from '../../ike/connection.ts';
import { transformName, weakOf } from '../../ike/transforms.ts';
import { DONE, type Io, USAGE } from '../io.ts';
import { paint } from '../render/style.ts';

export interface CheckArguments {
  /** In the order given; without `--config` the default files that exist, so possibly none. */
  readonly config: readonly string[];
  readonly json: boolean;
}

export function check({ config, json }: CheckArguments, io: Io): number {
  const found = load(config);
  if (json) io.out(JSON.stringify(found instanceof ConfigError ? wrong(found) : right(found), undefined, 2));
  else if (found instanceof ConfigError) for (const { message } of found.errors) io.err(clean(message));
  else for (const line of described(found, io)) io.out(line);
  return found instanceof ConfigError ? USAGE : DONE;
}

function load(config: readonly string[]): LoadedConfig | ConfigError {
  try {
    const loaded = loadConfig(config);
    return { ...loaded, warnings: [...loaded.warnings, ...loaded.connections.flatMap(weak)] };
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

/** What is for old peers only, where it is offered. */
function weak({ name, offers, where, children }: Connection): ConfigWarning[] {
  const found = (what: string, offered: readonly Offer[], place: Place | undefined) => {
    const names = weakOf(offered.flatMap(({ transforms }) => transforms)).map(transformName);
    if (names.length === 0 || !place) return [];
    return [{ place, text: `${what} offers weak algorithms: ${[...new Set(names)].join(', ')}` }];
  };
  return [
    ...found(`connection ${name}`, offers, where.get('proposals')),
    ...children.flatMap((child) =>
      found(`child ${child.name}`, child.offers, child.where.get(`${child.protocol}_proposals`)),
    ),
  ];
}

function wrong(error: ConfigError): unknown {
  return { ok: false, errors: error.errors.map(({ place, text, near }) => ({ ...at(place), text, near })) };
}

function right({ files, connections, secrets, warnings }: LoadedConfig): unknown {
  return {
    ok: true,
    files,
    connections: connections.map(({ name, version, children }) => ({
      name,
      version,
      children: children.map((child) => child.name),
    })),
    secrets: secrets.length,
    warnings: warnings.map(({ place, text }) => ({ ...at(place), text })),
  };
}

/** A mistake that concerns a whole file has no line. */
function at({ file, line, column }: Place): Partial<Place> {
  return line === 0 ? { file } : { file, line, column };
}

function* described({ files, connections, secrets, warnings }: LoadedConfig, io: Io): Generator<string> {
  for (const warning of warnings) yield `${paint('warning', 'yellow', io.colour)}: ${clean(formatWarning(warning))}`;
  if (files.length === 0) yield 'there is no configuration: nothing would be negotiated';
  for (const file of files) yield `read ${clean(file)}`;
  for (const connection of connections) yield clean(sentence(connection));
  yield `${counted(connections.length, 'connection')}, ${counted(secrets.length, 'secret')}, ${counted(warnings.length, 'warning')}`;
}

const VERSIONS = { 0: 'IKEv2, and peers of IKEv1', 1: 'IKEv1', 2: 'IKEv2' } as const;

function sentence({ name, version, children }: Connection): string {
  const names = children.map((child) => child.name).join(', ');
  return `connection ${name}: ${VERSIONS[version]}; ${names === '' ? 'no children' : names}`;
}

function counted(count: number, word: string): string {
  return `${count === 0 ? 'no' : count} ${word}${count === 1 ? '' : 's'}`;
}
