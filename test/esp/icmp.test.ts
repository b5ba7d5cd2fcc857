import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, unhex } from '../../src/bytes/bytes.ts';
import { Bucket } from '../../src/esp/bucket.ts';
import { checksum, prohibited, tooBig } from '../../src/esp/icmp.ts';
import { Inner } from '../../src/esp/packet.ts';
import { ip, ipv4, ipv6, udp } from './packets.ts';

function answer(packet: Uint8Array): Uint8Array | undefined {
  const inner = new Inner();
  assert.equal(inner.parse(packet), true);
  return prohibited(inner);
}

test('the checksum is that of the IP header in RFC 3602 case 5', () => {
  assert.equal(checksum(unhex('45000054 08f20000 4001f9fe c0a87b03 c0a87b64')), 0);
});

test('the IPv4 error is type 3, code 13, quotes the packet and has right checksums', () => {
  const packet = ipv4('10.1.0.1', '203.0.113.9', udp(5000, 53));
  const error = answer(packet);
  assert.ok(error);
  assert.deepEqual([error[0], error[9], error[20], error[21]], [0x45, 1, 3, 13]);
  assert.equal((error[2] as number) * 256 + (error[3] as number), error.length);
  assert.equal(checksum(error.subarray(0, 20)), 0);
  assert.equal(checksum(error.subarray(20)), 0);
  assert.deepEqual(error.subarray(12, 16), ip('203.0.113.9'));
  assert.deepEqual(error.subarray(16, 20), ip('10.1.0.1'));
  assert.deepEqual(error.subarray(28), packet);
});

test('the IPv6 error is type 1, code 1, quotes the packet and has a right checksum', () => {
  const packet = ipv6('fd00:1::1', '2001:db8::9', udp(5000, 53, 'odd'));
  const error = answer(packet);
  assert.ok(error);
  assert.deepEqual([error[0], error[6], error[40], error[41]], [0x60, 58, 1, 1]);
  assert.equal((error[4] as number) * 256 + (error[5] as number), error.length - 40);
  assert.deepEqual(error.subarray(8, 24), ip('2001:db8::9'));
  assert.deepEqual(error.subarray(24, 40), ip('fd00:1::1'));
  assert.deepEqual(error.subarray(48), packet);
  // The pseudo-header of RFC 8200 §8.1 spelt out, and the message, sum to zero.
  const pseudo = new Uint8Array(40 + error.length - 40);
  pseudo.set(error.subarray(8, 40));
  new DataView(pseudo.buffer).setUint32(32, error.length - 40);
  pseudo[39] = 58;
  pseudo.set(error.subarray(40), 40);
  assert.equal(checksum(pseudo), 0);
});

test('errors stay within 576 and 1280 bytes', () => {
  assert.equal(answer(ipv4('10.1.0.1', '10.9.0.1', new Uint8Array(1400)))?.length, 576);
  assert.equal(answer(ipv6('fd00:1::1', 'fd00:9::1', new Uint8Array(1400)))?.length, 1280);
});

test('no error answers an error, a later fragment, or what is not from one host to one host', () => {
  for (const type of [3, 4, 5, 11, 12]) {
    assert.equal(answer(ipv4('10.1.0.1', '10.9.0.1', Uint8Array.of(type, 0, 0, 0), { protocol: 1 })), undefined);
  }
  assert.ok(answer(ipv4('10.1.0.1', '10.9.0.1', Uint8Array.of(8, 0, 0, 0), { protocol: 1 })));
  assert.equal(answer(ipv4('10.1.0.1', '10.9.0.1', udp(1, 2), { offset: 1 })), undefined);
  for (const odd of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255']) {
    assert.equal(answer(ipv4('10.1.0.1', odd, udp(1, 2))), undefined, odd);
    assert.equal(answer(ipv4(odd, '10.9.0.1', udp(1, 2))), undefined, odd);
  }
  for (const type of [1, 2, 3, 4, 127, 137]) {
    assert.equal(answer(ipv6('fd00:1::1', 'fd00:9::1', Uint8Array.of(type, 0, 0, 0), 58)), undefined);
  }
  assert.ok(answer(ipv6('fd00:1::1', 'fd00:9::1', Uint8Array.of(128, 0, 0, 0), 58)));
  for (const odd of ['::', '::1', 'ff02::1']) {
    assert.equal(answer(ipv6('fd00:1::1', odd, udp(1, 2))), undefined, odd);
    assert.equal(answer(ipv6(odd, 'fd00:9::1', udp(1, 2))), undefined, odd);
  }
});

function big(packet: Uint8Array, mtu: number, segment?: number): Uint8Array | undefined {
  // Somewhere in an arena, with other packets around it.
  const inner = new Inner();
  assert.equal(inner.parse(concat(new Uint8Array(64).fill(9), packet, new Uint8Array(64).fill(9)), 64), true);
  return tooBig(inner, mtu, segment);
}

