// swanctl.conf (strongSwan's swanctl.conf(5)) as connections and secrets: everything, or an error that names every mistake.

import type { Connection, Place, SharedKey } from '../ike/connection.ts';
import { checkConnection, checkNames } from './check.ts';
import { readConnection } from './connections.ts';
import { ConfigError, type ConfigWarning, Findings } from './error.ts';
import type { Files, SourceText } from './files.ts';
import { inherit, templates } from './inherit.ts';
import { readSecrets, secretFiles } from './secrets.ts';
import { parseSettings, type Section } from './settings.ts';

export interface Swanctl {
  readonly connections: readonly Connection[];
  readonly secrets: readonly SharedKey[];
  /** Files that hold a secret, and where: nobody else may read them. */
  readonly secretFiles: ReadonlyMap<string, Place>;
}

/** Throws ConfigError, or ConfigErrors when there is more than one mistake. */
export function loadSwanctl(
  sources: readonly SourceText[],
  files?: Files,
): Swanctl & { readonly warnings: readonly ConfigWarning[] } {
  const findings = new Findings();
  return { ...readSwanctl(sources, findings, files), warnings: findings.done() };
}

/** The same where there is more to read; what is wrong is among the findings. */
export function readSwanctl(sources: readonly SourceText[], findings: Findings, files?: Files): Swanctl {
  const raw = parse(sources, findings, files);
  if (!raw) return { connections: [], secrets: [], secretFiles: new Map() };
  const root = inherit(raw, findings);
  checkNames(root, templates(raw), findings);
  const connections = [...(root.sections.get('connections')?.sections.values() ?? [])].map((section) =>
    readConnection(section, findings),
  );
  const secrets = root.sections.get('secrets');
  const keys = secrets ? readSecrets(secrets, findings) : [];
  return { connections, secrets: keys, secretFiles: secrets ? secretFiles(secrets) : new Map() };
}

/** A mistake in the braces leaves nothing to go on with. */
function parse(sources: readonly SourceText[], findings: Findings, files: Files | undefined): Section | undefined {
  try {
    return parseSettings(sources, files);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    findings.add(error);
    return undefined;
  }
}

/** One connection from a section that was made elsewhere: vici's `load-conn` brings the same names and values. */
export function loadConnection(section: Section): { connection: Connection; warnings: readonly ConfigWarning[] } {
  const findings = new Findings();
  checkConnection(section, findings);
  const connection = readConnection(section, findings);
  return { connection, warnings: findings.done() };
}
