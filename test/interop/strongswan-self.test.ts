// Two strongSwans against each other: what fails here is the harness or the host, not Espalier.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacking, STRONGSWAN } from '../support/needs.ts';
import { inLab, whole } from './scenario.ts';

const skip = lacking(...STRONGSWAN);
const both = { a: 'strongswan', b: 'strongswan' } as const;

test('two strongSwans carry pings through AES-GCM', { skip }, () =>
  inLab(both, async (lab) => {
    assert.equal(await lab.net.hosta.ping('10.2.0.2', { patience: 1 }), false, 'nothing gets through without a tunnel');
    await lab.up('a');
    await lab.pings();
    const { child } = await lab.agreed();
    assert.ok(child.encap);
    assert.ok(child.packetsOut >= 5 && child.packetsIn >= 5);
  }),
);

test('a rekey of the child loses no packet of a flow', { skip }, () =>
  inLab(both, async (lab) => {
    await lab.up('a');
    await lab.pings();
    const flow = await lab.flow();
    await lab.rekey('child', ['a']);
    whole(await flow.stop());
  }),
);

test('IPv6 runs inside and outside', { skip }, () =>
  inLab({ ...both, outside: 6, inside: [4, 6] }, async (lab) => {
    await lab.up('b');
    await lab.pings();
  }),
);

test('a NAT between them may take another port', { skip }, () =>
  inLab({ ...both, nat: true, conn: 'dpd_delay = 1s' }, async (lab) => {
    await lab.up('a');
    await lab.pings();
    await lab.rebind();
    await lab.pingsAgain();
  }),
);

test('a flow counts what a lossy wire drops', { skip }, () =>
  inLab(both, async (lab) => {
    await lab.up('a');
    await lab.pings();
    const flow = await lab.flow();
    await lab.net.gwb.lossy('gwa', 100);
    await lab.net.gwb.lossy('gwa', 0);
    const [toB, toA] = await flow.stop();
    assert.ok(toB.lost > 0 && toB.lost === toB.sent - toB.received);
    assert.deepEqual([toA.lost, toB.missing.length], [0, 1]);
  }),
);

test('a strongSwan that was killed starts again', { skip }, () =>
  inLab(both, async (lab) => {
    await lab.up('a');
    await lab.b.kill();
    await lab.b.start();
    assert.deepEqual(await lab.b.sas(), []);
  }),
);
