// How far an SA goes: sequence numbers (RFC 4303 §3.3.2, §3.3.3, §2.2.1), limits of bytes and packets (RFC 4301
// §4.4.2.1), of either direction and of the child.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { protection } from '../../src/crypto/registry.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import { dropped, type End, pair, sent } from './end.ts';
import { crafted, GCM, ipv4, keys, LEFT, NO_LIMITS, oracle, RIGHT } from './support.ts';
import { seqOf } from './twin/frame.ts';

/** 20 bytes, so that limits of bytes are easily counted. */
const OUT = ipv4('10.1.0.1', '10.2.0.1', new Uint8Array(0), { protocol: 253 });
const BACK = ipv4('10.2.0.1', '10.1.0.1', new Uint8Array(0), { protocol: 253 });
const CBC = { encr: ENCR.AES_CBC, keyBits: 128, integ: INTEG.HMAC_SHA2_256_128, encrSize: 16, integSize: 32 };
const SMALL = { encr: ENCR.DES3, keyBits: undefined, integ: INTEG.HMAC_SHA2_256_128, encrSize: 24, integSize: 32 };

function limited(limits: Partial<ChildSa['limits']>, suite = GCM): { readonly left: End; readonly right: End } {
  return pair({ limits: { ...NO_LIMITS, ...limits } }, suite);
}

/** The levels that an end has told of since it was asked last. */
function levels(end: End): readonly string[] {
  return end.events().map(({ kind }) => kind);
}

test('sequence numbers start at 1, and are the IV of a counter mode', () => {
  const { left } = pair();
  for (const expected of [1, 2, 3]) {
    const { bytes } = sent(left.outbound(OUT, 0));
    assert.equal(hex(bytes.subarray(0, 16)), hex(unhex(`00002001 0000000${expected} 00000000 0000000${expected}`)));
  }
});

test('a CBC IV comes from the random source', () => {
  const { left } = pair({}, CBC);
  const { bytes } = sent(left.outbound(OUT, 0));
  assert.equal(hex(bytes.subarray(8, 24)), '000102030405060708090a0b0c0d0e0f');
});

test('no sequence number is used twice: from 2^32 − 2 two packets go, and three are refused', () => {
  const { left } = pair();
  left.from(1, { NEXT: 2 ** 32 - 2 });
  const results = [1, 2, 3, 4, 5].map(() => left.outbound(OUT, 0));
  assert.deepEqual(
    results.map((each) => (each.tag === 'send' ? seqOf(each.bytes) : dropped(each))),
    [0xfffffffe, 0xffffffff, 'exhausted', 'exhausted', 'exhausted'],
  );
  assert.equal(levels(left).at(-1), 'hard');
  assert.equal(left.stats(1)?.packetsOut, 2);
  assert.equal(left.stats(1)?.drops.exhausted, 3);
});

test('extended sequence numbers go on beyond 2^32, the receiver knows which is meant, and no number comes twice', () => {
  for (const suite of [GCM, CBC]) {
    const { left, right } = pair({ esn: true }, suite, { protection });
    left.from(1, { NEXT: 2 ** 32 - 2 });
    right.pipelines.shared.replay.newest[right.slotOf(1)] = 2 ** 32 - 3;
    const packets = [1, 2, 3, 4, 5].map(() => sent(left.outbound(OUT, 0)).bytes);
    assert.deepEqual(packets.map(seqOf), [0xfffffffe, 0xffffffff, 0, 1, 2]);
    for (const bytes of packets) {
      assert.equal(right.inbound(bytes, LEFT, true, 0).tag, 'deliver');
      assert.equal(dropped(right.inbound(bytes, LEFT, true, 0)), 'replay');
    }
    assert.deepEqual(levels(left), []);
  }
});

test('without extended sequence numbers what follows 2^32 − 1 is a replay, whatever it says', () => {
  const { left, right } = pair({}, GCM, { protection });
  right.pipelines.shared.replay.newest[right.slotOf(1)] = 2 ** 32 - 1;
  assert.equal(dropped(right.inbound(sent(left.outbound(OUT, 0)).bytes, LEFT, true, 0)), 'replay');
});

