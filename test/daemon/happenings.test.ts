// What is told of SAs to those who watch, as strongSwan tells it: what goes up, is renewed, moves and goes down.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Happenings } from '../../src/daemon/happenings.ts';
import type { Happening } from '../../src/daemon/status.ts';
import type { Reason } from '../../src/ike/reason.ts';
import { ipv4, udp } from '../esp/support.ts';
import { Network, within } from '../security/gateways.ts';

const REQUESTED: Reason = { code: 'requested', text: 'closed on request', by: 'us' };
const OUT = ipv4('10.1.0.7', '10.2.0.9', udp(1000, 2000));

/** In short: what, which way, and the state that is shown. */
function short(happening: Happening): string {
  const { kind, session } = happening;
  const ike = `${session.conn}[${session.id}] ${session.state}`;
  switch (kind) {
    case 'ike-updown':
      return `${kind} ${happening.up} ${ike}`;
    case 'child-updown':
      return `${kind} ${happening.up} ${ike} ${happening.child.name}{${happening.child.id}} ${happening.child.state}`;
    case 'ike-rekey':
      return `${kind} [${happening.before.id}] ${happening.before.state} to ${ike}`;
    case 'child-rekey':
      return `${kind} {${happening.before.id}} ${happening.before.state} to {${happening.child.id}} ${happening.child.state}`;
    case 'ike-update':
      return `${kind} ${session.remote.ip}:${session.remote.port} to ${happening.remote.ip}:${happening.remote.port}`;
  }
}

test('an IKE SA and its children are told as they come, are renewed and go, the IKE SA first', () =>
  within(new Network(), (network) => {
    const { left, net } = network;
    const told: Happening[] = [];
    const watch = new Happenings(left.gateway);
    watch.watch((happening) => told.push(happening));
    network.up();
    const endpoint = left.gateway.endpoint;
    const session = () => endpoint.sessions().at(-1)?.state;
    const act = (effects: ReturnType<typeof endpoint.rekeyChild>) => {
      left.gateway.run(effects);
      net.settle();
    };
    act(endpoint.rekeyChild(network.now, session()?.children[0]?.id ?? 0));
    act(endpoint.rekeyIke(network.now, session()?.id ?? 0));
    network.now += 10_000;
    act(endpoint.tick(network.now));
    const before = told.map(short);
    const name = session()?.conn ?? '';
    assert.deepEqual(before, [
      `ike-updown true ${name}[1] ESTABLISHED`,
      `child-updown true ${name}[1] ESTABLISHED ${session()?.children[0]?.name}{2} INSTALLED`,
      'child-rekey {2} REKEYED to {3} INSTALLED',
      `ike-rekey [1] ESTABLISHED to ${name}[4] ESTABLISHED`,
    ]);
    network.carry(left, OUT);
    act(endpoint.close(network.now, session()?.id ?? 0, REQUESTED));
    const after = told.slice(before.length);
    assert.deepEqual(after.map(short), [
      `ike-updown false ${name}[4] DELETING`,
      `child-updown false ${name}[4] DELETING ${told[1]?.kind === 'child-updown' ? told[1].child.name : ''}{3} INSTALLED`,
    ]);
    const [, last] = after;
    assert.equal(last?.kind === 'child-updown' && last.child.packetsOut, 1, 'with what it has carried to the end');
  }));

test('a child that is closed alone is told as deleted, with its traffic', () =>
  within(new Network().up(), (network) => {
    const { left, net } = network;
    const told: Happening[] = [];
    new Happenings(left.gateway).watch((happening) => told.push(happening));
    network.carry(left, OUT);
    left.gateway.run(left.gateway.endpoint.closeChild(network.now, network.state(left).children[0]?.id ?? 0));
    net.settle();
    const [only, ...more] = told;
    assert.deepEqual(more, []);
    assert.ok(only?.kind === 'child-updown');
    assert.deepEqual([only.up, only.session.state, only.child.state], [false, 'ESTABLISHED', 'DELETED']);
    assert.equal(only.child.packetsOut, 1);
  }));

test('an attempt that fails is told as an IKE SA that connects, and goes', () =>
  within(new Network(), (network) => {
    const { left, right, net } = network;
    const told: Happening[] = [];
    new Happenings(left.gateway).watch((happening) => told.push(happening));
    net.filter = () => false;
    const [life] = [...left.gateway.lives.values()];
    assert.ok(life);
    left.gateway.run(left.gateway.endpoint.initiate(network.now, life.conn, left.ip, right.ip).effects);
    left.gateway.run(left.gateway.endpoint.abandon(network.now, 1, { code: 'no-answer', text: 'silence' }));
    assert.deepEqual(told.map(short), [`ike-updown false ${life.conn.name}[1] CONNECTING`]);
  }));

test('a peer that moves is told with the addresses from before and those from now on', () =>
  within(new Network({}, {}).up(), (network) => {
    const { left } = network;
    const state = network.state(left);
    state.natRemote = true;
    const told: Happening[] = [];
    new Happenings(left.gateway).watch((happening) => told.push(happening));
    const elsewhere = { ip: '192.0.2.77', port: 4711 };
    const from = `${state.remote.ip}:${state.remote.port}`;
    left.gateway.run(left.gateway.endpoint.moved(network.now, state.children[0]?.id ?? 0, elsewhere));
    assert.deepEqual(told.map(short), [`ike-update ${from} to 192.0.2.77:4711`]);
  }));

test('whoever answers tells that the ports have changed before the IKE SA is up, and whoever begins does not', () =>
  within(new Network({ encap: 'yes' }), (network) => {
    const told = [network.left, network.right].map(({ gateway }) => {
      const happenings: Happening[] = [];
      new Happenings(gateway).watch((happening) => happenings.push(happening));
      return happenings;
    });
    network.up();
    const [left = [], right = []] = told;
    const kinds = (list: readonly Happening[]) => list.map(({ kind }) => kind);
    assert.deepEqual(kinds(left), ['ike-updown', 'child-updown']);
    assert.deepEqual(kinds(right), ['ike-update', 'ike-updown', 'child-updown']);
    const [update] = right;
    assert.ok(update?.kind === 'ike-update');
    const { conn, state, local, remote, localId, remoteId, children } = update.session;
    const [here, there] = [network.right.ip, network.left.ip];
    assert.deepEqual([conn, state, localId, remoteId, children], ['(unnamed)', 'CONNECTING', '%any', '%any', []]);
    assert.deepEqual(
      [local, remote].map(({ ip, port }) => `${ip}:${port}`),
      [`${here}:500`, `${there}:500`],
    );
    assert.deepEqual(
      [update.local, update.remote].map(({ ip, port }) => `${ip}:${port}`),
      [`${here}:4500`, `${there}:4500`],
    );
  }));

test('nobody is told anything any more once he has left, and nothing is watched when all have', () =>
  within(new Network(), (network) => {
    const { left } = network;
    const told: string[] = [];
    const before = left.gateway.watchers.size;
    const watch = new Happenings(left.gateway);
    const leave = [watch.watch(() => told.push('a')), watch.watch(() => told.push('b'))];
    assert.equal(left.gateway.watchers.size - before, 1);
    leave[0]?.();
    network.up();
    assert.deepEqual(told, ['b', 'b']);
    leave[1]?.();
    assert.equal(left.gateway.watchers.size - before, 0);
  }));
