// How large packets may be, who is told when they are larger (RFC 1191, RFC 8201, RFC 4301 §8), and what of the inner
// header shows outside (RFC 4301 §5.1.2, RFC 6040).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERROR, ERROR_WORDS, GSO } from '../../src/esp/layout.ts';
import { Inner } from '../../src/esp/packet.ts';
import { dropped, End, pair, sent } from './end.ts';
import { ACK, ip, ipv4, ipv6, tcp, text, udp } from './packets.ts';
import { child, LEFT, RIGHT } from './support.ts';
import { view } from './twin/ip.ts';

/** An IPv4 packet of this size; the kernel sets DF on most. */
function sized(size: number, df = true): Uint8Array {
  return ipv4('10.1.0.1', '10.2.0.1', udp(1, 2, 'x'.repeat(size - 28)), { df });
}

function sized6(size: number): Uint8Array {
  return ipv6('fd00:1::1', 'fd00:2::1', udp(1, 2, 'x'.repeat(size - 48)));
}

interface Complaint {
  readonly origin?: number;
  readonly type?: number;
  readonly mtu: number;
  readonly spi?: number;
  readonly to?: string;
}

/** As the kernel reports what a router says: ICMP, "fragmentation needed" unless it is said otherwise. */
function complaint({ origin = 2, type = (3 << 8) | 4, mtu, spi = 0x2001, to = RIGHT.ip }: Complaint): Int32Array {
  const record = new Int32Array(ERROR_WORDS);
  record[ERROR.ORIGIN] = origin;
  record[ERROR.TYPE] = type;
  record[ERROR.MTU] = mtu;
  record[ERROR.SPI] = spi;
  record[ERROR.SEQ] = 1;
  record[ERROR.VERSION] = 4;
  record[ERROR.ADDRESS] = view(ip(to)).getInt32(0);
  return record;
}

test('what fits the path exactly goes, a byte more is refused, and the sender learns the size', () => {
  const { left } = pair();
  const mtu = left.mtuOf(1);
  // ESP in UDP over IPv4: 20 + 8 + 8 + IV 8 + 2 + ICV 16, and the rest a multiple of 4.
  assert.equal(mtu, 1438);
  const { bytes, df } = sent(left.outbound(sized(mtu), 0));
  assert.ok(bytes.length + 28 <= 1500 && df);
  for (const [packet, type, code] of [
    [sized(mtu + 1), 3, 4],
    [sized6(mtu + 1), 2, 0],
  ] as const) {
    const outcome = left.outbound(packet, 0);
    assert.ok(outcome.tag === 'reject' && outcome.reason === 'too-big');
    const inner = new Inner();
    assert.ok(inner.parse(outcome.icmp));
    assert.equal(inner.sourcePort, (type << 8) | code);
    const at = inner.header;
    assert.equal(view(outcome.icmp).getUint32(at + 4), mtu);
  }
  assert.equal(left.stats(1)?.drops['too-big'], 2);
  assert.equal(left.stats(1)?.packetsOut, 1);
});

test('what may be cut on its way goes whatever its size, and the outer packet may be cut as well', () => {
  const { left } = pair();
  const { df } = sent(left.outbound(sized(left.mtuOf(1) + 500, false), 0));
  assert.equal(df, false);
});

test('where DF is not copied, everything goes, and may be cut outside', () => {
  const { left } = pair({ copyDf: false });
  for (const packet of [sized(3000), sized6(3000)]) assert.equal(sent(left.outbound(packet, 0)).df, false);
});

test('of a super-packet each part must fit, not the whole', () => {
  const { left } = pair();
  const mtu = left.mtuOf(1);
  const bytes = ipv4('10.1.0.1', '10.2.0.1', tcp({ data: text(20_000), flags: ACK }), { protocol: 6, df: true });
  assert.equal(left.cut({ bytes, gso: GSO.TCP, mss: mtu - 40 }, 0).length, Math.ceil(20_000 / (mtu - 40)));
  const [outcome] = left.cut({ bytes, gso: GSO.TCP, mss: mtu - 39 }, 0);
  assert.ok(outcome?.tag === 'reject' && outcome.reason === 'too-big');
});

test('answers to what is too big are limited', () => {
  const { left } = pair();
  const large = sized(left.mtuOf(1) + 1);
  const outcomes = Array.from({ length: 300 }, () => left.outbound(large, 1000).tag);
  assert.equal(outcomes.filter((tag) => tag === 'reject').length, 200);
  assert.equal(left.stats(1)?.drops['too-big'], 300);
  assert.equal(left.outbound(large, 1100).tag, 'reject');
});

