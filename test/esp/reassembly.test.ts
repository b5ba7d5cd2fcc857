// Fragments put together again (RFC 791 §3.2, RFC 8200 §4.5, RFC 5722): in any order, within bounds of number and time,
// and nothing of a datagram that contradicts itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { Inner } from '../../src/esp/packet.ts';
import { Reassembly } from '../../src/esp/reassembly.ts';
import { ipv4, ipv6 } from './packets.ts';

const FROM = '192.0.2.1';
const TO = '192.0.2.2';
const FROM6 = '2001:db8::1';
const TO6 = '2001:db8::2';

function parsed(packet: Uint8Array): Inner {
  const inner = new Inner();
  assert.ok(inner.parse(packet));
  return inner;
}

/** IPv4 fragments of `payload`, cut at these multiples of 8. */
function fragments(payload: Uint8Array, cuts: readonly number[], id = 7): Uint8Array[] {
  const ends = [...cuts.map((cut) => cut * 8), payload.length];
  return ends.map((end, i) => {
    const start = ends[i - 1] ?? 0;
    const fields = { more: end < payload.length, offset: start / 8 };
    const packet = ipv4(FROM, TO, payload.subarray(start, end), fields);
    new DataView(packet.buffer).setUint16(4, id);
    return packet;
  });
}

function fragment6(payload: Uint8Array, offset: number, more: boolean): Uint8Array {
  const header = new Uint8Array(8);
  header[0] = 17;
  new DataView(header.buffer).setUint16(2, offset | (more ? 1 : 0));
  header[7] = 9;
  return ipv6(FROM6, TO6, concat(header, payload), 44);
}

test('whatever the order, the last fragment to come completes the datagram', () => {
  const cases = fc.record({
    size: fc.integer({ min: 17, max: 4000 }),
    cuts: fc.uniqueArray(fc.integer({ min: 1, max: 499 }), { minLength: 1, maxLength: 6 }),
    order: fc.infiniteStream(fc.nat()),
  });
  fc.assert(
    fc.property(cases, ({ size, cuts, order }) => {
      const payload = Uint8Array.from({ length: size }, (_, i) => i * 31);
      const sorted = cuts.filter((cut) => cut * 8 < size).sort((a, b) => a - b);
      fc.pre(sorted.length > 0);
      const left = fragments(payload, sorted);
      const reassembly = new Reassembly();
      while (left.length > 1) {
        const [next] = left.splice(order.next().value % left.length, 1);
        assert.equal(reassembly.add(parsed(next as Uint8Array), 0), undefined);
      }
      const whole = reassembly.add(parsed(left[0] as Uint8Array), 0);
      assert.ok(whole);
      const inner = parsed(whole);
      assert.equal(inner.fragment, false);
      assert.deepEqual(whole.slice(20), payload);
      assert.equal(reassembly.lost, 0);
    }),
  );
});

test('of IPv6 the fragment header is taken out', () => {
  const reassembly = new Reassembly();
  const payload = Uint8Array.from({ length: 100 }, (_, i) => i);
  assert.equal(reassembly.add(parsed(fragment6(payload.subarray(64), 64, false)), 0), undefined);
  const whole = reassembly.add(parsed(fragment6(payload.subarray(0, 64), 0, true)), 0);
  assert.deepEqual(whole?.slice(), ipv6(FROM6, TO6, payload));
});

test('fragments that overlap cost the whole datagram', () => {
  const reassembly = new Reassembly();
  const [first, last] = fragments(new Uint8Array(100), [8]);
  reassembly.add(parsed(first as Uint8Array), 0);
  assert.equal(reassembly.add(parsed(first as Uint8Array), 0), undefined);
  assert.equal(reassembly.lost, 2);
  assert.equal(reassembly.add(parsed(last as Uint8Array), 0), undefined);
});

test('what is malformed is refused at once: an odd middle, nothing, beyond the largest packet', () => {
  const reassembly = new Reassembly();
  const refused = [
    ipv4(FROM, TO, new Uint8Array(17), { more: true }),
    ipv4(FROM, TO, new Uint8Array(0), { offset: 4 }),
    ipv4(FROM, TO, new Uint8Array(64), { offset: 8190 }),
  ];
  for (const packet of refused) assert.equal(reassembly.add(parsed(packet), 0), undefined);
  assert.equal(reassembly.lost, refused.length);
});

test('fragments of different datagrams do not mix', () => {
  const reassembly = new Reassembly();
  const [a] = fragments(new Uint8Array(100).fill(1), [8], 1);
  const [, b] = fragments(new Uint8Array(100).fill(2), [8], 2);
  assert.equal(reassembly.add(parsed(a as Uint8Array), 0), undefined);
  assert.equal(reassembly.add(parsed(b as Uint8Array), 0), undefined);
});

test('the rest that comes too late completes nothing', () => {
  const reassembly = new Reassembly();
  const [first, last] = fragments(new Uint8Array(100), [8]);
  reassembly.add(parsed(first as Uint8Array), 0);
  assert.equal(reassembly.add(parsed(last as Uint8Array), 5001), undefined);
  assert.equal(reassembly.lost, 1);
});

test('more datagrams than there is room for push out the oldest ones, and memory stays bounded', () => {
  const reassembly = new Reassembly();
  for (let id = 1; id <= 1000; id++) {
    const [first] = fragments(new Uint8Array(100), [8], id);
    reassembly.add(parsed(first as Uint8Array), id);
  }
  assert.equal(reassembly.lost, 1000 - 8);
  const [, newest] = fragments(new Uint8Array(100), [8], 1000);
  assert.ok(reassembly.add(parsed(newest as Uint8Array), 1000));
});
