// npm run endurance: mixed traffic through a tunnel whose keys change all the time, and at the end a verdict. `--help` says
// what can be chosen.

import { Lab } from '../interop/scenario.ts';
import { Espalier } from '../support/espalier.ts';
import type { Tally } from '../support/flow.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { TAPPED } from '../support/tap.ts';
import { Observer } from './observer.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import { Traffic } from './traffic.ts';

/** Seconds between looks, and between lines of progress. */
const LOOK = 2;
const TELL = 10;
/** Of the time, before memory is compared. */
const WARM = 0.25;
const MEBI = 1 << 20;
/** What V8 may keep more at one time than at another. */
const MOST_GROWTH = 8 * MEBI;

interface Check {
  readonly name: string;
  readonly good: boolean;
  readonly figures: string;
}

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(argv);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}; --help says what there is`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const why = lacking(...NETWORK, 'tun', 'iperf3', 'espalier', 'swanctl');
  if (why !== false) {
    console.error(why);
    return 1;
  }
  const { rekey, workers, encap, esp } = options;
  const lab = await Lab.start({
    ...{ a: 'espalier', b: 'espalier', inside: [4, 6], encap, esp },
    child: `rekey_time = ${rekey}s\n        life_time = ${rekey * 4}s\n        rand_time = 1s`,
    daemon: { args: workers === undefined ? [] : ['--workers', `${workers}`], env: TAPPED },
  });
  try {
    const checks = await endure(lab, options);
    for (const { name, good, figures } of checks) console.log(`${good ? 'good' : 'BAD '}  ${name}: ${figures}`);
    return checks.every(({ good }) => good) ? 0 : 1;
  } finally {
    await lab.dispose();
  }
}

async function endure(lab: Lab, { minutes, rekey }: Options): Promise<readonly Check[]> {
  const gateways = (['a', 'b'] as const).map((side) => {
    const daemon = lab.side(side);
    if (!(daemon instanceof Espalier)) throw new Error('not ours');
    return new Observer(side, daemon);
  });
  await lab.up('a');
  await lab.pings();
  const traffic = await Traffic.start(lab, (fault) => console.log(`BAD   ${fault}`));
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  for (let told = 0; seconds() < minutes * 60; ) {
    await new Promise((resolve) => setTimeout(resolve, LOOK * 1000));
    for (const gateway of gateways) gateway.look(seconds());
    if (seconds() - told < TELL) continue;
    told = seconds();
    progress(told, traffic, gateways);
  }
  const took = seconds();
  const tallies = await traffic.stop();
  return verdict({ took, rekey, traffic, tallies, gateways });
}

function progress(seconds: number, traffic: Traffic, gateways: readonly Observer[]): void {
  const { bytes, echoed, faults } = traffic.counts;
  const memory = gateways.map(({ last }) => mebibytes(last?.rss ?? 0)).join(' and ');
  const rekeys = gateways.map((gateway) => gateway.rekeys).join(' and ');
  console.log(
    `${Math.round(seconds)} s: ${mebibytes(bytes)} by iperf3, ${mebibytes(echoed)} echoed; rekeys ${rekeys}; memory ${memory}; ${faults.length} faults`,
  );
}

async function verdict(seen: {
  readonly took: number;
  readonly rekey: number;
  readonly traffic: Traffic;
  readonly tallies: readonly Tally[];
  readonly gateways: readonly Observer[];
}): Promise<readonly Check[]> {
  const { took, rekey, traffic, tallies, gateways } = seen;
  const { bytes, echoed, faults } = traffic.counts;
  const rekeys = gateways.reduce((total, gateway) => total + gateway.rekeys, 0);
  const counted = await Promise.all(gateways.map((gateway) => gateway.faults()));
  const errors = gateways.flatMap((gateway) => gateway.errors);
  const warm = took * WARM;
  const growths = gateways.map((gateway) => gateway.growth(warm));
  const descriptors = gateways.map((gateway) => gateway.descriptorGrowth(warm));
  const twice = tallies.reduce((total, { duplicated }) => total + duplicated, 0);
  const lost = tallies.reduce((total, tally) => total + tally.lost, 0);
  const sent = tallies.reduce((total, tally) => total + tally.sent, 0);
  const check = (name: string, good: boolean, figures: string): Check => ({ name, good, figures });
  return [
    check('what was transferred arrived as it was', faults.length === 0, faults.slice(0, 5).join('; ') || 'always'),
    check('iperf3', bytes > 0, `${mebibytes(bytes)}, ${((bytes * 8) / took / 1e6).toFixed(0)} Mbit/s`),
    check('checksums', echoed > 0, `${mebibytes(echoed)} came back`),
    check('numbered packets', twice === 0, `${sent} sent, ${lost} lost beside all the TCP, ${twice} came twice`),
    // Each side logs a rekey; the two together must have come about as often as was asked for.
    check('rekeys', rekeys / 2 >= (0.7 * took) / rekey, `${rekeys / 2} in ${Math.round(took)} s`),
    ...gateways.map(({ name }, i) => {
      const counts = Object.entries(counted[i] ?? {}).map(([what, count]) => `${what} ${count}`);
      return check(`counts of errors of ${name}`, counts.length === 0, counts.join(', ') || 'none');
    }),
    check('errors in the logs', errors.length === 0, errors.slice(0, 3).join(' ') || 'none'),
    check('memory', Math.max(...growths) < MOST_GROWTH, `${growths.map(mebibytes).join(' and ')} more`),
    check('descriptors', Math.max(...descriptors) <= 0, `${descriptors.join(' and ')} more`),
  ];
}

function mebibytes(bytes: number): string {
  return `${(bytes / MEBI).toFixed(bytes < 100 * MEBI ? 1 : 0)} MiB`;
}
