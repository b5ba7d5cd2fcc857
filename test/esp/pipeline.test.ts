// Packets through a pair of pipelines: what arrives, what is dropped and under which name, and who hears of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/bytes/bytes.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import type { Drop } from '../../src/esp/drop.ts';
import { Inner } from '../../src/esp/packet.ts';
import { dropped, End, pair, sent } from './end.ts';
import { child, crafted, ipv4, ipv6, LEFT, RIGHT, selector, udp } from './support.ts';

const OUT = ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53));

test('a packet goes through the tunnel unchanged, in both families', () => {
  const { left, right } = pair();
  for (const packet of [OUT, ipv6('fd00:1::1', 'fd00:2::1', udp(1, 2))]) {
    const { bytes, id, remote, local, udp: encapsulated } = sent(left.outbound(packet, 0));
    assert.deepEqual([id, local, remote, encapsulated], [1, LEFT.ip, RIGHT, true]);
    assert.deepEqual(right.inbound(bytes, LEFT, true, 0), { tag: 'deliver', packet, id: 1 });
  }
  const answer = ipv4('10.2.0.1', '10.1.0.1', udp(53, 5000));
  const { bytes } = sent(right.outbound(answer, 0));
  assert.deepEqual(left.inbound(bytes, RIGHT, true, 0), { tag: 'deliver', packet: answer, id: 1 });
  assert.deepEqual(left.events(), []);
  assert.deepEqual(right.events(), []);
});

test('what comes out of a CBC tunnel is what went in, too', () => {
  const suite = { encr: ENCR.AES_CBC, keyBits: 128, integ: INTEG.HMAC_SHA2_256_128, encrSize: 16, integSize: 32 };
  const { left, right } = pair({}, suite);
  const { bytes } = sent(left.outbound(OUT, 0));
  assert.deepEqual(right.inbound(bytes, LEFT, true, 0), { tag: 'deliver', packet: OUT, id: 1 });
});

test('counters tell packets, bytes and last use of each direction, and drops of the SA', () => {
  const { left, right } = pair();
  const { bytes } = sent(left.outbound(OUT, 1000));
  right.inbound(bytes, LEFT, true, 1001);
  right.inbound(bytes, LEFT, true, 1002);
  const { drops, ...stats } = right.stats(1) ?? assert.fail();
  assert.deepEqual(stats, {
    bytesIn: OUT.length,
    packetsIn: 1,
    bytesOut: 0,
    packetsOut: 0,
    lastIn: 1001,
    lastOut: undefined,
  });
  assert.equal(drops.replay, 1);
  assert.equal(right.drops.replay, 1);
  assert.equal(left.stats(1)?.lastOut, 1000);
  assert.equal(left.stats(2), undefined);
});

test('every packet sent twice is delivered once', () => {
  const { left, right } = pair();
  const sends = Array.from({ length: 300 }, () => sent(left.outbound(OUT, 0)).bytes);
  const outcomes = sends.flatMap((bytes) => [right.inbound(bytes, LEFT, true, 0), right.inbound(bytes, LEFT, true, 0)]);
  assert.equal(outcomes.filter(({ tag }) => tag === 'deliver').length, 300);
  assert.equal(right.drops.replay, 300);
});

test('garbage is dropped by name before any SA is asked', () => {
  const { right } = pair();
  for (let length = 0; length < 8; length++) {
    assert.equal(dropped(right.inbound(new Uint8Array(length), LEFT, true, 0)), 'short');
  }
  for (const spi of [0, 1, 255]) {
    const esp = new Uint8Array(64);
    esp[3] = spi;
    // In UDP a zero is IKE's, and comes no further than the lane.
    assert.equal(dropped(right.inbound(esp, LEFT, spi !== 0, 0)), 'reserved-spi');
  }
  assert.equal(dropped(right.inbound(new Uint8Array(64).fill(1), LEFT, true, 0)), 'unknown-spi');
  assert.deepEqual([right.drops.short, right.drops['reserved-spi'], right.drops['unknown-spi']], [8, 3, 1]);
});

