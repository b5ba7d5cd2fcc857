import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSocketAddress } from '../../src/bytes/ip.ts';
import type { UdpPort } from '../../src/net/types.ts';
import { MemoryNet, MemoryTun } from './memory.ts';

function record(port: UdpPort): string[] {
  const log: string[] = [];
  port.onReceive = (bytes, from, to) => {
    log.push(`${bytes.join(' ')} ${formatSocketAddress(from)} > ${formatSocketAddress(to)}`);
  };
  return log;
}

const A = { ip: '192.0.2.1', port: 500 };
const B = { ip: '192.0.2.2', port: 500 };

test('a datagram arrives at the port it was sent to, with both ends known', async () => {
  const net = new MemoryNet();
  const a = net.openUdp([A.ip, '2001:db8::1'], 500);
  const b = net.openUdp([B.ip, '2001:db8::2'], 500);
  const log = record(b);
  assert.equal(a.send(Uint8Array.of(1, 2), A, B), 0);
  assert.equal(a.send(Uint8Array.of(3), { ip: '2001:db8::1', port: 500 }, { ip: '2001:db8::2', port: 500 }), 0);
  assert.deepEqual(log, []);
  await Promise.resolve();
  assert.deepEqual(log, ['1 2 192.0.2.1:500 > 192.0.2.2:500', '3 [2001:db8::1]:500 > [2001:db8::2]:500']);
});

test('the sender may use its buffer again at once, and an answer follows in order', () => {
  const net = new MemoryNet();
  const a = net.openUdp([A.ip], 500);
  const b = net.openUdp([B.ip], 500);
  const log = record(a);
  b.onReceive = (bytes, from, to) => b.send(bytes, to, from);
  const bytes = Uint8Array.of(1);
  a.send(bytes, A, B);
  bytes[0] = 2;
  a.send(bytes, A, B);
  net.settle();
  assert.deepEqual(log, ['1 192.0.2.2:500 > 192.0.2.1:500', '2 192.0.2.2:500 > 192.0.2.1:500']);
});

test('what the filter refuses, or nobody listens to, is lost', () => {
  const net = new MemoryNet();
  const a = net.openUdp([A.ip], 500);
  const b = net.openUdp([B.ip], 500);
  const log = record(b);
  net.filter = ({ bytes }) => bytes[0] !== 1;
  a.send(Uint8Array.of(1), A, B);
  a.send(Uint8Array.of(2), A, { ip: B.ip, port: 4500 });
  a.send(Uint8Array.of(3), A, B);
  net.settle();
  b.close();
  a.send(Uint8Array.of(4), A, B);
  net.settle();
  assert.deepEqual(log, ['3 192.0.2.1:500 > 192.0.2.2:500']);
});

test('nobody sends from an address that is not his, and a port is taken once', () => {
  const net = new MemoryNet();
  const a = net.openUdp([A.ip], 500);
  assert.notEqual(a.send(Uint8Array.of(1), B, A), 0);
  assert.throws(() => net.openUdp([A.ip], 500), /in use/);
  a.close();
  net.openUdp([A.ip], 500);
});

test('ESP travels between addresses', () => {
  const net = new MemoryNet();
  const a = net.openEsp([A.ip]);
  const b = net.openEsp([B.ip]);
  const log: string[] = [];
  b.onReceive = (bytes, from, to) => log.push(`${bytes.join(' ')} ${from} > ${to}`);
  a.send(Uint8Array.of(9), A.ip, B.ip);
  net.settle();
  assert.deepEqual(log, ['9 192.0.2.1 > 192.0.2.2']);
});

test('a TUN keeps what was written and hands on what its host sends', () => {
  const tun = new MemoryTun();
  const log: string[] = [];
  tun.onPacket = (packet) => log.push(packet.join(' '));
  const packet = Uint8Array.of(1);
  assert.ok(tun.write(packet));
  packet[0] = 2;
  tun.send(packet);
  tun.close();
  assert.equal(tun.write(packet), false);
  tun.send(packet);
  assert.deepEqual(tun.written, [Uint8Array.of(1)]);
  assert.deepEqual(log, ['2']);
});
