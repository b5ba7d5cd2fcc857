// SAs come, succeed one another, move and go, and packets find the right one meanwhile.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/bytes/bytes.ts';
import { dropped, End, pair, sent } from './end.ts';
import { child, ipv4, LEFT, RIGHT, selector, udp } from './support.ts';

const OUT = ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53));
const BACK = ipv4('10.2.0.1', '10.1.0.1', udp(1, 2));

test('a new SA receives at once and sends when it is activated', () => {
  const { left, right } = pair();
  const next = child(2, { active: false });
  left.install(next.left);
  right.install(child(2).right);
  assert.equal(sent(left.outbound(OUT, 0)).id, 1);
  const outcome = sent(right.outbound(BACK, 0));
  assert.equal(outcome.id, 2);
  assert.deepEqual(left.inbound(outcome.bytes, RIGHT, true, 0), { tag: 'deliver', packet: BACK, id: 2 });
  left.inbound(sent(right.outbound(BACK, 0)).bytes, RIGHT, true, 0);
  assert.deepEqual(left.events(), [{ kind: 'used', session: 1, id: 2 }]);
  assert.deepEqual(left.events(), []);
  left.plane.activate(2);
  assert.equal(sent(left.outbound(OUT, 0)).id, 2);
  assert.deepEqual([left.stats(1)?.packetsOut, left.stats(2)?.packetsOut], [1, 1]);
});

test('when the active SA goes, another of its policy takes over; with the last one the policy goes', () => {
  const { left } = pair();
  left.install(child(2, { active: false }).left);
  left.plane.remove(1);
  assert.equal(sent(left.outbound(OUT, 0)).id, 2);
  left.plane.remove(2);
  assert.equal(left.outbound(OUT, 0).tag, 'reject');
  left.plane.remove(2);
  left.plane.activate(2);
  assert.equal(left.outbound(OUT, 0).tag, 'reject');
});

test('a successor with other selectors brings its own', () => {
  const { left } = pair();
  left.install(child(2, { localTs: [selector('10.1.0.0/16')], remoteTs: [selector('10.2.128.0/17')] }).left);
  assert.equal(left.outbound(OUT, 0).tag, 'reject');
  assert.equal(sent(left.outbound(ipv4('10.1.0.1', '10.2.200.1', udp(1, 2)), 0)).id, 2);
});

test('children of different policies are told apart by their selectors', () => {
  const { left } = pair();
  const narrow = { reqid: 2, localTs: [selector('10.1.0.0/16')], remoteTs: [selector('10.2.9.0/24')] };
  left.install(child(2, narrow).left);
  assert.equal(sent(left.outbound(OUT, 0)).id, 1);
  assert.equal(sent(left.outbound(ipv4('10.1.0.1', '10.2.9.9', udp(1, 2)), 0)).id, 2);
});

test('removal closes the way in and wipes the keys', () => {
  const { left, right } = pair();
  const { bytes } = sent(left.outbound(OUT, 0));
  const sas = child(2, { reqid: 2 });
  right.install(sas.right);
  const copies = right.pipelines.sas.keysOf(right.slotOf(2));
  assert.equal(copies.length, 2);
  assert.ok(copies.every(({ encrKey }) => encrKey.some((byte) => byte !== 0)));
  right.plane.remove(1);
  assert.equal(dropped(right.inbound(bytes, LEFT, true, 0)), 'unknown-spi');
  right.plane.remove(2);
  for (const of of [sas.right.inbound.keys, sas.right.outbound.keys, ...copies]) {
    assert.ok(of.encrKey.every((byte) => byte === 0) && of.integKey.every((byte) => byte === 0));
  }
  assert.deepEqual(right.pipelines.sas.slots, []);
});

test('keys are wiped where they came from as soon as an SA is installed', () => {
  const { left } = child(1);
  new End().install(left);
  for (const { keys: of } of [left.inbound, left.outbound]) assert.ok(of.encrKey.every((byte) => byte === 0));
});

test('a newest authentic packet from elsewhere is reported until the SA is moved', () => {
  const { left, right } = pair();
  const elsewhere = { ip: '203.0.113.5', port: 1024 };
  const [first, second, third] = [1, 2, 3].map(() => sent(left.outbound(OUT, 0)).bytes);
  assert.ok(first && second && third);
  right.inbound(second, elsewhere, true, 0);
  const moved = { kind: 'moved', session: 1, id: 1, remote: elsewhere, udp: true };
  assert.deepEqual(right.events(), [moved]);
  // Neither a replay nor an old one, long after the last time that it was told.
  assert.equal(dropped(right.inbound(second, elsewhere, true, 5000)), 'replay');
  assert.equal(right.inbound(first, elsewhere, true, 6000).tag, 'deliver');
  assert.deepEqual(right.events(), []);
  right.plane.move([1, 99], RIGHT, elsewhere, true);
  right.inbound(third, elsewhere, true, 7000);
  assert.deepEqual(right.events(), []);
  const back = sent(right.outbound(BACK, 0));
  assert.deepEqual(back.remote, elsewhere);
});

