// Which SA a packet from the inside belongs to, and whether one from the outside may pass, with 10, 1 000 and 10 000
// tunnels: with all traffic in one of them, and with every packet in another one.

import { Inner } from '../../src/esp/packet.ts';
import { Policies } from '../../src/esp/policy.ts';
import { Selectors } from '../../src/esp/selector.ts';
import { measure, type Task } from './measure.ts';
import { address, numbers, packet, type Tunnel, tunnels4, tunnels6 } from './packets.ts';

const SIZES = [10, 1_000, 10_000];
const COUNT = 1024;

export async function benchLookup(): Promise<void> {
  const families = [
    { family: 'IPv4', tunnels: tunnels4, inside: address('10.71.1.2') },
    { family: 'IPv6', tunnels: tunnels6, inside: address('2001:db8:ffff::2') },
  ];
  for (const { family, tunnels, inside } of families) {
    const tasks = SIZES.flatMap((size) => lookups(tunnels(size), inside));
    await measure(`lookup: the policy of one parsed ${family} packet`, tasks);
  }
  const tunnels = SIZES.flatMap((size) => permissions(tunnels4(size), address('10.71.1.2')));
  await measure('lookup: the selectors of one packet that was opened', tunnels);
}

function lookups(tunnels: readonly Tunnel[], inside: Uint8Array): readonly Task[] {
  const policies = new Policies();
  for (const [target, { local, remote }] of tunnels.entries()) policies.add(target, local, remote);
  const parsed = pick(tunnels).map(({ host }) => read(packet(inside, host)));
  if (parsed.some((inner) => policies.lookup(inner) < 0)) throw new Error('a packet without a policy');
  const busy = new Array<Inner>(COUNT).fill(parsed[0] as Inner);
  return [
    { name: `${tunnels.length} tunnels, one busy`, count: COUNT, run: () => lookupAll(policies, busy) },
    { name: `${tunnels.length} tunnels, all busy`, count: COUNT, run: () => lookupAll(policies, parsed) },
  ];
}

function permissions(tunnels: readonly Tunnel[], inside: Uint8Array): readonly Task[] {
  const selectors = new Selectors();
  for (const [slot, { local, remote }] of tunnels.entries()) selectors.set(slot, local, remote);
  const picked = pick(tunnels);
  const slots = Int32Array.from(picked, (each) => tunnels.indexOf(each));
  const parsed = picked.map(({ host }) => read(packet(host, inside)));
  if (permitAll(selectors, slots, parsed) !== COUNT) throw new Error('a packet outside its selectors');
  return [
    { name: `${tunnels.length} tunnels, all busy`, count: COUNT, run: () => permitAll(selectors, slots, parsed) },
  ];
}

function lookupAll(policies: Policies, packets: readonly Inner[]): number {
  let sum = 0;
  for (let i = 0; i < packets.length; i++) sum += policies.lookup(packets[i] as Inner);
  return sum;
}

function permitAll(selectors: Selectors, slots: Int32Array, packets: readonly Inner[]): number {
  let sum = 0;
  for (let i = 0; i < packets.length; i++) {
    if (selectors.permits(slots[i] as number, packets[i] as Inner)) sum++;
  }
  return sum;
}

function pick(tunnels: readonly Tunnel[]): readonly Tunnel[] {
  const next = numbers(99);
  return Array.from({ length: COUNT }, () => tunnels[next(tunnels.length)] as Tunnel);
}

function read(bytes: Uint8Array): Inner {
  const inner = new Inner();
  if (!inner.parse(bytes)) throw new Error('no packet');
  return inner;
}
