// Where an SA ends: not one packet goes beyond its limits, of either direction, and no sequence number comes twice
// (RFC 4303 §3.3.3, RFC 4301 §4.4.2.1). Through the kernel, with several packets at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChildSa } from '../../src/ike/effects.ts';
import { ipv4, udp } from '../esp/packets.ts';
import { GCM, manualSa, NO_LIMITS, selector } from '../support/manual.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { outer, sealed } from '../support/outer.ts';
import { ENDS, Solo } from '../support/solo.ts';

const skip = lacking(...NETWORK, 'tun', 'tcpdump', 'espalier');

const [HERE, THERE] = ['10.1.0.1', '10.2.0.1'];
const { local, remote } = ENDS[4];
const FEW = Array.from({ length: 20 }, (_, i) => i + 1);
/** Each a packet of 100 bytes. */
const OUTWARD = FEW.map((i) => ipv4(HERE, THERE, udp(i, 7, 'x'.repeat(72))));

async function alone(over: Partial<ChildSa>, work: (solo: Solo, sa: ChildSa) => Promise<void>): Promise<void> {
  const solo = await Solo.start();
  try {
    const sa = manualSa(1, GCM, { localTs: [selector(HERE)], remoteTs: [selector(THERE)], ...over });
    await solo.bare.install(sa);
    await work(solo, sa);
  } finally {
    await solo.dispose();
  }
}

/** What the peer seals, with these sequence numbers. */
function inward(sa: ChildSa, seqs: readonly number[]): readonly Uint8Array[] {
  const packet = (seq: number) => ipv4(THERE, HERE, udp(seq & 0xffff, 7, 'x'.repeat(72)));
  return seqs.map((seq) => outer(sealed(sa.inbound, seq, packet(seq)), { from: remote, to: local }));
}

/** Waits until this is what was told of the SA's life. */
async function told(solo: Solo, ...wanted: readonly string[]): Promise<void> {
  await solo.bare.heard('the end of the SA', ({ kind }) => kind === 'hard');
  const kinds = solo.bare.news.map(({ kind }) => kind).filter((kind) => kind === 'soft' || kind === 'hard');
  assert.deepEqual(kinds, wanted);
}

async function drops(solo: Solo, name: 'expired' | 'exhausted', count: number): Promise<void> {
  await until(
    `${count} packets are ${name}`,
    async () => (await solo.bare.stats(1)).drops[name] === count || undefined,
  );
}

for (const [name, limits] of [
  ['packets', { softPackets: 5, hardPackets: 10 }],
  ['bytes', { softBytes: 500, hardBytes: 1050 }],
] as const) {
  test(`[C8] a hard limit of ${name} lets nothing through that goes beyond it, outwards`, { skip }, () =>
    alone({ limits: { ...NO_LIMITS, ...limits } }, async (solo) => {
      const sent = await solo.sent();
      await solo.inside.send(...OUTWARD);
      await drops(solo, 'expired', 10);
      await told(solo, 'soft', 'hard');
      await solo.inside.send(...OUTWARD);
      await drops(solo, 'expired', 30);
      await told(solo, 'soft', 'hard');
      assert.equal((await sent.stop()).length, 10);
    }),
  );

  test(`[C8] a hard limit of ${name} lets nothing through that goes beyond it, inwards`, { skip }, () =>
    alone({ limits: { ...NO_LIMITS, ...limits } }, async (solo, sa) => {
      const delivered = await solo.delivered();
      await solo.outside.send(...inward(sa, FEW));
      await drops(solo, 'expired', 10);
      await told(solo, 'soft', 'hard');
      await solo.outside.send(
        ...inward(
          sa,
          FEW.map((seq) => seq + 20),
        ),
      );
      await drops(solo, 'expired', 30);
      assert.equal((await delivered.stop()).length, 10);
    }),
  );
}

test('[C7] from sequence number 2^32 − 2 on two packets go, and none after them', { skip }, () =>
  alone({}, async (solo) => {
    const sent = await solo.sent();
    await solo.bare.jump([1], 2 ** 32 - 3);
    await solo.inside.send(...OUTWARD);
    await drops(solo, 'exhausted', 18);
    await told(solo, 'soft', 'hard');
    await solo.inside.send(...OUTWARD);
    await drops(solo, 'exhausted', 38);
    assert.deepEqual(numbers(await sent.stop()), [0xffff_fffe, 0xffff_ffff]);
  }),
);

test('[C7] extended sequence numbers go on, and as IVs of 64 bits', { skip }, () =>
  alone({ esn: true }, async (solo) => {
    const sent = await solo.sent();
    await solo.bare.jump([1], 2 ** 32 - 3);
    await solo.inside.send(...OUTWARD);
    const packets = await sent.have(20);
    assert.deepEqual(
      numbers(packets),
      FEW.map((i) => (i < 3 ? 0xffff_fffd + i : i - 3)),
    );
    assert.deepEqual(
      packets.map(({ bytes }) => new DataView(bytes.buffer).getBigUint64(28)),
      FEW.map((i) => 0xffff_fffdn + BigInt(i)),
    );
    await sent.stop();
  }),
);

test('[E1] each packet is delivered once, however often it comes, and none from before the window', { skip }, () =>
  alone({ replayWindow: 64 }, async (solo, sa) => {
    const delivered = await solo.delivered();
    // Twice each; then the edges of the window below 1000; then far ahead; 0 is never sent.
    const seqs = [1, 1, 2, 2, 1, 3, 1000, 936, 937, 937, 938, 1000, 0, 1001, 2 ** 31 + 1001, 1002, 2 ** 31 + 1001];
    await solo.outside.send(...inward(sa, seqs));
    await until('replays', async () => (await solo.bare.stats(1)).drops.replay === 9 || undefined);
    const ports = (await delivered.stop()).map(({ bytes }) => new DataView(bytes.buffer).getUint16(20));
    assert.deepEqual(ports, [1, 2, 3, 1000, 937, 938, 1001, (2 ** 31 + 1001) & 0xffff]);
  }),
);

test('[E2] a forged packet far ahead does not move the window', { skip }, () =>
  alone({ replayWindow: 64 }, async (solo, sa) => {
    const delivered = await solo.delivered();
    const forged = inward(sa, [2 ** 31, 2 ** 32 - 1]).map((packet) => {
      packet[packet.length - 1] = (packet.at(-1) as number) ^ 1;
      return packet;
    });
    await solo.outside.send(...inward(sa, [1]), ...forged, ...inward(sa, [2, 3]));
    await delivered.have(3);
    assert.equal((await solo.bare.stats(1)).drops['bad-icv'], 2);
    assert.equal((await delivered.stop()).length, 3);
  }),
);

function numbers(packets: readonly { readonly bytes: Uint8Array }[]): readonly number[] {
  return packets.map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(24));
}
