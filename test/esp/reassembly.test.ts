import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { Inner } from '../../src/esp/packet.ts';
import { Reassembly } from '../../src/esp/reassembly.ts';
import { ipv4, ipv6, text } from './packets.ts';
import { view } from './twin/ip.ts';

const A = '192.0.2.1';
const B = '198.51.100.1';
const A6 = '2001:db8::1';
const B6 = '2001:db8::2';

interface Part {
  readonly from: number;
  readonly to: number;
  readonly more: boolean;
  readonly id?: number;
}

function part4(data: Uint8Array, { from, to, more, id = 7 }: Part): Uint8Array {
  const packet = ipv4(A, B, data.subarray(from, to), { offset: from / 8, more });
  view(packet).setUint16(4, id);
  return packet;
}

function part6(data: Uint8Array, { from, to, more, id = 7 }: Part): Uint8Array {
  const header = Uint8Array.of(17, 0, from >> 8, (from & 0xf8) | (more ? 1 : 0), 0, 0, id >> 8, id & 0xff);
  return ipv6(A6, B6, concat(header, data.subarray(from, to)), 44);
}

function add(into: Reassembly, packet: Uint8Array, now = 0): Uint8Array | undefined {
  const inner = new Inner();
  assert.ok(inner.parse(packet));
  return into.add(inner, now)?.slice();
}

const FAMILIES = [
  { name: 'IPv4', part: part4, header: 20 },
  { name: 'IPv6', part: part6, header: 40 },
] as const;

for (const { name, part, header } of FAMILIES) {
  test(`${name}: in whatever order and sizes fragments come, the datagram is the same, and comes once`, () => {
    const data = text(2000);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 249 }), { maxLength: 10 }),
        fc.infiniteStream(fc.nat()),
        (cuts, keys) => {
          const edges = [0, ...cuts.sort((a, b) => a - b).map((at) => at * 8), data.length];
          const parts = edges.slice(1).map((to, i) => part(data, { from: edges[i] ?? 0, to, more: to < data.length }));
          const order = parts.map((each) => ({ each, key: keys.next().value })).sort((a, b) => a.key - b.key);
          const into = new Reassembly();
          const whole = order.map(({ each }) => add(into, each)).filter((each) => each !== undefined);
          if (parts.length === 1) return;
          assert.equal(whole.length, 1);
          assert.deepEqual(whole[0]?.subarray(header), data);
        },
      ),
      { numRuns: 200 },
    );
  });

  test(`${name}: fragments of two datagrams do not mix`, () => {
    const into = new Reassembly();
    const [one, other] = [text(1600, 1), text(1600, 2)];
    for (const data of [one, other]) {
      assert.equal(add(into, part(data, { from: 0, to: 800, more: true, id: data === one ? 1 : 2 })), undefined);
    }
    for (const data of [other, one]) {
      const whole = add(into, part(data, { from: 800, to: 1600, more: false, id: data === one ? 1 : 2 }));
      assert.deepEqual(whole?.subarray(header), data);
    }
  });

  test(`${name}: what overlaps discards its datagram`, () => {
    const data = text(1600);
    for (const again of [
      { from: 0, to: 800, more: true },
      { from: 400, to: 1200, more: true },
      { from: 792, to: 1600, more: false },
    ]) {
      const into = new Reassembly();
      add(into, part(data, { from: 0, to: 800, more: true }));
      assert.equal(add(into, part(data, again)), undefined);
      assert.equal(add(into, part(data, { from: 800, to: 1600, more: false })), undefined);
    }
  });

  test(`${name}: what lies behind the last fragment discards its datagram, for the sum of all would hide a hole`, () => {
    const data = text(1600);
    const last = { from: 16, to: 24, more: false };
    const beyond = [
      { from: 64, to: 72, more: true },
      { from: 72, to: 80, more: true },
    ];
    for (const order of [
      [last, ...beyond],
      [...beyond, last],
      [last, { from: 64, to: 72, more: false }],
    ]) {
      const into = new Reassembly();
      for (const each of order) assert.equal(add(into, part(data, each)), undefined);
    }
  });

  test(`${name}: fragments that never become whole take bounded room, and make way`, () => {
    const into = new Reassembly();
    const data = text(1600);
    for (let id = 100; id < 1100; id++) add(into, part(data, { from: 0, to: 800, more: true, id }));
    add(into, part(data, { from: 0, to: 800, more: true, id: 1 }));
    assert.ok(add(into, part(data, { from: 800, to: 1600, more: false, id: 1 })));
    assert.equal(add(into, part(data, { from: 800, to: 1600, more: false, id: 100 })), undefined);
  });

  test(`${name}: after five seconds nobody waits any more`, () => {
    const into = new Reassembly();
    const data = text(1600);
    add(into, part(data, { from: 0, to: 800, more: true }), 1000);
    assert.equal(add(into, part(data, { from: 800, to: 1600, more: false }), 6001), undefined);
  });
}

test('the header of the whole says that it is one, and has the whole’s length and protocol', () => {
  const data = text(1600);
  const whole = FAMILIES.map(({ part }) => {
    const into = new Reassembly();
    add(into, part(data, { from: 0, to: 800, more: true }));
    return add(into, part(data, { from: 800, to: 1600, more: false }));
  });
  for (const packet of whole) {
    assert.ok(packet);
    const inner = new Inner();
    assert.ok(inner.parse(packet));
    assert.deepEqual([inner.fragment, inner.protocol, inner.length], [false, 17, packet.length]);
  }
});

test('every fragment that comes to nothing is counted', () => {
  const data = text(1600);
  for (const { part } of FAMILIES) {
    const into = new Reassembly();
    const lost = () => {
      const { lost: count } = into;
      into.lost = 0;
      return count;
    };
    add(into, part(data, { from: 0, to: 17, more: true }));
    assert.equal(lost(), 1, 'an odd middle');
    add(into, part(data, { from: 0, to: 800, more: true }));
    add(into, part(data, { from: 400, to: 1200, more: true }));
    assert.equal(lost(), 2, 'both that overlap');
    for (let id = 1; id <= 20; id++) add(into, part(data, { from: 0, to: 800, more: true, id }));
    assert.equal(lost(), 20 - 8, 'what made way');
    add(into, part(data, { from: 800, to: 1600, more: false, id: 20 }));
    assert.equal(lost(), 0, 'what became whole');
  }
});
