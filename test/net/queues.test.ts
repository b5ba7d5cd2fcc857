// The TUN device as a lane has it: with several queues, and with super-packets or without (native/tun.c, native/join.c).
// What the lane writes comes to a socket of this host, what that sends comes to the lane.

import assert from 'node:assert/strict';
import { hex } from '../../src/bytes/bytes.ts';
import {
  COUNTERS,
  DRAINED,
  GSO,
  IN,
  laneMemory,
  OUT,
  SOURCE,
  SOURCES,
  USE,
  USE_ALL,
  WORDS,
} from '../../src/esp/layout.ts';
import { openLane } from '../../src/net/lane.ts';
import { addon, Path } from '../../src/net/native.ts';
import { openTun, type TunQueues } from '../../src/net/tun.ts';
import { command, inside, sendTrain } from './inside.ts';
import { udpPacket } from './packet.ts';

const native = addon();
const OURS = { 4: '10.1.0.1', 6: 'fd01::1' } as const;
const THERE = { 4: '10.1.0.9', 6: 'fd01::9' } as const;
const PORT = 7000;
const VERSIONS = [4, 6] as const;
const NETS = USE.VNET | USE.USO;

function device(uses: number, workers = 1): TunQueues {
  const tun = openTun('net0', { mtu: 1400, workers, uses });
  command('ip', 'address', 'add', `${OURS[4]}/24`, 'dev', 'net0');
  command('ip', 'address', 'add', `${OURS[6]}/64`, 'dev', 'net0', 'nodad');
  return tun;
}

function lane(fd: number, uses: number) {
  const fds = new Array<number>(SOURCES).fill(-1);
  fds[SOURCE.TUN] = fd;
  const counters = new Float64Array(COUNTERS.length);
  const opened = openLane({ index: 0, workers: 1, uses, fds }, laneMemory(), counters);
  const counts = new BigUint64Array(counters.buffer);
  return { ...opened, count: (name: (typeof COUNTERS)[number]) => Number(counts[COUNTERS.indexOf(name)]) };
}

type Lane = ReturnType<typeof lane>;

interface Read {
  readonly bytes: Uint8Array;
  readonly gso: number;
  readonly mss: number;
  readonly segments: number;
}

/** All UDP that waits on the device; the kernel's own reports are passed over. */
function waiting({ read, memory: { tx, out } }: Lane): Read[] {
  const found: Read[] = [];
  for (;;) {
    const got = read(16, 1 << 20);
    assert.ok(got >= 0);
    for (let i = 0; i < (got & ~DRAINED); i++) {
      const o = i * WORDS;
      const at = out[o + OUT.OFFSET] as number;
      const bytes = tx.slice(at, at + (out[o + OUT.LENGTH] as number));
      const [gso, mss, segments] = [OUT.GSO, OUT.MSS, OUT.SEGMENTS].map((word) => out[o + word] as number);
      const protocol = (bytes[0] as number) >> 4 === 4 ? bytes[9] : bytes[6];
      if (protocol === 17) found.push({ bytes, gso: gso ?? -1, mss: mss ?? -1, segments: segments ?? -1 });
    }
    if (got & DRAINED) return found;
  }
}

/** Puts packets where `receive` and `open` would have left them, as one flow in one train. */
function opened({ memory: { rx, in: words } }: Lane, packets: readonly Uint8Array[], header: number): void {
  let at = 64;
  for (const [i, packet] of packets.entries()) {
    at += 16;
    rx.set(packet, at);
    words.set([at - 16, packet.length + 16, 0x1001, i + 1, 0, at, packet.length, header], i * WORDS);
    at += packet.length + 18;
  }
}

function receivedBy(fd: number, version: 4 | 6): string[] {
  const got: string[] = [];
  for (;;) {
    const bytes = new Uint8Array(2000);
    const size = native.udpReceive(fd, bytes, new Path(version).bytes);
    if (size < 0) return got;
    got.push(hex(bytes.subarray(0, size)));
  }
}

