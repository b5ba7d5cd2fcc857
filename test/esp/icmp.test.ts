import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unhex } from '../../src/bytes/bytes.ts';
import { Bucket } from '../../src/esp/bucket.ts';
import { checksum, prohibited } from '../../src/esp/icmp.ts';
import { Inner } from '../../src/esp/packet.ts';
import { ip, ipv4, ipv6, udp } from './support.ts';

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
