// What is no packet, from the inside and from the outside: counted and dropped, answered with nothing, and what is good
// goes on meanwhile. Whatever comes to UDP port 4500 goes where it belongs (RFC 3948 §2).

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { concat, hex } from '../../src/bytes/bytes.ts';
import { DROPS } from '../../src/esp/drop.ts';
import { ipv4, ipv6, udp } from '../esp/packets.ts';
import type { Totals } from '../support/bare.ts';
import { GCM, manualSa, selector } from '../support/manual.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { garbage, outer, sealed } from '../support/outer.ts';
import { ENDS, Solo } from '../support/solo.ts';

const skip = lacking(...NETWORK, 'tun', 'tcpdump', 'espalier');

const [HERE, THERE, HERE6, THERE6] = ['10.1.0.1', '10.2.0.1', 'fd00:a::1', 'fd00:b::1'];
const SA = manualSa(1, GCM, {
  localTs: [selector(HERE), selector(HERE6)],
  remoteTs: [selector(THERE), selector(THERE6)],
  replayWindow: 0,
});
const GOOD = ipv4(HERE, THERE, udp(1, 2, 'good'));
const GOOD6 = ipv6(HERE6, THERE6, udp(1, 2, 'good'));

async function alone(work: (solo: Solo) => Promise<void>, workers = 1): Promise<void> {
  const solo = await Solo.start({ workers });
  try {
    await solo.bare.install(SA);
    await work(solo);
    assert.deepEqual(
      solo.bare.news.filter(({ kind }) => kind === 'bug' || kind === 'died'),
      [],
    );
  } finally {
    await solo.dispose();
  }
}

/** How many more there are of what has changed. */
function since(before: Totals['drops'], after: Totals['drops']): Record<string, number> {
  const changes = DROPS.map((name) => [name, after[name] - before[name]] as const);
  return Object.fromEntries(changes.filter(([, count]) => count !== 0));
}

/** Waits until so many more were dropped. */
function dropped(solo: Solo, before: Totals['drops'], count: number): Promise<Record<string, number>> {
  let last = {};
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, each) => total + each, 0);
  return until(`${count} drops`, async () => {
    last = since(before, (await solo.bare.totals()).drops);
    return sum(last) >= count ? last : undefined;
  }).catch((error) => assert.fail(`${error.message}; there are ${JSON.stringify(last)}`));
}

/** The packet with one byte of it otherwise. */
function but(packet: Uint8Array, at: number, value: number): Uint8Array {
  const other = packet.slice();
  other[at] = value;
  return other;
}

/** None of these has a length that fits, a version that there is, or a whole header. */
const MALFORMED: readonly (readonly [name: string, packet: Uint8Array])[] = [
  ['one byte', Uint8Array.of(0x45)],
  ['a version and no more', Uint8Array.of(0x60)],
  ['half an IPv4 header', GOOD.subarray(0, 19)],
  ['half an IPv6 header', GOOD6.subarray(0, 39)],
  ...[0, 1, 5, 7, 15].map((version) => [`version ${version}`, but(GOOD, 0, (version << 4) | 5)] as const),
  ...[0, 4].map((words) => [`an IPv4 header of ${words} words`, but(GOOD, 0, 0x40 | words)] as const),
  ['an IPv4 header longer than the packet', but(GOOD, 0, 0x4f)],
  ['a total length of 0', but(but(GOOD, 2, 0), 3, 0)],
  ['a total length below that of the header', but(but(GOOD, 2, 0), 3, 19)],
  ['a total length beyond the end', but(GOOD, 3, GOOD.length + 1)],
  ['a total length far beyond the end', but(GOOD, 2, 0xff)],
  ['an IPv6 payload beyond the end', but(GOOD6, 5, GOOD6.length)],
  ['an IPv6 payload far beyond the end', but(GOOD6, 4, 0xff)],
  ['a large packet of ones', new Uint8Array(1400).fill(0xff)],
  ['a large packet of zeros', new Uint8Array(1400)],
];

test('[E10] what the inside sends is dropped and counted where it is no packet', { skip }, () =>
  alone(async (solo) => {
    const sent = await solo.sent();
    const before = (await solo.bare.totals()).drops;
    let count = 0;
    for (const [name, packet] of MALFORMED) {
      assert.equal(await solo.inside.send(packet), 1, `${name} was sent`);
      assert.deepEqual(await dropped(solo, before, ++count), { 'bad-packet': count }, name);
    }
    // It cannot be put on the device by everybody; where it can it is none, too.
    await solo.inside.send(new Uint8Array(0));
    assert.equal(await solo.inside.send(GOOD, GOOD6), 2);
    await sent.have(2);
    assert.equal((await sent.stop()).length, 2);
  }),
);

