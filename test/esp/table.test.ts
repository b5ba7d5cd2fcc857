import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import type { Drop } from '../../src/esp/drop.ts';
import { seal } from '../../src/esp/frame.ts';
import { Inner } from '../../src/esp/packet.ts';
import type { Inbound, Outbound, SaTable, Send } from '../../src/esp/table.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import { child, GCM, ipv4, ipv6, keys, LEFT, NO_LIMITS, oracle, RIGHT, selector, table, udp } from './support.ts';

const OUT = ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53));

function pair(over: Partial<ChildSa> = {}, suite = GCM): { left: SaTable; right: SaTable } {
  const both = { left: table(), right: table() };
  const sas = child(1, over, suite);
  both.left.install(sas.left);
  both.right.install(sas.right);
  return both;
}

function sent(outcome: Outbound): Send {
  assert.ok(outcome.tag === 'send', outcome.tag);
  return outcome;
}

function dropped(outcome: Inbound | Outbound): Drop {
  assert.ok(outcome.tag === 'drop');
  return outcome.reason;
}

/** An ESP packet from left to right with what the left gateway would never send. */
function crafted(payload: Uint8Array, nextHeader: number, seq = 1): Uint8Array {
  const iv = new Uint8Array(8);
  iv[7] = seq;
  return seal(oracle(keys(GCM, 51)), 0x2001, seq, iv, payload, nextHeader);
}

test('a packet goes through the tunnel unchanged, in both families', () => {
  const { left, right } = pair();
  for (const packet of [OUT, ipv6('fd00:1::1', 'fd00:2::1', udp(1, 2))]) {
    const { bytes, id, remote, local, udp: encapsulated } = sent(left.outbound(packet, 0));
    assert.deepEqual([id, local, remote, encapsulated], [1, LEFT, RIGHT, true]);
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
    active: true,
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
    assert.equal(dropped(right.inbound(esp, LEFT, true, 0)), 'reserved-spi');
  }
  assert.equal(dropped(right.inbound(new Uint8Array(64).fill(1), LEFT, true, 0)), 'unknown-spi');
  assert.deepEqual([right.drops.short, right.drops['reserved-spi'], right.drops['unknown-spi']], [8, 3, 1]);
});

