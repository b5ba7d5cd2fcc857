// One round: every figure once, with daemons and namespaces of its own.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../src/daemon/control/client.ts';
import { section, text } from '../../src/daemon/control/section.ts';
import { Espalier, MAIN } from '../../test/support/espalier.ts';
import { must, until } from '../../test/support/netns.ts';
import type { Sa } from '../../test/support/sas.ts';
import { B, type Sites, sites } from '../../test/support/sites.ts';
import { parseTimes } from '../path/proc.ts';
import { configuration, LANGUAGES, type Language, nameOf, PEERS } from './conf.ts';
import type { Figures } from './figures.ts';

const LOAD = join(import.meta.dirname, 'load.js');
/** Milliseconds for what takes seconds. */
const PATIENCE = 300_000;
/** More would meet the limit of half-open SAs that one address may have. */
const PARALLEL = 3;
/** Milliseconds in which a daemon that has started comes to rest. */
const REST = 2000;

type Tell = (what: string) => void;

export async function round(count: number, figures: Figures, tell: Tell): Promise<void> {
  for (const language of LANGUAGES) await load(language, count, figures, tell);
  const net = await sites();
  try {
    await net.gwa.route(PEERS, B.outside);
    // All of the peers' addresses are this host's.
    await net.gwb.ip('route', 'add', 'local', PEERS, 'dev', 'lo');
    await tunnels(net, count, figures, tell);
    await loadAll(net, count, figures, tell);
  } finally {
    await net.topology.dispose();
  }
}

