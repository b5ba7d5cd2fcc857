// Espalier against Espalier: without a NAT the packets are protocol 50, as routers send them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacking, NETWORK } from '../support/needs.ts';
import type { Plan } from './plan.ts';
import { inLab, whole } from './scenario.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier', 'swanctl');
const both: Plan = { a: 'espalier', b: 'espalier', inside: [4, 6] };

for (const outside of [4, 6] as const) {
  test(`ESP over IPv${outside} is protocol 50, and nothing else carries the pings`, { skip }, () =>
    inLab({ ...both, outside }, async (lab) => {
      await lab.up('a');
      const raw = await lab.net.gwb.counter('gwa', 'meta l4proto esp');
      const udp = await lab.net.gwb.counter('gwa', 'udp dport 4500');
      await lab.pings();
      // Five requests and five answers in each family come this way.
      assert.equal(await raw(), 20);
      assert.equal(await udp(), 0);
      assert.equal((await lab.agreed()).child.encap, false);
    }),
  );

  test(`ten rekeys of each kind over IPv${outside} and protocol 50 lose nothing`, { skip }, () =>
    inLab({ ...both, outside }, async (lab) => {
      await lab.up('b');
      await lab.pings();
      const flow = await lab.flow(4);
      for (let i = 0; i < 10; i++) {
        await lab.rekey('child', i % 3 === 0 ? ['a', 'b'] : [i % 2 === 0 ? 'a' : 'b']);
        await lab.rekey('ike', i % 3 === 1 ? ['a', 'b'] : [i % 2 === 0 ? 'b' : 'a']);
      }
      whole(await flow.stop());
    }),
  );
}

test('with encap = yes the packets are UDP on port 4500', { skip }, () =>
  inLab({ ...both, encap: 'yes' }, async (lab) => {
    await lab.up('a');
    const raw = await lab.net.gwb.counter('gwa', 'meta l4proto esp');
    const udp = await lab.net.gwb.counter('gwa', 'udp dport 4500');
    await lab.pings();
    assert.equal(await raw(), 0);
    assert.ok((await udp()) >= 20);
  }),
);

test('behind a NAT the packets are UDP, and the tunnel follows when the port changes', { skip }, () =>
  inLab({ ...both, nat: true, conn: 'dpd_delay = 1s' }, async (lab) => {
    await lab.up('a');
    await lab.pings();
    assert.equal((await lab.agreed()).child.encap, true);
    await lab.rebind();
    await lab.pingsAgain();
  }),
);
