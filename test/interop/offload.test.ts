// The same packets come out whatever the kernel helps with: two Espaliers with every combination of facilities forbidden,
// random packets of all kinds compared byte for byte, and streams and datagrams of real sockets, which bring
// super-packets, compared as data. Also with several workers, and with protocol 50.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Echo } from '../support/echo.ts';
import { Espalier } from '../support/espalier.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { A, B, type Sites, sites } from '../support/sites.ts';
import { type Plan, swanctlConf } from './plan.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier', 'swanctl');
const FLOWS = join(import.meta.dirname, '../../../test/interop/flows.py');
/** Debian's, without what a user has put in front of it. */
const PYTHON = '/usr/bin/python3';
const ENDS = [A.host, B.host, A.host6, B.host6];
const SIZES = [1, 100, 1199, 1300, 1400, 5000, 20_001];
const STREAMS = [1, 1399, 300_001];

interface Outcome {
  readonly sent: number;
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

let net: Sites;
let echo: Echo;

before(async () => {
  if (skip) return;
  net = await sites();
  // What is captured there is to be cut already: the kernel does that before a device that takes single packets only.
  await net.gwb.must(PYTHON, [FLOWS, 'single', 'hostb']);
  echo = await Echo.between(net.hosta, net.hostb);
});

after(() => net?.topology.dispose());

async function passes(plan: Plan, args: readonly string[], seed: number): Promise<void> {
  const start = (side: 'a' | 'b') =>
    Espalier.start(net.topology, side === 'a' ? net.gwa : net.gwb, { conf: swanctlConf(plan, side), args });
  const [a, b] = await Promise.all([start('a'), start('b')]);
  try {
    const done = await a.swanctl('--initiate', '--child', 'net', '--timeout', '20');
    assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
    const { sent, missing, unexpected } = await compare(seed);
    assert.ok(sent > 200);
    assert.deepEqual({ missing, unexpected }, { missing: [], unexpected: [] });
    for (const address of [B.host, B.host6]) {
      await echo.datagrams(address, SIZES);
      for (const bytes of STREAMS) await echo.stream(address, bytes);
    }
  } finally {
    await Promise.all([a.stop(), b.stop()]);
  }
}

async function compare(seed: number): Promise<Outcome> {
  const capturing = net.hostb.spawn(PYTHON, [FLOWS, 'capture', `${seed}`, ...ENDS], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { stdout } = capturing;
  assert.ok(stdout);
  let text = '';
  let sent = false;
  for await (const chunk of stdout) {
    text += chunk;
    if (sent || !text.startsWith('ready')) continue;
    sent = true;
    await net.hosta.must(PYTHON, [FLOWS, 'send', `${seed}`, ...ENDS]);
  }
  return JSON.parse(text.slice(text.indexOf('{')));
}

const FACILITIES = ['vnet', 'uso', 'udpgso', 'udpgro', 'mmsg'];

/** Every set of them; without the header of super-packets there are none of UDP either. */
function combinations(): string[][] {
  const all = Array.from({ length: 2 ** FACILITIES.length }, (_, bits) =>
    FACILITIES.filter((_, i) => (bits & (1 << i)) !== 0),
  );
  return all.filter((set) => !(set.includes('vnet') && set.includes('uso')));
}

for (const [seed, without] of combinations().entries()) {
  const args = without.length === 0 ? [] : ['--io-without', without.join(',')];
  test(`in UDP without ${without.join(', ') || 'nothing'}: the same packets come out`, { skip }, () =>
    passes({ a: 'espalier', b: 'espalier', inside: [4, 6], encap: 'yes' }, args, seed),
  );
}

for (const [seed, without] of [[], ['vnet'], ['uso', 'mmsg'], ['vnet', 'mmsg']].entries()) {
  const args = without.length === 0 ? [] : ['--io-without', without.join(',')];
  test(`as protocol 50 over IPv6 without ${without.join(', ') || 'nothing'}: the same packets come out`, { skip }, () =>
    passes({ a: 'espalier', b: 'espalier', inside: [4, 6], outside: 6 }, args, 100 + seed),
  );
}

for (const workers of [2, 4]) {
  for (const encap of ['yes', 'auto'] as const) {
    test(`with ${workers} workers, encap = ${encap}: the same packets come out`, { skip }, () =>
      passes({ a: 'espalier', b: 'espalier', inside: [4, 6], encap }, ['--workers', `${workers}`], 200 + workers),
    );
  }
}
