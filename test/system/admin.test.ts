// Management status and traps: what an operator has set to DOWN stays DOWN, and a packet begins what waits for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Espalier } from '../support/espalier.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { A, B, type Sites, sites } from '../support/sites.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier', 'swanctl');

function conf([ours, theirs]: readonly [typeof A | typeof B, typeof A | typeof B], child: string): string {
  return `connections {
  gw {
    local_addrs = ${ours.outside}
    remote_addrs = ${theirs.outside}
    dpd_delay = 1s
    dpd_timeout = 3s
    local { auth = psk }
    remote { auth = psk }
    children {
      net {
        local_ts = ${ours.net}
        remote_ts = ${theirs.net}
        ${child}
      }
    }
  }
}
secrets {
  ike {
    secret = "a long enough one for a test"
  }
}
`;
}

async function gateways(child: string, act: (net: Sites, a: Espalier, b: Espalier) => Promise<void>): Promise<void> {
  const net = await sites();
  try {
    const a = await Espalier.start(net.topology, net.gwa, { conf: conf([A, B], child) });
    const b = await Espalier.start(net.topology, net.gwb, { conf: conf([B, A], '') });
    await act(net, a, b);
  } finally {
    await net.topology.dispose();
  }
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
  gateways('start_action = start', async (net, a, b) => {
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
  gateways('start_action = start', async (net, a) => {
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
  gateways('start_action = trap\n        close_action = trap', async (net, a, b) => {
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
  gateways('start_action = trap', async (net, a, b) => {
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
    b.rewrite(conf([B, A], ''));
    await b.json('reload');
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await net.hosta.ping(B.host, { count: 1 });
    await reached(a, 'connected');
  }),
);