test('a router that quotes an SA of ours makes its packets smaller, and the device hears of it', () => {
  const { left } = pair();
  const before = left.mtuOf(1);
  left.complain(complaint({ mtu: 1400 }), 1000);
  assert.deepEqual(left.events(), [{ kind: 'resized', id: 1, mtu: before - 100 }]);
  assert.equal(left.outbound(sized(before - 100), 1000).tag, 'send');
  assert.equal(left.outbound(sized(before - 99), 1000).tag, 'reject');
  // Larger again, or the same, is no news.
  left.complain(complaint({ mtu: 1450 }), 1000);
  left.complain(complaint({ mtu: 1400 }), 1000);
  assert.deepEqual(left.events(), []);
});

test('every child of the peer that is quoted is made smaller, and nobody else’s', () => {
  const end = new End({ ip: LEFT.ip });
  const elsewhere = { ip: '203.0.113.9', port: 4500 };
  end.install(child(1).left);
  end.install(child(2, { reqid: 2 }).left);
  end.install({ ...child(3, { reqid: 3 }).left, remote: elsewhere });
  end.complain(complaint({ mtu: 1400 }), 0);
  assert.deepEqual(
    end.events().map((event) => 'id' in event && event.id),
    [1, 2],
  );
});

test('a router is not believed that quotes another SPI, another address or another error, or says nothing', () => {
  const { left } = pair();
  for (const record of [
    complaint({ mtu: 1400, spi: 0x2002 }),
    // Our own SPI is not what we send.
    complaint({ mtu: 1400, spi: 0x1001 }),
    complaint({ mtu: 1400, to: '203.0.113.1' }),
    complaint({ mtu: 1400, type: (3 << 8) | 1 }),
    complaint({ mtu: 1400, origin: 3, type: 1 << 8 }),
    complaint({ mtu: 0 }),
  ]) {
    left.complain(record, 0);
    assert.deepEqual(left.events(), []);
  }
  left.plane.remove(1);
  left.complain(complaint({ mtu: 1400 }), 0);
  assert.deepEqual(left.events(), []);
});

test('however small a router says the path is, no packet becomes smaller than IP allows', () => {
  const { left } = pair();
  const before = left.mtuOf(1);
  left.complain(complaint({ mtu: 60 }), 0);
  assert.deepEqual(left.events(), [{ kind: 'resized', id: 1, mtu: before - 1500 + 576 }]);
});

test('our own kernel is believed of the first link', () => {
  const { left } = pair();
  left.complain(complaint({ origin: 1, type: 0, mtu: 1400 }), 0);
  assert.equal(left.events().length, 1);
});

test('a flood of complaints is looked at in part', () => {
  const { left } = pair();
  for (let i = 0; i < 50; i++) left.complain(complaint({ mtu: 1400, spi: 5 }), 0);
  left.complain(complaint({ mtu: 1400 }), 0);
  assert.deepEqual(left.events(), []);
  left.complain(complaint({ mtu: 1400 }), 1000);
  assert.equal(left.events().length, 1);
});

test('DSCP and ECN are copied as the child has it', () => {
  const packet = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2), { tos: 0xba });
  const marked = (copyDscp: 'in' | 'out' | 'yes' | 'no', copyEcn: boolean) => {
    const { left, right } = pair({ copyDscp, copyEcn });
    const { bytes, trafficClass } = sent(left.outbound(packet, 0));
    const outcome = right.inbound(bytes, LEFT, true, 0, 0x2f);
    return [trafficClass, outcome.tag === 'deliver' ? outcome.packet[1] : outcome.reason];
  };
  // Congestion outside, 0x2f, becomes congestion inside; its DSCP comes in where that is asked for.
  assert.deepEqual(marked('out', true), [0xba, 0xbb]);
  assert.deepEqual(marked('yes', true), [0xba, 0x2f]);
  assert.deepEqual(marked('in', true), [0x02, 0x2f]);
  assert.deepEqual(marked('no', true), [0x02, 0xbb]);
  assert.deepEqual(marked('no', false), [0, 0xba]);
  assert.deepEqual(marked('in', false), [0, 0x2e]);
});

test('a wrong header checksum inside stays wrong when the header is marked', () => {
  const { left, right } = pair();
  const packet = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2), { tos: 2 });
  packet[10] = (packet[10] as number) ^ 0x55;
  const outcome = right.inbound(sent(left.outbound(packet, 0)).bytes, LEFT, true, 0, 3);
  assert.ok(outcome.tag === 'deliver');
  const right4 = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2), { tos: 3 });
  assert.equal(outcome.packet[1], 3);
  assert.notDeepEqual(outcome.packet.subarray(10, 12), right4.subarray(10, 12));
});

test('a packet that ends before its SA could have sealed it is still short when it comes from elsewhere', () => {
  const { left, right } = pair();
  const { bytes } = sent(left.outbound(sized(100), 0));
  assert.equal(dropped(right.inbound(bytes.subarray(0, 30), { ip: '203.0.113.1', port: 1 }, true, 0)), 'short');
  assert.deepEqual(right.events(), []);
});
