// Nothing for a protected network ever goes out in clear: before the first negotiation, while the peer is away, after the
// daemon was killed, and while another one starts (SECURITY: E5, G).

import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { hex } from '../../src/bytes/bytes.ts';
import { Capture } from '../support/capture.ts';
import { Espalier } from '../support/espalier.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { type Space, until } from '../support/netns.ts';
import { A, B, type Sites, sites } from '../support/sites.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier', 'tcpdump');

function conf([ours, theirs]: readonly [typeof A | typeof B, typeof A | typeof B], start = 'none', more = ''): string {
  return `connections {
  gw {
    local_addrs = ${ours.outside}
    remote_addrs = ${theirs.outside}
    unique = replace
    retry_interval = 1s
    local { auth = psk }
    remote { auth = psk }
    children {
      net {
        local_ts = ${ours.net}
        remote_ts = ${theirs.net}
        start_action = ${start}
        ${more}
      }
      net6 {
        local_ts = ${ours.net6}
        remote_ts = ${theirs.net6}
        start_action = ${start}
        ${more}
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

/** Without a tunnel, gwa would send what is for the other side straight out. */
async function open(): Promise<{ net: Sites; capture: Capture }> {
  const net = await sites();
  await net.gwa.route('default', B.outside);
  await net.gwa.route('default', B.outside6);
  const filter = `host ${B.host} or host ${B.host6}`;
  const capture = await Capture.start(net.gwa, 'gwb', { filter, direction: 'out' });
  return { net, capture };
}

/** What has gone out, as it is: who reads that it was something wants to know what. */
async function leaked(capture: Capture): Promise<readonly string[]> {
  return (await capture.stop()).map(({ bytes }) => hex(bytes));
}

/** Packets without end, in both families. */
function flood(space: Space): void {
  for (const host of [B.host, B.host6]) space.spawn('ping', ['-i', '0.01', '-c', '6000', host], { stdio: 'ignore' });
}

test('without a daemon what is for the other side does go out in clear, so that the other tests can fail', {
  skip,
}, async () => {
  const { net, capture } = await open();
  try {
    flood(net.hosta);
    await capture.have(20);
  } finally {
    await net.topology.dispose();
  }
});

test('[E5] a network that is configured is blocked before there is a tunnel, and after a negotiation that fails', {
  skip,
}, async () => {
  const { net, capture } = await open();
  try {
    const a = await Espalier.start(net.topology, net.gwa, { conf: conf([A, B]) });
    const pinged = await net.hosta.run('ping', ['-c', '3', '-i', '0.2', '-W', '1', B.host]);
    assert.match(pinged.stdout, /Packet filtered/, pinged.stdout);
    assert.equal((await a.cli('up', 'gw', '--timeout', '1')).code, 1);
    flood(net.hosta);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.deepEqual(await leaked(capture), []);
    const { drops } = (await a.json('counters')) as { drops: Record<string, number> };
    assert.ok((drops['no-policy'] ?? 0) >= 100, JSON.stringify(drops));
  } finally {
    await net.topology.dispose();
  }
});

test('[G] a daemon that is killed under traffic, and another that takes its place, let nothing out in clear', {
  skip,
}, async () => {
  const { net, capture } = await open();
  try {
    const a = await Espalier.start(net.topology, net.gwa, { conf: conf([A, B], 'start') });
    await Espalier.start(net.topology, net.gwb, { conf: conf([B, A]) });
    const through = () => net.hosta.ping(B.host, { count: 1, patience: 1 });
    await until('the tunnel is up', through);
    flood(net.hosta);
    for (let times = 0; times < 3; times++) {
      await a.kill();
      assert.match(await net.gwa.ip('route', 'show', 'table', '220'), /blackhole 10\.2\.0\.0\/24/);
      await new Promise((resolve) => setTimeout(resolve, 500));
      await a.start();
      await until('the tunnel is up again', through);
    }
    assert.deepEqual(await leaked(capture), []);
    await a.stop();
    assert.equal((await net.gwa.ip('route', 'show', 'table', '220')).trim(), '', 'a planned end leaves nothing');
  } finally {
    await net.topology.dispose();
  }
});

test('[G] with --keep-blocks a planned end blocks what was protected, until the next start', { skip }, async () => {
  const { net, capture } = await open();
  try {
    const a = await Espalier.start(net.topology, net.gwa, { conf: conf([A, B], 'start'), args: ['--keep-blocks'] });
    await Espalier.start(net.topology, net.gwb, { conf: conf([B, A]) });
    const through = () => net.hosta.ping(B.host, { count: 1, patience: 1 });
    await until('the tunnel is up', through);
    flood(net.hosta);
    for (let times = 0; times < 3; times++) {
      await a.stop();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await a.start();
      await until('the tunnel is up again', through);
    }
    await a.stop();
    assert.deepEqual(await leaked(capture), []);
    // A configuration without them sets the networks free.
    await a.start('connections {\n}\n');
    await until('free again', async () => !/10\.2\.0\.0/.test(await net.gwa.ip('route', 'show', 'table', '220')));
  } finally {
    await net.topology.dispose();
  }
});

test('with install_routes = no routing is left to whoever does it, and a route to the device leads into the tunnel', {
  skip,
}, async () => {
  const { net } = await open();
  try {
    const own = { conf: conf([A, B], 'start', 'install_routes = no') };
    const a = await Espalier.start(net.topology, net.gwa, own);
    await Espalier.start(net.topology, net.gwb, { conf: conf([B, A]) });
    await until('the tunnel is up', async () => /connected/.test((await a.cli('status', 'gw')).stdout));
    assert.equal((await net.gwa.run('ip', ['route', 'show', 'table', '220'])).stdout, '');
    await net.gwa.ip('route', 'add', B.net, 'dev', 'esp0');
    await until('a ping by that route', () => net.hosta.ping(B.host, { count: 1, patience: 1 }));
    await net.gwa.ip('route', 'del', B.net, 'dev', 'esp0');
    assert.equal(await net.hosta.ping(B.host, { count: 1, patience: 1 }), false);
  } finally {
    await net.topology.dispose();
  }
});

test('[G] a start that fails leaves what a killed daemon has blocked, and nothing of its own', { skip }, async () => {
  const { net, capture } = await open();
  try {
    const { gwa, topology } = net;
    const laid = async () => [
      await gwa.ip('route', 'show', 'table', '220').catch(() => ''),
      await gwa.ip('rule', 'show', 'priority', '220'),
    ];
    const a = await Espalier.start(topology, gwa, { conf: conf([A, B]) });
    // The control socket is the last thing that a start needs: where it is to be there is something else.
    const socket = a.control.replace('unix://', '');
    const fails = async () => {
      rmSync(socket, { force: true });
      mkdirSync(socket);
      await assert.rejects(a.start(), /vici/);
      rmdirSync(socket);
    };
    await a.stop();
    await fails();
    assert.deepEqual(await laid(), ['', '']);
    await a.start();
    await a.kill();
    const [blocked = '', rules = ''] = await laid();
    assert.match(blocked, /blackhole 10\.2\.0\.0\/24/);
    assert.match(rules, /lookup 220/);
    await fails();
    assert.deepEqual(await laid(), [blocked, rules]);
    flood(net.hosta);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.deepEqual(await leaked(capture), []);
  } finally {
    await net.topology.dispose();
  }
});