test('[E10] nothing that the inside can send stops the loop', { skip }, () =>
  alone(async (solo) => {
    const sent = await solo.sent();
    const { drops: before, counters } = await solo.bare.totals();
    const noise = Array.from({ length: 4000 }, (_, i) => {
      const packet = new Uint8Array(randomBytes(1 + ((i * 7) % 1400)));
      // Half of them begin as packets do.
      if (i % 2 === 0) packet[0] = i % 4 === 0 ? 0x45 : 0x60;
      // And some belong to the SA, so that what follows is looked at.
      if (i % 8 === 0 && packet.length > 40) packet.set(GOOD.subarray(0, 20));
      if (i % 8 === 2 && packet.length > 80) packet.set(GOOD6.subarray(0, 40));
      return packet;
    });
    let taken = 0;
    for (let i = 0; i < noise.length; i += 50) taken += await solo.inside.send(...noise.slice(i, i + 50));
    assert.ok(taken > noise.length / 2, `${taken}`);
    assert.equal(await solo.inside.send(GOOD), 1);
    await until('the good packet', () => sent.packets.length > 0 || undefined);
    const { drops: after, counters: now } = await solo.bare.totals();
    const reads = (now['tun-reads'] ?? 0) - (counters['tun-reads'] ?? 0);
    assert.ok(reads >= taken, `${reads} of ${taken} were read`);
    assert.ok(Object.keys(since(before, after)).length > 0);
    await sent.stop();
  }),
);

test('[E12] what comes to UDP port 4500 goes where its first bytes say', { skip }, async (t) => {
  for (const workers of [1, 2, 4]) {
    for (const family of [4, 6] as const) {
      await t.test(`over IPv${family} with ${workers} workers`, () =>
        alone(async (solo) => {
          const { local, remote } = ENDS[family];
          const way = { from: remote, to: local, udp: true };
          const answers = await solo.sent({ filter: 'ip or ip6' });
          const delivered = await solo.delivered();
          const before = (await solo.bare.totals()).drops;
          const ike = concat(new Uint8Array(4), garbage(0xaaaa_bbbb, 1, 28));
          const reserved = [1, 2, 127, 255];
          const unknown = [256, 257, 258, 259, 0x7fff_ffff, 0xffff_ffff];
          await solo.outside.send(
            outer(ike, way),
            outer(Uint8Array.of(0xff), way),
            ...reserved.map((spi) => outer(garbage(spi, 1), way)),
            ...unknown.map((spi) => outer(garbage(spi, 1), way)),
            // Too short to say what they are.
            outer(new Uint8Array(0), way),
            outer(Uint8Array.of(0, 0, 0), way),
            outer(Uint8Array.of(0xff, 0xff), way),
            outer(sealed(SA.inbound, 1, ipv4(THERE, HERE, udp(3, 4))), way),
          );
          await delivered.have(1);
          await dropped(solo, before, reserved.length + unknown.length);
          const drops = since(before, (await solo.bare.totals()).drops);
          assert.equal(drops['reserved-spi'], reserved.length);
          assert.equal(drops['unknown-spi'], unknown.length);
          const heard = solo.bare.news.flatMap((news) => (news.kind === 'ike' ? [news.bytes] : []));
          assert.equal(heard.filter((bytes) => bytes === hex(ike)).length, 1);
          // The main thread sees what says nothing, and makes nothing of it.
          const short = heard.filter((bytes) => bytes !== hex(ike));
          assert.ok(
            short.every((bytes) => bytes.length < 16),
            `${short}`,
          );
          const silent = (await answers.stop()).filter(({ bytes }) => !isNeighbourTalk(bytes));
          assert.deepEqual(
            silent.map(({ bytes }) => hex(bytes)),
            [],
          );
          await delivered.stop();
        }, workers),
      );
    }
  }
});

/** Sends one datagram that the kernel is to cut, and that it does not cut where the receiver takes it whole. */
const JOINED = `
import socket, sys
local, remote, size, text = sys.argv[1], sys.argv[2], int(sys.argv[3]), bytes.fromhex(sys.argv[4])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_UDP, 103, size)
out.bind((remote, 4500))
out.sendto(text, (local, 4500))`;

test('[E12] IKE and the SPIs of other workers are found where the kernel has joined them with ESP', {
  skip,
}, async (t) => {
  for (const workers of [1, 2, 4]) {
    await t.test(`with ${workers} workers`, () =>
      alone(async (solo) => {
        const { local, remote } = ENDS[4];
        await solo.peer.ip('address', 'add', `${remote}/24`, 'dev', 'gateway');
        const delivered = await solo.delivered();
        const { drops, counters } = await solo.bare.totals();
        const good = sealed(SA.inbound, 1, ipv4(THERE, HERE, udp(3, 4)));
        const ike = concat(new Uint8Array(4), garbage(0xaaaa_bbbb, 1, good.length - 4));
        const foreign = [256, 257, 258, 259].map((spi) => garbage(spi, 1, good.length));
        const all = concat(...foreign, ike, good, ike, ...foreign, Uint8Array.of(0xff));
        await solo.peer.must('/usr/bin/python3', ['-c', JOINED, local, remote, `${good.length}`, hex(all)]);
        await delivered.have(1);
        assert.deepEqual(await dropped(solo, drops, 8), { 'unknown-spi': 8 });
        const now = (await solo.bare.totals()).counters;
        const more = (name: string) => (now[name] ?? 0) - (counters[name] ?? 0);
        assert.deepEqual([more('messages-in'), more('segments-in'), more('keepalives')], [1, 12, 1]);
        await until('IKE, twice', () => solo.bare.news.filter(({ kind }) => kind === 'ike').length === 2 || undefined);
        assert.ok(solo.bare.news.every((news) => news.kind !== 'ike' || hex(ike).startsWith(news.bytes)));
        await delivered.stop();
      }, workers),
    );
  }
});

/** ICMPv6 that the link itself needs. */
function isNeighbourTalk(packet: Uint8Array): boolean {
  return (packet[0] as number) >> 4 === 6 && (packet[6] === 0 || packet[6] === 58);
}
