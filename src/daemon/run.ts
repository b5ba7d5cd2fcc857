// The daemon's life: reads the configuration, opens what the gateway needs, and runs until it is told to stop.

import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { type Logger, pino } from 'pino';
import { ConfigError, formatWarning } from '../config/error.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { SystemError } from '../net/error.ts';
import { openRawEsp } from '../net/raw.ts';
import { openHost, openRoutes } from '../net/route.ts';
import { openTun } from '../net/tun.ts';
import { openUdp } from '../net/udp.ts';
import { dialect } from './control/commands.ts';
import { ControlServer } from './control/server.ts';
import { Desk } from './desk.ts';
import type { Io } from './forward.ts';
import { Gateway } from './gateway.ts';
import { selfTest } from './selftest.ts';

/** What `espalier daemon` was told. */
export interface DaemonOptions {
  /** In the order given; without `--config` the default files that exist, so possibly none. */
  readonly config: readonly string[];
  readonly control: string;
  readonly stateDir: string;
  readonly tun: string;
  /** A list of facilities to do without. */
  readonly ioWithout?: string;
  readonly logLevel: string;
  readonly port: number;
  readonly natPort: number;
  /** Espalier's own. */
  readonly version: string;
}

/** On every packet of our own sockets; the rule that leads to the tunnels lets it pass by. */
const MARK = 0x45535000;
/** 1500 less the most that any cipher needs over IPv6: 40 + 8 + 8 + 16 + 15 + 2 + 32, rounded down. */
const TUN_MTU = 1376;
const STOP_GRACE = 2000;

export async function runDaemon(options: DaemonOptions): Promise<number> {
  const log = pino({ level: options.logLevel, base: { pid: process.pid } });
  if (!sound(log)) return 1;
  const config = read(options, log);
  if (!config) return 2;
  // From here on there is something to clean up.
  const signalled = stopped();
  process.on('uncaughtException', (error) => crash(log, error));
  const io = open(options, log);
  if (!io) return 1;
  const gateway = new Gateway({
    io,
    random: (size) => new Uint8Array(randomBytes(size)),
    now: () => performance.now(),
    log,
    connections: config.connections,
    sharedKeys: config.secrets,
  });
  const control = await listen(options, gateway, log);
  if (!control) {
    closeIo(io);
    return 1;
  }
  log.info(
    {
      event: 'started',
      connections: config.connections.length,
      port: io.ike.port,
      natPort: io.nat.port,
      tun: io.tun.name,
    },
    'the gateway runs',
  );
  gateway.start();
  const signal = await signalled;
  log.info({ event: 'stopping', signal }, `stopping on ${signal}`);
  await control.close();
  await gateway.close(STOP_GRACE);
  closeIo(io);
  log.info({ event: 'stopped' }, 'stopped');
  return 0;
}

function sound(log: Logger): boolean {
  try {
    selfTest();
    return true;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    log.fatal({ event: 'start-failed', err: error }, text);
    process.stderr.write(`${text}\n`);
    return false;
  }
}

function read({ config: paths }: DaemonOptions, log: Logger): LoadedConfig | undefined {
  try {
    const config = loadConfig(paths);
    for (const warning of config.warnings) log.warn({ event: 'config-warning' }, formatWarning(warning));
    if (paths.length === 0) log.warn({ event: 'no-config' }, 'there is no configuration; nothing will be negotiated');
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.error({ event: 'config-error' }, error.message);
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}

function open({ port, natPort, tun: name, ioWithout }: DaemonOptions, log: Logger): Io | undefined {
  const opened: { close(): void }[] = [];
  const kept = <T extends { close(): void }>(thing: T): T => {
    opened.push(thing);
    return thing;
  };
  try {
    const ike = kept(openUdp(port, { mark: MARK }));
    const nat = kept(openUdp(natPort, { mark: MARK }));
    const raw = ioWithout?.split(',').includes('raw') ? undefined : rawEsp(log);
    if (raw) kept(raw);
    const tun = kept(openTun(name, { mtu: TUN_MTU }));
    const routes = kept(openRoutes(tun, { mark: MARK }));
    return { ike, nat, raw, tun, routes, host: openHost({ mark: MARK }) };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    for (const thing of opened.reverse()) thing.close();
    log.fatal({ event: 'start-failed', syscall: error.syscall, code: error.code }, error.message);
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}

function rawEsp(log: Logger) {
  try {
    return openRawEsp({ mark: MARK });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    log.warn({ event: 'no-raw-esp', code: error.code }, `all ESP goes in UDP: ${error.message}`);
    return undefined;
  }
}

async function listen({ control: uri, version }: DaemonOptions, gateway: Gateway, log: Logger) {
  try {
    return await ControlServer.listen({
      uri,
      ...dialect({ gateway: new Desk(gateway), version }),
      onBug: (command, err) => log.error({ event: 'bug', bug: true, command, err }, `command ${command} failed`),
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    log.fatal({ event: 'start-failed' }, text);
    process.stderr.write(`${text}\n`);
    return undefined;
  }
}

function closeIo({ ike, nat, raw, tun, routes }: Io): void {
  routes.close();
  tun.close();
  raw?.close();
  nat.close();
  ike.close();
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
