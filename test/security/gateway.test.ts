// SECURITY A22 and E at the gateway: what comes from the network and out of the TUN device.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import type { Drop } from '../../src/esp/drop.ts';
import { ipv4, ipv6, udp } from '../esp/support.ts';
import { child, offers } from '../support/connections.ts';
import type { Flight } from '../support/memory.ts';
import { octets } from '../support/wire.ts';
import { type Host, Network, within } from './gateways.ts';

const OUT = ipv4('10.1.0.7', '10.2.0.9', udp(1000, 2000));
const BACK = ipv4('10.2.0.9', '10.1.0.7', udp(2000, 1000));

function drops({ pipelines }: Host, reason: Drop): number {
  return pipelines.drops[reason];
}

function total({ pipelines }: Host): number {
  return Object.values(pipelines.drops).reduce((sum, count) => sum + count, 0);
}

function withBytes(flight: Flight, bytes: Uint8Array): Flight {
  return { ...flight, bytes };
}

function patched(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = value;
  return changed;
}

/** Sequence number of an ESP packet, written over. */
function numbered(flight: Flight, seq: number): Flight {
  const bytes = flight.bytes.slice();
  new DataView(bytes.buffer).setUint32(4, seq);
  return withBytes(flight, bytes);
}

const SUITES = [
  { name: 'AES-GCM', esp: 'aes128gcm16', iv: 8, icv: 16, unit: 4 },
  { name: 'AES-CBC with SHA-256', esp: 'aes128-sha256', iv: 16, icv: 16, unit: 16 },
  { name: 'NULL with SHA-1', esp: 'null-sha1', iv: 0, icv: 12, unit: 4 },
] as const;

for (const raw of [true, false]) {
  const how = raw ? 'protocol 50' : 'UDP';

  test(`[E1] the gateways of these tests carry packets both ways in ${how}`, () =>
    within(new Network({}, { raw }).up(), (network) => {
      assert.deepEqual(network.carry(network.left, OUT), [OUT]);
      assert.deepEqual(network.carry(network.right, BACK), [BACK]);
      const esp = network.flights.at(-1);
      assert.equal(esp?.from.port, raw ? undefined : 4500);
    }));

  for (const { name, esp, iv, icv, unit } of SUITES) {
    test(`[A22] ESP of every length too short for ${name} in ${how} is dropped and counted`, () =>
      within(new Network({ children: [child({ offers: offers(esp, 'esp') })] }, { raw }).up(), (network) => {
        const { left, right } = network;
        const good = network.sealed(left, OUT);
        const least = 8 + iv + 2 + icv;
        for (let length = raw ? 0 : 2; length < least; length++) {
          const before = drops(right, 'short');
          assert.equal(network.give(withBytes(good, good.bytes.subarray(0, length))), 0);
          assert.equal(drops(right, 'short'), before + 1, `${length} bytes`);
        }
        for (let length = least; length < good.bytes.length; length++) {
          const reason = (length - 8 - iv - icv) % unit === 0 ? 'bad-icv' : 'misaligned';
          const before = drops(right, reason);
          assert.equal(network.give(withBytes(good, good.bytes.subarray(0, length))), 0);
          assert.equal(drops(right, reason), before + 1, `${length} bytes`);
        }
        assert.equal(network.give(good), 1);
        assert.deepEqual(network.carry(left, OUT), [OUT]);
      }));
  }
}

test('[A22] a pad length beyond the payload, made by the peer, is dropped after its ICV', () =>
  within(new Network({ children: [child({ offers: offers('null-sha256', 'esp') })] }).up(), (network) => {
    const { left, right } = network;
    const good = network.sealed(left, OUT);
    // NULL encryption leaves the trailer to be seen, and the pair's own key makes the ICV right again.
    const [sa] = installedKeys(network, left);
    assert.ok(sa);
    const pad = good.bytes.length - 16 - 2;
    for (const value of [1, 3, 4, 100, 255]) {
      const text = patched(good.bytes, pad, value).subarray(0, good.bytes.length - 16);
      const icv = createHmac('sha256', sa).update(text).digest().subarray(0, 16);
      const renumbered = concat(text, icv);
      assert.equal(network.give(withBytes(good, renumbered)), 0, `pad length ${value}`);
    }
    assert.ok(drops(right, 'bad-padding') >= 1);
    assert.deepEqual(network.carry(left, OUT), [OUT]);
  }));

/** The integrity keys with which a host sends, as its session derives them. */
function installedKeys(network: Network, host: Host): Uint8Array[] {
  return network.keys.filter(({ from }) => from === host.ip).map(({ integ }) => integ);
}

