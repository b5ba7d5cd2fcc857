// What routers say of packets that are too big for them: believed where it is true, and of no use to strangers (RFC 1191,
// RFC 8201, RFC 4301 §8.2). Two gateways, and a router between them that can be made narrow, and lies where it is told to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { innerMtu } from '../../src/esp/mtu.ts';
import type { Plan } from '../interop/plan.ts';
import { inLab, type Lab, whole } from '../interop/scenario.ts';
import { Echo } from '../support/echo.ts';
import { tooBig } from '../support/icmp.ts';
import { Injector } from '../support/inject.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { type Space, until } from '../support/netns.ts';
import { garbage, outer } from '../support/outer.ts';
import { A, B } from '../support/sites.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier', 'swanctl');
const both: Plan = { a: 'espalier', b: 'espalier', hop: true, inside: [4, 6] };

const ENDS = {
  4: { a: A.outside, b: B.outside, router: '192.0.2.254', stranger: '192.0.2.77' },
  6: { a: A.outside6, b: B.outside6, router: '2001:db8::fe', stranger: '2001:db8::77' },
} as const;
/** What every path carries (RFC 791, RFC 8200 §5). */
const LEAST = { 4: 576, 6: 1280 } as const;
const WIDE = 1500;

/** What fits into packets of this size with the lab's cipher, AES-GCM. */
function fits(path: number, version: 4 | 6, udp = false): number {
  return innerMtu(path, { protocol: 'esp', mode: 'tunnel', udp, version, ivSize: 8, icvSize: 16, align: 4 });
}

/** The size that gwa's route into the tunnel says. */
async function routed({ net }: Lab): Promise<number> {
  return Number(/ mtu (\d+)/.exec(await net.gwa.ip('route', 'show', B.net, 'table', '220'))?.[1]);
}

async function becomes(lab: Lab, mtu: number): Promise<void> {
  let now = 0;
  await until(`the route says ${mtu}`, async () => {
    now = await routed(lab);
    return now === mtu || undefined;
  }).catch((error) => assert.fail(`${error.message}; it says ${now}`));
}

/** A packet of so many bytes, whole or not at all. */
async function passes(host: Space, address: string, size: number): Promise<boolean> {
  const headers = address.includes(':') ? 48 : 28;
  return (await host.run('ping', ['-n', '-c1', '-W2', '-Mdo', `-s${size - headers}`, address])).code === 0;
}

async function spiOut(lab: Lab): Promise<number> {
  return Number.parseInt((await lab.agreed()).child.spiOut, 16);
}

/** In the router's name, to gwa. */
function liar({ net }: Lab): Promise<Injector> {
  assert.ok(net.hop);
  return Injector.across(net.hop, 'gwa', net.gwa, 'hop');
}

for (const outside of [4, 6] as const) {
  for (const encap of ['auto', 'yes'] as const) {
    const udp = encap === 'yes';
    const over = `over ${udp ? 'UDP over ' : ''}IPv${outside}`;
    const { a, b, router, stranger } = ENDS[outside];
    const quoted = (spi: number, to: string = b) => outer(garbage(spi, 9), { from: a, to, udp });

    test(`[E8] ${over} a "too big" about no packet of ours changes nothing`, { skip }, () =>
      inLab({ ...both, outside, encap }, async (lab) => {
        await lab.up('a');
        await lab.pings();
        const spi = await spiOut(lab);
        const lies = await liar(lab);
        await lies.send(
          tooBig(600, quoted(0x1234_5678), router, a),
          tooBig(600, quoted(spi ^ 1), router, a),
          tooBig(600, quoted(spi, stranger), router, a),
          tooBig(0, quoted(spi), router, a),
        );
        // What the kernel thinks of the path now is not asked for the next child either.
        await lab.rekey('child', ['a']);
        const fragments = await lab.net.gwb.counter(
          'hop',
          outside === 4 ? 'ip frag-off & 0x3fff != 0' : 'exthdr frag exists',
        );
        assert.equal(await routed(lab), fits(WIDE, outside, udp));
        assert.ok(await passes(lab.net.hosta, B.host, fits(WIDE, outside, udp)));
        if (outside === 4) await lab.net.hosta.must('ping', ['-n', '-c3', '-i0.1', '-W1', '-Mdont', '-s1400', B.host]);
        assert.equal(await fragments(), 0);
      }),
    );

    test(`[E8] ${over} no "too big" makes a path narrower than every path is`, { skip }, () =>
      inLab({ ...both, outside, encap }, async (lab) => {
        await lab.up('a');
        await lab.pings();
        await (await liar(lab)).send(tooBig(68, quoted(await spiOut(lab)), router, a));
        await becomes(lab, fits(LEAST[outside], outside, udp));
        assert.ok(await passes(lab.net.hosta, B.host, fits(LEAST[outside], outside, udp)));
        // RFC 2473 §7.1: IPv6 inside counts on 1280 bytes; where they do not fit they are fragmented outside.
        assert.ok(await passes(lab.net.hosta, B.host6, 1280), 'IPv6 inside');
        await lab.pings();
      }),
    );

    test(`[E8] ${over} a flood of "too big" is heeded a little, and costs no packet`, { skip }, () =>
      inLab({ ...both, outside, encap }, async (lab) => {
        await lab.up('a');
        await lab.pings();
        const spi = await spiOut(lab);
        const lies = await liar(lab);
        const flow = await lab.flow();
        // Each says a little less than the one before, and those that come last much less.
        const steps = Array.from({ length: 300 }, (_, i) => tooBig(i < 150 ? 1499 - i : 1300, quoted(spi), router, a));
        await lies.send(...steps);
        await lies.flood([tooBig(1200, quoted(0x1234_5678), router, a)], 1);
        whole(await flow.stop());
        const now = await routed(lab);
        assert.ok(now < fits(WIDE, outside, udp) && now > fits(1300, outside, udp), `${now}`);
      }),
    );

    test(`[E8] ${over} a path that becomes narrow is followed, and a transfer survives it`, { skip }, () =>
      inLab({ ...both, outside, encap }, async (lab) => {
        await lab.up('a');
        await lab.pings();
        const { hosta, hostb, hop } = lab.net;
        assert.ok(hop);
        const echo = await Echo.between(hosta, hostb);
        const streams = [echo.stream(B.host, 40_000_000), echo.stream(B.host6, 40_000_000)];
        await new Promise((resolve) => setTimeout(resolve, 300));
        // By its routes: a link that is narrow at one end only loses what comes from the other.
        for (const [dev, address] of [
          ['gwa', a],
          ['gwb', b],
        ] as const) {
          await hop.ip('route', 'replace', address, 'dev', dev, 'mtu', 'lock', '1380');
        }
        await Promise.all(streams);
        const narrow = fits(1380, outside, udp);
        await becomes(lab, narrow);
        for (const [host, to4, to6] of [
          [hosta, B.host, B.host6],
          [hostb, A.host, A.host6],
        ] as const) {
          for (const [to, version] of [
            [to4, 4],
            [to6, 6],
          ] as const) {
            // Whoever sends more is told, by the gateway.
            assert.match(await host.ip(`-${version}`, 'route', 'get', to), new RegExp(` mtu ${narrow}\\b`), to);
            assert.ok(await passes(host, to, narrow), to);
          }
        }
      }),
    );
  }
}
