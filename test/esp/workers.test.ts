// Several workers: an SA belongs to one of them, and packets of it come to any.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/bytes/bytes.ts';
import { GSO, SOURCE } from '../../src/esp/layout.ts';
import { dropped, End, sent } from './end.ts';
import { tcp, text } from './packets.ts';
import { child, ipv4, ipv6, LEFT, RIGHT, selector, udp } from './support.ts';
import { seqOf } from './twin/frame.ts';
import { segments } from './twin/split.ts';

const OUT = ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53));

/** SPIs 0x1001 and 0x2001: of three workers the left end's SA has worker 2, the right end's worker 0. */
function several(): { readonly left: End; readonly right: End } {
  const ends = { left: new End({ workers: 3, ip: LEFT.ip }), right: new End({ workers: 3, ip: RIGHT.ip }) };
  ends.left.install(child(1).left);
  ends.right.install(child(1).right);
  return ends;
}

test('packets from the inside are sealed by the owner of their SA, whichever worker reads them', () => {
  const { left, right } = several();
  const seqs: number[] = [];
  for (const worker of [0, 1, 2, 1, 0]) {
    const [outcome] = left.cut({ bytes: OUT, gso: GSO.NONE, mss: 0 }, 0, worker);
    assert.ok(outcome);
    const { bytes } = sent(outcome);
    seqs.push(seqOf(bytes));
    assert.equal(right.inbound(bytes, LEFT, true, 0).tag, 'deliver');
  }
  assert.deepEqual(seqs, [1, 2, 3, 4, 5]);
  assert.equal(left.stats(1)?.packetsOut, 5);
});

test('fragments for transport mode are put together by the owner of the SA, and may be cut again outside', () => {
  const [one, other] = ['2001:db8::1', '2001:db8::2'];
  const selectors = { localTs: [selector(`${one}/128`)], remoteTs: [selector(`${other}/128`)] };
  const hosts = { local: { ip: one, port: 4500 }, remote: { ip: other, port: 4500 } };
  const sas = child(1, { mode: 'transport', ...selectors, ...hosts });
  const left = new End({ workers: 3, ip: one });
  left.install(sas.left);
  const datagram = udp(1, 2, 'x'.repeat(2000));
  const part = (from: number, to: number) => {
    const header = Uint8Array.of(17, 0, from >> 8, (from & 0xf8) | (to < datagram.length ? 1 : 0), 0, 0, 0, 7);
    return { bytes: ipv6(one, other, concat(header, datagram.subarray(from, to)), 44), gso: GSO.NONE, mss: 0 };
  };
  for (const worker of [0, 1]) {
    assert.deepEqual(left.cut(part(0, 1200), 0, worker), []);
    const [outcome] = left.cut(part(1200, datagram.length), 0, worker);
    assert.ok(outcome);
    assert.equal(sent(outcome).df, false);
  }
  assert.equal(left.stats(1)?.packetsOut, 2);
});

test('a super-packet of IPv6 is cut by the owner of its SA, whichever worker reads it', () => {
  const { left, right } = several();
  const bytes = ipv6('fd00:1::1', 'fd00:2::1', tcp({ data: text(5000) }), 6);
  const expected = segments(bytes, GSO.TCP, 1200);
  for (const worker of [0, 1, 2]) {
    const parts = left.cut({ bytes, gso: GSO.TCP, mss: 1200 }, 0, worker);
    const arrived = parts.map((part) => right.inbound(sent(part).bytes, LEFT, true, 0));
    assert.deepEqual(
      arrived,
      expected.map((packet) => ({ tag: 'deliver', packet, id: 1 })),
    );
  }
});

test('ESP in UDP is opened by the owner of its SA, whichever worker receives it, and once', () => {
  const { left, right } = several();
  for (const worker of [0, 1, 2]) {
    const { bytes } = sent(left.outbound(OUT, 0));
    assert.deepEqual(right.inbound(bytes, LEFT, true, 0, 0, worker), { tag: 'deliver', packet: OUT, id: 1 });
    for (const other of [0, 1, 2]) assert.equal(dropped(right.inbound(bytes, LEFT, true, 0, 0, other)), 'replay');
  }
  assert.equal(right.stats(1)?.packetsIn, 3);
});

