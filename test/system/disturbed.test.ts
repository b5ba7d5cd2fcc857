// What happens to the host and not to the protocol: a link that goes and comes, a process that stands still for longer
// than its keys live (SECURITY: G).

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Espalier } from '../support/espalier.ts';
import { AT_A, AT_B, conf, gateways, type Wanted } from '../support/gateways.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import type { Sa } from '../support/sas.ts';
import { B, type Sites } from '../support/sites.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier', 'swanctl');

/** Both ends want it, and again when it was lost. */
function tunnel(
  { conn = [], child = [] }: Wanted,
  act: (net: Sites, a: Espalier, b: Espalier) => Promise<void>,
): Promise<void> {
  const wanted = { anywhere: true, conn, child: ['start_action = start', 'dpd_action = restart', ...child] };
  return gateways({ a: conf(AT_A, wanted), b: conf(AT_B, wanted) }, async (net, a, b) => {
    await passes(net);
    await act(net, a, b);
  });
}

function passes(net: Sites): Promise<true> {
  const once = async () => ((await net.hosta.ping(B.host, { count: 1, patience: 1 })) ? true : undefined);
  return until('a ping through the tunnel', once, 30_000);
}

/** The IKE SA that has the child: an attempt from before the other side was there may still be under way. */
async function standing(gateway: Espalier): Promise<Sa> {
  const found = (await gateway.sas()).find(({ children }) => children.length > 0);
  assert.ok(found);
  return found;
}

/** Processor time that it has used, in ticks of 10 ms. */
function ticks({ pid }: Espalier): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

/** One child each, and the two are the same. */
async function agree(a: Espalier, b: Espalier): Promise<void> {
  await until('the two have one child each, and the same', async () => {
    const [ours, theirs] = await Promise.all([a.sas(), b.sas()]);
    const [mine, ...more] = ours.flatMap(({ children }) => children);
    const [other, ...others] = theirs.flatMap(({ children }) => children);
    return mine?.spiIn === other?.spiOut && mine?.spiOut === other?.spiIn && more.length + others.length === 0;
  });
}

test(
  '[G] a link that goes and comes costs the tunnel nothing, and a daemon without a route does not run hot',
  { skip },
  () =>
    tunnel({ conn: ['dpd_delay = 1s', 'dpd_timeout = 60s'] }, async (net, a) => {
      const [before] = await a.sas();
      const used = ticks(a);
      await net.gwa.ip('link', 'set', 'gwb', 'down');
      await new Promise((resolve) => setTimeout(resolve, 4000));
      assert.ok(ticks(a) - used < 200, `${ticks(a) - used} ticks in 4 s`);
      await net.gwa.ip('link', 'set', 'gwb', 'up');
      await passes(net);
      const [after] = await a.sas();
      assert.equal(after?.spis, before?.spis);
    }),
);

test('[G] a peer that is gone with its link is found again when it is back', { skip }, () =>
  tunnel({ conn: ['dpd_delay = 1s', 'dpd_timeout = 2s', 'retry_interval = 1s'] }, async (net, a) => {
    const before = await standing(a);
    await net.gwa.ip('link', 'set', 'gwb', 'down');
    await until('it was given up', async () => (await a.sas()).every(({ spis }) => spis !== before.spis));
    await net.gwa.ip('link', 'set', 'gwb', 'up');
    await passes(net);
  }),
);

test(
  '[G] a process that stood still for longer than its keys live goes on with one pair of SAs, and without a storm',
  { skip },
  () =>
    tunnel(
      { conn: ['rekey_time = 6s', 'over_time = 2s'], child: ['rekey_time = 3s', 'life_time = 4s'] },
      async (net, a, b) => {
        process.kill(a.pid as number, 'SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, 9000));
        const lines = a.lines.length;
        process.kill(a.pid as number, 'SIGCONT');
        await passes(net);
        await agree(a, b);
        const begun = a.lines.slice(lines).filter(({ event, initiator }) => event === 'session-started' && initiator);
        assert.ok(begun.length <= 2, `${begun.length} attempts`);
      },
    ),
);
