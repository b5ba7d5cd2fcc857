// The gateway where something goes wrong: a bug of ours, a kernel that refuses, addresses of two families; and commands
// that concern more than one connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp, formatPrefix, type Ip, type Prefix, parsePrefix } from '../../src/bytes/ip.ts';
import { Desk } from '../../src/daemon/desk.ts';
import { Forwarder } from '../../src/daemon/forward.ts';
import type { Gateway } from '../../src/daemon/gateway.ts';
import type { AddressPattern } from '../../src/ike/connection.ts';
import type { Event } from '../../src/ike/effects.ts';
import { EPERM, SystemError } from '../../src/net/error.ts';
import { ipv4, udp } from '../esp/support.ts';
import type { TwinLane } from '../esp/twin/lane.ts';
import { type Host, hostAt, Network, NOTHING, within } from '../security/gateways.ts';
import { child, offers } from '../support/connections.ts';
import { MemoryNet, MemoryTun } from '../support/memory.ts';
import { TwinPipelines } from '../support/pipelines.ts';

const OUT = ipv4('10.1.0.7', '10.2.0.9', udp(1000, 2000));

function laneOf({ pipelines }: Host): TwinLane {
  const [lane] = pipelines.lanes;
  assert.ok(lane);
  return lane;
}

/** With a method of `target` that throws while `act` runs. */
function broken<T>(target: T, name: keyof T, act: () => void): void {
  const kept = target[name];
  const bug = () => {
    throw new Error('a bug');
  };
  Object.assign(target as object, { [name]: bug });
  act();
  Object.assign(target as object, { [name]: kept });
}

test('a bug in the handling of a packet is logged, and the gateway carries on', () => {
  const lines: string[] = [];
  return within(new Network({}, { raw: true, lines }).up(), (network) => {
    const { left, right, net } = network;
    const bugs = () => lines.splice(0).filter((line) => line.includes('"event":"bug"')).length;
    broken(right.gateway.endpoint, 'receive', () => {
      net.inject({ bytes: new Uint8Array(28), from: { ip: left.ip, port: 500 }, to: { ip: right.ip, port: 500 } });
      net.settle();
    });
    assert.equal(bugs(), 1, 'IKE');
    broken(laneOf(right), 'open', () => assert.deepEqual(network.carry(left, OUT), []));
    assert.equal(bugs(), 1, 'ESP');
    broken(laneOf(left), 'seal', () => assert.deepEqual(network.carry(left, OUT), []));
    assert.equal(bugs(), 1, 'TUN');
    assert.deepEqual(network.carry(left, OUT), [OUT]);
    assert.equal(bugs(), 0);
  });
});

test('of a child that the kernel refuses a rule for, no route is left', () =>
  within(new Network().up(), (network) => {
    const [made] = network.installed;
    assert.ok(made);
    const laid: string[] = [];
    const note = (word: string) => (prefix: Prefix) => void laid.push(`${word} ${formatPrefix(prefix)}`);
    const refused = () => {
      throw new SystemError('RTM_NEWRULE', EPERM);
    };
    const routes = {
      ...{ add: note('add'), resize: note('resize'), remove: note('remove'), guard: refused, unguard: note('unguard') },
      ...{ exempt: note('exempt'), unexempt: note('unexempt'), close() {} },
      ...{ block: note('block'), unblock: note('unblock'), settle() {}, together() {} },
    };
    const net = new MemoryNet();
    const [ike, nat] = [net.openUdp([made.from], 500), net.openUdp([made.from], 4500)];
    const host = hostAt(made.from);
    const now = () => 0;
    const pipelines = new TwinPipelines({ now });
    const io = { ike, nat, raw: false, tun: new MemoryTun(), routes, host, pipelines };
    const forwarder = new Forwarder(io, now, () => {});
    assert.throws(() => forwarder.run({ type: 'install', sa: made.sa }), SystemError);
    forwarder.run({ type: 'remove', child: made.sa.id });
    const remote = made.sa.remoteTs.map(({ start }) => `${formatIp(start)}/24`).join();
    assert.deepEqual(laid, [`add ${remote}`, `remove ${remote}`]);
  }));

