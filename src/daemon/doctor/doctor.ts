// Looks at this host and says what it lacks: everything that keeps a gateway from working and that no peer need be
// asked about. Nothing is changed; a device and some sockets are opened for a moment.

import { ConfigError } from '../../config/error.ts';
import { type LoadedConfig, loadConfig } from '../../config/load.ts';
import { SystemError } from '../../net/error.ts';
import { attached } from './attached.ts';
import { capabilities } from './capabilities.ts';
import { device } from './device.ts';
import { firewall } from './firewall.ts';
import { withAddresses } from './names.ts';
import { type Needs, needsOf } from './needs.ts';
import { places } from './places.ts';
import { ports } from './ports.ts';
import { hasAddon, program } from './program.ts';
import { rivals } from './rivals.ts';
import { routes } from './routes.ts';
import { sysctls } from './sysctls.ts';
import type { Patient, Verdict } from './verdict.ts';

export async function examine(patient: Patient): Promise<Verdict[]> {
  const configuration = readConfiguration(patient.config, patient.secrets);
  const { connections, verdicts } = await withAddresses(configuration.loaded?.connections);
  const needs = needsOf(connections);
  const looks: readonly (readonly [string, () => Verdict[]])[] = [
    ['program', () => program(patient)],
    ['capabilities', () => capabilities(patient, needs)],
    ['device', device],
    ['ports', () => ports(patient)],
    ['places', () => places(patient)],
    ...(hasAddon() ? network(patient, needs) : []),
  ];
  return [configuration.verdict, ...verdicts, ...looks.flatMap(([about, look]) => attempt(about, look))];
}

/** What the kernel is asked through netlink. */
function network(patient: Patient, needs: Needs): readonly (readonly [string, () => Verdict[]])[] {
  return [
    ['rivals', () => rivals(patient)],
    ['routes', () => routes(needs)],
    ['networks of this host', () => attached(needs)],
    ['sysctls', () => sysctls(patient, needs)],
    ['firewall', () => firewall(patient, needs)],
  ];
}

/** What the kernel refuses to tell is no reason to keep silent about the rest. */
function attempt(about: string, look: () => Verdict[]): Verdict[] {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return [{ code: 'unseen', about, health: 'note', text: `could not be looked at: ${error.message}` }];
  }
}

interface Configuration {
  readonly loaded: LoadedConfig | undefined;
  readonly verdict: Verdict;
}

function readConfiguration(paths: readonly string[], secrets: string | undefined): Configuration {
  const base = { code: 'configuration', about: 'configuration' } as const;
  if (paths.length === 0) {
    const text = 'there is none: what peers and networks need of this host cannot be told';
    return { loaded: undefined, verdict: { ...base, health: 'note', text } };
  }
  try {
    const loaded = loadConfig(paths, { forService: true, ...(secrets === undefined ? {} : { secrets }) });
    const text = `${paths.join(', ')}: ${loaded.connections.length} connections`;
    return { loaded, verdict: { ...base, health: 'ok', text } };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const files = paths.map((path) => ` --config ${path}`).join('');
    const verdict: Verdict = {
      ...base,
      health: 'problem',
      text: error.errors[0]?.message ?? error.message,
      command: `espalier check${files}`,
    };
    return { loaded: undefined, verdict };
  }
}