async function load(language: Language, count: number, figures: Figures, tell: Tell): Promise<void> {
  tell(`loading ${language}.conf, and checking it`);
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  try {
    const file = join(folder, `${language}.conf`);
    const { conf, secrets } = configuration(language, 'a', { count });
    writeFileSync(file, conf, { mode: 0o600 });
    if (secrets !== undefined) writeFileSync(join(folder, 'ipsec.secrets'), secrets, { mode: 0o600 });
    figures.add(`load ${language}.conf`, 's', Number(await must(process.execPath, [LOAD, file])), 2);
    const check = () => must(process.execPath, [MAIN, 'check', '--config', file]);
    figures.add(`espalier check, ${language}.conf`, 's', await timed(check));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function tunnels(net: Sites, count: number, figures: Figures, tell: Tell): Promise<void> {
  tell('starting the daemon with ipsec.conf');
  await (await start(net, 'ipsec', count, figures)).stop();

  tell('starting the daemon with swanctl.conf');
  const daemon = await start(net, 'swanctl', count, figures);
  await Espalier.start(net.topology, net.gwb, configuration('swanctl', 'b', { count }));

  tell(`bringing up ${count} tunnels`);
  figures.add(`bring all up, ${PARALLEL} at a time`, 's', await timed(() => bringUp(daemon, count)));
  await sleep(REST);
  figures.add('memory, all up', 'MB', memory(daemon, 'VmRSS'));

  tell('listing them');
  figures.add('swanctl --list-sas --raw', 's', await timed(() => daemon.swanctl('--list-sas', '--raw')), 1);
  const before = await daemon.sas();
  if (childrenOf(before).size !== count) throw new Error(`${childrenOf(before).size} children, not ${count}`);
  figures.add('espalier status', 's', await timed(() => daemon.cli('status')), 1);
  figures.add('espalier statusall', 's', await timed(() => daemon.cli('statusall')));

  tell('reloading');
  figures.add('reload of the same', 's', await timed(() => daemon.json('reload')));
  daemon.rewrite(configuration('swanctl', 'a', { count, changed: true }).conf);
  figures.add('reload with one changed', 's', await timed(() => daemon.json('reload')));
  const after = await until('the one that has changed', () => remade(daemon, before), PATIENCE);
  const changed = touched(before, after);
  if (changed.length !== 1) throw new Error(`the reload touched ${changed.length} SAs: ${changed.join(' ')}`);
  figures.add('SAs that it touched', '', changed.length, 2);
  await daemon.stop();
}

/** A daemon at rest, with what it took to get there. */
async function start({ topology, gwa }: Sites, language: Language, count: number, figures: Figures): Promise<Espalier> {
  const begun = performance.now();
  const daemon = await Espalier.start(topology, gwa, configuration(language, 'a', { count }));
  const client = await Client.connect(daemon.control);
  await client.request('version');
  figures.add(`start, until the socket answers, ${language}.conf`, 's', (performance.now() - begun) / 1000, 2);
  figures.add(`start, CPU time, ${language}.conf`, 's', cpuTime(daemon));
  client.close();
  await sleep(REST);
  figures.add(`memory, all loaded, ${language}.conf`, 'MB', memory(daemon, 'VmRSS'), 150);
  figures.add(`memory, at most until then, ${language}.conf`, 'MB', memory(daemon, 'VmHWM'));
  return daemon;
}

/** All of them given to a daemon that has none. */
async function loadAll({ topology, gwa }: Sites, count: number, figures: Figures, tell: Tell): Promise<void> {
  tell('loading all with swanctl');
  const daemon = await Espalier.start(topology, gwa, { conf: '' });
  const file = join(daemon.folder, 'swanctl.conf');
  writeFileSync(file, configuration('swanctl', 'a', { count }).conf, { mode: 0o600 });
  const act = async () => {
    const { code, stdout, stderr } = await daemon.swanctl('--load-all', '--noprompt', '--file', file);
    if (code !== 0 || !stdout.includes(`loaded ${count} connections`)) throw new Error(`${stdout}${stderr}`);
  };
  figures.add('swanctl --load-all', 's', await timed(act));
  figures.add('swanctl --load-all of the same', 's', await timed(act));
  await daemon.stop();
}

async function bringUp({ control }: Espalier, count: number): Promise<void> {
  const left = Array.from({ length: count }, (_, n) => n);
  const worker = async () => {
    const client = await Client.connect(control);
    for (let n = left.pop(); n !== undefined; n = left.pop()) {
      const reply = await client.request('initiate', section(['ike', nameOf(n)], ['timeout', 60_000]));
      if (text(reply, 'success') !== 'yes') throw new Error(`${nameOf(n)}: ${text(reply, 'errmsg')}`);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

async function remade(daemon: Espalier, before: readonly Sa[]): Promise<readonly Sa[] | undefined> {
  const after = await daemon.sas();
  return childrenOf(after).size === childrenOf(before).size && touched(before, after).length > 0 ? after : undefined;
}

/** IKE SAs and children that are not there any more, or are younger than they were. */
function touched(before: readonly Sa[], after: readonly Sa[]): readonly string[] {
  const now = new Map([
    ...childrenOf(after),
    ...after.map(({ spis, fields }) => [spis, Number(fields.established)] as const),
  ]);
  const then = [
    ...childrenOf(before),
    ...before.map(({ spis, fields }) => [spis, Number(fields.established)] as const),
  ];
  return then.flatMap(([spis, age]) => ((now.get(spis) ?? -1) < age ? [spis] : []));
}

/** Ages by SPIs. */
function childrenOf(sas: readonly Sa[]): ReadonlyMap<string, number> {
  const children = sas.flatMap((sa) => sa.children).filter(({ state }) => state === 'INSTALLED');
  return new Map(children.map(({ spiIn, spiOut, fields }) => [`${spiIn}/${spiOut}`, Number(fields['install-time'])]));
}

/** Of all its threads: what others do on the machine makes little difference to it. */
function cpuTime({ pid }: Espalier): number {
  return parseTimes(readFileSync(`/proc/${pid}/stat`, 'utf8')).own;
}

/** In millions of bytes. */
function memory({ pid }: Espalier, which: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (Number(new RegExp(`^${which}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024) / 1e6;
}

/** In seconds. */
async function timed(act: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await act();
  return (performance.now() - begun) / 1000;
}
