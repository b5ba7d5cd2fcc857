// What the network says of packets that were too big for it, as a lane reads it from its sockets (native/errors.c). The
// network is a TUN device: what the lane sends comes out there, and the router's answer goes in.

import assert from 'node:assert/strict';
import { parseIp } from '../../src/bytes/ip.ts';
import { checksum } from '../../src/esp/icmp.ts';
import {
  COUNTERS,
  DRAINED,
  ERROR,
  ERROR_WORDS,
  laneMemory,
  OUT,
  READY_ERRORS,
  SA,
  SOURCE,
  SOURCES,
  USE_ALL,
} from '../../src/esp/layout.ts';
import { openLane } from '../../src/net/lane.ts';
import { addon, Path, type Version } from '../../src/net/native.ts';
import { openRaw } from '../../src/net/raw.ts';
import { openTun } from '../../src/net/tun.ts';
import { command, inside } from './inside.ts';
import { udpPacket } from './packet.ts';

const native = addon();
const OURS = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;
const PEER = { 4: '192.0.2.2', 6: '2001:db8::2' } as const;
const ROUTER = { 4: '192.0.2.254', 6: '2001:db8::fe' } as const;
const PORT = 4500;
const SPI_OUT = 0x8123_4567;
const SEQ = 41;
const MTU = 1300;
const SLOT = 0;
const AES_GCM_16 = 20;
const KEY = new Uint8Array(20).fill(7);
const NOTHING = new Uint8Array(0);
const ORIGIN = { LOCAL: 1, ICMP: 2, ICMP6: 3 } as const;

/** A lane with everything, on a network that is a TUN device. */
function network() {
  const tun = openTun('net0', { mtu: 1500, workers: 1, uses: 0 });
  command('ip', 'address', 'add', `${OURS[4]}/24`, 'dev', 'net0');
  command('ip', 'address', 'add', `${OURS[6]}/64`, 'dev', 'net0', 'nodad');
  const member = (version: Version, data: boolean) => native.udpMember(version, PORT, 0, data, USE_ALL).fd;
  // Which of a group's sockets hears of an error depends on a hash of the addresses.
  const mains = { 4: member(4, false), 6: member(6, false) };
  const raw = openRaw({ workers: 1 });
  const fds = new Array<number>(SOURCES).fill(-1);
  fds[SOURCE.TUN] = tun.queues[0] ?? -1;
  fds[SOURCE.UDP4] = member(4, true);
  fds[SOURCE.UDP6] = member(6, true);
  fds[SOURCE.ESP4] = raw.esp4[0] ?? -1;
  fds[SOURCE.ESP6] = raw.esp6?.[0] ?? -1;
  fds[SOURCE.AH4] = raw.ah4[0] ?? -1;
  fds[SOURCE.AH6] = raw.ah6?.[0] ?? -1;
  const lane = openLane({ index: 0, workers: 1, uses: tun.uses, fds }, laneMemory(), new Float64Array(COUNTERS.length));
  return { lane, fds, mains };
}

type Network = ReturnType<typeof network>;

/** The packet that the lane puts on the network when it sends one of `size` bytes through an SA to the peer. */
function sent({ lane }: Network, version: Version, udp: boolean, size = 200): Uint8Array {
  const path = new Path(version);
  path.set(OURS[version], { ip: PEER[version], port: PORT });
  const spec = Int32Array.from([0x1001, SPI_OUT, AES_GCM_16, 128, 0, (udp ? SA.UDP : 0) | SA.COPY_DF, 0, 0]);
  native.saDrop(SLOT);
  native.saInstall(SLOT, spec, path.bytes, KEY, NOTHING, KEY, NOTHING);
  const inner = udpPacket({ ip: '10.0.0.1', port: 1 }, { ip: '10.0.0.2', port: 2 }, new Uint8Array(size));
  // Its DF bit is copied.
  inner[6] = 0x40;
  lane.memory.tx.set(inner, 64);
  const words = lane.memory.out;
  words[OUT.OFFSET] = 64;
  words[OUT.LENGTH] = inner.length;
  words[OUT.GSO] = 0;
  words[OUT.SA] = SLOT;
  words[OUT.SEQ_LOW] = SEQ;
  words[OUT.SEQ_HIGH] = 0;
  lane.seal(1);
  lane.flush();
  return outside({ lane }, version);
}

