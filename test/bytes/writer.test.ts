import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import { Writer } from '../../src/bytes/writer.ts';

test('fields are written big-endian', () => {
  const writer = new Writer().u8(1).u16(0x0203).u32(0xfffffffe).bytes(unhex('aa bb')).zeros(2);
  assert.equal(writer.length, 11);
  assert.equal(hex(writer.done()), '010203fffffffeaabb0000');
});

test('every kind of field may be the one that outgrows the buffer', () => {
  for (const before of [509, 510, 511, 512, 1023, 1024]) {
    const head = new Uint8Array(before).fill(0x11);
    for (const [write, tail] of [
      [(writer: Writer) => writer.u8(0xaa), 'aa'],
      [(writer: Writer) => writer.u16(0xaabb), 'aabb'],
      [(writer: Writer) => writer.u32(0xaabbccdd), 'aabbccdd'],
      [(writer: Writer) => writer.bytes(unhex('aabbccddee')), 'aabbccddee'],
      [(writer: Writer) => writer.zeros(5), '0000000000'],
      [(writer: Writer) => writer.bytes(new Uint8Array(5000).fill(0xee)), 'ee'.repeat(5000)],
    ] as const) {
      const writer = new Writer().bytes(head);
      write(writer);
      assert.equal(hex(writer.done()), hex(head) + tail);
    }
  }
});

test('a placeholder is overwritten in place, also after the buffer has grown', () => {
  const writer = new Writer().zeros(7).bytes(new Uint8Array(600));
  writer.patch8(0, 0xaa);
  writer.patch16(1, 0xbbcc);
  writer.patch32(3, 0xddeeff11);
  assert.equal(writer.length, 607);
  assert.equal(hex(writer.done().subarray(0, 7)), 'aabbccddeeff11');
});

test('what was handed out does not change when more is written', () => {
  const writer = new Writer().u8(1);
  const first = writer.done();
  writer.patch8(0, 2);
  writer.u8(3);
  assert.deepEqual(first, unhex('01'));
  assert.deepEqual(writer.done(), unhex('02 03'));
});

test('zeros are zero, whatever other messages held', () => {
  new Writer().bytes(new Uint8Array(2000).fill(0xff)).done();
  assert.deepEqual(new Writer().zeros(2000).done(), new Uint8Array(2000));
});