test('[E1] each packet is delivered once, however often it comes', () =>
  within(new Network().up(), (network) => {
    const { left, right } = network;
    for (let i = 0; i < 50; i++) {
      const flight = network.sealed(left, OUT);
      assert.equal(network.give(flight), 1);
      assert.equal(network.give(flight), 0);
      assert.equal(network.give(flight), 0);
    }
    assert.equal(drops(right, 'replay'), 100);
  }));

test('[E1] at the edges of a window of 128, packets are delivered once or not at all', () =>
  within(new Network().up(), (network) => {
    const { left, right } = network;
    const flights = Array.from({ length: 400 }, () => network.sealed(left, OUT));
    const [first] = flights;
    assert.ok(first);
    const at = (seq: number): Flight => flights[seq - 1] as Flight;
    assert.equal(network.give(at(200)), 1);
    // The window is 73 to 200.
    assert.equal(network.give(at(72)), 0);
    assert.equal(network.give(at(73)), 1);
    assert.equal(network.give(at(74)), 1);
    assert.equal(network.give(at(73)), 0);
    assert.equal(network.give(at(1)), 0);
    assert.equal(network.give(at(201)), 1);
    assert.equal(network.give(at(400)), 1);
    for (let seq = 1; seq <= 272; seq++) assert.equal(network.give(at(seq)), 0);
    for (let seq = 273; seq < 400; seq++) assert.equal(network.give(at(seq)), 1);
    for (let seq = 1; seq <= 400; seq++) assert.equal(network.give(at(seq)), 0);
    assert.ok(drops(right, 'replay') > 600);
  }));

test('[E1] sequence number 0 is never taken', () =>
  within(new Network().up(), (network) => {
    assert.equal(network.give(numbered(network.sealed(network.left, OUT), 0)), 0);
    assert.equal(drops(network.right, 'replay'), 1);
  }));

test('[E2] forged packets with high sequence numbers do not move the window', () =>
  within(new Network().up(), (network) => {
    const { left, right } = network;
    const flights = Array.from({ length: 20 }, () => network.sealed(left, OUT));
    let forged = 0;
    for (const flight of flights) {
      for (const seq of [1000, 0x8000_0000, 0xffff_ffff]) {
        assert.equal(network.give(numbered(flight, seq)), 0);
        forged++;
      }
      assert.equal(network.give(flight), 1);
    }
    assert.equal(drops(right, 'bad-icv'), forged);
    assert.equal(drops(right, 'replay'), 0);
  }));

test('[E2] a packet with any byte changed is dropped, and the real one is still taken', () =>
  within(new Network().up(), (network) => {
    const { left, right } = network;
    const flight = network.sealed(left, OUT);
    for (let at = 0; at < flight.bytes.length; at++) {
      const before = total(right);
      assert.equal(network.give(withBytes(flight, patched(flight.bytes, at, (flight.bytes[at] as number) ^ 0x40))), 0);
      assert.equal(total(right), before + 1, `byte ${at}`);
    }
    assert.equal(network.give(flight), 1);
  }));

test('[E4] what comes out of a tunnel and lies outside its selectors is dropped and counted', () =>
  within(new Network().up(), (network) => {
    const { left, right } = network;
    const bodies = [
      ipv4('10.1.1.7', '10.2.0.9', udp(1, 2)),
      ipv4('10.2.0.7', '10.2.0.9', udp(1, 2)),
      ipv4('10.1.0.7', '10.2.1.9', udp(1, 2)),
      ipv4('10.1.0.7', '127.0.0.1', udp(1, 2)),
      ipv4('0.0.0.0', '10.2.0.9', udp(1, 2)),
      ipv4('10.1.0.7', '255.255.255.255', udp(1, 2)),
      ipv4(left.ip, right.ip, udp(500, 500)),
      ipv6('fd00::1', 'fd00::2', udp(1, 2)),
    ];
    // A gateway that has been taken over keeps to no selectors: it seals what it wants under keys that are right.
    const { plane } = left.gateway.forwarder;
    const sa = network.installed.find(({ from }) => from === left.ip)?.sa;
    assert.ok(sa);
    const everything = [
      { protocol: 0, startPort: 0, endPort: 65_535, start: new Uint8Array(4), end: new Uint8Array(4).fill(255) },
      { protocol: 0, startPort: 0, endPort: 65_535, start: new Uint8Array(16), end: new Uint8Array(16).fill(255) },
    ];
    const id = 9999;
    plane.install({
      ...structuredClone(sa),
      id,
      reqid: 9999,
      inbound: { ...sa.inbound, spi: 0x7777_7777 },
      localTs: everything,
      remoteTs: everything,
      active: true,
    });
    for (const [i, packet] of bodies.entries()) {
      const before = drops(right, 'policy') + drops(right, 'bad-inner');
      assert.deepEqual(network.carry(left, packet), [], `packet ${i}`);
      assert.equal(drops(right, 'policy') + drops(right, 'bad-inner'), before + 1, `packet ${i}`);
    }
    plane.remove(id);
  }));

