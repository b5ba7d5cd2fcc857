import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unhex } from '../../src/bytes/bytes.ts';
import { WireError } from '../../src/bytes/error.ts';
import { Reader } from '../../src/bytes/reader.ts';
import { Writer } from '../../src/bytes/writer.ts';
import { refused } from '../support/wire.ts';

test('fields are read big-endian, one behind the other', () => {
  const reader = new Reader(unhex('01 02 03 ff ff ff fe aa bb cc'));
  assert.equal(reader.u8(), 1);
  assert.equal(reader.u16(), 0x0203);
  assert.equal(reader.u32(), 0xfffffffe);
  assert.deepEqual([reader.pos, reader.left], [7, 3]);
  reader.skip(1);
  assert.deepEqual(reader.bytes(1), unhex('bb'));
  assert.deepEqual(reader.rest(), unhex('cc'));
  reader.end();
});

test('a reader of a part of a buffer stays inside the part', () => {
  const reader = new Reader(unhex('00 01 02 03 04 05').subarray(2, 4));
  assert.equal(reader.u16(), 0x0203);
  assert.throws(() => reader.u8(), refused('truncated', 2));
});

test('reading past the end is refused at the field that does not fit, and moves nothing', () => {
  for (const read of [
    (reader: Reader) => reader.u32(),
    (reader: Reader) => reader.bytes(4),
    (reader: Reader) => reader.skip(4),
    (reader: Reader) => reader.slice(4),
  ]) {
    const reader = new Reader(unhex('01 02 03 04'));
    reader.skip(1);
    assert.throws(() => read(reader), refused('truncated', 1));
    assert.equal(reader.pos, 1);
  }
  assert.throws(() => new Reader(unhex('01')).u16(), refused('truncated', 0));
  assert.throws(() => new Reader(unhex('')).u8(), refused('truncated', 0));
});

test('nothing is left at the end, or it is refused', () => {
  const reader = new Reader(unhex('01 02'));
  reader.skip(1);
  assert.throws(() => reader.end(), refused('trailing', 1));
  reader.skip(1);
  reader.end();
});

test('bytes are a view of the input, not a copy', () => {
  const input = unhex('01 02 03');
  const view = new Reader(input).bytes(2);
  input[0] = 9;
  assert.equal(view[0], 9);
});

test('a slice names its errors by their place in the whole', () => {
  const outer = new Reader(unhex('00 01 02 03 04 05 06 07'), 100);
  outer.skip(2);
  const inner = outer.slice(4);
  inner.skip(1);
  const innermost = inner.slice(2);
  innermost.skip(1);
  assert.deepEqual([innermost.pos, innermost.offset], [1, 104]);
  assert.throws(() => innermost.u16(), refused('truncated', 104));
  assert.throws(() => innermost.end(), refused('trailing', 104));
  assert.equal(outer.u8(), 6);
});

test('a wire error carries a code, a place and the payload to be named', () => {
  const error = new WireError('unsupported-critical', 28, 200);
  assert.deepEqual(
    [error.code, error.offset, error.payload, error.name],
    ['unsupported-critical', 28, 200, 'WireError'],
  );
  assert.equal(new WireError('missing', 0).payload, undefined);
});

test('what a writer wrote, a reader reads', () => {
  const field = fc.oneof(
    fc.record({ kind: fc.constant('u8' as const), value: fc.nat({ max: 0xff }) }),
    fc.record({ kind: fc.constant('u16' as const), value: fc.nat({ max: 0xffff }) }),
    fc.record({ kind: fc.constant('u32' as const), value: fc.nat({ max: 0xffffffff }) }),
    fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 700 }) }),
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 40 }), (fields) => {
      const writer = new Writer();
      for (const { kind, value } of fields) {
        if (kind === 'bytes') writer.bytes(value);
        else writer[kind](value);
      }
      const reader = new Reader(writer.done());
      for (const { kind, value } of fields) {
        if (kind === 'bytes') assert.deepEqual(reader.bytes(value.length), value);
        else assert.equal(reader[kind](), value);
      }
      reader.end();
    }),
  );
});