test('an inner packet outside the selectors of its SA is dropped, whatever other SAs of the peer allow', () => {
  const right = table();
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

test('a new SA receives at once and sends when it is activated', () => {
  const { left, right } = pair();
  const next = child(2, { active: false });
  left.install(next.left);
  right.install(child(2).right);
  assert.equal(sent(left.outbound(OUT, 0)).id, 1);
  const back = ipv4('10.2.0.1', '10.1.0.1', udp(1, 2));
  const outcome = sent(right.outbound(back, 0));
  assert.equal(outcome.id, 2);
  assert.deepEqual(left.inbound(outcome.bytes, RIGHT, true, 0), { tag: 'deliver', packet: back, id: 2 });
  left.inbound(sent(right.outbound(back, 0)).bytes, RIGHT, true, 0);
  assert.deepEqual(left.events(), [{ kind: 'used', session: 1, id: 2 }]);
  assert.deepEqual(left.events(), []);
  left.activate(2);
  assert.equal(sent(left.outbound(OUT, 0)).id, 2);
  assert.deepEqual([left.stats(1)?.active, left.stats(2)?.active], [false, true]);
});

test('when the active SA goes, another of its policy takes over; with the last one the policy goes', () => {
  const { left } = pair();
  left.install(child(2, { active: false }).left);
  left.remove(1);
  assert.equal(sent(left.outbound(OUT, 0)).id, 2);
  left.remove(2);
  assert.equal(left.outbound(OUT, 0).tag, 'reject');
  left.remove(2);
  left.activate(2);
  assert.equal(left.outbound(OUT, 0).tag, 'reject');
});

test('a successor with other selectors brings its own', () => {
  const { left } = pair();
  left.install(child(2, { localTs: [selector('10.1.0.0/16')], remoteTs: [selector('10.2.128.0/17')] }).left);
  assert.equal(left.outbound(OUT, 0).tag, 'reject');
  assert.equal(sent(left.outbound(ipv4('10.1.0.1', '10.2.200.1', udp(1, 2)), 0)).id, 2);
});

test('children of different policies are told apart by their selectors', () => {
  const { left } = pair();
  const narrow = { reqid: 2, localTs: [selector('10.1.0.0/16')], remoteTs: [selector('10.2.9.0/24')] };
  left.install(child(2, narrow).left);
  assert.equal(sent(left.outbound(OUT, 0)).id, 1);
  assert.equal(sent(left.outbound(ipv4('10.1.0.1', '10.2.9.9', udp(1, 2)), 0)).id, 2);
});

test('removal closes the way in and wipes the keys', () => {
  const { left, right } = pair();
  const { bytes } = sent(left.outbound(OUT, 0));
  const sas = child(2, { reqid: 2 });
  right.install(sas.right);
  right.remove(1);
  assert.equal(dropped(right.inbound(bytes, LEFT, true, 0)), 'unknown-spi');
  right.remove(2);
  for (const { keys: of } of [sas.right.inbound, sas.right.outbound]) {
    assert.ok(of.encrKey.every((byte) => byte === 0) && of.integKey.every((byte) => byte === 0));
  }
});

test('a newest authentic packet from elsewhere is reported until the SA is moved', () => {
  const { left, right } = pair();
  const elsewhere = { ip: '203.0.113.5', port: 1024 };
  const [first, second, third] = [1, 2, 3].map(() => sent(left.outbound(OUT, 0)).bytes);
  assert.ok(first && second && third);
  right.inbound(second, elsewhere, true, 0);
  const moved = { kind: 'moved', session: 1, id: 1, remote: elsewhere, udp: true };
  assert.deepEqual(right.events(), [moved]);
  right.inbound(second, elsewhere, true, 0);
  right.inbound(first, elsewhere, true, 0);
  assert.deepEqual(right.events(), []);
  right.move([1, 99], RIGHT, elsewhere, true);
  right.inbound(third, elsewhere, true, 0);
  assert.deepEqual(right.events(), []);
  const back = sent(right.outbound(ipv4('10.2.0.1', '10.1.0.1', udp(1, 2)), 0));
  assert.deepEqual(back.remote, elsewhere);
});

test('a forged packet from elsewhere is not reported', () => {
  const { left, right } = pair();
  const bytes = sent(left.outbound(OUT, 0)).bytes.slice();
  bytes[30] = (bytes[30] as number) ^ 1;
  assert.equal(dropped(right.inbound(bytes, { ip: '203.0.113.5', port: 1024 }, true, 0)), 'bad-icv');
  assert.deepEqual(right.events(), []);
});

test('a port matters only to ESP in UDP', () => {
  const { left, right } = pair({ udp: false });
  const [first, second] = [1, 2].map(() => sent(left.outbound(OUT, 0)).bytes);
  assert.ok(first && second);
  right.inbound(first, { ip: LEFT.ip, port: 0 }, false, 0);
  assert.deepEqual(right.events(), []);
  const inUdp = pair();
  right.inbound(second, { ip: LEFT.ip, port: 0 }, false, 0);
  inUdp.right.inbound(sent(inUdp.left.outbound(OUT, 0)).bytes, { ip: LEFT.ip, port: 999 }, true, 0);
  assert.equal(inUdp.right.events()[0]?.kind, 'moved');
});

test('limits of either direction are reported once for the child', () => {
  const limits = { ...NO_LIMITS, softPackets: 2, hardPackets: 4 };
  const { left, right } = pair({ limits });
  const back = ipv4('10.2.0.1', '10.1.0.1', udp(1, 2));
  const seen: string[] = [];
  for (let i = 0; i < 6; i++) {
    const out = left.outbound(OUT, 0);
    if (out.tag === 'send') right.inbound(out.bytes, LEFT, true, 0);
    const into = right.outbound(back, 0);
    if (into.tag === 'send') left.inbound(into.bytes, RIGHT, true, 0);
    seen.push(...left.events().map(({ kind }) => `${i} ${kind}`));
  }
  assert.deepEqual(seen, ['1 soft', '3 hard']);
  assert.equal(dropped(left.outbound(OUT, 0)), 'expired');
});

test('an SA that is at its end in one direction does not ask for a successor in the other', () => {
  const { left, right } = pair({ limits: { ...NO_LIMITS, softPackets: 1, hardPackets: 2 } });
  for (let i = 0; i < 2; i++) right.inbound(sent(left.outbound(OUT, 0)).bytes, LEFT, true, 0);
  right.outbound(ipv4('10.2.0.1', '10.1.0.1', udp(1, 2)), 0);
  assert.deepEqual(
    right.events().map(({ kind }) => kind),
    ['soft', 'hard'],
  );
});

test('what this data plane cannot do is refused at installation', () => {
  const left = table();
  left.install(child(1).left);
  assert.throws(() => left.install(child(1).left), /installed already/);
  assert.throws(() => left.install({ ...child(2).left, inbound: child(1).left.inbound }), /in use/);
  assert.throws(() => left.install({ ...child(2).left, esn: true }), /extended/);
  assert.throws(() => left.install({ ...child(2).left, mode: 'transport' }), /transport/);
  assert.throws(() => left.install({ ...child(2).left, protocol: 'ah' }), /ah/);
});

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
      assert.deepEqual([inner.s0 >>> 24, (inner.s0 >>> 16) & 0xff], inner.version === 4 ? [10, 1] : [0xfd, 0]);
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
