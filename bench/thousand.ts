// A gateway with a thousand connections: to load them, to start with them, to list a thousand tunnels, to change one of
// them, and what they keep in memory. Needs root.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { loadConfig } from '../src/config/load.ts';
import { Client } from '../src/daemon/control/client.ts';
import { section, text } from '../src/daemon/control/section.ts';
import { Espalier } from '../test/support/espalier.ts';
import { until } from '../test/support/netns.ts';
import { A, B, sites } from '../test/support/sites.ts';
import { Table } from './table.ts';

const COUNT = 1000;
const ROUNDS = 3;
const PATIENCE = 300_000;
const PARALLEL = 3;

type Side = 'a' | 'b';

export async function benchThousand(rounds = ROUNDS, count = COUNT): Promise<void> {
  const table = new Table(
    `${count} connections; ${rounds} rounds, medians and extremes; times in seconds, memory in MB`,
  );
  for (let round = 1; round <= rounds; round++) {
    console.log(`round ${round} of ${rounds}`);
    table.add('load the file', { measured: load(count), target: 2 });
    await once(table, count);
  }
  table.print();
}

/** In this process: what the daemon does with the file before anything else. */
function load(count: number): number {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  try {
    const file = join(folder, 'swanctl.conf');
    writeFileSync(file, conf('a', count), { mode: 0o600 });
    return timed(() => loadConfig([file]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function once(table: Table, count: number): Promise<void> {
  const net = await sites();
  try {
    await Espalier.start(net.topology, net.gwb, { conf: conf('b', count) });
    let a: Espalier | undefined;
    const start = await timedAsync(async () => {
      a = await Espalier.start(net.topology, net.gwa, { conf: conf('a', count) });
    });
    if (!a) throw new Error('no daemon');
    const daemon = a;
    table.add('start, until the socket answers', { measured: start, target: 2 });
    await until('all connections are there', async () => (await states(daemon)).length === count, PATIENCE);
    table.add('resident memory, all loaded', { measured: resident(daemon), target: 150 });

    table.add(`bring all up, ${PARALLEL} at a time`, { measured: await timedAsync(() => bringUp(daemon, count)) });
    table.add('resident memory, all up', { measured: resident(daemon) });
    const listed = await timedAsync(async () => {
      const { stdout } = await daemon.swanctl('--list-sas', '--raw');
      const found = stdout.match(/state=INSTALLED/g)?.length ?? 0;
      if (found < count) throw new Error(`${found} children of ${count}`);
    });
    table.add('swanctl --list-sas --raw', { measured: listed, target: 1 });
    table.add('espalier status', { measured: await timedAsync(() => daemon.cli('status')), target: 1 });

    const before = await spis(daemon);
    daemon.rewrite(conf('a', count, { changed: true }));
    let reloaded: unknown;
    const one = await timedAsync(async () => {
      reloaded = await daemon.json('reload');
    });
    table.add('reload that changes one', { measured: one });
    await until('the one that changed', async () => differing(before, await spis(daemon)) >= 1, PATIENCE);
    const touched = differing(before, await spis(daemon));
    if (touched !== 1) throw new Error(`${touched} SAs were touched: ${JSON.stringify(reloaded)}`);
    table.add('SAs that it touched', { measured: touched, target: 1 });
  } finally {
    await net.topology.dispose();
  }
}

/** More would meet the limit of half-open SAs that one address may have. */
async function bringUp({ control }: Espalier, count: number): Promise<void> {
  const left = Array.from({ length: count }, (_, n) => n);
  const worker = async () => {
    const client = await Client.connect(control);
    for (let n = left.pop(); n !== undefined; n = left.pop()) {
      const reply = await client.request('initiate', section(['ike', `c${n}`], ['timeout', 60_000]));
      if (text(reply, 'success') !== 'yes') throw new Error(`c${n}: ${text(reply, 'errmsg')}`);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

function conf(side: Side, count: number, { changed = false } = {}): string {
  const [own, other] = side === 'a' ? [A.outside, B.outside] : [B.outside, A.outside];
  const connections = Array.from({ length: count }, (_, n) => {
    // Its network is a wider one afterwards, which the other side narrows.
    const far = changed && n === 0 ? '10.128.0.0/23' : network(n);
    const [local, remote] = side === 'a' ? ['10.1.0.0/24', far] : [network(n), '10.1.0.0/24'];
    return `  c${n} {
    version = 2
    local_addrs = ${own}
    remote_addrs = ${other}
    proposals = aes128gcm16-prfsha256-x25519
    local {
      auth = psk
      id = ${side}${n}.example.org
    }
    remote {
      auth = psk
      id = ${side === 'a' ? 'b' : 'a'}${n}.example.org
    }
    children {
      net {
        local_ts = ${local}
        remote_ts = ${remote}
        esp_proposals = aes128gcm16
      }
    }
  }
`;
  });
  return `connections {\n${connections.join('')}}\nsecrets {\n  ike {\n    secret = "for all of them"\n  }\n}\n`;
}

function network(n: number): string {
  const at = 2 * n;
  return `10.${128 + (at >> 8)}.${at & 255}.0/24`;
}

async function states(daemon: Espalier): Promise<readonly string[]> {
  const all = (await daemon.json('status')) as readonly { readonly state: string }[];
  return all.map(({ state }) => state);
}

async function spis(daemon: Espalier): Promise<ReadonlyMap<string, string>> {
  const sas = await daemon.sas();
  return new Map(sas.flatMap(({ conn, children }) => children.map(({ spiIn }): [string, string] => [conn, spiIn])));
}

function differing(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): number {
  return [...before].filter(([conn, spi]) => after.has(conn) && after.get(conn) !== spi).length;
}

function resident({ pid }: Espalier): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1000;
}

function timed(act: () => unknown): number {
  const begun = performance.now();
  act();
  return (performance.now() - begun) / 1000;
}

async function timedAsync(act: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await act();
  return (performance.now() - begun) / 1000;
}
