// Which thread gets which packet: the group of UDP sockets, raw sockets with their filters, and the mailboxes for what
// the kernel has joined across SPIs (native/steer.c, native/receive.c).

import assert from 'node:assert/strict';
import { hex } from '../../src/bytes/bytes.ts';
import { parseIp } from '../../src/bytes/ip.ts';
import {
  COUNTERS,
  DRAINED,
  IN,
  laneMemory,
  MESSAGE,
  SOURCE,
  SOURCES,
  USE,
  USE_ALL,
  WORDS,
} from '../../src/esp/layout.ts';
import { openLane } from '../../src/net/lane.ts';
import { addon, Path, type Version } from '../../src/net/native.ts';
import { openRaw } from '../../src/net/raw.ts';
import { openGroup } from '../../src/net/udp.ts';
import { inside, sendTrain } from './inside.ts';

const native = addon();
const WORKERS = 3;
const LOOP = { 4: '127.0.0.1', 6: '::1' } as const;
const VERSIONS = [4, 6] as const;
const AH = 51;

function loop(version: Version, port: number): Path {
  const path = new Path(version);
  path.set(LOOP[version], { ip: LOOP[version], port });
  return path;
}

/** SPI, sequence number, a payload. */
function packet(spi: number, seq: number, size = 24): Uint8Array {
  const bytes = new Uint8Array(8 + size).fill(0xa5);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, spi);
  view.setUint32(4, seq);
  return bytes;
}

function spiOf(bytes: Uint8Array, at = 0): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}

/** All that waits on a descriptor; the loopback device delivers before `send` returns. */
function waiting(fd: number, version: Version): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (;;) {
    const bytes = new Uint8Array(2000);
    const size = native.udpReceive(fd, bytes, new Path(version).bytes);
    if (size < 0) return found;
    found.push(bytes.subarray(0, size));
  }
}

async function receivedByMain(main: ReturnType<typeof openGroup>['main'], count: number): Promise<string[]> {
  const got: string[] = [];
  await new Promise<void>((resolve) => {
    main.onReceive = (bytes) => {
      got.push(hex(bytes));
      if (got.length === count) resolve();
    };
  });
  return got;
}

/** SPIs whose remainder is each worker's, with the highest bit and without. */
const SPIS = [256, 257, 258, 259, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffd, 0xffff_ffff];

function ofWorker(worker: number, workers = WORKERS): number[] {
  return SPIS.filter((spi) => spi % workers === worker);
}

/** A header of protocol 51 with its SPI, for a socket that wants the IP header of an IPv4 packet too. */
function ah(version: Version, spi: number, options: number): Uint8Array {
  const body = Uint8Array.of(59, 4, 0, 0, ...packet(spi, 7));
  if (version === 6) return body;
  const header = new Uint8Array(20 + options).fill(1);
  const view = new DataView(header.buffer);
  view.setUint8(0, 0x40 | (header.length / 4));
  view.setUint32(4, 0);
  view.setUint16(8, (64 << 8) | AH);
  header.set(parseIp(LOOP[4]) ?? [], 12);
  header.set(parseIp(LOOP[4]) ?? [], 16);
  return Uint8Array.of(...header, ...body);
}

function lane(index: number, workers: number, fds: Readonly<Record<number, number>>, uses = USE_ALL) {
  const all = Array.from({ length: SOURCES }, (_, source) => fds[source] ?? -1);
  const counters = new Float64Array(COUNTERS.length);
  const opened = openLane({ index, workers, uses, fds: all }, laneMemory(), counters);
  const counts = new BigUint64Array(counters.buffer);
  return { ...opened, count: (name: (typeof COUNTERS)[number]) => Number(counts[COUNTERS.indexOf(name)]) };
}

