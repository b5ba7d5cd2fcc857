import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compare, concat, hex, same, unhex, utf8 } from '../../src/bytes/bytes.ts';

test('parts are joined in order, into bytes of their own', () => {
  const part = unhex('01');
  const joined = concat(part, unhex(''), unhex('02 03'));
  part[0] = 9;
  assert.deepEqual(joined, unhex('01 02 03'));
  assert.deepEqual(concat(), unhex(''));
});

test('bytes are ordered octet by octet, a prefix before what extends it', () => {
  const ordered = ['', '00', '00 00', '00 ff', '01', '01 00', '7f', '80', 'ff', 'ff 00'].map(unhex);
  ordered.forEach((a, i) => {
    ordered.forEach((b, j) => {
      assert.equal(Math.sign(compare(a, b)), Math.sign(i - j));
      assert.equal(same(a, b), i === j);
    });
  });
});

test('hexadecimal goes there and back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      assert.deepEqual(unhex(hex(bytes)), bytes);
      assert.equal(hex(bytes), Buffer.from(bytes).toString('hex'));
    }),
  );
});

test('hexadecimal may have white space and capitals, and nothing else', () => {
  assert.deepEqual(unhex(' C0 ff\n\tEe01 '), Uint8Array.of(0xc0, 0xff, 0xee, 0x01));
  for (const text of ['0', '0 0 0', '0g', '0x00', '-1', '00:11']) assert.throws(() => unhex(text), /not hexadecimal/);
});

test('text becomes UTF-8', () => {
  assert.deepEqual(utf8('é✓'), unhex('c3 a9 e2 9c 93'));
});