test('[E10] packets from the TUN with a wrong version or length are dropped, and nothing loops', () =>
  within(new Network().up(), (network) => {
    const { left } = network;
    const bad: Uint8Array[] = [
      new Uint8Array(0),
      Uint8Array.of(0x45),
      OUT.subarray(0, 19),
      OUT.subarray(0, OUT.length - 1),
      patched(OUT, 0, 0x44),
      patched(OUT, 0, 0x4f),
      patched(OUT, 0, 0x05),
      patched(OUT, 0, 0x75),
      patched(OUT, 0, 0xf5),
      patched(OUT, 3, 19),
      patched(OUT, 2, 0xff),
      ipv6('fd00::1', 'fd00::2', udp(1, 2)).subarray(0, 39),
      patched(ipv6('fd00::1', 'fd00::2', udp(1, 2)), 4, 0xff),
      patched(ipv6('fd00::1', 'fd00::2', new Uint8Array(64), 0), 41, 0xff),
      ipv6('fd00::1', 'fd00::2', new Uint8Array(400), 0),
    ];
    for (const [i, packet] of bad.entries()) {
      const wire = network.flights.length;
      const before = total(left);
      left.tun.send(packet);
      network.net.settle();
      assert.equal(network.flights.length, wire, `packet ${i} went out`);
      assert.equal(total(left), before + 1, `packet ${i}`);
    }
    assert.deepEqual(network.carry(left, OUT), [OUT]);
  }));

test('[E10] arbitrary bytes from the TUN and from the network break nothing', () =>
  within(new Network().up(), (network) => {
    const { left, right } = network;
    const good = network.sealed(left, OUT);
    fc.assert(
      fc.property(octets(0, 120), fc.boolean(), fc.nat({ max: 60 }), (bytes, headed, keep) => {
        left.tun.send(headed ? concat(OUT.subarray(0, Math.min(keep, 20)), bytes) : bytes);
        const front = headed ? good.bytes.subarray(0, keep) : new Uint8Array(0);
        assert.equal(network.give(withBytes(good, concat(front, bytes))), 0);
      }),
      { numRuns: 500, seed: 5 },
    );
    assert.equal(network.state(left).phase, 'established');
    assert.equal(network.state(right).phase, 'established');
    assert.deepEqual(network.carry(right, BACK), [BACK]);
  }));

test('[E10] what no policy covers does not leave, and its ICMP answers are limited', () =>
  within(new Network().up(), (network) => {
    const { left } = network;
    const wire = network.flights.length;
    for (let i = 0; i < 1000; i++) left.tun.send(ipv4('10.1.0.7', '8.8.8.8', udp(1, 2)));
    network.net.settle();
    assert.equal(network.flights.length, wire);
    assert.equal(drops(left, 'no-policy'), 1000);
    assert.ok(left.tun.written.length <= 20, `${left.tun.written.length} answers`);
  }));

test('[E11] an authentic packet from elsewhere does not move a peer that is behind no NAT', () =>
  within(new Network({}, { raw: true }).up(), (network) => {
    const { left, right } = network;
    for (let i = 0; i < 10; i++) {
      const flight = network.sealed(left, OUT);
      assert.equal(network.give({ ...flight, from: { ip: '203.0.113.66' } }), 1);
    }
    assert.equal(network.state(right).natRemote, false);
    assert.equal(network.state(right).remote.ip, left.ip);
    assert.deepEqual(network.carry(right, BACK), [BACK]);
  }));

test('[E11] a forged or repeated packet from elsewhere moves nobody', () =>
  within(new Network().up(), (network) => {
    const { left, right } = network;
    network.state(right).natRemote = true;
    const flight = network.sealed(left, OUT);
    assert.equal(network.give(flight), 1);
    const elsewhere = { ip: '203.0.113.66', port: 4500 };
    network.give({ ...flight, from: elsewhere });
    network.give({ ...numbered(flight, 1000), from: elsewhere });
    assert.equal(network.state(right).remote.ip, left.ip);
    // An old one that was kept back is authentic, but not the newest.
    const old = network.sealed(left, OUT);
    assert.deepEqual(network.carry(left, OUT), [OUT]);
    assert.equal(network.give({ ...old, from: elsewhere }), 1);
    assert.equal(network.state(right).remote.ip, left.ip);
  }));

