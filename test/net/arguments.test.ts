// What the data plane's exports take, and that nothing else gets through them (SECURITY.md E): types, sizes, counts,
// and descriptors that point anywhere.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import {
  BATCH,
  COUNTERS,
  IN,
  IN_MAX,
  laneMemory,
  MESSAGE_WORDS,
  OUT,
  OUT_MAX,
  SA,
  SLOTS,
  SOURCE,
  SOURCES,
  USE_ALL,
  WORDS,
} from '../../src/esp/layout.ts';
import { addon, PATH_SIZE, Path } from '../../src/net/native.ts';
import { Dice } from '../support/random.ts';
import { HOSTILE, METHODS, refuses, survive, WRONG } from './hostile.ts';
import { readable } from './readable.ts';

const native = addon();
const memory = laneMemory();
const counters = new Uint8Array(8 * COUNTERS.length);
const CONFIG = Int32Array.from([0, 1, USE_ALL, ...new Array(SOURCES).fill(-1)]);
const START = [CONFIG, memory.tx, memory.rx, memory.out, memory.in, memory.messages, counters] as const;
const AES_GCM_16 = 20;
const KEY = new Uint8Array(20).fill(7);
const NOTHING = new Uint8Array(0);
const SLOT = 77;

const NO_NUMBER = [undefined, null, true, '1', 1n, {}, Number.NaN, -1, 0.5, 2 ** 53];
const NO_BYTES = [undefined, null, 1, 'abc', {}, [], new Uint16Array(PATH_SIZE), new ArrayBuffer(PATH_SIZE)];
const NO_PATH = [...NO_BYTES, NOTHING, new Uint8Array(PATH_SIZE - 1), new Uint8Array(PATH_SIZE + 1)];

const path = new Path(4);
path.set('127.0.0.1', { ip: '127.0.0.1', port: 9 });

function spec(flags: number): Int32Array {
  return Int32Array.from([0x1001, 0x1002, AES_GCM_16, 128, 0, flags, 0, 0]);
}

function install(slot = SLOT, flags: number = SA.UDP): void {
  native.saInstall(slot, spec(flags), path.bytes, KEY, NOTHING, KEY, NOTHING);
}

afterEach(() => {
  native.laneStop();
  native.saDrop(SLOT);
});

test('a thread without a lane has nothing to call', () => {
  for (const name of METHODS.filter((one) => /^lane(?!Start|Stop)/.test(one))) {
    assert.throws(() => Reflect.apply(Reflect.get(native, name), undefined, [1, 1]), WRONG, name);
  }
  native.laneStop();
});

test('a lane is refused where its memory is missing or short', () => {
  const short = (array: Int32Array | Uint8Array) => [undefined, {}, new Float64Array(9), array.slice(1), NOTHING];
  refuses('laneStart', START, START.slice(0, 1).map(short));
  refuses('laneStart', START, [
    [],
    [undefined, NOTHING, new Uint8Array(65_727), memory.out],
    [undefined, NOTHING, memory.rx.subarray(1), memory.out],
    short(memory.out),
    short(memory.in),
    short(memory.messages),
    [...short(counters), new Uint8Array(new ArrayBuffer(1024), 1)],
  ]);
  for (const [at, value] of [
    [0, -1],
    [1, 0],
    [1, -5],
  ] as const) {
    const config = CONFIG.slice();
    config[at] = value;
    refuses('laneStart', START, [[config]]);
  }
});

test('a lane is refused with a descriptor that is none, and a thread has one', () => {
  const config = CONFIG.slice();
  config[3 + SOURCE.UDP4] = 1_000_000;
  const [, ...rest] = START;
  assert.throws(() => native.laneStart(config, ...rest), { code: 'EBADF', syscall: 'epoll' });
  native.laneStart(...START);
  assert.throws(() => native.laneStart(...START), WRONG);
  native.laneStop();
  native.laneStart(...START);
});