/** The kernel's own multicast reports come out of the device, too. */
function outside({ lane }: Pick<Network, 'lane'>, version: Version): Uint8Array {
  const { tx, out } = lane.memory;
  for (let tries = 0; tries < 20; tries++) {
    const read = lane.read(1, 1);
    if (read < 0 || (read & ~DRAINED) === 0) continue;
    const at = out[OUT.OFFSET] as number;
    const packet = tx.slice(at, at + (out[OUT.LENGTH] as number));
    if ((packet[0] as number) >> 4 !== version) continue;
    const to = version === 4 ? packet.subarray(16, 20) : packet.subarray(24, 40);
    if (Buffer.compare(to, parseIp(PEER[version]) ?? NOTHING) === 0) return packet;
  }
  return NOTHING;
}

/** "Fragmentation needed" or "packet too big", with so much of the packet in it. */
function tooBig(version: Version, packet: Uint8Array, quoted: number): Uint8Array {
  const quote = packet.slice(0, quoted);
  const icmp = new Uint8Array(8 + quote.length);
  icmp.set(version === 4 ? [3, 4, 0, 0, 0, 0, MTU >> 8, MTU & 0xff] : [2, 0, 0, 0, 0, 0, MTU >> 8, MTU & 0xff]);
  icmp.set(quote, 8);
  const from = parseIp(ROUTER[version]) ?? NOTHING;
  const to = parseIp(OURS[version]) ?? NOTHING;
  if (version === 4) {
    new DataView(icmp.buffer).setUint16(2, checksum(icmp));
    const header = Uint8Array.of(0x45, 0, 0, 28 + quote.length, 0, 0, 0, 0, 64, 1, 0, 0, ...from, ...to);
    new DataView(header.buffer).setUint16(2, 28 + quote.length);
    new DataView(header.buffer).setUint16(10, checksum(header));
    return Uint8Array.of(...header, ...icmp);
  }
  new DataView(icmp.buffer).setUint16(2, checksum(Uint8Array.of(...from, ...to, ...icmp), icmp.length + 58));
  const header = Uint8Array.of(0x60, 0, 0, 0, icmp.length >> 8, icmp.length & 0xff, 58, 64, ...from, ...to);
  return Uint8Array.of(...header, ...icmp);
}

/** Of the lane's sockets, or of those beside them. */
function errors({ lane, mains }: Network): number {
  const { errors: records } = lane.memory;
  return (
    lane.errors() ||
    native.udpErrors(mains[4], SOURCE.UDP4, records) ||
    native.udpErrors(mains[6], SOURCE.UDP6, records)
  );
}

/** The only record there is. */
function record(net: Network): Readonly<Record<keyof typeof ERROR, number>> {
  assert.equal(errors(net), 1);
  const only = recordAt(net, 0);
  assert.equal(errors(net), 0);
  return only;
}

function recordAt({ lane }: Network, index: number): Readonly<Record<keyof typeof ERROR, number>> {
  const words = lane.memory.errors.slice(index * ERROR_WORDS);
  return Object.fromEntries(Object.entries(ERROR).map(([name, at]) => [name, words[at]])) as Record<
    keyof typeof ERROR,
    number
  >;
}

function expected(version: Version, source: number, port: number) {
  const view = new DataView((parseIp(PEER[version]) ?? NOTHING).slice().buffer);
  return {
    SOURCE: source,
    ORIGIN: version === 4 ? ORIGIN.ICMP : ORIGIN.ICMP6,
    TYPE: version === 4 ? (3 << 8) | 4 : 2 << 8,
    MTU,
    SPI: SPI_OUT | 0,
    SEQ,
    PORT: port,
    VERSION: version,
    ADDRESS: view.getInt32(0),
  };
}

const ip = (version: Version) => (version === 4 ? 20 : 40);