await inside(import.meta.url, {
  async 'IKE comes to the main thread, ESP to the worker that its SPI names, in both families'() {
    const { main, v4, v6 } = openGroup(0, { workers: WORKERS, uses: 0 });
    for (const version of VERSIONS) {
      const from = native.udpOpen(version, 0, 0);
      const to = loop(version, main.port).bytes;
      for (const spi of SPIS) native.send(from, packet(spi, 1), to);
      native.send(from, packet(0, 1), to);
      const fds = (version === 4 ? v4 : v6) ?? [];
      assert.equal(fds.length, WORKERS);
      for (const [worker, fd] of fds.entries()) {
        assert.deepEqual(
          waiting(fd, version).map((bytes) => spiOf(bytes)),
          ofWorker(worker),
        );
      }
      // The last that was sent is the first that came here.
      assert.deepEqual(await receivedByMain(main, 1), [hex(packet(0, 1))]);
    }
  },

  async 'what is no ESP comes to the main thread: IKE behind its marker, keepalives, and what is too short'() {
    const { main, v4, v6 } = openGroup(0, { workers: WORKERS, uses: 0 });
    const sent = ['00000000aabb', '00000000', 'ff', 'ffff', '010203'];
    for (const version of VERSIONS) {
      const got = receivedByMain(main, sent.length);
      const from = native.udpOpen(version, 0, 0);
      for (const text of sent) native.send(from, Buffer.from(text, 'hex'), loop(version, main.port).bytes);
      assert.deepEqual(await got, sent);
      for (const fd of (version === 4 ? v4 : v6) ?? []) assert.deepEqual(waiting(fd, version), []);
    }
  },

  'a group of one worker leads all ESP to it'() {
    const { main, v4 } = openGroup(0, { workers: 1, uses: 0 });
    const from = native.udpOpen(4, 0, 0);
    for (const spi of SPIS) native.send(from, packet(spi, 1), loop(4, main.port).bytes);
    assert.equal(waiting(v4[0] ?? -1, 4).length, SPIS.length);
  },

  async 'the main thread gets one by one what the kernel has joined'() {
    const { main, uses } = openGroup(0, { workers: 2, uses: USE.GRO });
    assert.equal(uses, USE.GRO);
    const parts = [0, 1, 2, 3].map((i) => `00000000${`${i}${i}`.repeat(i === 3 ? 10 : 96)}`);
    for (const version of VERSIONS) {
      const got = receivedByMain(main, parts.length);
      sendTrain(parts.join(''), 100, LOOP[version], main.port);
      assert.deepEqual(await got, parts);
    }
  },

  'a train of several SPIs and IKE reaches all its owners by their mailboxes'() {
    for (const version of VERSIONS) {
      const group = openGroup(0, { workers: 2, uses: USE.GRO });
      const fds = (version === 4 ? group.v4 : group.v6) ?? [];
      const source = version === 4 ? SOURCE.UDP4 : SOURCE.UDP6;
      const bells = [0, 1, 2].map((index) => {
        const bell = native.eventOpen();
        native.mailboxOpen(index, bell);
        return bell;
      });
      const ike = new Uint8Array(100).fill(9);
      ike.fill(0, 0, 4);
      const train = [packet(0x1000, 1, 92), ike, packet(0x1001, 2, 92), packet(0x1002, 3, 92), packet(0x1003, 4, 92)];
      // The last one, which may be shorter, is a keepalive.
      sendTrain(`${train.map(hex).join('')}ff`, 100, LOOP[version], group.main.port);

      const even = lane(0, 2, { [source]: fds[0] ?? -1 });
      assert.equal(even.receive(source, 16), 2 | DRAINED);
      const { in: words } = even.memory;
      assert.deepEqual([words[IN.SPI], words[WORDS + IN.SPI]], [0x1000, 0x1002]);
      assert.deepEqual([words[IN.SEQ], words[WORDS + IN.SEQ]], [1, 3]);
      for (const [name, count] of [
        ['receives', 1],
        ['messages-in', 1],
        ['segments-in', 6],
        ['strays', 3],
        ['mail-full', 0],
        ['keepalives', 1],
      ] as const) {
        assert.equal(even.count(name), count, name);
      }
      even.close();

      const from = new Path(version);
      const bytes = new Uint8Array(200);
      assert.equal(native.eventClear(bells[0] ?? -1), 1);
      assert.equal(native.mailboxTake(0, from.bytes, bytes), 100);
      assert.deepEqual(bytes.subarray(0, 100), ike);
      assert.deepEqual([from.bytes[0], from.remote, from.local], [version, LOOP[version], LOOP[version]]);
      assert.equal(native.mailboxTake(0, from.bytes, bytes), 0);

      const odd = lane(1, 2, { [source]: fds[1] ?? -1, [SOURCE.EVENT]: bells[2] ?? -1 });
      assert.equal(odd.wait(0), 1 << SOURCE.EVENT);
      assert.equal(odd.collect(64), 2);
      const theirs = odd.memory;
      assert.deepEqual([theirs.in[IN.SPI], theirs.in[WORDS + IN.SPI]], [0x1001, 0x1003]);
      assert.equal(theirs.messages[MESSAGE.PORT], from.port);
      assert.equal(odd.receive(source, 16), DRAINED);
      odd.close();
      group.close();
    }
  },

  'without mailboxes strays are lost, and counted'() {
    const { main, v4 } = openGroup(0, { workers: 2, uses: USE.GRO });
    for (const index of [0, 1, 2]) native.mailboxOpen(index, -1);
    const train = [packet(0x1000, 1, 92), packet(0x1001, 2, 92), packet(0x1001, 3, 92)];
    sendTrain(train.map(hex).join(''), 100, LOOP[4], main.port);
    const even = lane(0, 2, { [SOURCE.UDP4]: v4[0] ?? -1 });
    assert.equal(even.receive(SOURCE.UDP4, 16), 1 | DRAINED);
    assert.deepEqual([even.count('strays'), even.count('mail-full')], [2, 2]);
  },

  'joined or not, in one call or in many, a lane receives the same packets'() {
    const seen = new Set<string>();
    for (const uses of [0, USE.GRO, USE.MMSG, USE.GRO | USE.MMSG]) {
      const { main, v4, close } = openGroup(0, { workers: 1, uses });
      const train = Array.from({ length: 20 }, (_, i) => packet(0x1000, i + 1, i === 19 ? 3 : 92));
      sendTrain(train.map(hex).join(''), 100, LOOP[4], main.port);
      const only = lane(0, 1, { [SOURCE.UDP4]: v4[0] ?? -1 }, uses);
      const { in: words, rx } = only.memory;
      const count = only.receive(SOURCE.UDP4, 64) & ~DRAINED;
      const got = Array.from({ length: count }, (_, i) => {
        const at = words[i * WORDS + IN.OFFSET] as number;
        return hex(rx.subarray(at, at + (words[i * WORDS + IN.LENGTH] as number)));
      });
      assert.deepEqual(got, train.map(hex));
      assert.equal(only.count('messages-in'), uses & USE.GRO ? 1 : 20);
      seen.add(got.join());
      only.close();
      close();
    }
    assert.equal(seen.size, 1);
  },

  'raw sockets for ESP get the packets of their own worker only, in both families'() {
    const { esp4, esp6 } = openRaw({ workers: WORKERS });
    for (const version of VERSIONS) {
      const fds = (version === 4 ? esp4 : esp6) ?? [];
      for (const spi of SPIS) native.send(fds[0] ?? -1, packet(spi, 1), loop(version, 0).bytes);
      for (const [worker, fd] of fds.entries()) {
        const got = waiting(fd, version).map((bytes) => spiOf(bytes, version === 4 ? 20 : 0));
        assert.deepEqual(got, ofWorker(worker));
      }
    }
  },

  'raw sockets for AH find the SPI behind its own header, and behind IPv4 options'() {
    const { ah4, ah6 } = openRaw({ workers: WORKERS });
    for (const version of VERSIONS) {
      for (const options of version === 4 ? [0, 8, 40] : [0]) {
        const fds = (version === 4 ? ah4 : ah6) ?? [];
        for (const spi of SPIS) native.send(fds[0] ?? -1, ah(version, spi, options), loop(version, 0).bytes);
        for (const [worker, fd] of fds.entries()) {
          const at = 4 + (version === 4 ? 20 + options : 0);
          assert.deepEqual(
            waiting(fd, version).map((bytes) => spiOf(bytes, at)),
            ofWorker(worker),
          );
        }
      }
    }
  },

  'a raw packet too short for an SPI comes to no worker of several'() {
    const { esp4, esp6 } = openRaw({ workers: 2 });
    for (const version of VERSIONS) {
      const fds = (version === 4 ? esp4 : esp6) ?? [];
      native.send(fds[0] ?? -1, Uint8Array.of(0, 0, 1), loop(version, 0).bytes);
      for (const fd of fds) assert.deepEqual(waiting(fd, version), []);
    }
  },

  'a lane reads SPI and sequence number of raw ESP and AH, in both families'() {
    const raw = openRaw({ workers: 1 });
    for (const [source, fd, version, protocol] of [
      [SOURCE.ESP4, raw.esp4[0], 4, 50],
      [SOURCE.ESP6, raw.esp6?.[0], 6, 50],
      [SOURCE.AH4, raw.ah4[0], 4, AH],
      [SOURCE.AH6, raw.ah6?.[0], 6, AH],
    ] as const) {
      const sent = protocol === AH ? ah(version, 0x8000_0001, 0) : packet(0x8000_0001, 7);
      native.send(fd ?? -1, sent, loop(version, 0).bytes);
      const only = lane(0, 1, { [source]: fd ?? -1 });
      assert.equal(only.receive(source, 64), 1 | DRAINED);
      const { in: words, messages } = only.memory;
      const length = 32 + (protocol === AH ? 4 : 0);
      assert.deepEqual([words[IN.SPI], words[IN.SEQ], words[IN.LENGTH]], [0x8000_0001 | 0, 7, length]);
      assert.equal(messages[MESSAGE.KIND], version);
      only.close();
    }
  },
});