test('[E11] a peer behind a NAT follows its newest packet, once in five seconds at most', () =>
  within(new Network().up(), (network) => {
    const { left, right } = network;
    network.state(right).natRemote = true;
    const moves: string[] = [];
    for (let i = 0; i < 40; i++) {
      network.now += 500;
      const flight = network.sealed(left, OUT);
      network.give({ ...flight, from: { ip: i % 2 === 0 ? '203.0.113.66' : left.ip, port: 4500 } });
      const { ip } = network.state(right).remote;
      if (moves.at(-1) !== ip) moves.push(ip);
    }
    assert.ok(moves.length >= 2 && moves.length <= 6, `${moves.length} moves in 20 seconds`);
  }));

test('[E12] on port 4500 four zero bytes begin IKE, one 0xFF is a keepalive, and the rest is ESP', () =>
  within(new Network().up(), (network) => {
    const { left, right } = network;
    const give = (...bytes: number[]) =>
      network.give({
        bytes: Uint8Array.from(bytes),
        from: { ip: left.ip, port: 4500 },
        to: { ip: right.ip, port: 4500 },
      });
    const { endpoint } = right.gateway;
    const ike = () => [...endpoint.counters().values()].reduce((sum, count) => sum + count, 0);
    const count = (bytes: number[]) => {
      const before = { ike: ike(), esp: total(right) };
      assert.equal(give(...bytes), 0);
      return { ike: ike() - before.ike, esp: total(right) - before.esp };
    };
    assert.deepEqual(count([0xff]), { ike: 0, esp: 0 });
    assert.deepEqual(count([]), { ike: 0, esp: 1 });
    for (let length = 1; length <= 8; length++) {
      const what = `${length} bytes`;
      if (length > 1) assert.deepEqual(count(new Array(length).fill(0xff)), { ike: 0, esp: 1 }, what);
      assert.deepEqual(count(new Array(length).fill(0)), length > 4 ? { ike: 1, esp: 0 } : { ike: 0, esp: 1 }, what);
      assert.deepEqual(count([1, ...new Array(length - 1).fill(0)]), { ike: 0, esp: 1 }, what);
    }
    for (const spi of [1, 255]) {
      const before = drops(right, 'reserved-spi');
      count([0, 0, 0, spi, 0, 0, 0, 1, ...new Array(60).fill(7)]);
      assert.equal(drops(right, 'reserved-spi'), before + 1);
    }
    const unknown = drops(right, 'unknown-spi');
    count([0, 0, 1, 0, 0, 0, 0, 1, ...new Array(60).fill(7)]);
    assert.equal(drops(right, 'unknown-spi'), unknown + 1);
    assert.deepEqual(network.carry(left, OUT), [OUT]);
  }));

test('[E12] ESP on port 500 and IKE without its marker on port 4500 are not taken for each other', () =>
  within(new Network().up(), (network) => {
    const { left, right } = network;
    const esp = network.sealed(left, OUT);
    assert.equal(network.give({ ...esp, from: { ip: left.ip, port: 500 }, to: { ip: right.ip, port: 500 } }), 0);
    const ike = network.flights.find(({ to }) => to.port === 500);
    assert.ok(ike);
    const size = right.gateway.endpoint.size;
    const before = total(right);
    assert.equal(network.give({ ...ike, from: { ip: left.ip, port: 4500 }, to: { ip: right.ip, port: 4500 } }), 0);
    assert.equal(total(right), before + 1);
    assert.equal(right.gateway.endpoint.size, size);
    assert.equal(network.give(esp), 1);
  }));

test('[D] garbage of every kind at both ports is never answered by more than it has, and the tunnel lives', () =>
  within(new Network().up(), (network) => {
    const { left, right } = network;
    let given = 0;
    const before = network.flights.length;
    fc.assert(
      fc.property(octets(0, 200), fc.constantFrom(500, 4500), (bytes, port) => {
        given++;
        network.give({ bytes, from: { ip: '203.0.113.5', port }, to: { ip: right.ip, port } });
      }),
      { numRuns: 1000, seed: 6 },
    );
    assert.equal(network.flights.length - before, given, 'nothing was answered');
    assert.deepEqual(network.carry(left, OUT), [OUT]);
  }));
