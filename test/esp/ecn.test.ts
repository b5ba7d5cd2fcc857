import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checksum } from '../../src/esp/icmp.ts';
import { Inner } from '../../src/esp/packet.ts';
import { ipv4, ipv6, udp } from './packets.ts';
import { combine, mark } from './twin/ecn.ts';

function parsed(bytes: Uint8Array): Inner {
  const inner = new Inner();
  assert.equal(inner.parse(bytes), true);
  return inner;
}

test('[E9] ECN fields are combined as the table of RFC 6040 §4.2 says', () => {
  const [NOT, ECT1, ECT0, CE] = [0, 1, 2, 3];
  const table = [
    [NOT, NOT, NOT, NOT, undefined],
    [ECT0, ECT0, ECT0, ECT1, CE],
    [ECT1, ECT1, ECT1, ECT1, CE],
    [CE, CE, CE, CE, CE],
  ] as const;
  for (const [inner, ...results] of table) {
    assert.deepEqual(
      [NOT, ECT0, ECT1, CE].map((outer) => combine(inner as number, outer as number)),
      results,
    );
  }
});

test('marking keeps the rest of the header, and the IPv4 checksum right', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 3 }), fc.nat(0xffff), (tos, ecn, port) => {
      const packet = ipv4('10.1.0.1', `10.2.${port >> 8}.${port & 0xff}`, udp(port, 1), { tos });
      const v6 = ipv6('fd00:1::1', 'fd00:2::1', udp(port, 1), 17, tos);
      mark(packet, ecn);
      mark(v6, ecn);
      assert.equal(checksum(packet.subarray(0, 20)), 0);
      assert.equal(parsed(packet).trafficClass, (tos & ~3) | ecn);
      assert.equal(parsed(v6).trafficClass, (tos & ~3) | ecn);
      assert.deepEqual(packet.subarray(20), udp(port, 1));
    }),
  );
});