function payloads(sizes: readonly number[]): Uint8Array[] {
  return sizes.map((size, i) => new Uint8Array(size).fill(0x11 * (i + 1)));
}

await inside(import.meta.url, {
  'UDP that the kernel has not cut comes as one packet, and with its size'() {
    const tun = device(NETS);
    assert.equal(tun.uses, NETS);
    const only = lane(tun.queues[0] ?? -1, tun.uses);
    for (const version of VERSIONS) {
      waiting(only);
      sendTrain('ab'.repeat(2500), 1000, THERE[version], 9, OURS[version]);
      const [packet, ...others] = waiting(only);
      assert.deepEqual(others, []);
      assert.deepEqual([packet?.gso, packet?.mss, packet?.segments], [GSO.UDP, 1000, 3]);
      assert.equal(packet?.bytes.length, (version === 4 ? 28 : 48) + 2500);
    }
  },

  'where the device does not take it the kernel cuts, and computes the checksums'() {
    for (const uses of [USE.VNET, 0]) {
      const tun = device(uses);
      assert.equal(tun.uses, uses);
      const only = lane(tun.queues[0] ?? -1, tun.uses);
      for (const version of VERSIONS) {
        waiting(only);
        sendTrain('ab'.repeat(2500), 1000, THERE[version], 9, OURS[version]);
        const packets = waiting(only);
        assert.deepEqual(
          packets.map(({ gso, segments }) => [gso, segments]),
          [
            [GSO.NONE, 1],
            [GSO.NONE, 1],
            [GSO.NONE, 1],
          ],
        );
        for (const { bytes } of packets) {
          const header = version === 4 ? 28 : 48;
          const port = new DataView(bytes.buffer).getUint16(header - 8);
          const from = { ip: OURS[version], port };
          const expected = udpPacket(from, { ip: THERE[version], port: 9 }, bytes.subarray(header));
          // The UDP header, its checksum with it.
          assert.equal(hex(bytes.subarray(header - 8, header)), hex(expected.subarray(header - 8, header)));
        }
      }
      only.close();
      tun.close();
    }
  },

  'super-packets of UDP are not asked for without the header that tells of them'() {
    const tun = device(USE.USO);
    assert.equal(tun.uses & NETS, 0);
  },

  'a lane reads no more packets and bytes than it is asked for, and says when there are no more'() {
    const tun = device(NETS);
    const only = lane(tun.queues[0] ?? -1, tun.uses);
    const from = native.udpOpen(4, 0, 0);
    const to = new Path(4);
    to.set(OURS[4], { ip: THERE[4], port: 9 });
    waiting(only);
    for (let i = 0; i < 10; i++) native.send(from, new Uint8Array(972), to.bytes);
    assert.equal(only.read(3, 1 << 20), 3);
    assert.equal(only.read(16, 2000), 2);
    assert.equal(only.read(0, 2000), 0);
    assert.equal(only.read(16, 1 << 20), 5 | DRAINED);
    assert.equal(only.read(16, 1 << 20), DRAINED);
  },

  'packets of one flow are written at once, and arrive one by one'() {
    const tun = device(NETS);
    const only = lane(tun.queues[0] ?? -1, tun.uses);
    const data = payloads([500, 500, 500, 123]);
    for (const version of VERSIONS) {
      const fd = native.udpOpen(version, PORT, 0);
      const packets = data.map((bytes) =>
        udpPacket({ ip: THERE[version], port: 9 }, { ip: OURS[version], port: PORT }, bytes),
      );
      const before = only.count('tun-writes');
      opened(only, packets, version === 4 ? 28 : 48);
      only.deliver(packets.length);
      assert.deepEqual(receivedBy(fd, version), data.map(hex));
      // Over IPv4 the ids must count up, which those of these packets do not, unless DF is set.
      const writes = version === 4 ? 4 : 1;
      assert.equal(only.count('tun-writes') - before, writes);
    }
    assert.equal(only.count('joined'), 3);
    assert.equal(only.count('tun-write-failures'), 0);
  },

  'without super-packets they are written one by one'() {
    const tun = device(0);
    const only = lane(tun.queues[0] ?? -1, tun.uses);
    const data = payloads([500, 500, 123]);
    const fd = native.udpOpen(6, PORT, 0);
    const packets = data.map((bytes) => udpPacket({ ip: THERE[6], port: 9 }, { ip: OURS[6], port: PORT }, bytes));
    opened(only, packets, 48);
    only.deliver(packets.length);
    assert.deepEqual(receivedBy(fd, 6), data.map(hex));
    assert.deepEqual([only.count('tun-writes'), only.count('joined')], [3, 0]);
  },

  'what is refused, and what was not opened, is not written'() {
    const tun = device(NETS);
    const only = lane(tun.queues[0] ?? -1, tun.uses);
    const fd = native.udpOpen(6, PORT, 0);
    const data = payloads([10, 20, 30, 40]);
    const packets = data.map((bytes) => udpPacket({ ip: THERE[6], port: 9 }, { ip: OURS[6], port: PORT }, bytes));
    opened(only, packets, 0);
    only.memory.in[IN.SA] = -1;
    only.memory.in[WORDS + IN.SIZE] = -1;
    only.memory.in[2 * WORDS + IN.SIZE] = 0;
    only.deliver(packets.length);
    assert.deepEqual(receivedBy(fd, 6), data.slice(3).map(hex));
  },

  'one flow comes to one queue, and many flows to all'() {
    const workers = 4;
    const tun = device(USE_ALL, workers);
    assert.equal(new Set(tun.queues).size, workers);
    const perQueue = new Map<number, Set<number>>();
    const senders = Array.from({ length: 64 }, () => native.udpOpen(4, 0, 0));
    const to = new Path(4);
    to.set(OURS[4], { ip: THERE[4], port: 9 });
    for (let round = 0; round < 3; round++) {
      for (const sender of senders) native.send(sender, new Uint8Array(100), to.bytes);
    }
    let packets = 0;
    for (const [index, fd] of tun.queues.entries()) {
      const one = lane(fd, tun.uses);
      const ports = waiting(one).map(({ bytes }) => new DataView(bytes.buffer).getUint16(20));
      packets += ports.length;
      perQueue.set(index, new Set(ports));
      one.close();
    }
    assert.equal(packets, 3 * senders.length);
    const flows = [...perQueue.values()];
    assert.ok(flows.every((ports) => ports.size > 0));
    assert.equal(
      flows.reduce((sum, { size }) => sum + size, 0),
      senders.length,
    );
  },

  'packets can be written to every queue'() {
    const tun = device(USE_ALL, 3);
    const receiver = native.udpOpen(4, PORT, 0);
    for (const [index, fd] of tun.queues.entries()) {
      const one = lane(fd, tun.uses);
      one.inject(udpPacket({ ip: THERE[4], port: 9 }, { ip: OURS[4], port: PORT }, Uint8Array.of(index)));
      assert.deepEqual(receivedBy(receiver, 4), [hex(Uint8Array.of(index))]);
      one.close();
    }
  },

  'all queues go when the device is closed'() {
    const tun = device(USE_ALL, 3);
    tun.close();
    assert.equal(command('ip', '-o', 'link', 'show', 'type', 'tun'), '');
  },

  'a lane is told that its device is gone'() {
    const tun = device(USE_ALL, 2);
    const only = lane(tun.queues[1] ?? -1, tun.uses);
    command('ip', 'link', 'delete', 'net0');
    assert.equal(only.wait(1000), 1 << SOURCE.TUN);
    const EBADFD = 77;
    assert.equal(only.read(16, 1 << 20), -EBADFD);
  },
});
