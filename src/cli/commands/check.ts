// `espalier check`: reads the configuration as the daemon would, and says what is wrong with it. Starts nothing.

import { clean } from '../../bytes/printable.ts';
import { ConfigError, formatPlace } from '../../config/error.ts';
import type { Finding, Severity } from '../../config/lint/finding.ts';
import { lint } from '../../config/lint/lint.ts';
import { type Platform, platformNamed } from '../../config/lint/platform/table.ts';
import { DEFAULT_CONFIGS, type LoadedConfig, loadConfig } from '../../config/load.ts';
import type { Connection, Place } from '../../ike/connection.ts';
import { DONE, type Io, USAGE } from '../io.ts';
import { type Colour, paint } from '../render/style.ts';

export interface CheckArguments {
  /** In the order given; without `--config` the default files that exist, so possibly none. */
  readonly config: readonly string[];
  /** The platform at the other end, by name. */
  readonly profile?: string | undefined;
  /** Instead of the ipsec.secrets beside each ipsec.conf. */
  readonly secrets?: string | undefined;
  readonly json: boolean;
}

interface Checked {
  readonly loaded: LoadedConfig;
  readonly findings: readonly Finding[];
}

export function check({ config, secrets, profile, json }: CheckArguments, io: Io): number {
  const checked = examine(config, secrets, profile === undefined ? undefined : platformNamed(profile));
  if (json) io.out(JSON.stringify(checked instanceof ConfigError ? wrong(checked) : right(checked), undefined, 2));
  else if (checked instanceof ConfigError) for (const { message } of checked.errors) io.err(clean(message));
  else for (const line of described(checked, io)) io.out(line);
  return checked instanceof ConfigError || count(checked.findings, 'error') > 0 ? USAGE : DONE;
}

function examine(
  config: readonly string[],
  secrets: string | undefined,
  platform: Platform | undefined,
): Checked | ConfigError {
  try {
    const loaded = loadConfig(config, { forService: true, ...(secrets === undefined ? {} : { secrets }) });
    const noticed = loaded.warnings.map(
      ({ place, text }): Finding => ({ place, severity: 'warning', code: 'option', text, remedy: '' }),
    );
    return { loaded, findings: [...noticed, ...lint(loaded, platform)] };
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

function count(findings: readonly Finding[], severity: Severity): number {
  return findings.filter((finding) => finding.severity === severity).length;
}

function wrong(error: ConfigError): unknown {
  return { ok: false, errors: error.errors.map(({ place, text, near }) => ({ ...at(place), text, near })) };
}

function right({ loaded: { files, connections, secrets }, findings }: Checked): unknown {
  const all = (severity: Severity) => findings.filter((finding) => finding.severity === severity).map(view);
  return {
    ok: count(findings, 'error') === 0,
    files,
    connections: connections.map(({ name, version, children }) => ({
      name,
      version,
      children: children.map((child) => child.name),
    })),
    secrets: secrets.length,
    errors: all('error'),
    warnings: all('warning'),
    notes: all('info'),
  };
}

function view({ place, severity, code, text, remedy }: Finding): unknown {
  return { code, severity, ...at(place), text, ...(remedy === '' ? {} : { remedy }) };
}

/** A mistake that concerns a whole file has no line. */
function at({ file, line, column }: Place): Partial<Place> {
  return line === 0 ? { file } : { file, line, column };
}

function* described({ loaded: { files, connections, secrets }, findings }: Checked, io: Io): Generator<string> {
  for (const finding of findings) yield* lines(finding, io);
  if (files.length === 0)
    yield `there is no configuration, neither ${DEFAULT_CONFIGS.join(' nor ')}: nothing would be negotiated`;
  for (const file of files) yield `read ${clean(file)}`;
  for (const connection of connections) yield clean(sentence(connection));
  const errors = count(findings, 'error');
  const notes = count(findings, 'info');
  const totals = [
    counted(connections.length, 'connection'),
    counted(secrets.length, 'secret'),
    ...(errors > 0 ? [counted(errors, 'error')] : []),
    counted(count(findings, 'warning'), 'warning'),
    ...(notes > 0 ? [counted(notes, 'note')] : []),
  ];
  yield totals.join(', ');
}

const LABELS: Readonly<Record<Severity, readonly [string, Colour]>> = {
  error: ['error', 'red'],
  warning: ['warning', 'yellow'],
  info: ['note', 'dim'],
};

function* lines({ place, severity, code, text, remedy }: Finding, io: Io): Generator<string> {
  const [label, colour] = LABELS[severity];
  yield `${paint(label, colour, io.colour)}: ${clean(`${formatPlace(place)}: ${text}`)}`;
  if (remedy !== '') yield paint(clean(`  ${code}: ${remedy}`), 'dim', io.colour);
}

const VERSIONS = { 0: 'IKEv2, and peers of IKEv1', 1: 'IKEv1', 2: 'IKEv2' } as const;

function sentence({ name, version, children }: Connection): string {
  const names = children.map((child) => child.name).join(', ');
  return `connection ${name}: ${VERSIONS[version]}; ${names === '' ? 'no children' : names}`;
}

function counted(count: number, word: string): string {
  return `${count === 0 ? 'no' : count} ${word}${count === 1 ? '' : 's'}`;
}
