// The daemon's life: reads the configuration, opens what the gateway needs, and runs until it is told to stop.

import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { type Logger, pino } from 'pino';
import { ConfigError, formatWarning } from '../config/error.ts';
import { DEFAULT_CONFIGS, defaultConfigs, type LoadedConfig, loadConfig } from '../config/load.ts';
import { USE, USE_ALL } from '../esp/layout.ts';
import { SystemError } from '../net/error.ts';
import type { GuardNews } from '../net/guards.ts';
import { MainMailbox } from '../net/lane.ts';
import { openRaw } from '../net/raw.ts';
import { openHost, openRoutes } from '../net/route.ts';
import { openTun } from '../net/tun.ts';
import { openGroup, openUdp, type UdpGroup } from '../net/udp.ts';
import { Admin } from './admin.ts';
import { Audit } from './audit.ts';
import { dialect } from './control/commands.ts';
import { Gate } from './control/gate.ts';
import { ControlServer } from './control/server.ts';
import { Desk } from './desk.ts';
import { fingerprints, overall } from './fingerprint.ts';
import type { Io } from './forward.ts';
import { Gateway } from './gateway.ts';
import { lean } from './lean.ts';
import { LogOutput } from './logoutput.ts';
import { LogTap } from './logtap.ts';
import { readable } from './logtext.ts';
import { MARK } from './mark.ts';
import { type Counters, Meter } from './metrics/measure.ts';
import { type MetricsAddress, MetricsServer } from './metrics/server.ts';
import { selfTest } from './selftest.ts';
import { Service, summary } from './service.ts';
import { MOST_WORKERS } from './thread.ts';
import { fdsOf, Workers } from './workers.ts';

/** What `espalier daemon` was told. */
export interface DaemonOptions {
  /** In the order given; without `--config` the default files that exist, so possibly none. */
  readonly config: readonly string[];
  /** Instead of the ipsec.secrets beside each ipsec.conf. */
  readonly secrets?: string;
  readonly control: string;
  readonly stateDir: string;
  /** Whom to become, when root starts it. */
  readonly user?: string;
  readonly tun: string;
  /** A list of facilities to do without. */
  readonly ioWithout?: string;
  /** Threads of the data plane; by default one less than there are cores. */
  readonly workers?: number;
  readonly metrics?: MetricsAddress;
  readonly logLevel: string;
  readonly port: number;
  readonly natPort: number;
  /** Groups whose members may do less on the control socket, by number. */
  readonly roles: { readonly read?: number; readonly operate?: number };
  /** What is protected stays blocked when the daemon ends as planned. */
  readonly keepBlocks: boolean;
  /** Espalier's own. */
  readonly version: string;
}

/** 1500 less the most that any cipher needs over IPv6: 40 + 8 + 8 + 16 + 15 + 2 + 32, rounded down. */
const TUN_MTU = 1376;
const STOP_GRACE = 2000;

export async function runDaemon(options: DaemonOptions): Promise<number> {
  const tap = new LogTap();
  const output = new LogOutput();
  const log = logger(options.logLevel, tap, output);
  const service = new Service({ env: process.env, pid: process.pid, log });
  process.on('SIGHUP', () => service.reload());
  if (!sound(log)) return 1;
  const config = lean(() => read(options, log));
  if (!config) return 2;
  // From here on there is something to clean up.
  const signalled = stopped();
  process.on('uncaughtException', (error) => crash(log, error));
  const opened = open(options, log);
  if (!opened) return 1;
  const { io } = opened;
  const gateway = new Gateway({
    io,
    random: (size) => new Uint8Array(randomBytes(size)),
    now: () => performance.now(),
    log,
    connections: config.connections,
    sharedKeys: config.secrets,
    admin: management(options, log),
  });
  const desk = new Desk(gateway, () => lean(() => load(options)));
  const audit = auditing(options, log);
  const roles = { uid: process.geteuid?.() ?? 0, ...options.roles };
  const gate = new Gate({ groups: roles, audit, gateway: desk, now: gateway.now });
  // Who can reach the control socket may rely on it.
  lean(() => gateway.protect());
  const control = await listen(options, desk, gate, log, tap);
  if (!control) {
    gateway.connections.stop();
    await io.pipelines.close();
    opened.close();
    return 1;
  }
  const meter = options.metrics && new Meter(gateway, desk, counters(options, opened, audit, output));
  const metrics = meter && (await publish(options, meter, opened.alive, log));
  log.info(
    {
      event: 'started',
      connections: config.connections.length,
      port: io.ike.port,
      natPort: io.nat.port,
      tun: io.tun.name,
      ...(metrics ? { metrics: metrics.port } : {}),
    },
    'the gateway runs',
  );
  lean(() => gateway.start());
  const what = { version: options.version, connections: config.connections.length };
  audit.record({ action: 'startGateway', outcome: 'done', what, after: overall(fingerprints(desk.configured())) });
  service.ready({
    status: () => summary([...gateway.lives.values()].map((life) => life.status(gateway.now()).state)),
    alive: opened.alive,
    reload: () => gate.signalled('SIGHUP', () => desk.reload()),
  });
  const signal = await signalled;
  log.info({ event: 'stopping', signal }, `stopping on ${signal}`);
  audit.record({ action: 'stopGateway', outcome: 'done', by: { signal } });
  service.stopping();
  metrics?.close();
  meter?.close();
  await control.close();
  await gateway.close(STOP_GRACE);
  await gateway.forwarder.plane.close();
  opened.close();
  service.close();
  log.info({ event: 'stopped' }, 'stopped');
  return 0;
}

