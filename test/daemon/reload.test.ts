// Another configuration, or a management status, in the middle of what a connection is doing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Ip, parsePrefix } from '../../src/bytes/ip.ts';
import type { AddressPattern, Child, Connection } from '../../src/ike/connection.ts';
import { EPERM, SystemError } from '../../src/net/error.ts';
import { Network, within } from '../security/gateways.ts';
import { child, connection, LEFT_IP, offers, RIGHT_IP, selectors } from '../support/connections.ts';

const OTHER = { name: 'other', localTs: selectors('10.1.1.0/24'), remoteTs: selectors('10.2.1.0/24') };

/** Two networks behind each side; the right one has them the other way round. */
function two(): { left: readonly Child[]; right: readonly Child[] } {
  const turned = (one: Child) => ({ ...one, localTs: one.remoteTs, remoteTs: one.localTs });
  const left = [child(), child(OTHER)];
  return { left, right: left.map(turned) };
}

function at(ip: Ip): readonly AddressPattern[] {
  const prefix = parsePrefix(`${ip}/32`);
  return prefix ? [{ kind: 'prefix', prefix }] : [];
}

/** What the gateways log. */
const LINES: string[] = [];
const IKE = { 1: offers('aes128-sha256-prfsha256-x25519', 'ike'), 2: offers('aes128gcm16-prfsha256-x25519', 'ike') };

function pair(version: 1 | 2): Network {
  const { left, right } = two();
  const over = { version, offers: IKE[version], children: left, remoteAddrs: at(RIGHT_IP) };
  return new Network(over, { lines: LINES, rightHas: { children: right, remoteAddrs: at(LEFT_IP) } });
}

/** With a tunnel for the first of its children. */
function standing(version: 1 | 2): Network {
  const network = pair(version);
  network.left.gateway.up(lifeOf(network.left), ['net']);
  network.net.settle();
  assert.deepEqual(names(network.right), ['net']);
  return network;
}

function lifeOf({ gateway }: Network['left']) {
  const [life] = gateway.lives.values();
  assert.ok(life);
  return life;
}

function names({ gateway }: Network['left']): string[] {
  return gateway.endpoint
    .sessions()
    .flatMap(({ state }) => (state.phase === 'closed' ? [] : state.children.map(({ name }) => name)));
}

/** Runs `act` while the next datagram to `host` is under way. */
function midway(network: Network, begin: () => void, act: () => void): void {
  const { net } = network;
  const kept = net.filter;
  const held: Parameters<typeof net.filter>[0][] = [];
  net.filter = (flight) => {
    if (flight.to.ip !== network.left.ip) return kept(flight);
    held.push(flight);
    return false;
  };
  begin();
  net.settle();
  net.filter = kept;
  act();
  for (const flight of held) net.inject(flight);
  net.settle();
  assert.deepEqual(
    LINES.splice(0).filter((line) => line.includes('"bug":true')),
    [],
  );
}

const less = (network: Network) =>
  network.left.gateway.change((connections) =>
    connections.configure((configuration) => {
      const [conn] = configuration.connections();
      assert.ok(conn);
      return configuration.read([{ ...conn, children: conn.children.slice(0, 1) }], configuration.secrets());
    }),
  );