test('a datagram in which the kernel has joined packets of several workers is cut, and each gets its own', () => {
  const { left, right } = several();
  const more = child(2, { reqid: 2 });
  left.install({ ...more.left, active: false });
  right.install(more.right);
  const first = sent(left.outbound(OUT, 0)).bytes;
  left.plane.remove(1);
  left.install({ ...child(3).left, outbound: child(2).left.outbound });
  const second = sent(left.outbound(OUT, 0)).bytes;
  assert.equal(first.length, second.length);
  right.lane.outside[SOURCE.UDP4]?.push({
    bytes: Uint8Array.of(...first, ...second, ...second),
    remote: LEFT,
    local: RIGHT.ip,
    segment: first.length,
  });
  right.pipelines.wake();
  assert.deepEqual(right.written, [OUT, OUT]);
  assert.deepEqual([right.stats(1)?.packetsIn, right.stats(2)?.packetsIn], [1, 1]);
  assert.equal(right.drops.replay, 1);
});

test('what no policy covers is answered once, by whoever reads it', () => {
  const { left } = several();
  const stray = ipv4('10.1.0.1', '203.0.113.1', udp(1, 2));
  for (const worker of [0, 1, 2]) {
    const outcomes = left.cut({ bytes: stray, gso: GSO.NONE, mss: 0 }, 0, worker);
    assert.deepEqual(
      outcomes.map(({ tag }) => tag),
      ['reject'],
    );
  }
  assert.equal(left.drops['no-policy'], 3);
});

test('a policy that is gone by the time a packet reaches the owner is not asked again', () => {
  const { left } = several();
  // Only the owner knows yet that the SA is gone.
  left.pipelines.held = true;
  left.plane.remove(1);
  left.pipelines.applyAt(2);
  const outcomes = left.cut({ bytes: OUT, gso: GSO.NONE, mss: 0 }, 0, 0);
  assert.deepEqual(
    outcomes.map(({ tag }) => tag),
    ['reject'],
  );
});

test('an owner that is handed packets looks first what it was told: whoever sends them has heard of their SA', () => {
  const { left, right } = { left: new End({ workers: 3, ip: LEFT.ip }), right: several().right };
  left.pipelines.held = true;
  left.install(child(1).left);
  left.pipelines.applyAt(0);
  const [outcome] = left.cut({ bytes: OUT, gso: GSO.NONE, mss: 0 }, 0, 0);
  assert.ok(outcome);
  assert.equal(right.inbound(sent(outcome).bytes, LEFT, true, 0).tag, 'deliver');
  assert.equal(left.drops['no-policy'], 0);
});

test('a slot is given back when the last worker has let go of it, and never before', () => {
  const { left } = several();
  left.pipelines.held = true;
  left.plane.remove(1);
  for (const worker of [1, 0]) {
    left.pipelines.applyAt(worker);
    assert.equal(left.pipelines.sas.slots.length, 1);
  }
  left.pipelines.applyAt(2);
  assert.equal(left.pipelines.sas.slots.length, 0);
});

test('a new worker in the place of a dead one goes on with sequence numbers and replay window', () => {
  const { left, right } = several();
  const packets = [1, 2, 3].map(() => sent(left.outbound(OUT, 0)).bytes);
  for (const bytes of packets) right.inbound(bytes, LEFT, true, 0);
  left.pipelines.replace(2);
  right.pipelines.replace(0);
  assert.deepEqual(
    [...left.events(), ...right.events()],
    [
      { kind: 'orphaned', id: 1 },
      { kind: 'orphaned', id: 1 },
    ],
  );
  for (const bytes of packets) assert.equal(dropped(right.inbound(bytes, LEFT, true, 0)), 'replay');
  const { bytes } = sent(left.outbound(OUT, 0));
  assert.equal(seqOf(bytes), 4);
  assert.equal(right.inbound(bytes, LEFT, true, 0).tag, 'deliver');
  assert.equal(right.stats(1)?.packetsIn, 4);
});

test('a removal that a worker died over is finished by its successor', () => {
  const { left } = several();
  left.pipelines.held = true;
  left.plane.remove(1);
  for (const worker of [0, 1]) left.pipelines.applyAt(worker);
  left.pipelines.replace(2);
  assert.equal(left.pipelines.sas.slots.length, 0);
  assert.equal(left.outbound(OUT, 0).tag, 'reject');
});

test('a slot that is removed in the middle of a batch is let go of behind it', () => {
  const { left } = several();
  left.pipelines.held = true;
  left.plane.remove(1);
  const before = left.pipelines.sas.slots.length;
  // An unknown SPI makes the worker look at what it was told, while others of the batch are under way.
  const unknown = new Uint8Array(64);
  unknown.set([0x7f, 0xff, 0xff, 0]);
  for (const worker of [0, 1, 2]) {
    unknown[3] = worker;
    left.pipelines.receive({ bytes: unknown, remote: RIGHT, local: LEFT.ip }, true, worker);
    assert.equal(left.pipelines.sas.slots.length, before, `worker ${worker}`);
  }
  for (const worker of [0, 1, 2]) left.pipelines.applyAt(worker);
  assert.equal(left.pipelines.sas.slots.length, before - 1);
});
