import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import { seal, seqOf } from '../../src/esp/frame.ts';
import { InboundSa, type Limits, Meter, OutboundSa } from '../../src/esp/sa.ts';
import { aead, cbc, counting, NO_LIMITS } from './support.ts';

const GCM = aead('aes-gcm', new Uint8Array(20));
const CBC = cbc('aes-128-cbc', 16, new Uint8Array(16), new Uint8Array(32));
const SMALL = cbc(
  'des-ede3-cbc',
  8,
  Uint8Array.from({ length: 24 }, (_, i) => i),
  new Uint8Array(32),
);
const PACKET = new Uint8Array(20);

function outbound(limits: Partial<Limits> = {}, next?: number): OutboundSa {
  return new OutboundSa(0x1234, GCM, { ...NO_LIMITS, ...limits }, counting(), next);
}

function sent(sa: OutboundSa): Uint8Array | string {
  return sa.seal(PACKET, 4, 0);
}

test('sequence numbers start at 1, and are the IV of a counter mode', () => {
  const sa = outbound();
  for (const expected of [1, 2, 3]) {
    const esp = sent(sa);
    assert.ok(typeof esp !== 'string');
    assert.equal(hex(esp.subarray(0, 16)), hex(unhex(`00001234 0000000${expected} 00000000 0000000${expected}`)));
  }
});

test('a CBC IV comes from the random source', () => {
  const sa = new OutboundSa(0x1234, CBC, NO_LIMITS, counting());
  const esp = sent(sa);
  assert.ok(typeof esp !== 'string');
  assert.equal(hex(esp.subarray(8, 24)), '000102030405060708090a0b0c0d0e0f');
});

test('no sequence number is used twice: from 2^32 − 2 two packets go, and three are refused', () => {
  const sa = outbound({}, 2 ** 32 - 2);
  const results = [1, 2, 3, 4, 5].map(() => sent(sa));
  assert.deepEqual(
    results.map((each) => (typeof each === 'string' ? each : seqOf(each))),
    [0xfffffffe, 0xffffffff, 'exhausted', 'exhausted', 'exhausted'],
  );
  assert.equal(sa.meter.level, 'hard');
  assert.equal(sa.meter.packets, 2);
});

test('three quarters of the sequence numbers ask for a successor', () => {
  const sa = outbound({}, 0.75 * 2 ** 32 - 1);
  sent(sa);
  assert.equal(sa.meter.level, 'fresh');
  sent(sa);
  assert.equal(sa.meter.level, 'soft');
});

test('packets and bytes are limited: soft first, then hard, then nothing passes', () => {
  for (const limits of [
    { softPackets: 2, hardPackets: 4 },
    { softBytes: 40, hardBytes: 80 },
  ]) {
    const sa = outbound(limits);
    const levels = [1, 2, 3, 4].map(() => {
      assert.notEqual(typeof sent(sa), 'string');
      return sa.meter.level;
    });
    assert.deepEqual(levels, ['fresh', 'soft', 'soft', 'hard']);
    assert.equal(sent(sa), 'expired');
    assert.deepEqual([sa.meter.packets, sa.meter.bytes], [4, 80]);
  }
});

test('a packet that would go beyond the hard limit of bytes is not sent', () => {
  const sa = outbound({ hardBytes: 50 });
  assert.deepEqual(
    [1, 2, 3].map(() => typeof sent(sa) === 'string'),
    [false, false, true],
  );
  assert.equal(sa.meter.level, 'hard');
});

test('ciphers with 64-bit blocks are rekeyed at 1 GiB and stopped at 4 GiB, or earlier when so configured', () => {
  const levelAt = (bytes: number, limits: Limits, blockSize: number) => {
    const meter = new Meter(limits, blockSize);
    return [meter.spend(bytes, 0), meter.level];
  };
  assert.deepEqual(levelAt(2 ** 30 - 1, NO_LIMITS, SMALL.blockSize), [true, 'fresh']);
  assert.deepEqual(levelAt(2 ** 30, NO_LIMITS, SMALL.blockSize), [true, 'soft']);
  assert.deepEqual(levelAt(2 ** 32 + 1, NO_LIMITS, SMALL.blockSize), [false, 'hard']);
  assert.deepEqual(levelAt(1000, { ...NO_LIMITS, softBytes: 1000 }, SMALL.blockSize), [true, 'soft']);
  assert.deepEqual(levelAt(2 ** 32 + 1, { ...NO_LIMITS, hardBytes: 2 ** 40 }, SMALL.blockSize), [false, 'hard']);
  assert.deepEqual(levelAt(2 ** 40, NO_LIMITS, CBC.blockSize), [true, 'fresh']);
});

function inbound(replayWindow = 64, limits: Partial<Limits> = {}): InboundSa {
  return new InboundSa(0x1234, GCM, { ...NO_LIMITS, ...limits }, replayWindow);
}

function packet(seq: number): Uint8Array {
  const iv = new Uint8Array(8);
  new DataView(iv.buffer).setUint32(4, seq);
  return seal(GCM, 0x1234, seq, iv, PACKET, 4);
}

test('a packet is received once, with whether it is the newest and when', () => {
  const sa = inbound();
  assert.deepEqual(sa.open(packet(5), 77), { nextHeader: 4, payload: PACKET, newest: true });
  assert.equal(sa.meter.lastUse, 77);
  assert.deepEqual(sa.open(packet(4), 99), { nextHeader: 4, payload: PACKET, newest: false });
  assert.equal(sa.open(packet(4), 100), 'replay');
  assert.equal(sa.open(packet(5), 100), 'replay');
  assert.deepEqual([sa.meter.packets, sa.meter.bytes, sa.meter.lastUse], [2, 40, 99]);
});

test('a forged packet far ahead does not move the window', () => {
  const sa = inbound();
  const forged = packet(1_000_000);
  forged[20] = (forged[20] as number) ^ 1;
  assert.equal(sa.open(forged, 0), 'bad-icv');
  assert.notEqual(typeof sa.open(packet(1), 0), 'string');
  assert.equal(sa.meter.packets, 1);
});

test('a good ICV over bad padding is refused, and cannot be replayed', () => {
  const sa = inbound();
  const iv = new Uint8Array(8);
  const header = unhex('00001234 00000001');
  const esp = Uint8Array.of(...header, ...iv, ...GCM.seal(iv, header, Uint8Array.of(1, 2, 9, 4)));
  assert.equal(sa.open(esp, 0), 'bad-padding');
  assert.equal(sa.open(esp, 0), 'replay');
});

test('the receiving side stops at its hard limit too', () => {
  const sa = inbound(64, { softPackets: 1, hardPackets: 2 });
  assert.notEqual(typeof sa.open(packet(1), 0), 'string');
  assert.equal(sa.meter.level, 'soft');
  assert.notEqual(typeof sa.open(packet(2), 0), 'string');
  assert.equal(sa.meter.level, 'hard');
  assert.equal(sa.open(packet(3), 0), 'expired');
  // Without the cost of an ICV, too.
  assert.equal(sa.open(packet(4).fill(0, 16), 0), 'expired');
});