for (const version of [2, 1] as const) {
  test(`IKEv${version}: a child that is configured no more while it is negotiated comes to nothing, and the rest goes on`, () =>
    within(standing(version), (network) => {
      const { left, right } = network;
      midway(
        network,
        () => left.gateway.up(lifeOf(left), ['other']),
        () => less(network),
      );
      assert.deepEqual([names(left), names(right)], [['net'], ['net']]);
      assert.deepEqual(left.gateway.endpoint.sessions()[0]?.tasks, { active: [], queued: [] });
    }));

  test(`IKEv${version}: a child that is shut while it is negotiated comes to nothing, and the rest goes on`, () =>
    within(standing(version), (network) => {
      const { left, right } = network;
      midway(
        network,
        () => left.gateway.up(lifeOf(left), ['other']),
        () => left.gateway.change((connections) => connections.manage(lifeOf(left), 'other', true)),
      );
      assert.deepEqual([names(left), names(right)], [['net'], ['net']]);
      assert.equal(lifeOf(left).status(network.now).children[1]?.reason.code, 'admin-down');
      left.gateway.change((connections) => connections.manage(lifeOf(left), 'other', false));
      left.gateway.up(lifeOf(left), ['other']);
      network.net.settle();
      assert.deepEqual(
        [names(left), names(right)],
        [
          ['net', 'other'],
          ['net', 'other'],
        ],
      );
    }));

  test(`IKEv${version}: a child that is configured no more while it is rekeyed goes with both its SAs`, () =>
    within(standing(version), (network) => {
      const { left, right, net } = network;
      left.gateway.up(lifeOf(left), ['other']);
      net.settle();
      const id = left.gateway.endpoint.sessions()[0]?.state.children.find(({ name }) => name === 'other')?.id;
      assert.ok(id !== undefined);
      midway(
        network,
        () => left.gateway.run(left.gateway.endpoint.rekeyChild(network.now, id)),
        () => less(network),
      );
      assert.deepEqual([names(left), names(right)], [['net'], ['net']]);
    }));

  test(`IKEv${version}: a connection that is configured no more while its IKE SA is rekeyed goes with both`, () =>
    within(standing(version), (network) => {
      const { left, right } = network;
      const [session] = left.gateway.endpoint.sessions();
      assert.ok(session);
      midway(
        network,
        () => left.gateway.run(left.gateway.endpoint.rekeyIke(network.now, session.state.id)),
        () =>
          left.gateway.change((connections) =>
            connections.configure((configuration) => configuration.read([], configuration.secrets())),
          ),
      );
      assert.deepEqual([names(left), names(right)], [[], []]);
      assert.equal(left.gateway.endpoint.sessions().length, 0);
    }));

  test(`IKEv${version}: a connection that is taken out and put back at once comes up again`, () =>
    within(pair(version), (network) => {
      const { left, right, net } = network;
      const conn = lifeOf(left).conn;
      const back = {
        ...conn,
        remoteAddrs: [...conn.remoteAddrs],
        children: conn.children.map((one) => ({ ...one, startAction: 'start' as const })),
      };
      const put = (list: readonly Connection[]) =>
        left.gateway.change((connections) =>
          connections.configure((configuration) => configuration.read(list, configuration.secrets())),
        );
      put([back]);
      net.settle();
      assert.equal(names(left).length, 2);
      put([]);
      put([back]);
      net.settle();
      for (let n = 0; n < 20; n++) {
        network.now += 1000;
        left.gateway.change((connections) => connections.tick(network.now));
        net.settle();
      }
      assert.deepEqual(
        [names(left).sort(), names(right).sort()],
        [
          ['net', 'other'],
          ['net', 'other'],
        ],
      );
    }));
}

test('a bug that one connection meets as it changes leaves the others as they are configured', () => {
  const lines: string[] = [];
  return within(new Network({}, { lines }), ({ left: { gateway } }) => {
    const read = (keyingTries: number) =>
      gateway.change((connections) =>
        connections.configure((configuration) =>
          configuration.read(
            ['a', 'b', 'c'].map((name) => connection({ name, keyingTries })),
            [],
          ),
        ),
      );
    read(1);
    const [a] = gateway.lives.values();
    assert.ok(a);
    a.configure = () => {
      throw new Error('a bug');
    };
    read(2);
    assert.deepEqual(
      [...gateway.lives.values()].map(({ conn }) => conn.keyingTries),
      [1, 2, 2],
    );
    assert.equal(lines.splice(0).filter((line) => line.includes('"event":"bug"')).length, 1);
  });
});

test('a kernel that does not tell the way to the peer is asked again at the next attempt', () => {
  let asked = 0;
  const sourceFor = () => {
    if (asked++ === 0) throw new SystemError('RTM_GETROUTE', EPERM);
    return LEFT_IP;
  };
  const over = { remoteAddrs: at(RIGHT_IP), retryInterval: 5000 };
  return within(new Network(over, { host: { sourceFor }, rightHas: { remoteAddrs: at(LEFT_IP) } }), (network) => {
    const { left, net } = network;
    left.gateway.up(lifeOf(left), ['net']);
    assert.equal(lifeOf(left).status(network.now).state, 'phase1-failed');
    network.now += 5000;
    left.gateway.change((connections) => connections.tick(network.now));
    net.settle();
    assert.deepEqual(names(left), ['net']);
  });
});
