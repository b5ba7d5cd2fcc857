// `npm start`: a demonstration that needs no peer. Two gateways in two network namespaces, a tunnel between them, packets
// through it, a failure and what it is mended with (demo/story.ts); afterwards everything is taken away. With a terminal
// until Ctrl-C, without one it ends by itself.

import { parseArgs } from 'node:util';
import { DemoError } from './demo/error.ts';
import { controlOf } from './demo/gateway.ts';
import { missing } from './demo/needs.ts';
import { type Out, type Screen, screen } from './demo/screen.ts';
import { SITES, Stage } from './demo/stage.ts';
import { interruption } from './demo/stop.ts';
import { type Ending, Story } from './demo/story.ts';
import { FAILED, terminal, USAGE } from './io.ts';

/** Seconds, if all has been shown by then. */
const WITHOUT_TERMINAL = 25;
/** For a reader, and for a file. */
const CALM = { pace: 5000, renewal: 10 };
const BRISK = { pace: 1000, renewal: 4 };
/** Seconds between lines that say how things stand, where they cannot be drawn in place. */
const STATUS_EVERY = 5;
const STATUS = `node dist/src/cli/main.js status --control ${controlOf('a')}`;

const HEAD = [
  'Espalier: two gateways in user space, and an IPsec tunnel between them',
  '',
  `  ${SITES.a.net}                                             ${SITES.b.net}`,
  `  [${SITES.a.inside}]---[ gateway A ]===== IPsec (ESP) =====[ gateway B ]---[${SITES.b.inside}]`,
  `                   ${SITES.a.outside}                         ${SITES.b.outside}`,
];

const FOOT = [
  'Have a look from another terminal, as root and in this folder:',
  `  ${STATUS}`,
  `  ip netns exec ${SITES.a.namespace} tcpdump -ni wan     the cable: nothing but ESP and IKE`,
  `  ip netns exec ${SITES.a.namespace} tcpdump -ni esp0    inside the tunnel`,
  'Ctrl-C ends the demonstration and takes everything away.',
];

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
    show = screen(output(), { head: HEAD, foot: FOOT }, STATUS_EVERY);
    if (stage.swept) show.event(0, 'removed what an earlier demonstration left behind');
    ending = await new Story({ stage, show, seconds, ...(drawable() ? CALM : BRISK), stop }).run();
  } finally {
    show?.close();
    for (const line of ending?.words ?? []) write(line);
    await stage.close();
    write('Everything is taken away again: processes, namespaces, devices.');
  }
  return ending.code;
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
