// How the C lane tells what comes to it apart, and what it leads on to other workers: as its twin does.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import {
  GSO,
  IN,
  MESSAGE,
  MESSAGE_WORDS,
  OUT,
  SA,
  SOURCE,
  TO_WORKER,
  USE,
  USE_ALL,
  WORDS,
} from '../../src/esp/layout.ts';
import { addon, Path } from '../../src/net/native.ts';
import { ipv4, ipv6, tcp, text, udp } from '../esp/packets.ts';
import type { Datagram, Packet } from '../esp/twin/mail.ts';
import { packets } from './anything.ts';
import { type Both, withBoth } from './both.ts';

const COUNT = 0xffff;
const WORKERS = 3;
const bell = addon().eventOpen();

/** Main thread's and workers' boxes, open and empty. */
function openBoxes(): void {
  for (let box = 0; box <= WORKERS; box++) addon().mailboxOpen(box, bell);
}

afterEach(() => {
  for (let box = 0; box <= WORKERS; box++) addon().mailboxOpen(box, -1);
});

function taken(box: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  const path = new Path(4);
  const room = new Uint8Array(70_000);
  for (let size = addon().mailboxTake(box, path.bytes, room); size > 0; ) {
    found.push(room.slice(0, size));
    size = addon().mailboxTake(box, path.bytes, room);
  }
  return found;
}

interface Described {
  readonly words: readonly (number | undefined)[];
  readonly bytes: Uint8Array;
}

function described({ rx, in: words, messages }: Both['native']['memory'], count: number): readonly Described[] {
  return Array.from({ length: count }, (_, i) => {
    const d = i * WORDS;
    const at = words[d + IN.OFFSET] as number;
    const m = ((words[d + IN.EXTRA] as number) >>> 16) * MESSAGE_WORDS;
    const of = [IN.LENGTH, IN.SPI, IN.SEQ, IN.SA].map((index) => words[d + index]);
    const beside = [MESSAGE.KIND, MESSAGE.CLASS, MESSAGE.HOPS].map((index) => messages[m + index]);
    return { words: [...of, ...beside], bytes: rx.slice(at, at + (words[d + IN.LENGTH] as number)) };
  });
}

/** Both receive the same, and say the same of it: what is theirs, what goes to the main thread and to other workers. */
function compare(both: Both, datagrams: readonly Datagram[], source: number): readonly Described[] {
  const ike: Uint8Array[] = [];
  both.mail.onIke = ({ bytes }) => void ike.push(bytes);
  for (const datagram of datagrams) {
    both.feed(source, concat(datagram.outer ?? new Uint8Array(0), datagram.bytes));
    both.twin.outside[source]?.push(datagram);
  }
  const count = both.native.receive(source, datagrams.length) & COUNT;
  assert.equal(both.twin.receive(source, datagrams.length) & COUNT, count);
  const ours = described(both.native.memory, count);
  assert.deepEqual(ours, described(both.twin.memory, count));
  assert.deepEqual(taken(0), ike);
  for (let worker = 0; worker < WORKERS; worker++) {
    const letters: Uint8Array[] = [];
    for (let letter = both.mail.take(worker); letter; letter = both.mail.take(worker)) {
      assert.ok('esp' in letter);
      letters.push(letter.esp.bytes);
    }
    assert.deepEqual(taken(worker + 1), letters, `worker ${worker}`);
  }
  return ours;
}

const ENDS4 = { remote: { ip: '192.0.2.1', port: 4500 }, local: '192.0.2.2' };
const ENDS6 = { remote: { ip: '2001:db8::1', port: 4500 }, local: '2001:db8::2' };

/** Of ESP in UDP, IKE, keepalives, and bytes that are nothing. */
const contents = fc.oneof(
  fc.constant(Uint8Array.of(0xff)),
  fc.tuple(fc.nat(2000), fc.uint8Array({ maxLength: 60 })).map(([spi, rest]) => concat(word(spi), rest)),
  fc
    .tuple(fc.nat(0xffff_ffff), fc.uint8Array({ minLength: 4, maxLength: 60 }))
    .map(([spi, rest]) => concat(word(spi), rest)),
  fc.uint8Array({ maxLength: 12, minLength: 1 }),
  fc.uint8Array({ maxLength: 40 }).map((rest) => concat(word(0), rest)),
);

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

for (const workers of [1, WORKERS]) {
  test(`[E12] IKE, keepalives, ESP and garbage on port 4500 are told apart, and go where they belong, of ${workers} workers`, () => {
    openBoxes();
    for (const [source, ends] of [
      [SOURCE.UDP4, ENDS4],
      [SOURCE.UDP6, ENDS6],
    ] as const) {
      withBoth({ workers, index: workers - 1 }, (both) => {
        fc.assert(
          fc.property(fc.array(contents, { minLength: 1, maxLength: 16 }), (some) => {
            compare(
              both,
              some.map((bytes) => ({ bytes, ...ends })),
              source,
            );
          }),
          { numRuns: 300 },
        );
      });
    }
  });
}