await inside(import.meta.url, {
  'a router that quotes our ESP in UDP is told of with SPI, sequence number, size and peer'() {
    const net = network();
    for (const version of [4, 6] as const) {
      const packet = sent(net, version, true);
      assert.equal(net.lane.inject(tooBig(version, packet, ip(version) + 16)), undefined);
      assert.deepEqual(record(net), expected(version, version === 4 ? SOURCE.UDP4 : SOURCE.UDP6, PORT));
    }
    assert.equal(net.lane.memory.errors[ERROR.ADDRESS + 3], 2);
    assert.equal(ERROR.ADDRESS + 4, ERROR_WORDS);
  },

  'one that quotes no more than the UDP header is told of without an SPI'() {
    const net = network();
    for (const version of [4, 6] as const) {
      const packet = sent(net, version, true);
      net.lane.inject(tooBig(version, packet, ip(version) + 8));
      const { SPI, SEQ: seq, MTU: size } = record(net);
      assert.deepEqual([SPI, seq, size], [0, 0, MTU]);
    }
  },

  'a router that quotes our raw ESP is told of with SPI, sequence number, size and peer'() {
    const net = network();
    for (const version of [4, 6] as const) {
      for (const quoted of [8, 64]) {
        const packet = sent(net, version, false);
        net.lane.inject(tooBig(version, packet, ip(version) + quoted));
        assert.equal(net.lane.wait(1000) & READY_ERRORS, READY_ERRORS);
        const source = version === 4 ? SOURCE.ESP4 : SOURCE.ESP6;
        // The port of a raw socket's peer is its protocol, or nothing.
        assert.deepEqual({ ...record(net), PORT: 0 }, expected(version, source, 0));
      }
    }
  },

  // Over IPv6 the kernel takes AH for an extension header, and asks for a socket of the protocol behind it.
  'a router that quotes our AH over IPv4 is told of with SPI, sequence number, size and peer'() {
    const net = network();
    const path = new Path(4);
    path.set(OURS[4], { ip: PEER[4], port: 0 });
    const header = new Uint8Array(28);
    const view = new DataView(header.buffer);
    header.set([59, 4]);
    view.setUint32(4, SPI_OUT);
    view.setUint32(8, SEQ);
    const ipv4 = Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 51, 0, 0);
    const ends = [...(parseIp(OURS[4]) ?? []), ...(parseIp(PEER[4]) ?? [])];
    // This socket wants the IP header, too.
    const bytes = Uint8Array.of(...ipv4, ...ends, ...header);
    assert.equal(native.send(net.fds[SOURCE.AH4] ?? -1, bytes, path.bytes), bytes.length);
    const packet = outside(net, 4);
    assert.equal(packet.length, 20 + 28);
    net.lane.inject(tooBig(4, packet, packet.length));
    assert.deepEqual({ ...record(net), PORT: 0 }, expected(4, SOURCE.AH4, 0));
  },

  'what the first link cannot take is told of by our own kernel, with its size'() {
    const net = network();
    for (const version of [4, 6] as const) {
      for (const udp of [true, false]) {
        assert.equal(sent(net, version, udp, 1600).length, 0);
        // Once for each try: the first refusals might be answers to earlier packets.
        const told = errors(net);
        assert.ok(told >= 1 && told <= 5, `told ${told} times`);
        for (let i = 0; i < told; i++) {
          const { ORIGIN: origin, MTU: size, VERSION } = recordAt(net, i);
          assert.deepEqual([origin, size, VERSION], [ORIGIN.LOCAL, 1500, version]);
        }
        assert.equal(errors(net), 0);
      }
    }
  },

  'of many errors as many are told at once as there is room for, and the rest later'() {
    const net = network();
    const packet = sent(net, 4, true);
    for (let i = 0; i < 20; i++) net.lane.inject(tooBig(4, packet, 64));
    assert.equal(errors(net), 16);
    assert.equal(errors(net), 4);
    assert.equal(errors(net), 0);
  },

  'what is answered about a packet that we never sent is not told'() {
    const net = network();
    const packet = sent(net, 4, true);
    // Another source port: no socket of ours.
    packet[21] = 7;
    net.lane.inject(tooBig(4, packet, 64));
    assert.equal(errors(net), 0);
  },
});
