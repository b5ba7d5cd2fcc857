// Whatever comes from either side: nothing throws, nothing is delivered that should not be, nothing leaves in clear text.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { GSO } from '../../src/esp/layout.ts';
import { Inner } from '../../src/esp/packet.ts';
import { pair, sent } from './end.ts';
import { crafted, ipv4, LEFT, udp } from './support.ts';

const OUT = ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53));

test('no truncation, extension or flipped bit of a packet throws or is delivered', () => {
  const { left, right } = pair();
  const { bytes } = sent(left.outbound(OUT, 0));
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(right.inbound(bytes.subarray(0, length), LEFT, true, 0).tag, 'drop');
  }
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const forged = bytes.slice();
    forged[bit >> 3] = (forged[bit >> 3] as number) ^ (0x80 >> (bit & 7));
    assert.equal(right.inbound(forged, LEFT, true, 0).tag, 'drop');
  }
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(bytes.length), (extra, at) => {
      const forged = concat(bytes.subarray(0, at), extra, bytes.subarray(at));
      assert.equal(right.inbound(forged, LEFT, true, 0).tag, 'drop');
    }),
    { numRuns: 200 },
  );
  assert.equal(right.inbound(bytes, LEFT, true, 0).tag, 'deliver');
});

test('nothing that an authentic peer puts into a packet throws, or is delivered outside the selectors', () => {
  const { right } = pair({ replayWindow: 0 });
  const start = fc.constantFrom([0x45], [0x60], [0x45, 0, 0, 28], [0x60, 0, 0, 0, 0, 8, 17], []);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 120 }), fc.constantFrom(4, 41, 59, 17), (head, rest, nextHeader) => {
      const outcome = right.inbound(crafted(Uint8Array.of(...head, ...rest), nextHeader), LEFT, true, 0);
      if (outcome.tag !== 'deliver') return;
      const inner = new Inner();
      assert.ok(inner.parse(outcome.packet));
      assert.equal(inner.s0 >>> 16, inner.version === 4 ? 0x0a01 : 0xfd00);
    }),
    { numRuns: 500 },
  );
});

test('nothing that comes from the inside throws, or leaves without encryption', () => {
  const { left } = pair();
  fc.assert(
    fc.property(fc.constantFrom(0x45, 0x4f, 0x60, 0x00), fc.uint8Array({ maxLength: 100 }), (first, rest) => {
      const packet = Uint8Array.of(first, ...rest);
      const outcome = left.outbound(packet, 0);
      if (outcome.tag === 'send') assert.notDeepEqual(outcome.bytes.subarray(16, 16 + packet.length), packet);
    }),
    { numRuns: 500 },
  );
});

test('no super-packet from the inside throws, whatever it says of itself', () => {
  const { left } = pair();
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(GSO.TCP, GSO.UDP),
      fc.integer({ min: 0, max: 400 }),
      fc.constantFrom(6, 17, 1),
      (payload, gso, mss, protocol) => {
        const bytes = ipv4('10.1.0.1', '10.2.0.1', payload, { protocol });
        left.pipelines.fromInside({ bytes, gso, mss });
      },
    ),
    { numRuns: 500 },
  );
  assert.equal(left.outbound(OUT, 0).tag, 'send');
});