test('a forged packet from elsewhere is not reported', () => {
  const { left, right } = pair();
  const bytes = sent(left.outbound(OUT, 0)).bytes.slice();
  bytes[30] = (bytes[30] as number) ^ 1;
  assert.equal(dropped(right.inbound(bytes, { ip: '203.0.113.5', port: 1024 }, true, 0)), 'bad-icv');
  assert.deepEqual(right.events(), []);
});

test('a port matters only to ESP in UDP', () => {
  const { left, right } = pair({ udp: false });
  const [first, second] = [1, 2].map(() => sent(left.outbound(OUT, 0)).bytes);
  assert.ok(first && second);
  right.inbound(first, { ip: LEFT.ip, port: 0 }, false, 0);
  assert.deepEqual(right.events(), []);
  const inUdp = pair();
  right.inbound(second, { ip: LEFT.ip, port: 0 }, false, 0);
  inUdp.right.inbound(sent(inUdp.left.outbound(OUT, 0)).bytes, { ip: LEFT.ip, port: 999 }, true, 0);
  assert.equal(inUdp.right.events()[0]?.kind, 'moved');
});

test('what this data plane cannot do is refused at installation, and leaves nothing', () => {
  const left = new End();
  left.install(child(1).left);
  assert.throws(() => left.install(child(1).left), /installed already/);
  assert.throws(() => left.install({ ...child(2).left, inbound: child(1).left.inbound }), /in use/);
  assert.throws(() => left.install({ ...child(2).left, inbound: { ...child(2).left.inbound, spi: 255 } }), /reserved/);
  const unknown = child(2).left;
  const keys = { ...unknown.outbound.keys, encr: 99 };
  assert.throws(() => left.install({ ...unknown, outbound: { ...unknown.outbound, keys } }), /oracle/);
  assert.equal(left.pipelines.sas.slots.length, 1);
  assert.equal(sent(left.outbound(OUT, 0)).id, 1);
  left.install(child(2, { reqid: 2 }).left);
});

test('an SPI may come again when its SA is gone', () => {
  const { left, right } = pair();
  right.plane.remove(1);
  right.install({ ...child(2).right, inbound: child(1).right.inbound });
  assert.equal(right.inbound(sent(left.outbound(OUT, 0)).bytes, LEFT, true, 0).tag, 'deliver');
});

test('a hub leads from one spoke to another, and each spoke keeps to its own network', () => {
  const hub = new End({ ip: RIGHT.ip });
  const everything = selector('10.0.0.0/8');
  const spoke = (id: number, network: string) => {
    const over = { reqid: id, localTs: [selector(network)], remoteTs: [everything] };
    const sas = child(id, over);
    const end = new End({ ip: LEFT.ip });
    end.install(sas.left);
    hub.install(sas.right);
    return end;
  };
  const [first, second] = [spoke(1, '10.1.0.0/16'), spoke(2, '10.2.0.0/16')];
  const through = hub.inbound(sent(first.outbound(OUT, 0)).bytes, LEFT, true, 0);
  assert.deepEqual(through, { tag: 'deliver', packet: OUT, id: 1 });
  // The host's routes lead back into the device.
  const on = sent(hub.outbound(OUT, 0));
  assert.equal(on.id, 2);
  assert.deepEqual(second.inbound(on.bytes, RIGHT, true, 0), { tag: 'deliver', packet: OUT, id: 2 });
  const theirs = sent(first.outbound(ipv4('10.1.0.1', '10.3.0.1', udp(1, 2)), 0)).bytes;
  hub.inbound(theirs, LEFT, true, 0);
  assert.equal(hub.outbound(ipv4('10.2.0.1', '10.3.0.1', udp(1, 2)), 0).tag, 'reject');
});

test('a moving peer is told of at most ten times a second', () => {
  const { left, right } = pair();
  let told = 0;
  for (let i = 0; i < 100; i++) {
    right.inbound(sent(left.outbound(OUT, 0)).bytes, { ip: '203.0.113.5', port: 1024 + i }, true, 1000 + i * 10);
    told += right.events().length;
  }
  assert.equal(told, 10);
});

test('what a worker has not yet been told of an SA it asks for when the peer uses it', () => {
  const { left } = pair();
  const right = new End({ ip: RIGHT.ip });
  right.pipelines.held = true;
  right.install(child(1).right);
  const { bytes } = sent(left.outbound(OUT, 0));
  assert.deepEqual(right.inbound(bytes, LEFT, true, 0), { tag: 'deliver', packet: OUT, id: 1 });
  right.plane.remove(1);
  // It need not ask for one that it knows.
  assert.equal(right.inbound(sent(left.outbound(OUT, 0)).bytes, LEFT, true, 0).tag, 'deliver');
  const unknown = concat(Uint8Array.of(7, 7, 7, 7), bytes.subarray(4));
  assert.equal(dropped(right.inbound(unknown, LEFT, true, 0)), 'unknown-spi');
  assert.equal(dropped(right.inbound(sent(left.outbound(OUT, 0)).bytes, LEFT, true, 0)), 'unknown-spi');
  assert.deepEqual(right.pipelines.sas.slots, []);
});
