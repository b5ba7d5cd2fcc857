// Whole UDP packets for the TUN, with their checksums (RFC 768, 791, 8200 §8.1).

import { concat } from '../../src/bytes/bytes.ts';
import { parseIp, type SocketAddress } from '../../src/bytes/ip.ts';
import { Writer } from '../../src/bytes/writer.ts';

export function udpPacket(from: SocketAddress, to: SocketAddress, data: Uint8Array): Uint8Array {
  const source = address(from.ip);
  const destination = address(to.ip);
  const length = 8 + data.length;
  const bare = new Writer().u16(from.port).u16(to.port).u16(length).u16(0).bytes(data).done();
  const pseudo = new Writer().bytes(source).bytes(destination).u16(17).u16(length).bytes(bare).done();
  const udp = concat(bare.subarray(0, 6), u16(checksum(pseudo) || 0xffff), data);
  if (source.length === 16) {
    const header = new Writer().u32(0x60000000).u16(length).u8(17).u8(64).bytes(source).bytes(destination).done();
    return concat(header, udp);
  }
  const header = new Writer()
    .u16(0x4500)
    .u16(20 + length)
    .u32(0)
    .u8(64)
    .u8(17)
    .u16(0)
    .bytes(source)
    .bytes(destination);
  header.patch16(10, checksum(header.done()));
  return concat(header.done(), udp);
}

function address(ip: string): Uint8Array {
  const bytes = parseIp(ip);
  if (!bytes) throw new Error(`${ip} is no address`);
  return bytes;
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value);
}

function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