test('[E12] on port 4500 four zero bytes begin IKE, one 0xFF is a keepalive, and the rest is ESP', () => {
  openBoxes();
  withBoth({}, (both) => {
    const given = (...bytes: number[]) =>
      compare(both, [{ bytes: Uint8Array.from(bytes), ...ENDS4 }], SOURCE.UDP4).length;
    assert.equal(given(0xff), 0);
    assert.equal(both.count('keepalives'), 1);
    assert.equal(given(0xff, 0xff), 1);
    assert.equal(given(0, 0, 0, 0, 1, 2, 3, 4, 5), 0);
    assert.equal(both.count('strays'), 1);
    // What is too short for a header of either kind is counted as a short packet by whoever looks at it.
    assert.equal(given(0, 0, 0, 0), 1);
    assert.equal(given(0, 0, 0, 1, 0, 0, 0, 1, 9), 1);
    assert.equal(both.count('strays'), 1);
  });
});

test('raw packets are described with what their IP header says', () => {
  withBoth({}, (both) => {
    const esp = fc.uint8Array({ minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(fc.array(fc.tuple(esp, fc.nat(255), fc.nat(255)), { minLength: 1, maxLength: 8 }), (some) => {
        for (const source of [SOURCE.ESP4, SOURCE.AH4]) {
          const datagrams = some.map(([bytes, tos, hops]) => {
            const outer = ipv4(ENDS4.remote.ip, ENDS4.local, bytes, { protocol: 50, tos }).slice(0, 20);
            outer[8] = hops;
            return { bytes, outer, ...ENDS4 };
          });
          compare(both, datagrams, source);
        }
        for (const source of [SOURCE.ESP6, SOURCE.AH6]) {
          compare(
            both,
            some.map(([bytes]) => ({ bytes, ...ENDS6 })),
            source,
          );
        }
      }),
      { numRuns: 200 },
    );
  });
});

/** What the owner of an SA finds in its mailbox, when another worker has read it. */
function handed(uses: number, batch: readonly Packet[]): void {
  openBoxes();
  const [reader, owner] = [0, 2];
  const seen: { words: (number | undefined)[]; bytes: Uint8Array }[] = [];
  const expected: typeof seen = [];
  withBoth({ uses, workers: WORKERS, index: reader }, (both) => {
    const count = both.read(batch);
    for (let d = 0; d < count * WORDS; d += WORDS) {
      const { tx, out } = both.native.memory;
      const at = out[d + OUT.OFFSET] as number;
      const bytes = tx.slice(at, at + (out[d + OUT.LENGTH] as number));
      expected.push({ words: [OUT.GSO, OUT.MSS, OUT.SEGMENTS].map((index) => out[d + index]), bytes });
      out[d + OUT.SA] = TO_WORKER - owner;
    }
    both.native.seal(count);
    both.native.flush();
  });
  withBoth({ uses, workers: WORKERS, index: owner }, (both) => {
    for (let plain = both.native.collect(8) >>> 16; plain > 0; plain = both.native.collect(8) >>> 16) {
      const { tx, out } = both.native.memory;
      for (let d = 0; d < plain * WORDS; d += WORDS) {
        const at = out[d + OUT.OFFSET] as number;
        const bytes = tx.slice(at, at + (out[d + OUT.LENGTH] as number));
        seen.push({ words: [OUT.GSO, OUT.MSS, OUT.SEGMENTS].map((index) => out[d + index]), bytes });
      }
    }
  });
  assert.deepEqual(seen, expected);
}

test('packets for the SA of another worker reach it as they were read, super-packets as such', () => {
  fc.assert(
    fc.property(fc.array(packets, { minLength: 1, maxLength: 5 }), (batch) => handed(USE_ALL, batch)),
    { numRuns: 60 },
  );
});

test('without virtio headers, too, where what was read before is still in the arena', () => {
  const old = new Uint8Array(1400).fill(1);
  const first = ipv4('10.1.0.1', '10.2.0.1', tcp({ data: old }), { protocol: 6 });
  const small = [first, ipv6('fd00:1::1', 'fd00:2::1', udp(1, 2)), ipv4('10.1.0.1', '10.2.0.1', text(9))];
  handed(
    USE.MMSG,
    small.map((bytes) => ({ bytes, gso: GSO.NONE, mss: 0 })),
  );
});

test('ESP that another worker received is opened by its owner', () => {
  openBoxes();
  const esp: Uint8Array[] = [];
  // An SPI of worker 1.
  const spi = 0x1000 * WORKERS + 1;
  withBoth({ workers: WORKERS, index: 0 }, (both) => {
    both.install({ flags: SA.UDP, spi });
    esp.push(
      ...both.seal(
        both.read([{ bytes: ipv4('10.1.0.1', '10.2.0.1', udp(1, 2)), gso: GSO.NONE, mss: 0 }]),
        1,
        SOURCE.UDP4,
      ),
    );
    for (const bytes of esp) both.feed(SOURCE.UDP4, bytes);
    assert.equal(both.native.receive(SOURCE.UDP4, 8) & COUNT, 0);
  });
  withBoth({ workers: WORKERS, index: 1 }, (both) => {
    assert.equal(both.native.collect(8), 1);
    const [{ words, bytes } = { words: [], bytes: new Uint8Array(0) }] = described(both.native.memory, 1);
    assert.equal(words[1], spi);
    assert.deepEqual([bytes], esp);
  });
});
