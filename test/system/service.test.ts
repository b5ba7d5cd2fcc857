// The daemon as the service of a manager that the test is: what it says of itself, and how it ends.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Plan } from '../interop/plan.ts';
import { inLab } from '../interop/scenario.ts';
import { Espalier } from '../support/espalier.ts';
import { Manager } from '../support/manager.ts';
import { INTEROP, lacking } from '../support/needs.ts';
import { Topology, until } from '../support/netns.ts';
import { TAPPED, Tap } from '../support/tap.ts';

const skip = lacking(...INTEROP, 'python3');

/** Half of it passes between two signs of life. */
const WATCHDOG = { WATCHDOG_USEC: '1000000' } as const;
const SEVERAL_BEATS = 3000;

async function serve(
  work: (daemon: Espalier, manager: Manager) => Promise<void>,
  over: { readonly abstract?: boolean; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  await using topology = new Topology();
  const space = await topology.space('gateway');
  const folder = topology.folder();
  const name = over.abstract ? `@${folder}` : join(folder, 'notify');
  const manager = await Manager.listen(topology, space, name);
  const env = { NOTIFY_SOCKET: name, ...WATCHDOG, ...over.env };
  const daemon = await Espalier.start(topology, space, { conf: '', env });
  await work(daemon, manager);
}

for (const abstract of [false, true]) {
  test(
    `the daemon tells a manager ${abstract ? 'with an abstract socket' : 'with a socket file'} how it is`,
    { skip },
    () =>
      serve(
        async (daemon, manager) => {
          await manager.hears('READY=1');
          assert.deepEqual(manager.told[0], ['READY=1', 'STATUS=no connections']);
          await manager.hears('WATCHDOG=1', 2);
          assert.ok(daemon.pid);
          process.kill(daemon.pid, 'SIGHUP');
          await manager.hears('READY=1', 2);
          const reloading = manager.told.find(([line]) => line === 'RELOADING=1');
          assert.match(reloading?.[1] ?? '', /^MONOTONIC_USEC=\d+$/);
          assert.equal(await daemon.exitCode('SIGTERM'), 0);
          await manager.hears('STOPPING=1');
        },
        { abstract },
      ),
  );
}

test('a daemon that stands still gives no sign of life, and one that goes on does', { skip }, () =>
  serve(async ({ pid = 0 }, manager) => {
    await manager.hears('WATCHDOG=1', 2);
    process.kill(pid, 'SIGSTOP');
    await until('it stands', () => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
    // What it said before may be on its way still.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = manager.count('WATCHDOG=1');
    await new Promise((resolve) => setTimeout(resolve, SEVERAL_BEATS));
    assert.equal(manager.count('WATCHDOG=1'), before);
    process.kill(pid, 'SIGCONT');
    await manager.hears('WATCHDOG=1', before + 2);
  }),
);

test('a data-plane thread that hangs is replaced, and the manager is told that all is well again', { skip }, () =>
  serve(
    async (daemon, manager) => {
      await manager.hears('WATCHDOG=1', 1);
      await new Tap(daemon).hang(0);
      await daemon.line('a death', ({ event }) => event === 'worker-died', 20_000);
      const before = manager.count('WATCHDOG=1');
      await manager.hears('WATCHDOG=1', before + 2);
      assert.equal(
        daemon.lines.find(({ event }) => event === 'hangs'),
        undefined,
      );
    },
    { env: TAPPED },
  ),
);

const PLAN: Plan = { a: 'espalier', b: 'strongswan', encap: 'yes' };

test('on SIGTERM the peer is told, and the exit code is 0', { skip }, () =>
  inLab(PLAN, async (lab) => {
    await lab.up('a');
    const a = lab.a;
    assert.ok(a instanceof Espalier);
    assert.equal(await a.exitCode('SIGTERM'), 0);
    // Its own dead-peer detection would need minutes.
    await until('the peer has no SA any more', async () => (await lab.b.sas()).length === 0);
  }),
);

test('on SIGTERM a peer that does not answer is not waited for', { skip }, () =>
  inLab(PLAN, async (lab) => {
    await lab.up('a');
    const a = lab.a;
    assert.ok(a instanceof Espalier);
    await lab.net.gwa.lossy('gwb', 100);
    assert.equal(await a.exitCode('SIGTERM'), 0);
    const times = new Map(a.lines.map(({ event, time }) => [event, Number(time)]));
    const took = (times.get('stopped') ?? Number.NaN) - (times.get('stopping') ?? Number.NaN);
    // The promise, and what a busy machine may add to it.
    assert.ok(took < 2000 + 2000, `${took} ms`);
  }),
);
