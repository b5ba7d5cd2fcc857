// Packets that the kernel hands over as one, through the pipeline: how many sequence numbers they take, how they count,
// and what comes out. And what TCP is told of the size that fits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/bytes/bytes.ts';
import { GSO } from '../../src/esp/layout.ts';
import { dropped, type End, pair, sent } from './end.ts';
import { ACK, FIN, ipv4, ipv6, PSH, SYN, tcp, text, udp, whole } from './packets.ts';
import { LEFT, NO_LIMITS } from './support.ts';
import { seqOf } from './twin/frame.ts';
import { segments } from './twin/split.ts';

const BIG = ipv4('10.1.0.1', '10.2.0.1', tcp({ data: text(5000), flags: ACK | PSH }), { protocol: 6 });
const BIG6 = ipv6('fd00:1::1', 'fd00:2::1', tcp({ data: text(5000), flags: ACK | PSH | FIN }), 6);
const DATAGRAMS = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2, 'x'.repeat(5000)));

/** All parts, sealed on the left. */
function cut(left: End, bytes: Uint8Array, gso: number, mss: number): readonly Uint8Array[] {
  return left.cut({ bytes, gso, mss }, 0).map((each) => sent(each).bytes);
}

for (const [name, bytes, gso] of [
  ['TCP', BIG, GSO.TCP],
  ['TCP over IPv6', BIG6, GSO.TCP],
  ['UDP', DATAGRAMS, GSO.UDP],
] as const) {
  test(`${name}: a super-packet arrives as the packets that the kernel would have made of it`, () => {
    const { left, right } = pair();
    const expected = segments(bytes, gso, 1200);
    assert.equal(expected.length, 5);
    const parts = cut(left, bytes, gso, 1200);
    assert.deepEqual(parts.map(seqOf), [1, 2, 3, 4, 5]);
    for (const [i, part] of parts.entries()) {
      assert.deepEqual(right.inbound(part, LEFT, true, 0), { tag: 'deliver', packet: expected[i], id: 1 });
    }
    const size = expected.reduce((sum, { length }) => sum + length, 0);
    assert.deepEqual([left.stats(1)?.packetsOut, left.stats(1)?.bytesOut], [5, size]);
    assert.deepEqual([right.stats(1)?.packetsIn, right.stats(1)?.bytesIn], [5, size]);
    assert.equal(seqOf(sent(left.outbound(ipv4('10.1.0.1', '10.2.0.1', udp(1, 2)), 0)).bytes), 6);
  });
}

test('[C7] a super-packet that needs more sequence numbers than are left does not go at all', () => {
  const { left } = pair();
  left.from(1, { NEXT: 2 ** 32 - 4 });
  assert.deepEqual(left.cut({ bytes: BIG, gso: GSO.TCP, mss: 1200 }, 0), [{ tag: 'drop', reason: 'exhausted' }]);
  assert.equal(left.stats(1)?.packetsOut, 0);
  assert.deepEqual(
    left.events().map(({ kind }) => kind),
    ['hard'],
  );
  assert.deepEqual(
    cut(left, BIG, GSO.TCP, 1300).map(seqOf),
    [1, 2, 3, 4].map((n) => 2 ** 32 - 5 + n),
  );
  assert.equal(dropped(left.outbound(ipv4('10.1.0.1', '10.2.0.1', udp(1, 2)), 0)), 'exhausted');
});

test('the parts of a super-packet count for the limits one by one', () => {
  const { left } = pair({ limits: { ...NO_LIMITS, softPackets: 5, hardPackets: 9 } });
  cut(left, BIG, GSO.TCP, 1200);
  assert.deepEqual(
    left.events().map(({ kind }) => kind),
    ['soft'],
  );
  assert.deepEqual(left.cut({ bytes: BIG, gso: GSO.TCP, mss: 1200 }, 0), [{ tag: 'drop', reason: 'expired' }]);
  assert.equal(left.stats(1)?.packetsOut, 5);
});

