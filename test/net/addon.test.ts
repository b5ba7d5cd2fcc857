import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { addon, PATH_SIZE } from '../../src/net/native.ts';
import { call, HOSTILE, METHODS, survive } from './hostile.ts';
import { looped, readable } from './readable.ts';

const SCRIPTS = fileURLToPath(new URL('./script.js', import.meta.url));
const native = addon();
const EAGAIN = 11;

test('no call with wrong arguments crashes', () => {
  for (const name of METHODS) {
    survive(name, []);
    // An empty name would be accepted, and make a device of this host.
    for (const first of HOSTILE) if (name !== 'tunOpen' || first !== '') survive(name, [first, 0, 0]);
    if (name === 'tunOpen') continue;
    // A descriptor that is not open, or a version: the first argument passes, the others are looked at.
    for (const first of [1_000_000, 4, 6]) {
      if (first !== 1_000_000 && !/^(udpOpen|udpMember|rawOpen)$/.test(name)) continue;
      for (const second of HOSTILE) for (const third of HOSTILE) survive(name, [first, second, third]);
    }
  }
});

test('an open descriptor with wrong buffers and paths does not crash', () => {
  const fd = native.udpOpen(4, 0, 0);
  for (const name of ['udpReceive', 'send', 'netlinkSend', 'netlinkReceive']) {
    for (const second of HOSTILE) for (const third of HOSTILE) survive(name, [fd, second, third]);
  }
  native.close(fd);
});

test('wrong types are TypeErrors', () => {
  for (const args of [[], ['3'], [-1], [1.5], [2 ** 31], [Number.NaN]]) {
    assert.throws(() => call('close', ...args), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  }
  assert.throws(() => call('udpOpen', 5, 0, 0), TypeError);
  assert.throws(() => call('udpOpen', 4, 65_536, 0), TypeError);
  assert.throws(() => call('udpOpen', 4, 0, 2 ** 32), TypeError);
  assert.throws(() => call('udpReceive', 1, new Uint8Array(9), new Uint8Array(PATH_SIZE - 1)), TypeError);
  assert.throws(() => call('udpReceive', 1, new Uint16Array(9), new Uint8Array(PATH_SIZE)), TypeError);
  assert.throws(() => call('tunOpen', 'a-name-too-long-'), TypeError);
  assert.throws(() => call('netlinkOpen', 16, 0), TypeError);
  assert.throws(() => call('peerOf', 0, new Int32Array(3)), TypeError);
  assert.throws(() => call('peerOf', 0, new Uint8Array(99)), TypeError);
  assert.throws(() => call('netlinkOpen', 0, 2 ** 32), TypeError);
  assert.throws(() => call('pollStart', 1, {}), TypeError);
  assert.throws(() => call('pollStop', {}), TypeError);
});

test('a closed descriptor is EBADF', () => {
  const fd = native.udpOpen(4, 0, 0);
  assert.equal(native.close(fd), 0);
  const EBADF = 9;
  const { bytes: path } = looped(9);
  assert.equal(native.close(fd), -EBADF);
  assert.equal(native.udpPort(fd), -EBADF);
  assert.equal(native.udpReceive(fd, new Uint8Array(9), path), -EBADF);
  assert.equal(native.send(fd, new Uint8Array(9), path), -EBADF);
  assert.equal(native.eventRing(fd), -EBADF);
  assert.equal(native.eventClear(fd), -EBADF);
  assert.equal(native.udpSteer(fd, 1), -EBADF);
  assert.equal(native.peerOf(fd, new Int32Array(4)), -EBADF);
  assert.throws(() => native.pollStart(fd, () => {}), { code: 'EBADF', errno: EBADF, syscall: 'poll' });
});

test('a datagram larger than the buffer is refused as a whole, and an empty socket says EAGAIN', () => {
  const fd = native.udpOpen(4, 0, 0);
  const port = native.udpPort(fd);
  const { bytes: path } = looped(port);
  assert.equal(native.udpReceive(fd, new Uint8Array(9), path.slice()), -EAGAIN);
  assert.equal(native.send(fd, new Uint8Array(10), path), 10);
  assert.equal(native.udpReceive(fd, new Uint8Array(9), path.slice()), -90);
  assert.equal(native.udpReceive(fd, new Uint8Array(9), path.slice()), -EAGAIN);
  assert.equal(native.send(fd, new Uint8Array(0), path), 0);
  assert.equal(native.udpReceive(fd, new Uint8Array(0), path.slice()), 0);
  assert.equal(native.send(fd, new Uint8Array(65_536), path), -90);
  native.close(fd);
});

test('readiness is reported until what is there was read, and a watch may stop itself', async () => {
  const { fd, fill, drain } = readable();
  fill();
  let calls = 0;
  await new Promise<void>((resolve) => {
    const watch = native.pollStart(fd, (status) => {
      assert.equal(status, 0);
      calls++;
      if (calls === 1) return;
      if (calls === 2) {
        drain();
        fill();
        return;
      }
      native.pollStop(watch);
      native.pollStop(watch);
      resolve();
    });
  });
  assert.equal(calls, 3);
  native.close(fd);
});

test('a descriptor has one watch at a time, and a stopped one is free again', () => {
  const { fd } = readable();
  const watch = native.pollStart(fd, () => {});
  assert.throws(() => native.pollStart(fd, () => {}), { code: 'EEXIST' });
  native.pollStop(watch);
  native.pollStop(native.pollStart(fd, () => {}));
  native.close(fd);
});

test('a foreign external is no handle', () => {
  const { fd } = readable();
  const watch = native.pollStart(fd, () => {});
  assert.throws(() => call('pollStop', Object.create(watch)), TypeError);
  native.pollStop(watch);
  native.close(fd);
});

/** Runs one of `script.ts` in a process of its own. */
function script(name: string): string {
  return execFileSync(process.execPath, ['--expose-gc', SCRIPTS, name], { encoding: 'utf8', timeout: 60_000 });
}

test('a callback that throws raises uncaughtException and keeps its watch', () => {
  assert.equal(script('throws'), 'from the callback\nfrom the callback\n');
});

test('the process can end inside a callback', () => {
  assert.equal(script('exits'), 'exit\n');
});

test('a watch outlives the handle that was dropped', () => {
  assert.equal(script('collects'), 'still watched\n');
});

test('a worker that ends takes its watches with it', () => {
  assert.equal(script('workers'), 'from a worker\nall ended\n');
});
