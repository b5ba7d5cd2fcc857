// What the network says of IKE messages, from the records that a socket's error queue gives (native/errors.c).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import { undelivered, unsent } from '../../src/daemon/undelivered.ts';
import { ERROR, ERROR_WORDS } from '../../src/esp/layout.ts';

const NOTHING = new Uint8Array(0);
const ICMP = 2;
const ICMP6 = 3;

function record(origin: number, type: number, code: number, first: number, second: number, v6 = false): Int32Array {
  const words = new Int32Array(ERROR_WORDS);
  words[ERROR.ORIGIN] = origin;
  words[ERROR.TYPE] = (type << 8) | code;
  words[ERROR.SPI] = first;
  words[ERROR.SEQ] = second;
  words[ERROR.PORT] = 4500;
  words[ERROR.VERSION] = v6 ? 6 : 4;
  words.set(v6 ? [0x20010db8, 0, 0, 1] : [0xc0000202 | 0], ERROR.ADDRESS);
  return words;
}

test('unreachable is told by its code, in both families, with the SPI that is quoted', () => {
  const found = (origin: number, type: number, code: number) =>
    undelivered(record(origin, type, code, 0x81234567 | 0, 0x89abcdef | 0, origin === ICMP6), false);
  assert.deepEqual(
    [0, 1, 3, 4, 9, 10, 13].map((code) => found(ICMP, 3, code)?.kind),
    ['unreachable', 'unreachable', 'closed', undefined, 'forbidden', 'forbidden', 'forbidden'],
  );
  assert.deepEqual(
    [0, 1, 3, 4, 5].map((code) => found(ICMP6, 1, code)?.kind),
    ['unreachable', 'forbidden', 'unreachable', 'closed', 'forbidden'],
  );
  assert.equal(found(ICMP, 11, 0), undefined, 'time exceeded');
  assert.equal(found(1, 0, 0), undefined, 'our own kernel, of sizes');
  const one = found(ICMP, 3, 3);
  assert.deepEqual([one?.remote, hex(one?.spi ?? NOTHING)], [{ ip: '192.0.2.2', port: 4500 }, '8123456789abcdef']);
  assert.equal(found(ICMP6, 1, 4)?.remote.ip, '2001:db8::1');
});

test('behind a non-ESP marker four bytes of the SPI are left; without any it is nobody’s', () => {
  assert.equal(hex(undelivered(record(ICMP, 3, 3, 0, 0x01020304), true)?.spi ?? NOTHING), '01020304');
  assert.equal(undelivered(record(ICMP, 3, 3, 0, 0), true), undefined);
  assert.equal(undelivered(record(ICMP, 3, 3, 0, 0), false), undefined, 'a router that quotes the ports alone');
});

test('a refusal of our own kernel names what it was, and a full buffer is none', () => {
  const message = unhex('0102030405060708 ffff');
  const to = { ip: '192.0.2.2', port: 500 };
  assert.deepEqual(
    [1, 101, 113, 22, 13, 11, 105, 0].map((errno) => unsent(errno, message, to)?.kind),
    ['blocked', 'unrouted', 'unreachable', 'unsent', 'unsent', undefined, undefined, undefined],
  );
  assert.equal(hex(unsent(1, message, to)?.spi ?? NOTHING), '0102030405060708');
});
