// Espalier against Espalier: without a NAT the packets are protocol 50, as routers send them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Espalier } from '../support/espalier.ts';
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

for (const [name, ike, esp] of [
  ['AES-CBC and HMAC-SHA2-256', 'aes128-sha256-modp2048', 'aes128-sha256'],
  ['ChaCha20-Poly1305', 'chacha20poly1305-prfsha256-x25519', 'chacha20poly1305'],
  ['3DES and HMAC-SHA1', '3des-sha1-modp2048', '3des-sha1'],
] as const) {
  test(`protocol 50 with ${name}`, { skip }, () =>
    inLab({ ...both, ike, esp }, async (lab) => {
      await lab.up('a');
      await lab.pings();
      assert.equal((await lab.agreed()).child.encap, false);
    }),
  );
}

for (const outside of [4, 6] as const) {
  test(`over IPv${outside} a peer that was killed comes back, and the tunnel with it`, { skip }, () =>
    inLab({ ...both, outside, conn: 'dpd_delay = 2s\n    dpd_timeout = 6s' }, async (lab) => {
      await lab.up('a');
      await lab.pings();
      await lab.b.kill();
      await lab.gone('a');
      await lab.b.start();
      await lab.up('b');
      await lab.pings();
    }),
  );
}

for (const [what, differs, state] of [
  ['another pre-shared key', { psk: 'a different word of some length' }, 'phase1-failed'],
  ['no IKE proposal in common', { ike: 'aes256-sha512-modp4096' }, 'phase1-failed'],
  ['no ESP proposal in common', { esp: 'aes256-sha512' }, 'phase2-failed'],
  ['selectors that do not meet', { localTs: '10.99.0.0/24' }, 'phase2-failed'],
] as const) {
  test(`with ${what} both sides say ${state} and what to change`, { skip }, () =>
    inLab({ a: 'espalier', b: 'espalier', conn: 'keyingtries = 1', differs: { b: differs } }, async (lab) => {
      const [a, b] = [lab.a, lab.b];
      assert.ok(a instanceof Espalier && b instanceof Espalier);
      assert.equal((await a.cli('up', 'gw')).code, 1);
      for (const side of [a, b]) {
        const line = await side.line('a remedy', ({ level, remedy }) => level === 40 && typeof remedy === 'string');
        assert.equal(line.conn, 'gw');
        assert.match(JSON.stringify(await side.json('status', 'gw')), new RegExp(`"state":"${state}"`));
      }
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
    // Packets that leave together count as one: the kernel cuts them behind the counter.
    assert.ok((await udp()) >= 1);
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
