// What an established, idle session with one child keeps in memory: the growth of a process from its first hundreds of
// sessions on, when all code is compiled, after a full garbage collection.

import { pathToFileURL } from 'node:url';
import type { Measure, Shell } from './peer.ts';
import { Run } from './run.ts';
import { Table } from './table.ts';

const WARM = 500;
const COUNT = 2000;
const PARALLEL = 16;
const ROUNDS = 3;

export async function benchMemory(rounds = ROUNDS): Promise<void> {
  const table = new Table(`KB per session, ${COUNT} sessions more; ${rounds} rounds, medians and extremes`);
  for (let round = 0; round < rounds; round++) {
    for (const shell of ['endpoint', 'gateway'] as const) await once(table, shell);
  }
  table.print();
}

async function once(table: Table, shell: Shell): Promise<void> {
  const run = await Run.start({
    ...{ shell, layout: 'address', peers: WARM + COUNT, group: 'x25519' },
    nodeOptions: ['--expose-gc'],
  });
  try {
    const peers = Array.from({ length: WARM + COUNT }, (_, peer) => peer);
    await run.setUp(peers.slice(0, WARM), PARALLEL);
    const before = await run.measure();
    await run.setUp(peers.slice(WARM), PARALLEL);
    const after = await run.measure();
    const where = shell === 'gateway' ? 'whole gateway' : 'endpoint alone';
    table.add(`responder, ${where}`, growth(before.gateway, after.gateway));
    table.add(`initiator, ${where}`, growth(before.peers, after.peers));
  } finally {
    await run.stop();
  }
}

function growth(before: Measure, after: Measure): Record<string, number> {
  const each = (part: 'heap' | 'external' | 'resident') =>
    (after[part] - before[part]) / (after.sessions - before.sessions) / 1024;
  return {
    'heap and buffers': each('heap') + each('external'),
    heap: each('heap'),
    'outside the heap': each('external'),
    resident: each('resident'),
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await benchMemory();