function single(ip: Ip): AddressPattern {
  return { kind: 'prefix', prefix: parsePrefix(ip) as Prefix };
}

test('of our addresses, one of the peer’s family is taken', () => {
  const localAddrs = [single('192.0.2.77'), single('2001:db8::77')];
  for (const [remote, local] of [
    ['192.0.2.99', '192.0.2.77'],
    ['2001:db8::99', '2001:db8::77'],
  ] as const) {
    const network = new Network({ localAddrs, remoteAddrs: [single(remote)] }, { host: { addresses: () => [local] } });
    within(network, ({ left: { gateway } }) => {
      const [life] = gateway.lives.values();
      assert.ok(life);
      gateway.up(life, ['net']);
      assert.deepEqual(
        gateway.endpoint.sessions().map(({ state }) => [state.local.ip, state.remote.ip]),
        [[local, remote]],
      );
    });
  }
});

test('children of one name in two connections are taken down by one command, in whatever order they go', async () => {
  const children = new Map([
    [11, 'a'],
    [12, 'b'],
  ]);
  const sessions = ['a', 'b'].map((conn, i) => ({
    state: { id: i + 1, conn, phase: 'established', children: [{ id: 11 + i, name: 'net', stage: 'installed' }] },
  }));
  const watchers = new Set<(event: Event) => void>();
  const gateway = {
    now: () => 0,
    watchers,
    lives: new Map(),
    run() {},
    endpoint: {
      sessions: () => sessions,
      session: () => undefined,
      sessionOfChild: (id: number) => sessions.find(({ state }) => state.conn === children.get(id)),
      closeChild: () => [],
    },
  };
  const outcome = new Desk(gateway as unknown as Gateway, NOTHING).terminate({ child: 'net' }, 0, () => {});
  for (const [child, conn] of [...children]) {
    children.delete(child);
    const reason = { code: 'requested', text: 'closed' } as const;
    for (const watch of [...watchers])
      watch({ kind: 'child-closed', session: 1, conn, child: 'net', id: child, reason });
  }
  const { ok, matches, terminated } = await outcome;
  assert.deepEqual([ok, matches, terminated], [true, 2, 2]);
});

test('after its end, a gateway takes nobody up: his deadlines would keep the process alive', () =>
  within(new Network().up(), async ({ left, right, net }) => {
    const [life] = right.gateway.lives.values();
    assert.ok(life);
    await left.gateway.close(0);
    net.settle();
    const { endpoint } = right.gateway;
    right.gateway.run(endpoint.initiate(0, life.conn, right.ip, left.ip).effects);
    net.settle();
    assert.deepEqual([endpoint.sessions().length, left.gateway.endpoint.sessions().length], [1, 0]);
  }));

test('a connection without children cannot be brought up, and nobody is told that it was', () =>
  within(new Network({ children: [] }), async ({ left: { gateway } }) => {
    const { ok, reason } = await new Desk(gateway, NOTHING).initiate({ ike: 'gw' }, 0, () => {});
    assert.deepEqual([ok, reason.text], [false, 'connection gw has no children to bring up']);
  }));

test('weak algorithms that the configuration names get a line in the log when they are negotiated', () => {
  const lines: string[] = [];
  const old = { offers: offers('3des-sha1-modp1024', 'ike'), children: [child({ offers: offers('3des-md5', 'esp') })] };
  return within(new Network(old, { lines }).up(), () => {
    const weak = lines
      .filter((line) => line.includes('"event":"weak-algorithms"'))
      .map((line) => JSON.parse(line).weak);
    const [ike, esp] = ['3DES_CBC MODP_1024', '3DES_CBC HMAC_MD5_96'];
    assert.deepEqual(weak.map((names) => names.join(' ')).sort(), [esp, esp, ike, ike]);
  });
});