/** JSON for programs; for a person at a terminal, sentences. */
function logger(level: string, tap: LogTap, output: LogOutput): Logger {
  const colour = (process.env.NO_COLOR ?? '') === '';
  const { isTTY } = process.stdout;
  process.on('exit', () => output.end());
  const both = (line: string) => {
    output.line(isTTY ? `${readable(line.trimEnd(), colour)}\n` : line);
    tap.line(line);
  };
  return pino({ level, base: { pid: process.pid }, hooks: tap.hooks }, { write: both });
}

/** To whoever started the daemon and does not see its log. */
function complain(text: string): void {
  if (!process.stdout.isTTY) process.stderr.write(`${text}\n`);
}

function sound(log: Logger): boolean {
  try {
    selfTest();
    return true;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    log.fatal({ event: 'start-failed', err: error }, text);
    complain(text);
    return false;
  }
}

function load({ config, secrets }: DaemonOptions): LoadedConfig {
  // One that is written after the start is found by a reload.
  const files = config.length > 0 ? config : defaultConfigs();
  return loadConfig(files, secrets === undefined ? {} : { secrets });
}

function read(options: DaemonOptions, log: Logger): LoadedConfig | undefined {
  try {
    const config = load(options);
    for (const warning of config.warnings) log.warn({ event: 'config-warning' }, formatWarning(warning));
    if (options.config.length === 0)
      log.warn(
        { event: 'no-config' },
        `there is no configuration, neither ${DEFAULT_CONFIGS.join(' nor ')}: write one, and run "espalier reload"`,
      );
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.error({ event: 'config-error' }, error.message);
    complain(error.message);
    return undefined;
  }
}

/** Without its file everything is UP; what is wrong with the file is told. */
function management({ stateDir }: DaemonOptions, log: Logger): Admin {
  const admin = new Admin(stateDir);
  try {
    admin.read();
  } catch (err) {
    const text = 'the management status of connections cannot be read: all of them are UP';
    log.error({ event: 'admin-unreadable', err }, text);
  }
  return admin;
}

/** What is changed is changed, whether it can be written down or not; that it cannot is told. */
function auditing({ stateDir }: DaemonOptions, log: Logger): Audit {
  const on = 'the gateway goes on, and counts what is not recorded';
  return new Audit(stateDir, {
    failed: (err) =>
      log.error({ event: 'audit-failed', err }, `the audit log cannot be written (${err.message}): ${on}`),
    restored: (lost) => log.warn({ event: 'audit-restored', lost }, 'the audit log can be written again'),
  });
}

function counters({ version }: DaemonOptions, { pipelines }: Opened, audit: Audit, output: LogOutput): Counters {
  return {
    version,
    workers: pipelines.workers,
    workerRestarts: () => pipelines.restarts,
    auditFailures: () => audit.failures,
    logFailures: () => output.failures,
  };
}

interface Opened {
  readonly io: Io;
  readonly pipelines: Workers;
  /** What the network says of packets in UDP. */
  readonly group: UdpGroup;
  /** Whether the threads of the data plane go round. */
  readonly alive: () => boolean;
  readonly close: () => void;
}

