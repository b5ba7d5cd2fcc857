// Nothing for a protected network ever goes out in clear: before the first negotiation, while the peer is away, after the
// daemon was killed, and while another one starts (SECURITY: E5, G).

import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { hex } from '../../src/bytes/bytes.ts';
import { Capture } from '../support/capture.ts';
import { Espalier } from '../support/espalier.ts';
import { AT_A, AT_B, conf, type Ends } from '../support/gateways.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { type Space, until } from '../support/netns.ts';
import { B, inSites, type Sites } from '../support/sites.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier', 'tcpdump');

function both(ends: Ends, start = 'none', ...child: readonly string[]): string {
  const conn = ['unique = replace', 'retry_interval = 1s'];
  return conf(ends, { both: true, conn, child: [`start_action = ${start}`, ...child] });
}

/** Without a tunnel, gwa would send what is for the other side straight out. */
function inOpen(work: (net: Sites, capture: Capture) => Promise<void>): Promise<void> {
  return inSites(async (net) => {
    await net.gwa.route('default', B.outside);
    await net.gwa.route('default', B.outside6);
    const filter = `host ${B.host} or host ${B.host6}`;
    const capture = await Capture.start(net.gwa, 'gwb', { filter, direction: 'out' });
    await work(net, capture);
  });
}

/** What has gone out, as it is: who reads that it was something wants to know what. */
async function leaked(capture: Capture): Promise<readonly string[]> {
  return (await capture.stop()).map(({ bytes }) => hex(bytes));
}

/** Packets without end, in both families. */
function flood(space: Space): void {
  for (const host of [B.host, B.host6]) space.spawn('ping', ['-i', '0.01', '-c', '6000', host], { stdio: 'ignore' });
}

test(
  'without a daemon what is for the other side does go out in clear, so that the other tests can fail',
  {
    skip,
  },
  () =>
    inOpen(async (net, capture) => {
      flood(net.hosta);
      await capture.have(20);
    }),
);

test(
  '[E5] a network that is configured is blocked before there is a tunnel, and after a negotiation that fails',
  {
    skip,
  },
  () =>
    inOpen(async (net, capture) => {
      const a = await Espalier.start(net.topology, net.gwa, { conf: both(AT_A) });
      const pinged = await net.hosta.run('ping', ['-c', '3', '-i', '0.2', '-W', '1', B.host]);
      assert.match(pinged.stdout, /Packet filtered/, pinged.stdout);
      assert.equal((await a.cli('up', 'gw', '--timeout', '1')).code, 1);
      flood(net.hosta);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      assert.deepEqual(await leaked(capture), []);
      const { drops } = (await a.json('counters')) as { drops: Record<string, number> };
      assert.ok((drops['no-policy'] ?? 0) >= 100, JSON.stringify(drops));
    }),
);

test(
  '[G] a daemon that is killed under traffic, and another that takes its place, let nothing out in clear',
  {
    skip,
  },
  () =>
    inOpen(async (net, capture) => {
      const a = await Espalier.start(net.topology, net.gwa, { conf: both(AT_A, 'start') });
      await Espalier.start(net.topology, net.gwb, { conf: both(AT_B) });
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
    }),
);

test('[G] with --keep-blocks a planned end blocks what was protected, until the next start', { skip }, () =>
  inOpen(async (net, capture) => {
    const a = await Espalier.start(net.topology, net.gwa, { conf: both(AT_A, 'start'), args: ['--keep-blocks'] });
    await Espalier.start(net.topology, net.gwb, { conf: both(AT_B) });
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
  }),
);

test(
  'with install_routes = no routing is left to whoever does it, and a route to the device leads into the tunnel',
  {
    skip,
  },
  () =>
    inOpen(async (net) => {
      const own = { conf: both(AT_A, 'start', 'install_routes = no') };
      const a = await Espalier.start(net.topology, net.gwa, own);
      await Espalier.start(net.topology, net.gwb, { conf: both(AT_B) });
      await until('the tunnel is up', async () => /connected/.test((await a.cli('status', 'gw')).stdout));
      assert.equal((await net.gwa.run('ip', ['route', 'show', 'table', '220'])).stdout, '');
      await net.gwa.ip('route', 'add', B.net, 'dev', 'esp0');
      await until('a ping by that route', () => net.hosta.ping(B.host, { count: 1, patience: 1 }));
      await net.gwa.ip('route', 'del', B.net, 'dev', 'esp0');
      assert.equal(await net.hosta.ping(B.host, { count: 1, patience: 1 }), false);
    }),
);

test('[G] a start that fails leaves what a killed daemon has blocked, and nothing of its own', { skip }, () =>
  inOpen(async (net, capture) => {
    const { gwa, topology } = net;
    const laid = async () => [
      await gwa.ip('route', 'show', 'table', '220').catch(() => ''),
      await gwa.ip('rule', 'show', 'priority', '220'),
    ];
    const a = await Espalier.start(topology, gwa, { conf: both(AT_A) });
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
  }),
);