test('counts beyond the memory are refused', () => {
  native.laneStart(...START);
  const beyond = (max: number) => [...NO_NUMBER, max + 1, 2 ** 31, 2 ** 32 + 1];
  refuses('laneSeal', [0], [beyond(OUT_MAX)]);
  refuses('laneOpen', [0], [beyond(IN_MAX)]);
  refuses('laneDeliver', [0], [beyond(IN_MAX)]);
  refuses('laneCollect', [0], [beyond(BATCH)]);
  refuses('laneRead', [0, 0], [beyond(OUT_MAX), NO_NUMBER]);
  refuses('laneReceive', [SOURCE.UDP4, 0], [[...beyond(SOURCE.AH6), SOURCE.TUN, SOURCE.EVENT], beyond(BATCH)]);
  refuses('laneWait', [0], [beyond(60_000)]);
  refuses('laneErrors', [memory.errors], [[...NO_BYTES, new Int32Array(191), NOTHING]]);
  refuses('laneInject', [NOTHING], [NO_BYTES]);
});

test('sources that the lane does not have are refused, and its TUN device says so', () => {
  native.laneStart(...START);
  for (let source: number = SOURCE.UDP4; source <= SOURCE.AH6; source++) {
    assert.throws(() => native.laneReceive(source, 1), WRONG);
  }
  const EBADF = 9;
  assert.equal(native.laneRead(1, 1), -EBADF);
  assert.equal(native.laneInject(Uint8Array.of(0x45)), -EBADF);
  assert.equal(native.laneErrors(memory.errors), 0);
  assert.equal(native.laneWait(0), 0);
});

test('calls of a lane with anything at all do not crash', () => {
  native.laneStart(...START);
  install();
  for (const name of METHODS.filter((one) => /^lane(?!Stop|Wait)/.test(one))) {
    survive(name, []);
    for (const first of HOSTILE) {
      survive(name, [first]);
      for (const second of HOSTILE) survive(name, [first, second, first, second, first, second, first]);
    }
  }
});

test('descriptors that point anywhere do not lead out of the memory', () => {
  native.laneStart(...START);
  install();
  const dice = new Dice(3);
  const edges = [0, 1, -1, 8, 20, 65_535, memory.tx.length, memory.rx.length, 2 ** 31 - 1, -(2 ** 31)];
  const some = (usual: number) =>
    dice.pick([usual, usual, dice.below(70_000), dice.pick(edges), dice.pick(edges) - dice.below(80), dice.word() | 0]);
  for (let round = 0; round < 3000; round++) {
    for (let i = 0; i < 4; i++) {
      const o = i * WORDS;
      memory.out.set([some(64), some(1000), some(1 + dice.below(2)), some(100), SLOT, 1, 0, some(1)], o);
      memory.in.set([some(64), some(100), 0x1001, some(1), SLOT, some(0), some(60), some(dice.below(BATCH) << 16)], o);
      if (dice.chance(0.2)) memory.out[o + OUT.SA] = some(-1);
      if (dice.chance(0.2)) memory.in[o + IN.SA] = some(SLOT);
      const packet = dice.pick([0x45, 0x4f, 0x60, 0]);
      memory.tx[Math.max(0, memory.out[o + OUT.OFFSET] as number)] = packet;
      memory.rx[Math.max(0, memory.in[o + IN.INNER] as number)] = packet;
    }
    memory.messages[dice.below(BATCH * MESSAGE_WORDS)] = dice.word() | 0;
    native.laneSeal(4);
    native.laneFlush();
    native.laneDeliver(4);
    native.laneOpen(4);
    native.laneDeliver(4);
  }
});

test('an SA is refused with what is no SA', () => {
  const good = [SLOT, spec(0), path.bytes, KEY, NOTHING, KEY, NOTHING] as const;
  const beyond = [...NO_NUMBER, SLOTS];
  const odd = [2, 3, 4, 5, 6, 7].flatMap((at) => [spec(0).fill(-1, at, at + 1), spec(0).fill(65_536, at, at + 1)]);
  const described = [...NO_BYTES, new Int32Array(7), new Uint8Array(32), ...odd];
  const paths = [...NO_PATH, new Uint8Array(PATH_SIZE).fill(5)];
  refuses('saInstall', good, [beyond, described, paths, NO_BYTES, NO_BYTES, NO_BYTES, NO_BYTES]);
  refuses('saChange', [SLOT, path.bytes, 0, 0, 0], [beyond, paths, ...new Array(3).fill([...NO_NUMBER, 65_536])]);
  refuses('saDrop', [SLOT], [beyond]);
  refuses('saCarried', [SLOT], [beyond]);
  assert.equal(native.saCarried(SLOT), undefined);
  const [slot, , ends] = good;
  for (const [encr, bits, encrKey, integKey] of [
    [0, 128, KEY, NOTHING],
    [99, 128, KEY, NOTHING],
    [AES_GCM_16, 64, KEY, NOTHING],
    [AES_GCM_16, 128, KEY.subarray(1), NOTHING],
    [AES_GCM_16, 128, NOTHING, NOTHING],
    [AES_GCM_16, 128, KEY, KEY],
  ] as const) {
    const described = spec(0);
    described[2] = encr;
    described[3] = bits;
    assert.throws(() => native.saInstall(slot, described, ends, encrKey, integKey, encrKey, integKey), {
      code: 'EINVAL',
      syscall: 'saInstall',
    });
  }
  install();
  assert.throws(() => install(), { code: 'EEXIST' });
  native.saDrop(SLOT);
  install();
});

