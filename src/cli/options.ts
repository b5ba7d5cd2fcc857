// The options of the command line, each described once. yargs makes `--help` from them.

import type { Options } from 'yargs';
import { canonicalIp, isV6 } from '../bytes/ip.ts';
import { PLATFORMS } from '../config/lint/platform/table.ts';
import { DEFAULT_CONFIGS, defaultConfigs } from '../config/load.ts';
import { DEFAULT_URI, parseUri } from '../daemon/control/uri.ts';
import type { MetricsAddress } from '../daemon/metrics/server.ts';
import type { DaemonOptions } from '../daemon/run.ts';
import { MOST_WORKERS } from '../daemon/thread.ts';
import { VERSION } from './about.ts';
import { groupId } from './groups.ts';
import { UsageError } from './io.ts';

const DEFAULT_STATE_DIR = '/var/lib/espalier';
const DEFAULT_TUN = 'esp0';

const FALLBACKS = ['vnet', 'uso', 'udpgso', 'udpgro', 'mmsg', 'raw', 'nftables'];
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export const CONTROL = {
  type: 'string',
  requiresArg: true,
  default: DEFAULT_URI,
  describe: 'the control socket (vici)',
  coerce: once('control', controlUri),
} as const satisfies Options;

export const JSON_OUTPUT = { type: 'boolean', default: false, describe: 'print JSON' } as const satisfies Options;

export const PROFILE = {
  choices: PLATFORMS.map(({ name }) => name),
  requiresArg: true,
  describe: 'the platform at the other end: also checks what its gateways ask for',
  coerce: once('profile'),
} as const satisfies Options;

/** Names as yargs derives them; `daemonOptions` makes a `DaemonOptions` of what it parsed. */
export const DAEMON = {
  config: {
    type: 'string',
    array: true,
    requiresArg: true,
    describe: 'an ipsec.conf or a swanctl.conf, told apart by what is in it; may be given twice',
    defaultDescription: DEFAULT_CONFIGS.join(' and '),
  },
  secrets: {
    type: 'string',
    requiresArg: true,
    describe: 'an ipsec.secrets (the one beside each ipsec.conf)',
    coerce: once('secrets'),
  },
  control: CONTROL,
  'state-dir': {
    type: 'string',
    requiresArg: true,
    default: DEFAULT_STATE_DIR,
    describe: 'for what survives a restart: management status, audit.jsonl',
    coerce: once('state-dir'),
  },
  user: {
    type: 'string',
    requiresArg: true,
    describe: 'the user to become, when root starts the daemon',
    coerce: once('user'),
  },
  metrics: {
    type: 'string',
    requiresArg: true,
    describe: 'where Prometheus finds /metrics: ADDR:PORT, or a PORT of the loopback',
    coerce: once('metrics', metricsAddress),
  },
  tun: {
    type: 'string',
    requiresArg: true,
    default: DEFAULT_TUN,
    describe: 'name of the TUN device',
    coerce: once('tun', tunName),
  },
  workers: {
    type: 'string',
    requiresArg: true,
    describe: 'threads of the data plane (one less than there are cores)',
    coerce: once('workers', workerCount),
  },
  'io-without': {
    type: 'string',
    requiresArg: true,
    describe: `forces fallbacks: a list of ${FALLBACKS.join(',')}`,
    coerce: once('io-without', fallbacks),
  },
  'control-read': {
    type: 'string',
    requiresArg: true,
    describe: 'group whose members may only look at things through the control socket',
    coerce: once('control-read', (group) => groupId('control-read', group)),
  },
  'control-operate': {
    type: 'string',
    requiresArg: true,
    describe: 'group whose members may bring up and down what is configured, and not configure',
    coerce: once('control-operate', (group) => groupId('control-operate', group)),
  },
  'keep-blocks': {
    type: 'boolean',
    default: false,
    describe: 'leave what is protected blocked when the daemon ends, for the next one to take over',
  },
  'log-level': {
    choices: LEVELS,
    default: 'info',
    requiresArg: true,
    describe: 'the least level that is logged',
    coerce: once('log-level'),
  },
  port: {
    type: 'string',
    requiresArg: true,
    default: '500',
    describe: 'UDP port of IKE',
    coerce: once('port', udpPort('port')),
  },
  'nat-port': {
    type: 'string',
    requiresArg: true,
    default: '4500',
    describe: 'UDP port of IKE and ESP behind a NAT',
    coerce: once('nat-port', udpPort('nat-port')),
  },
} as const satisfies Record<string, Options>;

/** What the doctor must know of the daemon that is to run. */
export const DOCTOR = {
  config: DAEMON.config,
  secrets: DAEMON.secrets,
  control: CONTROL,
  'state-dir': DAEMON['state-dir'],
  tun: DAEMON.tun,
  workers: DAEMON.workers,
  port: DAEMON.port,
  'nat-port': DAEMON['nat-port'],
} as const satisfies Record<string, Options>;

