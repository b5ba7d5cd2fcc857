// `npm start`: a demonstration that needs no peer. Two gateways in two network namespaces, a tunnel between them, packets
// through it, what happens in plain words; afterwards everything is taken away. With a terminal until Ctrl-C, without one
// for a minute.

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { DemoError } from './demo/error.ts';
import { configuration, controlOf, Gateway, type LogLine, MAIN, type View } from './demo/gateway.ts';
import { missing } from './demo/needs.ts';
import { PING, Ping } from './demo/ping.ts';
import { type Out, type Row, type Screen, screen } from './demo/screen.ts';
import { SITES, type Side, Stage } from './demo/stage.ts';
import { fate, keys, pings, protection, times, told, tunnel } from './demo/words.ts';
import { DONE, FAILED, terminal, USAGE } from './io.ts';
import { stateColour } from './render/style.ts';

const WITHOUT_TERMINAL = 60;
const SECRET = 'Any secret will do for a demonstration 0816';
const STATUS = `node dist/src/cli/main.js status --control ${controlOf('a')}`;

const HEAD = [
  'Espalier demonstration: two gateways in user space, an IPsec tunnel between them',
  '',
  `  ${SITES.a.net}                                                 ${SITES.b.net}`,
  `  [${SITES.a.inside}]---[ gateway A ]======= IPsec (ESP) =======[ gateway B ]---[${SITES.b.inside}]`,
  `                   ${SITES.a.outside}                             ${SITES.b.outside}`,
];

const FOOT = [
  'Have a look from another terminal, as root and in this folder:',
  `  ${STATUS}`,
  `  ip netns exec ${SITES.a.namespace} tcpdump -ni wan     the cable: nothing but ESP and IKE`,
  `  ip netns exec ${SITES.a.namespace} tcpdump -ni esp0    inside the tunnel`,
  'Ctrl-C ends the demonstration and takes everything away.',
];

/** Something from outside ends the demonstration: a signal, or nobody is there any more to see it. */
class Interrupted extends Error {
  readonly code: number;

  constructor(code: number) {
    super('interrupted');
    this.code = code;
  }
}

interface Ending {
  readonly code: number;
  readonly words: readonly string[];
}

async function main(): Promise<number> {
  const seconds = duration();
  if (seconds === undefined) return USAGE;
  const lacks = missing();
  for (const line of lacks) console.error(line);
  if (lacks.length > 0) return FAILED;
  const stop = interruption();
  try {
    return await perform(seconds, stop);
  } catch (error) {
    // What is not foreseen is a fault of ours, and shown with its trace.
    const foreseen = error instanceof DemoError;
    console.error(foreseen ? `The demonstration failed: ${error.message}` : error);
    return FAILED;
  }
}

