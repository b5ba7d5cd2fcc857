import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat, hex, unhex, utf8 } from '../../../src/bytes/bytes.ts';
import { type WireCode, WireError } from '../../../src/bytes/error.ts';
import {
  decodeMessage,
  decodePacket,
  encodeMessage,
  encodePacket,
  MAX_DEPTH,
  MAX_SEGMENT,
  type Packet,
  type Section,
  Segments,
  type Value,
} from '../../../src/daemon/control/vici.ts';

// The encoding example of strongSwan's src/libcharon/plugins/vici/README.md.
const EXAMPLE = concat(
  unhex('03 04'),
  utf8('key1'),
  unhex('00 06'),
  utf8('value1'),
  unhex('01 08'),
  utf8('section1'),
  unhex('01 0b'),
  utf8('sub-section'),
  unhex('03 04'),
  utf8('key2'),
  unhex('00 06'),
  utf8('value2'),
  unhex('02'),
  unhex('04 05'),
  utf8('list1'),
  unhex('05 00 05'),
  utf8('item1'),
  unhex('05 00 05'),
  utf8('item2'),
  unhex('06'),
  unhex('02'),
);

const EXAMPLE_TREE: Section = new Map<string, Value>([
  ['key1', 'value1'],
  [
    'section1',
    new Map<string, Value>([
      ['sub-section', new Map([['key2', 'value2']])],
      ['list1', ['item1', 'item2']],
    ]),
  ],
]);

test("the example of strongSwan's README decodes to its tree and encodes to its bytes", () => {
  assert.deepEqual(decodeMessage(EXAMPLE), EXAMPLE_TREE);
  assert.equal(hex(encodeMessage(EXAMPLE_TREE)), hex(EXAMPLE));
});

// Sent by charon 5.9.8 (Debian 12) in answer to `version`.
const CHARON_VERSION = unhex(
  '0103066461656d6f6e0006636861726f6e030776657273696f6e0005352e392e3803077379736e616d6500054c696e7578030772656c65617365' +
    '000f362e31382e34342d66632d7636363903076d616368696e6500067838365f3634',
);

test('a response of charon decodes', () => {
  const packet = decodePacket(CHARON_VERSION);
  assert.equal(packet.type, 'response');
  assert.ok('message' in packet);
  assert.deepEqual([...packet.message.keys()], ['daemon', 'version', 'sysname', 'release', 'machine']);
  assert.equal(packet.message.get('version'), '5.9.8');
  assert.equal(hex(encodePacket(packet).subarray(4)), hex(CHARON_VERSION));
});

test('every packet type has its number and shape', () => {
  const message: Section = new Map([['a', 'b']]);
  const packets: readonly (readonly [Packet, string])[] = [
    [{ type: 'request', name: 'version', message }, '0000000f 00 07 76657273696f6e 0301610001 62'],
    [{ type: 'response', message }, '00000007 01 0301610001 62'],
    [{ type: 'unknown-command' }, '00000001 02'],
    [{ type: 'register', name: 'log' }, '00000005 03 03 6c6f67'],
    [{ type: 'unregister', name: 'log' }, '00000005 04 03 6c6f67'],
    [{ type: 'confirm' }, '00000001 05'],
    [{ type: 'unknown-event' }, '00000001 06'],
    [{ type: 'event', name: 'log', message }, '0000000b 07 03 6c6f67 0301610001 62'],
  ];
  for (const [packet, bytes] of packets) {
    assert.equal(hex(encodePacket(packet)), bytes.replaceAll(' ', ''), packet.type);
    assert.deepEqual(decodePacket(unhex(bytes).subarray(4)), packet);
  }
});

const name = fc.string({ unit: 'binary', maxLength: 60 });
const item = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.uint8Array({ maxLength: 40 }).filter((bytes) => !isUtf8(bytes)),
);
const { section } = fc.letrec<{ section: Section; value: Value }>((tie) => ({
  section: fc
    .uniqueArray(fc.tuple(name, tie('value')), { selector: ([key]) => key, maxLength: 6 })
    .map((entries) => new Map(entries)),
  value: fc.oneof({ maxDepth: 4 }, item, fc.array(item, { maxLength: 5 }), tie('section')),
}));

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

test('a message comes back as it was encoded, and its bytes as they were decoded', () => {
  fc.assert(
    fc.property(section, (message) => {
      const bytes = encodeMessage(message);
      assert.deepEqual(decodeMessage(bytes), message);
      assert.equal(hex(encodeMessage(decodeMessage(bytes))), hex(bytes));
    }),
    { numRuns: 200 },
  );
});

test('a byte order mark is part of a value', () => {
  const message: Section = new Map([['psk', '\ufeffsecret']]);
  assert.deepEqual(decodeMessage(encodeMessage(message)), message);
});

test('a mutated message decodes to something that encodes to the same bytes, or is a WireError', () => {
  const flip = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(section, fc.array(flip, { maxLength: 4 }), fc.nat(), (message, flips, end) => {
      const bytes = encodeMessage(message);
      for (const [at, bits] of flips) {
        if (bytes.length > 0) bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ bits;
      }
      const damaged = bytes.subarray(0, end % (bytes.length + 1) || bytes.length);
      const decoded = wire(() => decodeMessage(damaged));
      if (decoded) assert.equal(hex(encodeMessage(decoded)), hex(damaged));
    }),
    { numRuns: 500 },
  );
});