/** What yargs makes of `DOCTOR`. Types know nothing of the defaults, hence undefined. */
export interface HostArguments {
  readonly config?: readonly string[] | undefined;
  readonly secrets: string | undefined;
  readonly control: string | undefined;
  readonly stateDir: string | undefined;
  readonly tun: string | undefined;
  readonly workers: number | undefined;
  readonly port: number | undefined;
  readonly natPort: number | undefined;
}

/** What it makes of `DAEMON`. */
export interface DaemonArguments extends HostArguments {
  readonly user: string | undefined;
  readonly metrics: MetricsAddress | undefined;
  readonly ioWithout: string | undefined;
  readonly controlRead: number | undefined;
  readonly controlOperate: number | undefined;
  readonly keepBlocks: boolean | undefined;
  readonly logLevel: string | undefined;
}

/** What concerns the host that the daemon runs on. */
export function hostOptions(parsed: HostArguments) {
  const port = parsed.port ?? 500;
  const natPort = parsed.natPort ?? 4500;
  if (port === natPort) throw new UsageError(`--port and --nat-port are both ${port}: two sockets need two ports`);
  return {
    config: configFiles(parsed.config),
    ...(parsed.secrets === undefined ? {} : { secrets: parsed.secrets }),
    control: parsed.control ?? DEFAULT_URI,
    stateDir: parsed.stateDir ?? DEFAULT_STATE_DIR,
    tun: parsed.tun ?? DEFAULT_TUN,
    ...(parsed.workers === undefined ? {} : { workers: parsed.workers }),
    port,
    natPort,
  };
}

export function daemonOptions(parsed: DaemonArguments): DaemonOptions {
  return {
    ...hostOptions(parsed),
    ...(parsed.user === undefined ? {} : { user: parsed.user }),
    ...(parsed.ioWithout === undefined ? {} : { ioWithout: parsed.ioWithout }),
    roles: {
      ...(parsed.controlRead === undefined ? {} : { read: parsed.controlRead }),
      ...(parsed.controlOperate === undefined ? {} : { operate: parsed.controlOperate }),
    },
    keepBlocks: parsed.keepBlocks ?? false,
    ...(parsed.metrics === undefined ? {} : { metrics: parsed.metrics }),
    logLevel: parsed.logLevel ?? 'info',
    version: VERSION,
  };
}

/** Without `--config` the default files that exist. */
export function configFiles(given: readonly string[] | undefined): readonly string[] {
  return given ?? defaultConfigs();
}

/** yargs makes an array of an option that is given twice; nobody may guess which of the two is meant. */
function once(name: string): (value: unknown) => string | undefined;
function once<T>(name: string, check: (value: string) => T): (value: unknown) => T | undefined;
function once<T>(name: string, check?: (value: string) => T) {
  return (value: unknown): T | string | undefined => {
    if (Array.isArray(value)) throw new UsageError(`--${name} is given more than once`);
    if (typeof value !== 'string') return undefined;
    return check ? check(value) : value;
  };
}

function controlUri(uri: string): string {
  const parsed = parseUri(uri);
  if ('wrong' in parsed) throw new UsageError(`--control: ${parsed.wrong}`);
  return uri;
}

/** A port alone is one of the loopback: metrics tell much about a network. */
function metricsAddress(text: string): MetricsAddress {
  const [, host = '127.0.0.1', digits = ''] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  const ip = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  const address = canonicalIp(ip);
  const port = digits === '' ? 0 : Number(digits);
  if (address !== undefined && port >= 1 && port <= 65_535 && host.startsWith('[') === isV6(address)) {
    return { host: address, port };
  }
  throw new UsageError(
    `--metrics: "${text}" is neither a port nor an address with a port, such as 192.0.2.1:9100 or [::1]:9100`,
  );
}

function tunName(name: string): string {
  // IFNAMSIZ of the kernel is 16, its closing zero included.
  if (/^[^\s/:]{1,15}$/.test(name) && name !== '.' && name !== '..') return name;
  throw new UsageError(
    `--tun: "${name}" cannot be the name of a device (1 to 15 characters, no slash, colon or space)`,
  );
}

function fallbacks(list: string): string {
  const unknown = list.split(',').find((item) => !FALLBACKS.includes(item));
  if (unknown === undefined) return list;
  throw new UsageError(`--io-without: "${unknown}" is none of ${FALLBACKS.join(', ')}`);
}

function workerCount(text: string): number {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MOST_WORKERS) return count;
  throw new UsageError(`--workers: "${text}" is not a number of threads (1 to ${MOST_WORKERS})`);
}

function udpPort(name: string): (value: string) => number {
  return (value) => {
    const port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
    if (port >= 1 && port <= 65_535) return port;
    throw new UsageError(`--${name}: "${value}" is not a UDP port (1 to 65535)`);
  };
}
