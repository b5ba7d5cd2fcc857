// A gateway with a thousand connections: to load them, to start with them, what they keep in memory, to list a thousand
// tunnels, to change one of them, and to be given all of them by `swanctl --load-all`. Needs root.

import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { lacking } from '../../test/support/needs.ts';
import { Figures } from './figures.ts';
import type { Options } from './options.ts';
import { round } from './round.ts';

export async function benchThousand(options: Options): Promise<void> {
  const why = lacking('root', 'ip', 'namespaces', 'tun', 'swanctl', 'espalier');
  if (why !== false) throw new Error(why);
  const { rounds, count, json } = options;
  const figures = new Figures();
  for (let n = 1; n <= rounds; n++) {
    console.log(`load average ${loadavg()[0]?.toFixed(1)}; ${availableParallelism()} cores`);
    await round(count, figures, (what) => console.log(`round ${n} of ${rounds}: ${what}`));
    // After each: an interrupted run has its figures too.
    if (json !== undefined) save(json, options, figures);
  }
  figures.print(`${count} connections; ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`);
}

function save(file: string, { count, rounds }: Options, figures: Figures): void {
  const { node, openssl } = process.versions;
  const machine = `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), Linux ${release()}`;
  const about = { machine, node, openssl, count, rounds };
  writeFileSync(file, `${JSON.stringify({ ...about, figures: figures.all() }, undefined, 1)}\n`);
}