test('a super-packet of which there is nothing to cut goes nowhere, and takes no sequence number', () => {
  const { left } = pair();
  const fragment = ipv4('10.1.0.1', '10.2.0.1', tcp({ data: text(5000) }), { protocol: 6, more: true });
  for (const [bytes, gso, mss] of [
    [fragment, GSO.TCP, 1200],
    [BIG, GSO.UDP, 1200],
    [BIG, GSO.TCP, 0],
    [BIG.subarray(0, 40), GSO.TCP, 1200],
  ] as const) {
    left.pipelines.fromInside({ bytes, gso, mss });
  }
  assert.deepEqual(left.sent, []);
  assert.equal(seqOf(cut(left, BIG, GSO.TCP, 1200)[0] as Uint8Array), 1);
});

const MSS = (value: number) => Uint8Array.of(2, 4, value >> 8, value & 0xff);

test('a SYN announces no more than fits the tunnel, in both directions and families, with a checksum that is right', () => {
  const { left, right } = pair();
  const mtu = left.mtuOf(1);
  for (const flags of [SYN, SYN | ACK]) {
    for (const [version, over] of [
      [4, 40],
      [6, 60],
    ] as const) {
      const syn = (options: Uint8Array) => {
        const segment = tcp({ flags, options });
        return whole(
          version === 4
            ? ipv4('10.1.0.1', '10.2.0.1', segment, { protocol: 6 })
            : ipv6('fd00:1::1', 'fd00:2::1', segment, 6),
          6,
        );
      };
      const { bytes } = sent(left.outbound(syn(MSS(1460)), 0));
      const outcome = right.inbound(bytes, LEFT, true, 0);
      assert.deepEqual(outcome, { tag: 'deliver', packet: syn(MSS(mtu - over)), id: 1 });
      // Behind other options, at an odd place; and lower already.
      for (const [before, after] of [
        [
          concat(Uint8Array.of(1), MSS(1460), Uint8Array.of(3, 3, 7)),
          concat(Uint8Array.of(1), MSS(mtu - over), Uint8Array.of(3, 3, 7)),
        ],
        [MSS(536), MSS(536)],
      ] as const) {
        const { bytes: esp } = sent(left.outbound(syn(before), 0));
        assert.deepEqual(right.inbound(esp, LEFT, true, 0), { tag: 'deliver', packet: syn(after), id: 1 });
      }
    }
  }
});

test('what a peer announces that does not lower it himself is lowered on the way in', () => {
  const { left } = pair({ mss: 'no' });
  const { right: clamping } = pair({ mss: 1000 });
  const syn = (value: number) =>
    whole(ipv4('10.1.0.1', '10.2.0.1', tcp({ flags: SYN, options: MSS(value) }), { protocol: 6 }), 6);
  const { bytes } = sent(left.outbound(syn(1460), 0));
  assert.deepEqual(clamping.inbound(bytes, LEFT, true, 0), { tag: 'deliver', packet: syn(1000), id: 1 });
});

test('with mss = no, and in segments that are no SYN, the option stays as it is', () => {
  const odd = whole(ipv4('10.1.0.1', '10.2.0.1', tcp({ flags: ACK, options: MSS(9000) }), { protocol: 6 }), 6);
  const { left, right } = pair();
  assert.deepEqual(right.inbound(sent(left.outbound(odd, 0)).bytes, LEFT, true, 0), {
    tag: 'deliver',
    packet: odd,
    id: 1,
  });
  const untouched = pair({ mss: 'no' });
  const syn = whole(ipv4('10.1.0.1', '10.2.0.1', tcp({ flags: SYN, options: MSS(9000) }), { protocol: 6 }), 6);
  const { bytes } = sent(untouched.left.outbound(syn, 0));
  assert.deepEqual(untouched.right.inbound(bytes, LEFT, true, 0), { tag: 'deliver', packet: syn, id: 1 });
});