test('an inner packet outside the selectors of its SA is dropped, whatever other SAs of the peer allow', () => {
  const right = new End();
  right.install(child(1).right);
  right.install(child(2, { reqid: 2, localTs: [selector('10.7.0.0/16')], remoteTs: [selector('10.8.0.0/16')] }).right);
  const wrong = [
    ipv4('10.9.0.1', '10.2.0.1', udp(1, 2)),
    ipv4('10.1.0.1', '10.9.0.1', udp(1, 2)),
    ipv4('10.7.0.1', '10.8.0.1', udp(1, 2)),
    ipv4('10.2.0.1', '10.1.0.1', udp(1, 2)),
  ];
  for (const [i, packet] of wrong.entries()) {
    assert.equal(dropped(right.inbound(crafted(packet, 4, i + 1), LEFT, true, 0)), 'policy');
  }
  const other = ipv6('fd00:9::1', 'fd00:2::1', udp(1, 2));
  assert.equal(dropped(right.inbound(crafted(other, 41, 9), LEFT, true, 0)), 'policy');
  assert.equal(right.stats(1)?.drops.policy, 5);
  assert.equal(right.stats(2)?.drops.policy, 0);
});

test('protocol and ports of the selectors bind the receiver as well', () => {
  const web = { localTs: [selector('10.1.0.0/16')], remoteTs: [selector('10.2.0.0/16', 17, 53, 53)] };
  const { left, right } = pair(web);
  const { bytes } = sent(left.outbound(OUT, 0));
  assert.equal(right.inbound(bytes, LEFT, true, 0).tag, 'deliver');
  const other = ipv4('10.1.0.1', '10.2.0.1', udp(5000, 54));
  assert.equal(left.outbound(other, 0).tag, 'reject');
  assert.equal(dropped(right.inbound(crafted(other, 4, 2), LEFT, true, 0)), 'policy');
});

test('dummy packets, foreign next headers and broken inner packets are dropped by name', () => {
  const { right } = pair();
  const cases: readonly (readonly [Uint8Array, number, Drop])[] = [
    [new Uint8Array(100), 59, 'dummy'],
    [OUT, 17, 'bad-next-header'],
    [OUT, 41, 'bad-inner'],
    [ipv6('fd00:1::1', 'fd00:2::1', udp(1, 2)), 4, 'bad-inner'],
    [OUT.subarray(0, 19), 4, 'bad-inner'],
    [OUT.subarray(0, OUT.length - 1), 4, 'bad-inner'],
    [new Uint8Array(0), 4, 'bad-inner'],
  ];
  for (const [i, [payload, nextHeader, reason]] of cases.entries()) {
    assert.equal(dropped(right.inbound(crafted(payload, nextHeader, i + 1), LEFT, true, 0)), reason);
  }
});

test('padding that hides the length of a packet does not reach the inside', () => {
  const { right } = pair();
  const esp = crafted(concat(OUT, new Uint8Array(500)), 4);
  assert.deepEqual(right.inbound(esp, LEFT, true, 0), { tag: 'deliver', packet: OUT, id: 1 });
});

test('congestion outside is marked inside, or drops what cannot carry the mark', () => {
  const { left, right } = pair();
  const capable = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2), { tos: 0xba });
  const { bytes, trafficClass } = sent(left.outbound(capable, 0));
  assert.equal(trafficClass, 0xba);
  const outcome = right.inbound(bytes, LEFT, true, 0, 0x03);
  assert.deepEqual(outcome, {
    tag: 'deliver',
    packet: ipv4('10.1.0.1', '10.2.0.1', udp(1, 2), { tos: 0xbb }),
    id: 1,
  });
  assert.equal(dropped(right.inbound(sent(left.outbound(OUT, 0)).bytes, LEFT, true, 0, 0x03)), 'ecn');
});

test('a packet that no policy covers is counted and answered, at a limited rate', () => {
  const { left } = pair();
  const stray = ipv4('10.1.0.1', '203.0.113.1', udp(1, 2));
  const outcomes = Array.from({ length: 100 }, () => left.outbound(stray, 5000));
  assert.equal(outcomes.filter(({ tag }) => tag === 'reject').length, 20);
  assert.equal(left.drops['no-policy'], 100);
  assert.equal(left.outbound(stray, 6000).tag, 'reject');
  const [first] = outcomes;
  assert.ok(first?.tag === 'reject');
  const inner = new Inner();
  assert.ok(inner.parse(first.icmp));
  assert.deepEqual([inner.protocol, inner.sourcePort], [1, (3 << 8) | 13]);
});

test('what is no IP packet does not leave', () => {
  const { left } = pair();
  for (const bytes of [new Uint8Array(0), new Uint8Array(40), OUT.subarray(0, 30), Uint8Array.of(0x65)]) {
    assert.equal(dropped(left.outbound(bytes, 0)), 'bad-packet');
  }
});
