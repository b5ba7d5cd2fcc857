// What a set-up costs: IKE_SA_INIT and IKE_AUTH with a pre-shared key and one child; in IKEv1, main or aggressive mode and
// quick mode. Two processes on real UDP sockets, 16 set-ups at a time, each from an address, with an identity and with a
// key of its own.

import { pathToFileURL } from 'node:url';
import { type Cost, peersOf, Run, type Setup } from './run.ts';
import type { Layout, Mode } from './site.ts';
import { Table } from './table.ts';

const COUNT = 1000;
const PARALLEL = 16;
const ROUNDS = 5;
const GROUPS = ['x25519', 'ecp256', 'modp2048'];

export async function benchSetup(rounds = ROUNDS): Promise<void> {
  await groups(rounds);
  await modes(rounds);
  await sizes(rounds);
}

const MODES = new Map<Mode, string>([
  ['v2', 'IKEv2'],
  ['main', 'main and quick mode'],
  ['aggressive', 'aggressive and quick mode'],
]);

/** IKEv1 beside IKEv2, both without PFS: the same key exchange, with more messages round it. */
async function modes(rounds: number): Promise<void> {
  const table = new Table(`endpoint alone, by version and mode; ${COUNT} set-ups; ${rounds} rounds`);
  const setups = GROUPS.flatMap((group) =>
    [...MODES.keys()].map((mode) => ({ group, mode, shell: 'endpoint', layout: 'address', peers: 2 * COUNT }) as const),
  );
  for (let round = 0; round < rounds; round++) {
    for (const setup of setups) {
      const [, warm] = await run(setup);
      table.add(`${setup.group}, ${MODES.get(setup.mode)}`, figures(warm));
    }
  }
  table.print();
}

/** By key exchange. A process has set up as many tunnels before those that are measured: V8 has compiled by then. */
async function groups(rounds: number): Promise<void> {
  const table = new Table(`${COUNT} set-ups, ${PARALLEL} at a time; ${rounds} rounds, medians and extremes`);
  const setups = GROUPS.flatMap((group) =>
    (['endpoint', 'gateway'] as const).map((shell) => ({ group, shell, layout: 'address', peers: 2 * COUNT }) as const),
  );
  for (let round = 0; round < rounds; round++) {
    for (const setup of setups) {
      const [cold, warm] = await run(setup);
      const name = `${setup.group}, ${setup.shell === 'gateway' ? 'whole gateway' : 'endpoint alone'}`;
      table.add(name, { ...figures(warm), 'first 1000: responder': cold.gateway / cold.count });
    }
  }
  table.print();
}

/** By how many peers are configured. */
async function sizes(rounds: number): Promise<void> {
  const table = new Table(`x25519, endpoint alone, by connections configured; ${rounds} rounds`);
  const kinds: readonly [Layout, number][] = [
    ['one', 2 * COUNT],
    ['address', 2 * COUNT],
    ['address', 10_000],
    ['identity', 2 * COUNT],
    ['identity', 10_000],
  ];
  const setups = kinds.map(([layout, peers]) => ({ group: 'x25519', shell: 'endpoint', layout, peers }) as const);
  for (let round = 0; round < rounds; round++) {
    for (const setup of setups) {
      const [, warm] = await run(setup);
      table.add(setup.layout === 'one' ? 'one for all' : `${setup.peers} by ${setup.layout}`, figures(warm));
    }
  }
  table.print();
}

async function run(setup: Setup): Promise<[cold: Cost, warm: Cost]> {
  const run = await Run.start(setup);
  try {
    const cold = await run.setUp(peersOf(setup.peers, COUNT), PARALLEL);
    const warm = await run.setUp(peersOf(setup.peers, COUNT, 1), PARALLEL);
    return [cold, warm];
  } finally {
    await run.stop();
  }
}

function figures({ count, wall, gateway, peers }: Cost): Record<string, number> {
  return {
    'set-ups/s': (count / wall) * 1000,
    'responder, ms CPU': gateway / count,
    'initiator, ms CPU': peers / count,
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await benchSetup();
