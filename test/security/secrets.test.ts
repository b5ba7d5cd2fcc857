// SECURITY F: no key and no pre-shared secret is in the log at its most talkative, in what the control socket tells, or
// in what an exception says; in hexadecimal, base64 or as it is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { hex, utf8 } from '../../src/bytes/bytes.ts';
import { Desk } from '../../src/daemon/desk.ts';
import { Meter } from '../../src/daemon/metrics/measure.ts';
import { Secret } from '../../src/ike/connection.ts';
import { encodeMessage } from '../../src/ike/wire/message.ts';
import { ipv4, udp } from '../esp/support.ts';
import { child, offers, psk } from '../support/connections.ts';
import { seeded } from '../support/random.ts';
import { type Host, Network, NOTHING, within } from './gateways.ts';
import { Watch } from './spellings.ts';
import { headerOf, initPayloads } from './stranger.ts';

const PSK = psk().secret.reveal();
const NONE = () => 0;
const COUNTERS = { version: '', workers: 1, workerRestarts: NONE, auditFailures: NONE, logFailures: NONE };

function rekeyed(network: Network, host: Host, what: 'child' | 'ike'): void {
  const { endpoint } = host.gateway;
  const state = endpoint.sessions().find((sa) => sa.state.phase === 'established')?.state;
  assert.ok(state);
  const serving = state.children.findLast(({ stage }) => stage === 'installed');
  if (what === 'ike') host.gateway.run(endpoint.rekeyIke(network.now, state.id));
  else if (serving) host.gateway.run(endpoint.rekeyChild(network.now, serving.id));
  network.net.settle();
  // In IKEv1 the old child serves for a second more.
  network.now += 2000;
  for (const { gateway } of [network.left, network.right]) gateway.run(gateway.endpoint.tick(network.now));
  network.net.settle();
}

const LIVES = [
  {
    name: 'IKEv2',
    suite: {
      offers: offers('aes128-sha256-prfsha384-x25519', 'ike'),
      children: [child({ offers: offers('aes256-sha512-x25519', 'esp') })],
    },
  },
  ...[false, true].map((aggressive) => ({
    name: `IKEv1, ${aggressive ? 'aggressive' : 'main'} mode,`,
    suite: {
      version: 1 as const,
      aggressive,
      offers: offers('aes256-sha384-ecp256', 'ike'),
      children: [child({ offers: offers('aes256-sha512-ecp256', 'esp') })],
    },
  })),
];

for (const { name, suite } of LIVES) {
  test(`[F] a whole life in ${name} at trace level leaves no key and no secret in the log, in what the control socket tells, or in the metrics`, () => {
    const lines: string[] = [];
    const network = new Network(suite, { lines });
    return within(network, async () => {
      const watch = new Watch();
      watch.add('PSK', PSK);
      network.up();
      const { left, right } = network;
      const told: unknown[] = [];
      const meters = [left, right].map(({ gateway }) => new Meter(gateway, new Desk(gateway, NOTHING), COUNTERS));
      const look = () => {
        watch.look(left, right);
        told.push(...meters.map((meter) => meter.text()));
        for (const { gateway } of [left, right]) {
          const desk = new Desk(gateway, NOTHING);
          told.push(desk.sessions(), desk.connections());
        }
      };
      look();
      network.carry(left, ipv4('10.1.0.7', '10.2.0.9', udp(1, 2)));
      rekeyed(network, left, 'child');
      look();
      rekeyed(network, right, 'ike');
      look();
      // Bugs of ours are logged with all that is known of them.
      const { plane } = right.gateway.forwarder;
      const { install } = plane;
      plane.install = (sa) => {
        throw new Error(`cannot install ${sa.child}`);
      };
      rekeyed(network, left, 'child');
      plane.install = install;
      look();
      right.gateway.run([{ type: 'remove', child: -1 }]);
      for (const { state } of left.gateway.endpoint.sessions()) {
        left.gateway.run(
          left.gateway.endpoint.close(network.now, state.id, { code: 'requested', text: 'done', by: 'us' }),
        );
      }
      network.net.settle();
      for (const { from, encr, integ } of network.keys) {
        watch.add(`${from} encryption`, encr);
        watch.add(`${from} integrity`, integ);
      }
      assert.ok(lines.length > 10, `${lines.length} lines`);
      assert.ok(lines.some((line) => line.includes('"bug":true')));
      assert.ok(watch.size > 15, `${watch.size} keys`);
      for (const meter of meters) meter.close();
      assert.deepEqual(watch.hits(lines.join('')), []);
      assert.deepEqual(watch.hits(JSON.stringify(told)), []);
      assert.deepEqual(watch.hits(inspect(told, { depth: 12 })), []);
    });
  });
}

