// Threads of the data plane that end or hang, under traffic: another one goes on with the same SAs, where the last one
// stopped, and their keys are renewed. And rekeys with several threads.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Plan } from '../interop/plan.ts';
import { inLab, type Lab, whole } from '../interop/scenario.ts';
import { Capture, type Captured } from '../support/capture.ts';
import { Espalier, type LogLine } from '../support/espalier.ts';
import { Injector } from '../support/inject.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { TAPPED, Tap } from '../support/tap.ts';

const skip = lacking(...NETWORK, 'tun', 'tcpdump', 'espalier', 'swanctl');
/** SECURITY's promise. */
const REKEYED_WITHIN = 5000;
/** A thread takes no more than this along that it had in its hands. */
const BATCH = 64;
const ESP = 20;

function plan(workers: number): Plan {
  return { a: 'espalier', b: 'espalier', inside: [4, 6], daemon: { args: ['--workers', `${workers}`], env: TAPPED } };
}

function daemon(lab: Lab): Espalier {
  assert.ok(lab.a instanceof Espalier);
  return lab.a;
}

async function spisOf(lab: Lab): Promise<{ readonly into: number; readonly out: number }> {
  const { child } = await lab.agreed();
  return { into: Number.parseInt(child.spiIn, 16), out: Number.parseInt(child.spiOut, 16) };
}

function deaths(daemon: Espalier): readonly LogLine[] {
  return daemon.lines.filter(({ event }) => event === 'worker-died');
}

/** SPI and sequence number of each packet of protocol 50, and the IV that follows. */
function espOf({ bytes }: Captured): { readonly spi: number; readonly seq: number; readonly iv: bigint } {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { spi: view.getUint32(ESP), seq: view.getUint32(ESP + 4), iv: view.getBigUint64(ESP + 8) };
}

/** RFC 4303 §3.3.3, RFC 4106 §3.1: under one key no number and no IV comes twice, and they grow. */
function growing(packets: readonly Captured[]): void {
  const newest = new Map<number, number>();
  for (const { spi, seq, iv } of packets.map(espOf)) {
    assert.ok(seq > (newest.get(spi) ?? 0), `SPI ${spi}: ${seq} after ${newest.get(spi)}`);
    assert.equal(iv, BigInt(seq));
    newest.set(spi, seq);
  }
  assert.ok(newest.size >= 2, 'one SA before, one after');
}

async function renewed(lab: Lab, before: number, patience: number): Promise<void> {
  await until('new keys', async () => (await spisOf(lab)).into !== before || undefined, patience);
}

for (const workers of [1, 2, 4]) {
  test(
    `of ${workers} workers the one ends that has the SA: the next goes on with it, and new keys come`,
    { skip },
    () =>
      inLab(plan(workers), async (lab) => {
        await lab.up('a');
        await lab.pings();
        const a = daemon(lab);
        const tap = new Tap(a);
        const { gwa, gwb } = lab.net;
        const out = await Capture.start(gwb, 'gwa', { filter: 'esp', direction: 'in', snap: 64 });
        const into = await Capture.start(gwa, 'gwb', { filter: 'esp', direction: 'in', snap: 2000 });
        const again = await Injector.across(gwb, 'gwa', gwa, 'gwb');
        const flow = await lab.flow(4, 500);
        const { into: spi } = await spisOf(lab);
        await into.have(100);
        const old = into.packets.slice(0, 50).map(({ bytes }) => bytes);
        const { drops } = await tap.end(spi % workers);
        // What came before is known still, to whoever has it now.
        await again.send(...old);
        const died = await a.line('worker-died', ({ event }) => event === 'worker-died');
        assert.equal(died.worker, spi % workers);
        assert.equal(died.level, 50);
        await renewed(lab, spi, 2 * REKEYED_WITHIN);
        const rekeyed = a.lines.find(
          ({ event, time }) => event === 'child-rekeyed' && Number(time) >= Number(died.time),
        );
        assert.ok(rekeyed, `${a.lines.map(({ event }) => event)}`);
        assert.ok(Number(rekeyed.time) - Number(died.time) < REKEYED_WITHIN);
        await lab.pings();
        for (const { lost, duplicated } of await flow.stop()) {
          assert.equal(duplicated, 0);
          assert.ok(lost <= BATCH, `${lost} lost`);
        }
        const now = (await tap.read()).drops;
        const refused = now.replay - drops.replay + now['unknown-spi'] - drops['unknown-spi'];
        assert.equal(refused, old.length);
        growing(await out.stop());
        assert.equal(deaths(a).length, 1);
      }),
  );
}

test(
  "of two workers one ends that has no SA: the other one's keys stay, and nothing of its traffic comes twice",
  { skip },
  () =>
    inLab(plan(2), async (lab) => {
      await lab.up('a');
      await lab.pings();
      const a = daemon(lab);
      const { into: spi } = await spisOf(lab);
      const flow = await lab.flow(4, 500);
      await new Tap(a).end(1 - (spi % 2));
      await a.line('worker-died', ({ event }) => event === 'worker-died');
      await lab.pings();
      for (const { lost, duplicated } of await flow.stop()) {
        assert.equal(duplicated, 0);
        assert.ok(lost <= BATCH, `${lost} lost`);
      }
      assert.equal((await spisOf(lab)).into, spi);
    }),
);

test('a worker that hangs is replaced, and what it had goes on', { skip }, () =>
  inLab(plan(2), async (lab) => {
    await lab.up('a');
    await lab.pings();
    const a = daemon(lab);
    const out = await Capture.start(lab.net.gwb, 'gwa', { filter: 'esp', direction: 'in', snap: 64 });
    const { into: spi } = await spisOf(lab);
    await lab.pings();
    await new Tap(a).hang(spi % 2);
    assert.equal(await lab.net.hosta.ping('10.2.0.2', { patience: 1 }), false);
    const died = await a.line('worker-died', ({ event }) => event === 'worker-died', 20_000);
    assert.equal(died.worker, spi % 2);
    await renewed(lab, spi, 2 * REKEYED_WITHIN);
    await lab.pings();
    growing(await out.stop());
  }),
);

test('threads that end leave no descriptor behind, and too many of them end the daemon', { skip }, () =>
  inLab(plan(1), async (lab) => {
    await lab.up('a');
    const a = daemon(lab);
    const tap = new Tap(a);
    const descriptors = () => readdirSync(`/proc/${a.pid}/fd`).length;
    const counts: number[] = [];
    for (let death = 1; death <= 4; death++) {
      await tap.end(0);
      await until('another death', () => deaths(a).length === death || undefined);
      await lab.pingsAgain();
      await lab.agreed();
      counts.push(descriptors());
    }
    assert.ok(Math.max(...counts) - (counts[0] ?? 0) <= 1, `${counts}`);
    await tap.end(0).catch(() => {});
    await a.line('crashed', ({ event }) => event === 'crashed');
  }),
);

for (const workers of [1, 2, 4]) {
  test(`with ${workers} workers ten rekeys under 2000 packets a second lose none`, { skip }, () =>
    inLab(plan(workers), async (lab) => {
      await lab.up('a');
      await lab.pings();
      const flows = await Promise.all([lab.flow(4, 1000), lab.flow(6, 1000)]);
      for (let i = 0; i < 10; i++) await lab.rekey('child', i % 3 === 0 ? ['a', 'b'] : [i % 2 === 0 ? 'a' : 'b']);
      for (const flow of flows) whole(await flow.stop());
    }),
  );
}