test('an SA stays with the protocol and the sequence numbers that it was made for', () => {
  install();
  for (const flags of [SA.AH, SA.ESN, SA.UDP | SA.AH, SA.UDP | SA.ESN]) {
    assert.throws(() => native.saChange(SLOT, path.bytes, flags, 0, 0), WRONG, `${flags}`);
  }
  native.saChange(SLOT, path.bytes, SA.COPY_DF, 1400, 1380);
});

test('a slot that is empty can be changed and dropped', () => {
  native.saChange(SLOT, path.bytes, SA.UDP, 0, 0);
  native.saDrop(SLOT);
  native.saDrop(SLOT);
});

test('a device is refused with what is no name', () => {
  const names = [undefined, null, 1, {}, 'a-name-too-long-', 'x'.repeat(70_000), 'a\0b', 'ä'.repeat(8)];
  refuses('tunOpen', ['lo', true, 0], [names, [undefined, 0, 1, 'true'], [...NO_NUMBER, 256]]);
});

test('sockets are refused with what is no version, port, protocol or worker', () => {
  const versions = [...NO_NUMBER, 0, 5, 7];
  const marks = [...NO_NUMBER, 2 ** 32];
  refuses(
    'udpMember',
    [4, 0, 0, true, 0],
    [versions, [...NO_NUMBER, 65_536], marks, [undefined, 1], [...NO_NUMBER, 256]],
  );
  refuses(
    'udpSteer',
    [1_000_000, 1],
    [
      [...NO_NUMBER, 2 ** 31],
      [...NO_NUMBER, 65],
    ],
  );
  refuses(
    'rawOpen',
    [4, 50, 0, 1, 0],
    [versions, [...NO_NUMBER, 0, 1, 17, 255, 256], marks, [...NO_NUMBER, 0, 65], [...NO_NUMBER, 1, 64]],
  );
});

test('a mailbox is refused with what is no index or bell', () => {
  const indices = [...NO_NUMBER, 65];
  refuses('mailboxOpen', [3, -1], [indices, [undefined, null, true, '1', {}, Number.NaN, 0.5, -2, 2 ** 31, 2 ** 53]]);
  refuses('mailboxPut', [3, path.bytes, NOTHING], [indices, NO_PATH, NO_BYTES]);
  refuses('mailboxTake', [3, path.bytes, NOTHING], [indices, NO_PATH, NO_BYTES]);
});

test('a bell counts how often it was rung, once', () => {
  const bell = native.eventOpen();
  const EAGAIN = 11;
  assert.equal(native.eventClear(bell), -EAGAIN);
  for (let i = 0; i < 3; i++) assert.equal(native.eventRing(bell), 0);
  assert.equal(native.eventClear(bell), 3);
  assert.equal(native.eventClear(bell), -EAGAIN);
  native.close(bell);
  refuses('eventRing', [0], [NO_NUMBER]);
  refuses('eventClear', [0], [NO_NUMBER]);
});

test('a closed source of a lane wakes nobody', () => {
  const { fd, fill } = readable();
  const config = CONFIG.slice();
  config[3 + SOURCE.UDP4] = fd;
  const [, ...rest] = START;
  native.laneStart(config, ...rest);
  fill();
  assert.equal(native.laneWait(1000), 1 << SOURCE.UDP4);
  native.close(fd);
  assert.equal(native.laneWait(0), 0);
});
