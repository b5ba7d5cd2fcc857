// Reading the headers of a packet.

import { concat } from '../../src/bytes/bytes.ts';
import { Inner } from '../../src/esp/packet.ts';
import { measure, type Task } from './measure.ts';
import { type Arena, address, arena, packet, packet6 } from './packets.ts';

const COUNT = 1024;

export async function benchParse(): Promise<void> {
  await measure('parse: the headers of one packet', [
    task('IPv4, UDP', packet(address('10.71.1.2'), address('10.2.3.4'))),
    task('IPv4, TCP', packet(address('10.71.1.2'), address('10.2.3.4'), 6, 1400)),
    task('IPv4, later fragment', laterFragment()),
    task('IPv6, UDP', packet(address('2001:db8::1'), address('2001:db8:1::1'))),
    task('IPv6, three extension headers', extended()),
  ]);
}

function task(name: string, bytes: Uint8Array): Task {
  const packets = arena(new Array<Uint8Array>(COUNT).fill(bytes));
  const inner = new Inner();
  if (!inner.parse(bytes)) throw new Error(`${name} is no packet`);
  return { name, count: COUNT, run: () => parseAll(inner, packets) };
}

function parseAll(inner: Inner, { bytes, offsets, lengths }: Arena): number {
  let sum = 0;
  for (let i = 0; i < offsets.length; i++) {
    if (inner.parse(bytes, offsets[i] as number, lengths[i] as number)) sum += inner.destinationPort + inner.d0;
  }
  return sum;
}

function laterFragment(): Uint8Array {
  const bytes = packet(address('10.71.1.2'), address('10.2.3.4'));
  bytes.set([0x20, 0xb9], 6);
  return bytes;
}

function extended(): Uint8Array {
  const options = (next: number) => Uint8Array.of(next, 0, 1, 4, 0, 0, 0, 0);
  const body = concat(options(60), options(43), options(17), new Uint8Array(64));
  return packet6(address('2001:db8::1'), address('2001:db8:1::1'), 0, body);
}
