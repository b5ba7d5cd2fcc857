// Management status and traps: what an operator has set to DOWN stays DOWN, and a packet begins what waits for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Espalier } from '../support/espalier.ts';
import { AT_A, AT_B, conf, gateways } from '../support/gateways.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { B, type Sites } from '../support/sites.ts';

const DPD = ['dpd_delay = 1s', 'dpd_timeout = 3s'];
const skip = lacking(...NETWORK, 'tun', 'espalier', 'swanctl');

/** a has those lines in its child. */
function watched(child: readonly string[], act: (net: Sites, a: Espalier, b: Espalier) => Promise<void>) {
  return gateways({ a: conf(AT_A, { conn: DPD, child }), b: conf(AT_B, { conn: DPD }) }, act);
}

interface Status {
  readonly state: string;
  readonly reason: { readonly code: string; readonly text: string };
  readonly children: readonly { readonly state: string }[];
}

async function statusOf(gateway: Espalier): Promise<Status> {
  const [status] = (await gateway.json('status', 'gw')) as readonly Status[];
  assert.ok(status);
  return status;
}

function reached(gateway: Espalier, state: string): Promise<true> {
  return until(`the state ${state}`, async () => ((await statusOf(gateway)).state === state ? true : undefined));
}

function table(net: Sites): Promise<string> {
  return net.gwa.ip('route', 'show', 'table', '220');
}

test('a connection set to DOWN is gone, refuses its peer with a reason, and stays DOWN over a restart', { skip }, () =>
  watched(['start_action = start'], async (net, a, b) => {
    await reached(a, 'connected');
    assert.match(await table(net), /10\.2\.0\.0\/24/);
    const down = await a.cli('admin', 'down', 'gw');
    assert.equal(down.code, 0, `${down.stdout}${down.stderr}`);
    await until('the peer has heard of it', async () => (await b.sas()).length === 0);
    await until('its routes are withdrawn', async () => (await table(net)).trim() === '');
    const refused = await b.cli('up', 'gw');
    assert.equal(refused.code, 1);
    assert.equal((await statusOf(a)).reason.code, 'admin-down');
    await a.line(
      'the peer is told why it was refused',
      ({ event, reason }) => event === 'note' && reason === 'admin-down',
    );

    await a.stop();
    await a.start();
    assert.deepEqual([(await statusOf(a)).state, (await statusOf(a)).reason.code], ['down', 'admin-down']);
    assert.equal((await table(net)).trim(), '');
    assert.equal((await a.cli('up', 'gw')).code, 1, 'nor can it be brought up');
    assert.equal((await a.cli('admin', 'up', 'gw')).code, 0);
    await reached(a, 'connected');
    assert.ok(await net.hosta.ping(B.host, { count: 3 }));

    await a.stop();
    await a.start();
    await reached(a, 'connected');
  }),
);

test('a management status that cannot be kept counts all the same, and the operator is told', { skip }, () =>
  watched(['start_action = start'], async (net, a) => {
    await reached(a, 'connected');
    // The state directory is a file system without room.
    const dir = `${a.folder}/state`;
    await net.gwa.must('mkdir', ['-p', dir]);
    await net.gwa.must('chattr', ['+i', dir]).catch(() => {});
    const full = await net.gwa.run('touch', [`${dir}/probe`]);
    if (full.code === 0) await net.gwa.must('sh', ['-c', `rm -rf ${dir} && echo not a directory > ${dir}`]);
    try {
      const down = await a.cli('admin', 'down', 'gw');
      assert.equal(down.code, 1);
      assert.match(down.stderr, /cannot be kept over a restart/);
      await reached(a, 'down');
    } finally {
      await net.gwa.run('chattr', ['-i', dir]);
    }
  }),
);

test('a packet begins a child that waits for traffic, also after the peer has ended it', { skip }, () =>
  watched(['start_action = trap', 'close_action = trap'], async (net, a, b) => {
    assert.equal((await statusOf(a)).state, 'waiting');
    assert.equal((await a.sas()).length, 0);
    await net.hosta.ping(B.host, { count: 1 });
    await reached(a, 'connected');
    assert.ok(await net.hosta.ping(B.host, { count: 3 }));

    const ended = await b.swanctl('--terminate', '--ike', 'gw');
    assert.equal(ended.code, 0);
    await reached(a, 'waiting');
    await net.hosta.ping(B.host, { count: 1 });
    await reached(a, 'connected');
    assert.ok(await net.hosta.ping(B.host, { count: 3 }));
  }),
);

test('a child that nobody answers for is tried again by the next packet, and not by the clock', { skip }, () =>
  watched(['start_action = trap'], async (net, a, b) => {
    await b.stop();
    const attempts = () => a.lines.filter(({ event, initiator }) => event === 'session-started' && initiator).length;
    const failed = async () => (await statusOf(a)).state === 'phase1-failed';
    // The peer is there and has no connection: refused at once.
    await b.start('connections {\n}\n');
    await net.hosta.ping(B.host, { count: 1 });
    await until('it has failed', failed);
    assert.equal(attempts(), 1);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await net.hosta.ping(B.host, { count: 1 });
    await until('it is tried again', () => attempts() === 2);
    await until('it has failed again', failed);
    b.rewrite(conf(AT_B, { conn: DPD }));
    await b.json('reload');
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await net.hosta.ping(B.host, { count: 1 });
    await reached(a, 'connected');
  }),
);