/** How long it runs; undefined after a wrong command line. */
function duration(): number | undefined {
  try {
    const { values } = parseArgs({ options: { seconds: { type: 'string' } } });
    if (values.seconds === undefined) return drawable() ? Number.POSITIVE_INFINITY : WITHOUT_TERMINAL;
    if (/^\d{1,6}$/.test(values.seconds) && Number(values.seconds) > 0) return Number(values.seconds);
    console.error(`--seconds: "${values.seconds}" is not a number of seconds`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
  console.error('usage: npm start -- [--seconds N]');
  return undefined;
}

async function perform(seconds: number, stop: AbortSignal): Promise<number> {
  const stage = await Stage.claim();
  let show: Screen | undefined;
  let ending: Ending | undefined;
  try {
    show = screen(output(), { head: HEAD, foot: FOOT }, Math.min(5, seconds / 4));
    if (stage.swept) show.event(0, 'removed what an earlier demonstration left behind');
    ending = await new Demonstration(stage, show, seconds, stop).run();
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    ending = { code: error.code, words: [] };
  } finally {
    show?.close();
    for (const line of ending?.words ?? []) write(line);
    await stage.close();
    write('Everything is taken away again: processes, namespaces, devices.');
  }
  return ending.code;
}

class Demonstration {
  readonly #stage: Stage;
  readonly #show: Screen;
  readonly #seconds: number;
  readonly #stop: AbortSignal;
  readonly #began = performance.now();
  #renewals = 0;
  #over = false;

  constructor(stage: Stage, show: Screen, seconds: number, stop: AbortSignal) {
    this.#stage = stage;
    this.#show = show;
    this.#seconds = seconds;
    this.#stop = stop;
  }

  async run(): Promise<Ending> {
    // To the end in any case: half of it could not be taken away while the other half is being made.
    await this.#stage.build();
    const renewal = Math.min(15, Math.max(2, Math.floor(this.#seconds / 4)));
    await this.#unless(this.#gateway('b', 0));
    const gateway = await this.#unless(this.#gateway('a', renewal));
    await this.#unless(this.#unreachable());
    await this.#unless(this.#up());
    return this.#traffic(gateway);
  }

  #gateway(side: Side, renewal: number): Promise<Gateway> {
    return Gateway.start(this.#stage, side, configuration(side, SECRET, renewal), (line) => this.#log(side, line));
  }

  #log(side: Side, line: LogLine): void {
    if (this.#over) return;
    if (side === 'a' && line.event === 'child-rekeyed') this.#renewals++;
    const text = told(side, line);
    if (text !== undefined) this.#tell(text);
  }

  async #unreachable(): Promise<void> {
    const ping = this.#stage.spawn('a', 'ping', ['-n', '-c', '1', '-W', '1', SITES.b.inside]);
    ping.stdout?.resume();
    ping.stderr?.resume();
    const [code] = await once(ping, 'close');
    if (code === 0) throw new DemoError(`${SITES.b.inside} answers although there is no tunnel`);
    this.#tell(`without a tunnel, ${SITES.a.inside} cannot reach ${SITES.b.inside}`);
  }

  /** As a user does it. */
  async #up(): Promise<void> {
    this.#tell('$ espalier up gw');
    const args = [MAIN, 'up', 'gw', '--control', controlOf('a'), '--timeout', '20'];
    const up = this.#stage.spawn(undefined, process.execPath, args);
    if (!up.stdout || !up.stderr) throw new Error('no pipes');
    let errors = '';
    up.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    // Its progress is in the gateways' own words already.
    createInterface(up.stdout).on('line', (line) => {
      if (!line.startsWith('[')) this.#tell(`  ${line}`);
    });
    const [code] = await once(up, 'close');
    if (code !== 0) throw new DemoError(`the tunnel did not come up:\n${errors.trimEnd()}`);
  }

  /** Until the time is over, or an interruption: with a terminal that is how it ends. */
  async #traffic(gateway: Gateway): Promise<Ending> {
    const ping = new Ping(this.#stage.spawn('a', 'ping', [...PING, SITES.b.inside]));
    this.#tell(`${SITES.a.inside} pings ${SITES.b.inside} ten times a second, 1000 bytes each time`);
    const signal = this.#stop;
    while (!signal.aborted && this.#elapsed < this.#seconds) {
      const left = (this.#seconds - this.#elapsed) * 1000;
      await sleep(Math.min(1000, left), undefined, { signal }).catch(() => {});
      this.#show.status(this.#elapsed, this.#rows(await gateway.view(), ping));
    }
    const tally = await ping.stop();
    this.#over = true;
    gateway.disconnect();
    const words = [`In all: ${fate(tally)}; keys changed ${times(this.#renewals)}.`];
    if (signal.aborted) return { code: codeOf(signal.reason), words };
    if (tally.answered === 0) throw new DemoError('not one packet came through the tunnel');
    return { code: DONE, words };
  }

  #rows(view: View, ping: Ping): readonly Row[] {
    const colour = stateColour(view.state);
    return [
      { label: 'tunnel', text: tunnel(view), ...(colour === undefined ? {} : { colour }) },
      { label: 'packets', text: protection(view) },
      { label: 'ping', text: pings(ping.tally) },
      { label: 'keys', text: keys(view, this.#renewals) },
    ];
  }

  get #elapsed(): number {
    return (performance.now() - this.#began) / 1000;
  }

  #tell(text: string): void {
    this.#show.event(this.#elapsed, text);
  }

  /** Whatever it is that we wait for, an interruption comes first. */
  async #unless<T>(work: Promise<T>): Promise<T> {
    const signal = this.#stop;
    let interrupt = (): void => {};
    const interrupted = new Promise<never>((_, reject) => {
      interrupt = () => reject(signal.reason);
    });
    signal.addEventListener('abort', interrupt);
    if (signal.aborted) interrupt();
    try {
      return await Promise.race([work, interrupted]);
    } finally {
      signal.removeEventListener('abort', interrupt);
    }
  }
}

/** Our own errors are thrown on; who interrupts says with which code the demonstration ends. */
function codeOf(reason: unknown): number {
  if (reason instanceof Interrupted) return reason.code;
  throw reason;
}

/** Ctrl-C is the way to end it; TERM and HUP are told to whoever waits for us, as a shell does. */
const SIGNALS = { SIGINT: DONE, SIGTERM: 128 + 15, SIGHUP: 128 + 1 } as const;

function interruption(): AbortSignal {
  const stop = new AbortController();
  const interrupt = (code: number) => stop.abort(new Interrupted(code));
  // More than once does not make it faster, and must not end us while we clean up.
  for (const [signal, code] of Object.entries(SIGNALS)) process.on(signal, () => interrupt(code));
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => interrupt(SIGNALS.SIGHUP));
  process.on('uncaughtException', (error) => stop.abort(error));
  // A shell between npm and us may be ended without a word to us.
  const parent = process.ppid;
  const watch = () => {
    if (process.ppid !== parent) interrupt(SIGNALS.SIGHUP);
  };
  setInterval(watch, 1000).unref();
  return stop.signal;
}

function drawable(): boolean {
  return process.stdout.isTTY === true && process.env.TERM !== 'dumb';
}

function output(): Out {
  const { stdout } = process;
  const { colour } = terminal(stdout, process.stderr, process.env);
  const size = () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });
  return { write: (text) => void stdout.write(text), colour, size: drawable() ? size : undefined };
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}

// Nothing that still listens to a child may keep us.
process.exit(await main());
