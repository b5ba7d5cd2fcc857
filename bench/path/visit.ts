// One visit: a contestant is brought up between two hosts of its own, measured, and taken away again.

import { existsSync } from 'node:fs';
import { type Sites, sites } from '../../test/support/sites.ts';
import type { Contestant } from './contestants.ts';
import { flat } from './flat.ts';
import { serve, transfer } from './iperf.ts';
import { type Cost, Meter } from './meter.ts';
import { udpTest } from './options.ts';
import { echoes, echoTime } from './ping.ts';
import { resident } from './proc.ts';
import { rekeys } from './rekey.ts';
import { type Attempt, highestRate, noisy } from './stats.ts';
import type { Bed, Tunnel } from './tunnel.ts';
import { shoot } from './udp.ts';

export interface Result {
  readonly test: string;
  readonly figures: Readonly<Record<string, number>>;
  /** Cores that others used meanwhile. */
  readonly foreign: number;
}

export interface Visit {
  readonly label: string;
  readonly round: number;
  readonly at: string;
  readonly results: readonly Result[];
  /** Why it ended early. */
  readonly failed?: string;
}

/** How much is measured. */
export interface Extent {
  readonly tests: readonly string[];
  /** Of a TCP stream. */
  readonly seconds: number;
  /** Of a UDP probe. */
  readonly probe: number;
  readonly probes: number;
  readonly pings: number;
  /** Seconds from the first echo through the tunnel until a daemon counts as idle: it may still be tidying up before. */
  readonly rest: number;
  /** How often a test is done, at most, while others use the machine; the quietest counts. */
  readonly tries: number;
}

/** The programs that were built for this run. */
export interface Tools {
  readonly udp: string;
  readonly pump: string | undefined;
}

export interface Scene {
  readonly bed: Bed;
  readonly tunnel: Tunnel;
  readonly tools: Tools;
  readonly extent: Extent;
  /** When the tunnel stood, by `performance.now`. */
  readonly since: number;
}

type Figures = Readonly<Record<string, number>>;

const TCP: ReadonlyMap<string, readonly string[]> = new Map([
  ['tcp1', []],
  ['tcp4', ['-P', '4']],
  ['tcpR', ['-R']],
  ['bidir', ['--bidir']],
]);
const LOSS = 0.01;
/** Of the ping under load: seconds until the stream is at its speed. */
const WARM = 1.5;

export async function visit(
  who: Contestant,
  round: number,
  tools: Tools,
  extent: Extent,
  tell: (result: Result) => void,
): Promise<Visit> {
  const results: Result[] = [];
  const record = (result: Result) => {
    results.push(result);
    tell(result);
  };
  const made = { label: who.label, round, at: new Date().toISOString(), results };
  let net: Sites | undefined;
  let tunnel: Tunnel | undefined;
  try {
    net = await sites();
    const bed = { ...net, pump: tools.pump };
    tunnel = await who.start(bed);
    await serve(bed.hostb);
    await ready(bed);
    await measure({ bed, tunnel, tools, extent, since: performance.now() }, record);
    return made;
  } catch (error) {
    const log = (await tunnel?.log?.().catch(() => '')) ?? '';
    const ended = tunnel?.pids.some((pid) => !existsSync(`/proc/${pid}`)) ? 'a daemon has ended: ' : '';
    return { ...made, failed: `${ended}${error instanceof Error ? error.message : error}\n${log}`.trimEnd() };
  } finally {
    await net?.topology.dispose();
  }
}

/** OpenVPN needs some seconds for its TLS. */
async function ready({ hosta }: Bed): Promise<void> {
  for (let i = 0; i < 30; i++) if (await hosta.ping('10.2.0.2', { patience: 1 })) return;
  throw new Error('nothing comes through the tunnel');
}

async function measure(scene: Scene, record: (result: Result) => void): Promise<void> {
  const { pids } = scene.tunnel;
  const memory = () => Math.max(...pids.map(resident));
  const before = memory();
  for (const test of inOrder(scene.extent.tests)) {
    // Before anything is measured: it is no part of the test.
    if (test === 'ping') {
      await new Promise((resolve) => setTimeout(resolve, scene.since + scene.extent.rest * 1000 - performance.now()));
    }
    const result = await quietest(test, scene);
    if (result) record(result);
  }
  if (pids.length > 0) record({ test: 'rss', figures: { 'rss.before': before, 'rss.after': memory() }, foreign: 0 });
}

/** Of a daemon that has just started: nothing may come before it, and there is no second time. */
const FIRST = 'pingfirst';

function inOrder(tests: readonly string[]): readonly string[] {
  return [...tests.filter((test) => test === FIRST), ...tests.filter((test) => test !== FIRST)];
}

async function quietest(test: string, scene: Scene): Promise<Result | undefined> {
  let best: Result | undefined;
  const tries = test === FIRST ? 1 : scene.extent.tries;
  for (let i = 0; i < tries && (best === undefined || noisy(best)); i++) {
    const meter = new Meter(scene.tunnel.pids);
    const figures = await figuresOf(test, scene, meter);
    if (!figures) return undefined;
    const { foreign } = meter.cost();
    if (best === undefined || foreign < best.foreign) best = { test, figures, foreign };
  }
  return best;
}

/** Undefined where a test means nothing. */
async function figuresOf(test: string, scene: Scene, meter: Meter): Promise<Figures | undefined> {
  const options = TCP.get(test);
  if (options) return tcp(test, scene, meter, options);
  const size = udpTest(test);
  if (size) return udp(`udp${size.size}`, scene, size.size, size.flatOut);
  switch (test) {
    case 'ping':
      return prefixed('ping', { ...(await echoes(scene.bed.hosta, scene.extent.pings)) });
    case FIRST:
      return prefixed(FIRST, { ...(await echoes(scene.bed.hosta, scene.extent.pings)) });
    case 'pingload':
      return loaded(scene);
    case 'rekey':
      return rekeys(scene);
    case 'flat':
      return flat(scene);
    default:
      throw new Error(`there is no test ${test}`);
  }
}

async function tcp(test: string, { bed, extent }: Scene, meter: Meter, options: readonly string[]): Promise<Figures> {
  const { mbps, bytes, retransmits } = await transfer(bed.hosta, extent.seconds, options);
  return prefixed(test, { mbps, retransmits, ...perGigabyte(meter.cost(), bytes) });
}

function perGigabyte(cost: Cost, bytes: number): Figures {
  return { daemons: (cost.daemons / bytes) * 1e9, machine: (cost.machine / bytes) * 1e9 };
}

async function udp(name: string, { bed, tools, extent }: Scene, size: number, flatOut: boolean): Promise<Figures> {
  const probe = (rate: number): Promise<Attempt> =>
    shoot(tools.udp, bed.hosta, bed.hostb, { size, rate, seconds: extent.probe });
  const { offered, delivered } = await probe(0);
  if (flatOut) return prefixed(name, { offered, delivered });
  const search = { loss: LOSS, probes: extent.probes, exactness: 0.04 };
  return prefixed(name, { offered, delivered, lossless: await highestRate(delivered, probe, search) });
}

async function loaded({ bed, extent }: Scene): Promise<Figures> {
  const seconds = Math.ceil(WARM + echoTime(extent.pings) + 1);
  const stream = transfer(bed.hosta, seconds);
  // Awaited below, also when the pings fail.
  stream.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, WARM * 1000));
  const figures = await echoes(bed.hosta, extent.pings);
  await stream;
  return prefixed('pingload', { ...figures });
}

function prefixed(test: string, figures: Figures): Figures {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${test}.${name}`, value]));
}