/** Of an ICMPv6 message behind an IPv6 header: 0 when right (RFC 8200 §8.1). */
function checksum6(error: Uint8Array): number {
  return checksum(error.subarray(8), error.length - 40 + 58);
}

test('"fragmentation needed" is type 3, code 4, and names the MTU', () => {
  const packet = ipv4('10.1.0.1', '10.2.0.9', new Uint8Array(1400));
  const error = big(packet, 1390);
  assert.ok(error);
  assert.deepEqual([...error.subarray(20, 22), ...error.subarray(24, 28)], [3, 4, 0, 0, 1390 >> 8, 1390 & 0xff]);
  assert.deepEqual([checksum(error.subarray(0, 20)), checksum(error.subarray(20))], [0, 0]);
  assert.deepEqual([error.subarray(12, 16), error.subarray(16, 20)], [ip('10.2.0.9'), ip('10.1.0.1')]);
  assert.deepEqual(error.subarray(28), packet.subarray(0, 576 - 28));
});

test('"packet too big" is type 2, code 0, and names the MTU, never less than 1280', () => {
  const packet = ipv6('fd00:1::1', 'fd00:2::9', new Uint8Array(1400));
  for (const [mtu, told] of [
    [1390, 1390],
    [1280, 1280],
    [1200, 1280],
  ] as const) {
    const error = big(packet, mtu);
    assert.ok(error);
    assert.deepEqual([...error.subarray(40, 42), ...error.subarray(44, 48)], [2, 0, 0, 0, told >> 8, told & 0xff]);
    assert.equal(checksum6(error), 0);
    assert.deepEqual([error.subarray(8, 24), error.subarray(24, 40)], [ip('fd00:2::9'), ip('fd00:1::1')]);
    assert.deepEqual(error.subarray(48), packet.subarray(0, 1280 - 48));
  }
});

test('"too big" is not said to whom "prohibited" is not', () => {
  assert.equal(big(ipv4('10.1.0.1', '10.9.0.1', udp(1, 2), { offset: 1 }), 1000), undefined);
  assert.equal(big(ipv4('10.1.0.1', '224.0.0.1', udp(1, 2)), 1000), undefined);
  assert.equal(big(ipv6('fd00:1::1', 'fd00:9::1', Uint8Array.of(2, 0, 0, 0), 58), 1000), undefined);
});

test('of a TCP super-segment the first packet is quoted as its sender believes to have sent it', () => {
  // 20 bytes of options, FIN, PSH and ACK.
  const tcp = concat(new Uint8Array(40), new Uint8Array(5000).fill(7));
  tcp.set([1, 2, 3, 4, 9, 9, 9, 9], 0);
  tcp.set([0xa0, 0x19], 12);
  const first = concat(tcp.subarray(0, 40), tcp.subarray(40, 240));
  first[13] = 0x10;

  const error4 = big(ipv4('10.1.0.1', '10.2.0.9', tcp, { protocol: 6 }), 180, 200);
  assert.deepEqual(error4?.subarray(28), ipv4('10.1.0.1', '10.2.0.9', first, { protocol: 6 }));
  assert.equal(checksum(error4?.subarray(20) ?? new Uint8Array(1)), 0);

  const error6 = big(ipv6('fd00:1::1', 'fd00:2::9', tcp, 6), 1280, 200);
  assert.deepEqual(error6?.subarray(48), ipv6('fd00:1::1', 'fd00:2::9', first, 6));
  assert.equal(checksum6(error6 ?? new Uint8Array(41)), 0);
});

test('of a UDP super-segment the first datagram is quoted with its own length', () => {
  const data = 'x'.repeat(3000);
  const error = big(ipv4('10.1.0.1', '10.2.0.9', udp(5000, 53, data)), 300, 400);
  assert.deepEqual(error?.subarray(28), ipv4('10.1.0.1', '10.2.0.9', udp(5000, 53, data.slice(0, 400))));
  // One packet, or what cannot be split, stays as it is.
  for (const packet of [
    ipv4('10.1.0.1', '10.2.0.9', udp(5000, 53, 'short')),
    ipv4('10.1.0.1', '10.2.0.9', udp(5000, 53, 'short'), { protocol: 47 }),
    ipv4('10.1.0.1', '10.2.0.9', udp(5000, 53, 'x'.repeat(500)), { more: true }),
    ipv4('10.1.0.1', '10.2.0.9', new Uint8Array(10), { protocol: 6 }),
  ]) {
    assert.deepEqual(big(packet, 300, 400)?.subarray(28), packet);
  }
});

test('a bucket gives its burst at once and then its rate', () => {
  const bucket = new Bucket(10, 3);
  const taken = (now: number) => [1, 2, 3, 4].filter(() => bucket.take(now)).length;
  assert.equal(taken(5000), 3);
  assert.equal(taken(5000), 0);
  assert.equal(taken(5099), 0);
  assert.equal(taken(5100), 1);
  assert.equal(taken(60_000), 3);
  // A clock that went back gives nothing.
  assert.equal(taken(1000), 0);
});