test('[F] a refused message 5 of IKEv1 tells of no secret', () => {
  const lines: string[] = [];
  const suite = { version: 1 as const, offers: offers('aes128-sha256-ecp256', 'ike') };
  const network = new Network(suite, { lines });
  return within(network, () => {
    const { left, right, net } = network;
    const other = utf8('another secret that is long enough too');
    for (const life of right.gateway.lives.values()) {
      right.gateway.endpoint.configure([life.conn], [{ owners: [], secret: new Secret(other) }]);
    }
    const [life] = [...left.gateway.lives.values()];
    assert.ok(life);
    left.gateway.run(left.gateway.endpoint.initiate(network.now, life.conn, left.ip, right.ip).effects);
    const watch = new Watch();
    const pass = net.filter;
    net.filter = (flight) => {
      watch.look(left, right);
      return pass(flight);
    };
    net.settle();
    watch.add('PSK', PSK);
    watch.add('the other PSK', other);
    assert.ok(watch.size > 2, `${watch.size} keys`);
    assert.ok(lines.some((line) => line.includes('pre-shared keys differ')));
    assert.deepEqual(watch.hits(lines.join('')), []);
  });
});

test('[F] a refused AUTH tells of identities and of no secret', () => {
  const lines: string[] = [];
  const network = new Network({ remoteId: { kind: 'any' } }, { lines });
  return within(network, () => {
    const { left, right, net } = network;
    const other = utf8('another secret that is long enough too');
    for (const life of right.gateway.lives.values()) {
      right.gateway.endpoint.configure([life.conn], [{ owners: [], secret: new Secret(other) }]);
    }
    const [life] = [...left.gateway.lives.values()];
    assert.ok(life);
    left.gateway.run(left.gateway.endpoint.initiate(network.now, life.conn, left.ip, right.ip).effects);
    const watch = new Watch();
    watch.look(left, right);
    net.settle();
    watch.add('PSK', PSK);
    watch.add('the other PSK', other);
    assert.ok(lines.some((line) => line.includes('auth-failed')));
    assert.deepEqual(watch.hits(lines.join('')), []);
  });
});

test('[F] a secret does not print, however it is asked', () => {
  const secret = new Secret(PSK);
  const watch = new Watch();
  watch.add('PSK', PSK);
  const key = { owners: [], secret };
  const shown = [`${secret}`, String(secret), JSON.stringify(key), inspect(key, { depth: 9, showHidden: true })];
  assert.deepEqual(watch.hits(shown.join('\n')), []);
  assert.deepEqual(Object.keys(secret), []);
});

test('[F] the search of these tests finds a key in every spelling', () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => (i * 37 + 5) & 0x7f);
  const watch = new Watch();
  watch.add('key', key);
  for (const text of [hex(key), Buffer.from(key).toString('base64'), JSON.stringify(key), JSON.stringify([...key])]) {
    assert.ok(watch.hits(`x${text}x`).length > 0, text);
  }
});

test('[D] a flood of refused strangers is logged in a hundred lines a second and then a number', () => {
  const lines: string[] = [];
  const network = new Network({}, { lines });
  return within(network, () => {
    const { right, net } = network;
    const flood = (count: number) => {
      for (let i = 0; i < count; i++) {
        const payloads = initPayloads(seeded(i)).map((payload) =>
          payload.tag === 'SA'
            ? { ...payload, proposals: payload.proposals.map((one) => ({ ...one, transforms: [] })) }
            : payload,
        );
        const bytes = encodeMessage(headerOf({ spiI: seeded(i)(8) }), payloads);
        net.inject({ bytes, from: { ip: '203.0.113.7', port: 500 }, to: { ip: right.ip, port: 500 } });
        net.settle();
      }
    };
    flood(1000);
    assert.equal(lines.length, 100);
    network.now += 1000;
    flood(1);
    assert.equal(lines.length, 101);
    assert.ok(lines.at(-1)?.includes('"suppressed":900'));
    flood(1);
    assert.ok(!lines.at(-1)?.includes('suppressed'));
  });
});
