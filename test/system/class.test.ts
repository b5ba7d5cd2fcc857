// DSCP, ECN and DF on the way through the tunnel, as each child's options have it (RFC 6040, RFC 4301 §5.1.2, §8.1).
// Every combination of options, families and fields, through the kernel's own sockets.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hex } from '../../src/bytes/bytes.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import { ipv4, ipv6, udp } from '../esp/packets.ts';
import { combine } from '../esp/twin/ecn.ts';
import type { Capture } from '../support/capture.ts';
import { GCM, manualSa, selector } from '../support/manual.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { outer, sealed } from '../support/outer.ts';
import { ENDS, Solo } from '../support/solo.ts';

const skip = lacking(...NETWORK, 'tun', 'tcpdump', 'espalier');

const NOT = 0;
const CE = 3;
const ECN = [NOT, 1, 2, CE] as const;
/** Expedited forwarding inside, a low priority outside. */
const DSCP = { inner: 46 << 2, outer: 8 << 2 };
const DF = 0x4000;

interface Options {
  readonly copyDscp: ChildSa['copyDscp'];
  readonly copyEcn: boolean;
  readonly copyDf: boolean;
  readonly udp: boolean;
}

const OPTIONS: readonly Options[] = (['out', 'in', 'yes', 'no'] as const).flatMap((copyDscp) =>
  [true, false].flatMap((copyEcn) =>
    [true, false].flatMap((copyDf) => [true, false].map((udp) => ({ copyDscp, copyEcn, copyDf, udp }))),
  ),
);
const FAMILIES = ([4, 6] as const).flatMap((outside) => ([4, 6] as const).map((inside) => ({ outside, inside })));

interface Case {
  readonly sa: ChildSa;
  readonly options: Options;
  readonly outside: 4 | 6;
  readonly inside: 4 | 6;
  readonly here: string;
  readonly there: string;
}

const CASES: readonly Case[] = FAMILIES.flatMap(({ outside, inside }) =>
  OPTIONS.map((options) => ({ options, outside, inside })),
).map((each, i) => {
  const { outside, inside, options } = each;
  const n = i + 1;
  const [here, there] = inside === 4 ? [`10.1.0.${n}`, `10.2.0.${n}`] : [`fd00:a::${n}`, `fd00:b::${n}`];
  const { local, remote } = ENDS[outside];
  const sa = manualSa(n, GCM, {
    ...options,
    local: { ip: local, port: 4500 },
    remote: { ip: remote, port: 4500 },
    localTs: [selector(here)],
    remoteTs: [selector(there)],
  });
  return { ...each, sa, here, there };
});

let solo: Solo | undefined;

before(async () => {
  if (skip !== false) return;
  solo = await Solo.start();
  await solo.bare.install(...CASES.map(({ sa }) => sa));
});
after(() => solo?.dispose());

/** A datagram between these, whose source port tells it from others. A longer one is not joined with those before it. */
function inner(from: string, to: string, tos: number, df: boolean, port: number): Uint8Array {
  const datagram = udp(port, 7, 'x'.repeat((port % 1000) * 32));
  if (from.includes(':')) return ipv6(from, to, datagram, 17, tos);
  return ipv4(from, to, datagram, { tos, offset: df ? DF : 0 });
}

function classOf(packet: Uint8Array): number {
  const word = ((packet[0] as number) << 8) | (packet[1] as number);
  return (word >> (word >> 12 === 4 ? 0 : 4)) & 0xff;
}

function u(packet: Uint8Array, at: number, size: 16 | 32): number {
  const view = new DataView(packet.buffer, packet.byteOffset);
  return size === 16 ? view.getUint16(at) : view.getUint32(at);
}

/** Addresses and source port. */
function flow(packet: Uint8Array): string {
  const [from, to] = (packet[0] as number) >> 4 === 4 ? [12, 20] : [8, 40];
  return `${hex(packet.subarray(from, to))} ${u(packet, to, 16)}`;
}

/** By SPI and sequence number, which tell which packet it was. */
function bySpi(capture: Capture): Map<string, Uint8Array> {
  return new Map(
    capture.packets.map(({ bytes }) => {
      const v4 = (bytes[0] as number) >> 4 === 4;
      const at = (v4 ? 20 : 40) + (bytes[v4 ? 9 : 6] === 17 ? 8 : 0);
      return [`${u(bytes, at, 32)} ${u(bytes, at + 4, 32)}`, bytes];
    }),
  );
}