test('random bytes as a packet are a packet or a WireError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      wire(() => decodePacket(bytes));
    }),
    { numRuns: 1000 },
  );
});

/** Undefined for a WireError; anything else that is thrown fails the test. */
function wire<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function refuses(bytes: string | Uint8Array, code: WireCode): void {
  const input = typeof bytes === 'string' ? unhex(bytes) : bytes;
  assert.throws(
    () => decodeMessage(input),
    (error) => error instanceof WireError && error.code === code,
    `${hex(input.subarray(0, 32))} should be ${code}`,
  );
}

test('what the format forbids is refused', () => {
  refuses('02', 'unexpected'); // an end without a start
  refuses('06', 'unexpected');
  refuses('05 0001 61', 'unexpected'); // an item outside a list
  refuses('00', 'unexpected');
  refuses('07', 'unexpected');
  refuses('01 01 61', 'missing'); // a section that never ends
  refuses('04 01 61', 'truncated'); // a list that never ends
  refuses('04 01 61 04 01 62 06 06', 'unexpected'); // a list in a list
  refuses('04 01 61 03 01 62 0000 06', 'unexpected'); // a key in a list
  refuses('04 01 61 01 01 62 02 06', 'unexpected'); // a section in a list
  refuses('03 01 61 0002 62', 'truncated');
  refuses('03 05 61', 'truncated');
  refuses('03 01 ff 0000', 'bad-value'); // a name that is no text
  refuses('03 01 61 0000 03 01 61 0000', 'duplicate');
  refuses('03 01 61 0000 01 01 61 02', 'duplicate');
});

test('a key that JavaScript has a meaning for is a key like any other', () => {
  const message = decodeMessage(encodeMessage(new Map([['__proto__', new Map([['polluted', 'yes']])]])));
  assert.deepEqual([...message.keys()], ['__proto__']);
  assert.equal(Reflect.get({}, 'polluted'), undefined);
});

test('sections nest to the limit and no deeper, however many there are', () => {
  const nested = (depth: number) => concat(repeat('01 01 61', depth), repeat('02', depth));
  assert.equal(decodeMessage(nested(MAX_DEPTH)).size, 1);
  refuses(nested(MAX_DEPTH + 1), 'too-deep');
  refuses(repeat('01 01 61', 100_000), 'too-deep');
  assert.throws(() => {
    let message: Section = new Map();
    for (let i = 0; i <= MAX_DEPTH; i++) message = new Map([['a', message]]);
    encodeMessage(message);
  });
});

test('elements are counted, in lists too', () => {
  refuses(concat(unhex('04 01 61'), repeat('05 0000', 70_000), unhex('06')), 'too-many');
  refuses(
    concat(
      ...Array.from({ length: 70_000 }, (_, i) =>
        concat(unhex('03 05'), utf8(String(i).padStart(5, '0')), unhex('0000')),
      ),
    ),
    'too-many',
  );
});

function repeat(pattern: string, count: number): Uint8Array {
  const bytes = unhex(pattern);
  const made = new Uint8Array(bytes.length * count);
  for (let i = 0; i < count; i++) made.set(bytes, i * bytes.length);
  return made;
}

test('a packet with something behind it, or of an unknown type, is refused', () => {
  for (const bytes of ['', '08', 'ff', '05 00', '02 61', '03 01 61 62', '03 02 61', '00']) {
    assert.equal(
      wire(() => decodePacket(unhex(bytes))),
      undefined,
      bytes,
    );
  }
});

test('names and values that do not fit their length fields are not encoded', () => {
  assert.throws(() => encodeMessage(new Map([['k'.repeat(256), 'v']])), /name has 256 bytes/);
  assert.throws(() => encodeMessage(new Map([['k', 'v'.repeat(65_536)]])), /value has 65536 bytes/);
  const large = Array.from({ length: 9 }, () => 'v'.repeat(65_000));
  assert.throws(() => encodePacket({ type: 'response', message: new Map([['list', large]]) }), /segment/);
});

test('segments come out whole, wherever the stream is cut', () => {
  const packets: Packet[] = [
    { type: 'confirm' },
    { type: 'response', message: EXAMPLE_TREE },
    { type: 'request', name: 'x', message: new Map([['big', 'v'.repeat(10_000)]]) },
    { type: 'unknown-event' },
  ];
  const stream = concat(...packets.map(encodePacket));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }), (cuts) => {
      const segments = new Segments();
      const got: Packet[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const size = cuts[i % cuts.length] as number;
        for (const segment of segments.push(stream.subarray(at, at + size))) got.push(decodePacket(segment));
        at += size;
      }
      assert.deepEqual(got, packets);
    }),
    { numRuns: 50 },
  );
});

test('a segment keeps its bytes when the next one arrives', () => {
  const segments = new Segments();
  const chunk = unhex('00000001 05 00000001 06');
  const got = [...segments.push(chunk)];
  chunk.fill(0);
  assert.deepEqual(got.map(hex), ['05', '06']);
});

test('an empty segment and one beyond the limit are refused as soon as the length is there', () => {
  for (const length of ['00000000', 'ffffffff', (MAX_SEGMENT + 1).toString(16).padStart(8, '0')]) {
    assert.throws(
      () => [...new Segments().push(unhex(length))],
      (error) => error instanceof WireError && error.code === 'bad-length',
    );
  }
  assert.deepEqual([...new Segments().push(unhex(MAX_SEGMENT.toString(16).padStart(8, '0')))], []);
});