test('the high half of an extended sequence number is authenticated, though nobody sends it', () => {
  for (const suite of [GCM, CBC]) {
    const { left, right } = pair({ esn: true }, suite, { protection });
    left.from(1, { NEXT: 2 ** 32 + 5 });
    // The receiver believes to be an epoch behind.
    assert.equal(dropped(right.inbound(sent(left.outbound(OUT, 0)).bytes, LEFT, true, 0)), 'bad-icv');
    right.pipelines.shared.replay.newest[right.slotOf(1)] = 2 ** 32 + 1;
    assert.equal(right.inbound(sent(left.outbound(OUT, 0)).bytes, LEFT, true, 0).tag, 'deliver');
  }
});

test('three quarters of the sequence numbers ask for a successor', () => {
  const { left } = pair();
  left.from(1, { NEXT: 0.75 * 2 ** 32 - 1 });
  left.outbound(OUT, 0);
  assert.deepEqual(levels(left), []);
  left.outbound(OUT, 0);
  assert.deepEqual(levels(left), ['soft']);
});

test('a combined mode seals no more than 2^32 packets under one key, however long its sequence numbers are', () => {
  const { left } = pair({ esn: true }, GCM, { protection });
  left.from(1, { PACKETS_OUT: 2 ** 32 * 0.75 - 1 });
  left.outbound(OUT, 0);
  assert.deepEqual(levels(left), ['soft']);
  left.from(1, { PACKETS_OUT: 2 ** 32 - 1 });
  assert.equal(left.outbound(OUT, 0).tag, 'send');
  assert.deepEqual(levels(left), ['hard']);
  assert.equal(dropped(left.outbound(OUT, 0)), 'expired');
});

test('packets and bytes are limited: soft first, then hard, then nothing passes', () => {
  for (const limits of [
    { softPackets: 2, hardPackets: 4 },
    { softBytes: 40, hardBytes: 80 },
  ]) {
    const { left } = limited(limits);
    const seen = [1, 2, 3, 4].map(() => {
      sent(left.outbound(OUT, 0));
      return levels(left);
    });
    assert.deepEqual(seen, [[], ['soft'], [], ['hard']]);
    assert.equal(dropped(left.outbound(OUT, 0)), 'expired');
    const stats = left.stats(1);
    assert.deepEqual([stats?.packetsOut, stats?.bytesOut, stats?.drops.expired], [4, 80, 1]);
  }
});

test('a packet that would go beyond the hard limit of bytes is not sent', () => {
  const { left } = limited({ hardBytes: 50 });
  assert.deepEqual(
    [1, 2, 3].map(() => left.outbound(OUT, 0).tag),
    ['send', 'send', 'drop'],
  );
  assert.deepEqual(levels(left), ['hard']);
});

test('ciphers with 64-bit blocks are rekeyed at 1 GiB and stopped at 4 GiB, or earlier when so configured', () => {
  const levelAt = (bytes: number, limits: Partial<ChildSa['limits']>, suite: typeof GCM) => {
    const { left } = limited(limits, suite);
    left.from(1, { BYTES_OUT: bytes - OUT.length });
    return [left.outbound(OUT, 0).tag === 'send', ...levels(left)];
  };
  assert.deepEqual(levelAt(2 ** 30 - 1, {}, SMALL), [true]);
  assert.deepEqual(levelAt(2 ** 30, {}, SMALL), [true, 'soft']);
  assert.deepEqual(levelAt(2 ** 32 - 1, {}, SMALL), [true, 'soft']);
  assert.deepEqual(levelAt(2 ** 32, {}, SMALL), [true, 'hard']);
  assert.deepEqual(levelAt(2 ** 32 + 1, {}, SMALL), [false, 'hard']);
  assert.deepEqual(levelAt(1000, { softBytes: 1000 }, SMALL), [true, 'soft']);
  assert.deepEqual(levelAt(2 ** 32 + 1, { hardBytes: 2 ** 40 }, SMALL), [false, 'hard']);
  assert.deepEqual(levelAt(2 ** 40, {}, CBC), [true]);
});

test('what comes in counts against the same cap of a 64-bit block cipher', () => {
  const { left, right } = pair({}, SMALL);
  right.from(1, { BYTES_IN: 2 ** 32 - OUT.length });
  assert.equal(right.inbound(sent(left.outbound(OUT, 0)).bytes, LEFT, true, 0).tag, 'deliver');
  assert.deepEqual(levels(right), ['hard']);
  assert.equal(dropped(right.inbound(sent(left.outbound(OUT, 0)).bytes, LEFT, true, 0)), 'expired');
});