function naming({ options, outside, inside }: Case): string {
  const { copyDscp, copyEcn, copyDf, udp } = options;
  const words = [`copy_dscp = ${copyDscp}`, `copy_ecn = ${yes(copyEcn)}`, `copy_df = ${yes(copyDf)}`];
  return `${words.join(', ')}, IPv${inside} in ${udp ? 'UDP over ' : ''}IPv${outside}`;
}

function yes(is: boolean): string {
  return is ? 'yes' : 'no';
}

test('[E9] the outer header has of the inner one what the options say', { skip }, async (t) => {
  assert.ok(solo);
  const capture = await solo.sent();
  const forms = ECN.flatMap((ecn) => [true, false].map((df) => ({ ecn, df })));
  const packets = CASES.flatMap(({ here, there }) =>
    forms.map(({ ecn, df }, i) => inner(here, there, DSCP.inner | ecn, df, 1000 + i)),
  );
  // Few enough at once for the device's queue.
  for (let i = 0; i < packets.length; i += 64) await solo.inside.send(...packets.slice(i, i + 64));
  await capture.have(packets.length);
  await capture.stop();
  const sent = bySpi(capture);
  for (const each of CASES) {
    const { copyDscp, copyEcn, copyDf } = each.options;
    await t.test(naming(each), () => {
      for (const [i, { ecn, df }] of forms.entries()) {
        const packet = sent.get(`${each.sa.outbound.spi} ${i + 1}`);
        assert.ok(packet, `packet ${i + 1} came`);
        const dscp = copyDscp === 'out' || copyDscp === 'yes' ? DSCP.inner : 0;
        // RFC 6040 §4.1, normal mode: a copy, whatever it is.
        assert.equal(classOf(packet), dscp | (copyEcn ? ecn : 0), `ECN ${ecn}`);
        if (each.outside === 6) continue;
        assert.equal((u(packet, 6, 16) & DF) !== 0, copyDf && (each.inside === 6 || df), `DF ${df}`);
      }
    });
  }
});

test('[E9] the inner header takes from the outer one what the options say, and nothing else', { skip }, async (t) => {
  assert.ok(solo);
  const capture = await solo.delivered();
  const before = (await solo.bare.totals()).drops.ecn;
  const forms = ECN.flatMap((inside) => ECN.map((outside) => ({ inside, outside })));
  const packets = CASES.flatMap(({ sa, here, there, outside, options }) =>
    forms.map((ecn, i) =>
      outer(sealed(sa.inbound, i + 1, inner(there, here, DSCP.inner | ecn.inside, true, 2000 + i)), {
        from: ENDS[outside].remote,
        to: ENDS[outside].local,
        udp: options.udp,
        class: DSCP.outer | ecn.outside,
      }),
    ),
  );
  const dropped = CASES.filter(({ options }) => options.copyEcn).length;
  for (let i = 0; i < packets.length; i += 64) await solo.outside.send(...packets.slice(i, i + 64));
  await capture.have(packets.length - dropped);
  await capture.stop();
  const delivered = new Map(capture.packets.map(({ bytes }) => [flow(bytes), bytes]));
  for (const each of CASES) {
    const { copyDscp, copyEcn } = each.options;
    await t.test(naming(each), () => {
      for (const [i, ecn] of forms.entries()) {
        const packet = delivered.get(flow(inner(each.there, each.here, 0, true, 2000 + i)));
        const wanted = copyEcn ? combine(ecn.inside, ecn.outside) : ecn.inside;
        const what = `ECN ${ecn.outside} outside, ${ecn.inside} inside`;
        if (wanted === undefined) {
          assert.equal(packet, undefined, what);
          continue;
        }
        assert.ok(packet, what);
        const dscp = copyDscp === 'in' || copyDscp === 'yes' ? DSCP.outer : DSCP.inner;
        assert.equal(classOf(packet), dscp | wanted, what);
      }
    });
  }
  assert.equal((await solo.bare.totals()).drops.ecn - before, dropped);
});
