// What threads hand to one another (native/mailbox.c): bounded, in order, and never in the way of what follows.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import {
  COUNTERS,
  GSO,
  IN,
  KIND_UDP,
  laneMemory,
  MESSAGE,
  OUT,
  SOURCE,
  SOURCES,
  TO_WORKER,
  USE_ALL,
  WORDS,
} from '../../src/esp/layout.ts';
import { openLane } from '../../src/net/lane.ts';
import { addon, Path } from '../../src/net/native.ts';
import { ipv4, ipv6, tcp, text } from '../esp/packets.ts';
import { Dice } from '../support/random.ts';

const native = addon();
const BOX = 7;
const RING = 1 << 20;
const HEAD = 44;
const ENOBUFS = 105;
const EMSGSIZE = 90;
const EAGAIN = 11;

const bell = native.eventOpen();
const path = new Path(6);
path.set('2001:db8::1', { ip: '2001:db8::2', port: 4500 });

afterEach(() => {
  native.laneStop();
  native.mailboxOpen(BOX, -1);
  native.eventClear(bell);
});

function put(bytes: Uint8Array): number {
  return native.mailboxPut(BOX, path.bytes, bytes);
}

function take(room = RING): Uint8Array | number {
  const bytes = new Uint8Array(room);
  const size = native.mailboxTake(BOX, new Path(4).bytes, bytes);
  return size > 0 ? bytes.subarray(0, size) : size;
}

function numbered(serial: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size).fill(serial);
  new DataView(bytes.buffer).setUint32(0, serial);
  return bytes;
}

test('what is put comes out once, in order, with the path that it came by', () => {
  native.mailboxOpen(BOX, bell);
  for (let i = 0; i < 5; i++) assert.equal(put(numbered(i, 100 + i)), 0);
  for (let i = 0; i < 5; i++) {
    const from = new Path(6);
    const bytes = new Uint8Array(1500);
    assert.equal(native.mailboxTake(BOX, from.bytes, bytes), 100 + i);
    assert.deepEqual(bytes.subarray(0, 100 + i), numbered(i, 100 + i));
    assert.deepEqual([from.remote, from.port, from.local], ['2001:db8::2', 4500, '2001:db8::1']);
  }
  assert.equal(take(), 0);
});

test('the bell rings when the box was empty, and not again before it is', () => {
  native.mailboxOpen(BOX, bell);
  for (let i = 0; i < 3; i++) put(numbered(i, 64));
  assert.equal(native.eventClear(bell), 1);
  take();
  put(numbered(3, 64));
  assert.equal(native.eventClear(bell), -EAGAIN);
  while (take() !== 0);
  put(numbered(4, 64));
  assert.equal(native.eventClear(bell), 1);
});

test('a box that nobody reads fills up and then loses, and has room again when it is read', () => {
  native.mailboxOpen(BOX, bell);
  const size = 1000;
  let fit = 0;
  while (put(numbered(fit, size)) === 0) fit++;
  assert.equal(fit, Math.floor(RING / (HEAD + size)));
  assert.equal(put(numbered(0, size)), -ENOBUFS);
  // The room that is left takes something smaller, up to the last byte.
  const left = RING - fit * (HEAD + size) - HEAD;
  assert.equal(put(numbered(1, left + 1)), -ENOBUFS);
  assert.equal(put(numbered(1, left)), 0);
  assert.equal(put(new Uint8Array(0)), -ENOBUFS);
  assert.deepEqual(take(), numbered(0, size));
  assert.equal(put(numbered(fit, size)), 0);
  for (let i = 1; i < fit; i++) assert.deepEqual(take(), numbered(i, size));
  assert.deepEqual(take(), numbered(1, left));
  assert.deepEqual(take(), numbered(fit, size));
  assert.equal(take(), 0);
});

test('heads and bytes that lie across the end of the ring come out whole', () => {
  native.mailboxOpen(BOX, bell);
  const dice = new Dice(11);
  const model: Uint8Array[] = [];
  let used = 0;
  let moved = 0;
  for (let serial = 0; moved < 40 * RING; serial++) {
    if (dice.chance(0.55)) {
      const bytes = numbered(serial, 4 + (dice.chance(0.5) ? dice.below(60) : dice.below(65_000)));
      const fits = used + HEAD + bytes.length <= RING;
      assert.equal(put(bytes), fits ? 0 : -ENOBUFS);
      if (!fits) continue;
      model.push(bytes);
      used += HEAD + bytes.length;
    } else {
      const expected = model.shift();
      const got = take();
      if (!expected) assert.equal(got, 0);
      else assert.ok(typeof got !== 'number' && Buffer.compare(got, expected) === 0, `packet ${serial}`);
      used -= expected ? HEAD + expected.length : 0;
      moved += expected?.length ?? 0;
    }
  }
});

test('more than half of the ring is refused, and what the taker has no room for is lost alone', () => {
  native.mailboxOpen(BOX, bell);
  assert.equal(put(new Uint8Array(RING / 2 + 1)), -ENOBUFS);
  assert.equal(put(numbered(1, RING / 2)), 0);
  assert.equal(put(numbered(2, 100)), 0);
  assert.equal(put(numbered(3, 99)), 0);
  assert.equal(take(100), -EMSGSIZE);
  assert.deepEqual(take(100), numbered(2, 100));
  assert.deepEqual(take(99), numbered(3, 99));
});