function open(options: DaemonOptions, log: Logger): Opened | undefined {
  const opened: { close(): void }[] = [];
  const kept = <T extends { close(): void }>(thing: T): T => {
    opened.push(thing);
    return thing;
  };
  const close = () => {
    for (const thing of opened.reverse()) thing.close();
  };
  try {
    const workers = options.workers ?? Math.min(MOST_WORKERS, Math.max(1, availableParallelism() - 1));
    const allowed = facilities(options.ioWithout);
    const ike = kept(openUdp(options.port, { mark: MARK }));
    const nat = kept(openGroup(options.natPort, { mark: MARK, workers, uses: allowed.uses }));
    const raw = allowed.raw ? rawSockets(log, workers) : undefined;
    if (raw) kept(raw);
    const tun = kept(openTun(options.tun, { mtu: TUN_MTU, workers, uses: nat.uses }));
    const routes = openRoutes(tun, { mark: MARK, nftables: allowed.nftables, onNews: (news) => tell(log, news) });
    kept({ close: () => routes.close(options.keepBlocks) });
    const pipelines = new Workers({
      uses: tun.uses,
      fds: fdsOf(tun, nat, raw),
      onDeath: (worker, err) => log.error({ event: 'worker-died', bug: true, worker, err }, 'a data-plane worker died'),
      onHopeless: (error) => crash(log, error),
    });
    kept(new MainMailbox((bytes, from, to) => nat.main.onReceive(bytes, from, { ip: to, port: nat.main.port })));
    const host = openHost({ mark: MARK });
    const io = { ike, nat: nat.main, raw: raw !== undefined, tun, routes, host, pipelines };
    return { io, pipelines, group: nat, alive: () => pipelines.alive, close };
  } catch (error) {
    close();
    if (!(error instanceof SystemError)) throw error;
    log.fatal({ event: 'start-failed', syscall: error.syscall, code: error.code }, error.message);
    complain(error.message);
    return undefined;
  }
}

const FACILITIES: Readonly<Record<string, number>> = {
  vnet: USE.VNET | USE.USO,
  uso: USE.USO,
  udpgso: USE.GSO,
  udpgro: USE.GRO,
  mmsg: USE.MMSG,
};

/** What is left when some are forbidden. */
function facilities(list: string | undefined) {
  const without = list?.split(',') ?? [];
  const uses = without.reduce((left, name) => left & ~(FACILITIES[name] ?? 0), USE_ALL);
  return { uses, raw: !without.includes('raw'), nftables: !without.includes('nftables') };
}

function tell(log: Logger, news: GuardNews): void {
  if (news.kind === 'restored') {
    log.warn({ event: 'guards-restored' }, 'somebody deleted the table espalier of nf_tables; it is back');
    return;
  }
  const { syscall, code, message } = news.error;
  const cost = 'each protected network slows every packet down a little';
  log.warn({ event: 'no-nftables', syscall, code }, `guards are rules of routing, and ${cost}: ${message}`);
}

function rawSockets(log: Logger, workers: number) {
  try {
    return openRaw({ mark: MARK, workers });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    log.warn({ event: 'no-raw-esp', code: error.code }, `all ESP goes in UDP: ${error.message}`);
    return undefined;
  }
}

async function listen(options: DaemonOptions, gateway: Desk, gate: Gate, log: Logger, tap: LogTap) {
  const { control: uri, version } = options;
  const warn = (conn: string, text: string) => log.warn({ event: 'config-warning', conn }, text);
  try {
    return await ControlServer.listen({
      uri,
      ...dialect({ gateway, version, log: tap, warn }),
      gate,
      onBug: (command, err) => log.error({ event: 'bug', bug: true, command, err }, `command ${command} failed`),
      onDropped: ({ kind }) =>
        log.warn({ event: 'control-dropped', why: kind }, 'a client of the control socket was let go'),
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    log.fatal({ event: 'start-failed' }, text);
    complain(text);
    return undefined;
  }
}

/** Metrics that nobody can read are no reason not to carry packets. */
async function publish({ metrics }: DaemonOptions, meter: Meter, alive: () => boolean, log: Logger) {
  if (!metrics) return undefined;
  const onBug = (err: unknown) => log.error({ event: 'bug', bug: true, err }, 'gathering the metrics met a bug');
  try {
    return await MetricsServer.listen(metrics, { write: () => meter.text(), alive, onBug });
  } catch (err) {
    const text = err instanceof Error ? err.message : String(err);
    log.error({ event: 'no-metrics', err }, `there are no metrics: ${text}`);
    return undefined;
  }
}

/** Nothing is known any more of what still works: whoever started the daemon is to start it again. */
function crash(log: Logger, error: Error): never {
  const fault = error instanceof SystemError ? { syscall: error.syscall, code: error.code } : { bug: true };
  log.fatal({ event: 'crashed', ...fault, err: error }, error.message);
  process.exit(1);
}

function stopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}
