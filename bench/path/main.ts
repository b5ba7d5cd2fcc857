// npm run bench:path: tunnels of Espalier and of others between four network namespaces, one after the other and round
// after round, and at the end tables of medians, extremes and ratios. `--help` says what can be chosen.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { lacking } from '../../test/support/needs.ts';
import { type Contestant, contestant, usual } from './contestants.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import { buildPump } from './pump.ts';
import { report } from './report.ts';
import { noisy } from './stats.ts';
import { installed } from './tunnel.ts';
import { buildUdp } from './udp.ts';
import { type Extent, type Result, type Tools, type Visit, visit } from './visit.ts';

const FULL = { probe: 2, probes: 9, pings: 1000, rest: 12, tries: 3 } as const;
const QUICK = { probe: 1, probes: 4, pings: 200, rest: 0, tries: 1 } as const;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let options: Options;
  let contestants: readonly Contestant[];
  try {
    options = parseOptions(argv);
    const equipment = { pump: options.pump !== undefined, wireguard: options.wireguard };
    contestants = (options.only ?? usual(equipment)).map((label) => contestant(label, equipment));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}; --help says what there is`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const why = lacking('root', 'ip', 'namespaces', 'tun', 'ping', 'iperf3', 'espalier');
  if (why !== false || !installed('gcc')) {
    console.error(why || 'gcc is missing (Debian package gcc)');
    return 1;
  }
  return run(options, contestants);
}

async function run(options: Options, all: readonly Contestant[]): Promise<number> {
  for (const { label, lacks } of all) if (lacks !== undefined) console.log(`left out: ${label}: ${lacks}`);
  const contestants = all.filter(({ lacks }) => lacks === undefined);
  const { tests, seconds, quick, rounds } = options;
  const extent: Extent = { tests, seconds, ...(quick ? QUICK : FULL) };
  const visits: Visit[] = [];
  const tools = await build(options);
  console.log(`${machine()}; ${rounds} rounds of ${contestants.length} contestants`);
  for (let round = 1; round <= rounds; round++) {
    for (const who of contestants) {
      console.log(`\n${clock()} round ${round} of ${rounds}: ${who.label}: ${who.about}`);
      const made = await visit(who, round, tools, extent, tell);
      if (made.failed !== undefined) console.log(`  failed: ${made.failed}`);
      visits.push(made);
      save(options, visits);
    }
  }
  report(visits, contestants);
  return visits.every(({ failed }) => failed === undefined) ? 0 : 1;
}

async function build({ pump }: Options): Promise<Tools> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return {
    udp: await buildUdp(folder),
    pump: pump === undefined ? undefined : await buildPump(folder, pump),
  };
}

function tell(result: Result): void {
  const figures = Object.entries(result.figures).map(([name, value]) => {
    const digits = Math.abs(value) >= 100 ? 0 : 3;
    return `${name.slice(name.indexOf('.') + 1)} ${Number(value.toFixed(digits))}`;
  });
  const others = noisy(result) ? `   (noisy: others used ${(100 * result.foreign).toFixed(0)} % of a core)` : '';
  console.log(`  ${result.test.padEnd(8)} ${figures.join(', ')}${others}`);
}

/** After each visit: an interrupted run has its figures too. */
function save({ json, ...options }: Options, visits: readonly Visit[]): void {
  if (json === undefined) return;
  writeFileSync(json, `${JSON.stringify({ machine: machine(), options, visits }, undefined, 1)}\n`);
}

function machine(): string {
  const node = `Node ${process.versions.node} (OpenSSL ${process.versions.openssl})`;
  return `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), Linux ${release()}, ${node}`;
}

function clock(): string {
  return new Date().toTimeString().slice(0, 8);
}
