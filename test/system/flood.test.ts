// ESP that is none of ours, as fast as a stranger can send it: it costs good traffic little, memory nothing, and nobody
// gets an answer.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DROPS } from '../../src/esp/drop.ts';
import type { Plan } from '../interop/plan.ts';
import { inLab } from '../interop/scenario.ts';
import { Capture } from '../support/capture.ts';
import { Espalier } from '../support/espalier.ts';
import { Injector } from '../support/inject.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { garbage, outer } from '../support/outer.ts';
import { A, B } from '../support/sites.ts';
import { faults, type Readings, TAPPED, Tap } from '../support/tap.ts';

const skip = lacking(...NETWORK, 'tun', 'tcpdump', 'espalier', 'swanctl');
const both: Plan = { a: 'espalier', b: 'espalier', inside: [4, 6], daemon: { env: TAPPED } };

/** SECURITY's promise, for so many packets a second. */
const RATE = 100_000;
const MOST_LOST = 0.05;
const SECONDS = 3;
const SIZE = 100;
const VARIANTS = 256;
/** Per 10 000 packets. */
const MOST_MEMORY = 2 << 20;

/** Nobody has these addresses. */
const STRANGERS = { 4: '192.0.2.192/26', 6: '2001:db8::f000/116' } as const;
const stranger = {
  4: (i: number) => `192.0.2.${192 + (i % 64)}`,
  6: (i: number) => `2001:db8::f${(i % 4096).toString(16).padStart(3, '0')}`,
};

for (const outside of [4, 6] as const) {
  for (const encap of ['auto', 'yes'] as const) {
    const udp = encap === 'yes';
    const name = `ESP garbage ${udp ? 'in UDP ' : ''}over IPv${outside} costs good traffic under 5 %, no memory, and no answer`;
    test(`[D] ${name}`, { skip }, (t) =>
      inLab({ ...both, outside, encap }, async (lab) => {
        await lab.up('a');
        await lab.pings();
        assert.ok(lab.a instanceof Espalier);
        const tap = new Tap(lab.a);
        const { gwa, gwb } = lab.net;
        const noise = await Injector.across(gwb, 'gwa', gwa, 'gwb');
        const answers = await Capture.start(gwb, 'gwa', { filter: `net ${STRANGERS[outside]}`, direction: 'in' });
        const to = outside === 4 ? A.outside : A.outside6;
        const peer = outside === 4 ? B.outside : B.outside6;
        const spi = Number.parseInt((await lab.agreed()).child.spiIn, 16);
        const list = (of: (i: number) => Uint8Array) => Array.from({ length: VARIANTS }, (_, i) => of(i));
        const unknown = list((i) => outer(garbage(0x4000_0000 + i, i, SIZE), { from: stranger[outside](i), to, udp }));
        const forged = list((i) =>
          outer(garbage(spi, 0x7000_0000 + i, SIZE), { from: i % 2 ? peer : stranger[outside](i), to, udp }),
        );
        // What is compiled and allocated once is so by now.
        for (const packets of [unknown, forged]) await noise.flood(packets, 0.5, RATE);
        const flow = await lab.flow(4, 500);
        const before = await tap.read();
        const floods = [await noise.flood(unknown, SECONDS, RATE), await noise.flood(forged, SECONDS, RATE)];
        const after = await tap.read();
        for (const { sent, lost } of await flow.stop()) assert.ok(lost < sent * MOST_LOST, `${lost} of ${sent} lost`);
        tell(t, floods, before, after);
        const packets = floods.reduce((sum, flood) => sum + flood.packets, 0);
        const seen =
          after.drops['unknown-spi'] + after.drops['bad-icv'] - before.drops['unknown-spi'] - before.drops['bad-icv'];
        assert.ok(seen > 0 && seen <= packets, `${seen} of ${packets}`);
        assert.ok(after.memory.rss - before.memory.rss < (packets / 10_000) * MOST_MEMORY);
        assert.deepEqual(Object.keys(faults(after)).sort(), ['bad-icv', 'unknown-spi']);
        assert.equal((await answers.stop()).length, 0);
        await lab.pings();
      }),
    );
  }
}

function tell(
  t: TestContext,
  floods: readonly { packets: number; seconds: number }[],
  before: Readings,
  after: Readings,
): void {
  const rates = floods.map(({ packets, seconds }) => Math.round(packets / seconds));
  const drops = DROPS.map((name) => `${name} ${after.drops[name] - before.drops[name]}`).filter(
    (text) => !text.endsWith(' 0'),
  );
  const memory = Math.round((after.memory.rss - before.memory.rss) / 1024);
  t.diagnostic(`${rates.join(' and ')} packets a second; dropped: ${drops.join(', ')}; memory ${memory} KiB more`);
}