test('a packet is received once, and the counters say when', () => {
  const { right } = pair();
  const packet = (seq: number) => crafted(OUT, 4, seq);
  assert.equal(right.inbound(packet(5), LEFT, true, 77).tag, 'deliver');
  assert.equal(right.stats(1)?.lastIn, 77);
  assert.equal(right.inbound(packet(4), LEFT, true, 99).tag, 'deliver');
  assert.equal(dropped(right.inbound(packet(4), LEFT, true, 100)), 'replay');
  assert.equal(dropped(right.inbound(packet(5), LEFT, true, 100)), 'replay');
  const stats = right.stats(1);
  assert.deepEqual([stats?.packetsIn, stats?.bytesIn, stats?.lastIn], [2, 40, 99]);
});

test('a forged packet far ahead does not move the window', () => {
  const { right } = pair();
  const forged = crafted(OUT, 4, 1);
  new DataView(forged.buffer).setUint32(4, 1_000_000);
  assert.equal(dropped(right.inbound(forged, LEFT, true, 0)), 'bad-icv');
  assert.equal(right.inbound(crafted(OUT, 4, 1), LEFT, true, 0).tag, 'deliver');
  assert.equal(right.stats(1)?.packetsIn, 1);
});

test('a good ICV over bad padding is refused, and cannot be replayed', () => {
  const { right } = pair();
  const iv = new Uint8Array(8);
  const header = unhex('00002001 00000001');
  const { seal } = oracle(keys(GCM, 51));
  const esp = Uint8Array.of(...header, ...iv, ...seal(iv, header, Uint8Array.of(1, 2, 9, 4)));
  assert.equal(dropped(right.inbound(esp, LEFT, true, 0)), 'bad-padding');
  assert.equal(dropped(right.inbound(esp, LEFT, true, 0)), 'replay');
});

test('the receiving side stops at its hard limit too', () => {
  const { right } = limited({ softPackets: 1, hardPackets: 2 });
  assert.equal(right.inbound(crafted(OUT, 4, 1), LEFT, true, 0).tag, 'deliver');
  assert.deepEqual(levels(right), ['soft']);
  assert.equal(right.inbound(crafted(OUT, 4, 2), LEFT, true, 0).tag, 'deliver');
  assert.deepEqual(levels(right), ['hard']);
  assert.equal(dropped(right.inbound(crafted(OUT, 4, 3), LEFT, true, 0)), 'expired');
  // Without the cost of an ICV, too.
  assert.equal(dropped(right.inbound(crafted(OUT, 4, 3).fill(0, 16), LEFT, true, 0)), 'expired');
});

test('what is still under way arrives when the other direction is at its end', () => {
  const { left, right } = limited({ hardPackets: 2 });
  for (let i = 0; i < 2; i++) sent(left.outbound(OUT, 0));
  assert.deepEqual(levels(left), ['hard']);
  assert.equal(left.inbound(sent(right.outbound(BACK, 0)).bytes, RIGHT, true, 0).tag, 'deliver');
});

test('limits of either direction are reported once for the child', () => {
  const limits = { ...NO_LIMITS, softPackets: 2, hardPackets: 4 };
  const { left, right } = pair({ limits });
  const seen: string[] = [];
  for (let i = 0; i < 6; i++) {
    const out = left.outbound(OUT, 0);
    if (out.tag === 'send') right.inbound(out.bytes, LEFT, true, 0);
    const into = right.outbound(BACK, 0);
    if (into.tag === 'send') left.inbound(into.bytes, RIGHT, true, 0);
    seen.push(...left.events().map(({ kind }) => `${i} ${kind}`));
  }
  assert.deepEqual(seen, ['1 soft', '3 hard']);
  assert.equal(dropped(left.outbound(OUT, 0)), 'expired');
});

test('an SA that is at its end in one direction does not ask for a successor in the other', () => {
  const { left, right } = pair({ limits: { ...NO_LIMITS, softPackets: 1, hardPackets: 2 } });
  for (let i = 0; i < 2; i++) right.inbound(sent(left.outbound(OUT, 0)).bytes, LEFT, true, 0);
  right.outbound(BACK, 0);
  assert.deepEqual(
    right.events().map(({ kind }) => kind),
    ['soft', 'hard'],
  );
});