test('a box that is closed takes nothing, and one that is opened again is empty', () => {
  assert.equal(put(numbered(1, 8)), -ENOBUFS);
  native.mailboxOpen(BOX, bell);
  assert.equal(put(numbered(1, 8)), 0);
  native.mailboxOpen(BOX, -1);
  assert.equal(take(), 0);
  assert.equal(put(numbered(2, 8)), -ENOBUFS);
  native.mailboxOpen(BOX, bell);
  assert.equal(take(), 0);
  put(numbered(3, 8));
  native.mailboxOpen(BOX, bell);
  assert.equal(take(), 0);
});

function lane(index: number, counters = new BigUint64Array(COUNTERS.length)) {
  const fds = new Array(SOURCES).fill(-1);
  fds[SOURCE.EVENT] = bell;
  const bytes = new Uint8Array(counters.buffer);
  return openLane({ index, workers: 64, uses: USE_ALL, fds }, laneMemory(), bytes);
}

test('a lane collects what is in its box, with where it came from', () => {
  native.mailboxOpen(BOX, bell);
  const owner = lane(BOX - 1);
  put(Uint8Array.from([0, 0, 0x10, 0x01, 0, 0, 0, 9, 1, 2, 3]));
  assert.equal(owner.wait(0), 1 << SOURCE.EVENT);
  assert.equal(owner.collect(64), 1);
  const { in: words, messages, rx } = owner.memory;
  const at = words[IN.OFFSET] as number;
  assert.deepEqual([...rx.subarray(at + 8, at + (words[IN.LENGTH] as number))], [1, 2, 3]);
  assert.deepEqual([words[IN.SPI], words[IN.SEQ], words[IN.SA], words[IN.EXTRA]], [0x1001, 9, -1, 0]);
  assert.deepEqual([messages[MESSAGE.KIND], messages[MESSAGE.PORT]], [6 | KIND_UDP, 4500]);
  assert.deepEqual([...messages.subarray(MESSAGE.REMOTE, MESSAGE.REMOTE + 4)], [0x20010db8, 0, 0, 2]);
  assert.deepEqual([...messages.subarray(MESSAGE.LOCAL, MESSAGE.LOCAL + 4)], [0x20010db8, 0, 0, 1]);
  assert.equal(owner.collect(64), 0);
  assert.equal(owner.wait(0), 0);
});

test('a lane collects as many at once as it is asked for', () => {
  native.mailboxOpen(BOX, bell);
  const owner = lane(BOX - 1);
  for (let i = 0; i < 10; i++) put(numbered(0x5000 + i, 50 + i));
  for (const [max, expected] of [
    [3, 3],
    [6, 6],
    [64, 1],
    [64, 0],
  ] as const) {
    assert.equal(owner.collect(max), expected);
  }
  assert.equal(owner.memory.in[0 * WORDS + IN.SPI], 0x5009);
});

test('a super-packet is handed over with all that the owner needs to cut it', () => {
  native.mailboxOpen(BOX, bell);
  const big = { 4: tcp4(5000), 6: tcp6(5000) } as const;
  for (const [version, gso, packet] of [
    [4, GSO.TCP, big[4]],
    [6, GSO.TCP, big[6]],
    [6, GSO.NONE, big[6].subarray(0, 900)],
  ] as const) {
    const reader = lane(0);
    const { tx, out } = reader.memory;
    tx.set(packet, 64);
    out.set([64, packet.length, gso, gso === GSO.NONE ? 0 : 1200, TO_WORKER - (BOX - 1), 0, 0, 1]);
    reader.seal(1);
    reader.close();
    const owner = lane(BOX - 1);
    assert.equal(owner.collect(64), 1 << 16);
    const words = owner.memory.out;
    const at = words[OUT.OFFSET] as number;
    assert.deepEqual(owner.memory.tx.subarray(at, at + packet.length), packet, `IPv${version}`);
    assert.deepEqual(
      [words[OUT.LENGTH], words[OUT.GSO], words[OUT.MSS], words[OUT.SEGMENTS]],
      [packet.length, gso, gso === GSO.NONE ? 0 : 1200, gso === GSO.NONE ? 1 : 5],
    );
    owner.close();
  }
});

test('what a lane cannot use does not hide what lies behind it, and is counted', () => {
  native.mailboxOpen(BOX, bell);
  const counters = new BigUint64Array(COUNTERS.length);
  const owner = lane(BOX - 1, counters);
  // The bell rings no more while something is in the box: "nothing more" must not be said too early.
  for (let i = 0; i < 10; i++) assert.equal(put(numbered(0x5000 + i, 70_000)), 0);
  put(numbered(0x6000, 50));
  assert.equal(owner.collect(8), 1);
  assert.equal(owner.memory.in[IN.SPI], 0x6000);
  assert.equal(counters[COUNTERS.indexOf('truncated')], 10n);
});

test('a packet whose SA went while it was decided about is counted', () => {
  const counters = new BigUint64Array(COUNTERS.length);
  const { memory, seal } = lane(0, counters);
  const packet = tcp4(100);
  memory.tx.set(packet, 64);
  memory.out.set([64, packet.length, GSO.NONE, 0, 9, 1, 0, 1]);
  seal(1);
  assert.equal(counters[COUNTERS.indexOf('seal-failures')], 1n);
});

function tcp4(size: number): Uint8Array {
  return ipv4('10.1.0.1', '10.2.0.1', tcp({ data: text(size) }), { protocol: 6 });
}

function tcp6(size: number): Uint8Array {
  return ipv6('fd00:1::1', 'fd00:2::1', tcp({ data: text(size) }), 6);
}
