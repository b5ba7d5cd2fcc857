// The same ipsec.conf on Espalier and on strongSwan, whose starter reads it: what clouds hand out comes up as it is, with
// no more than the addresses changed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TENCENT, UCLOUD_SAMPLE, UCLOUD_TEMPLATE } from '../config/ipsec/seeds.ts';
import { Espalier } from '../support/espalier.ts';
import { INTEROP, lacking } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import type { ChildSa, Sa } from '../support/sas.ts';
import { A, B, inSites, type Sites } from '../support/sites.ts';
import { StrongSwan } from '../support/strongswan.ts';

const skip = lacking(...INTEROP, 'stroke');

const SECRETS = `${A.outside} ${B.outside} : PSK test.1231\n`;

/** The template with our addresses, and nothing else of it. */
const TEMPLATE = placed(UCLOUD_TEMPLATE, {
  '192.168.93.46': A.outside,
  '172.16.1.0/24': A.net,
  '106.75.234.78': B.outside,
  '10.0.192.0/20': B.net,
});

function placed(text: string, addresses: Readonly<Record<string, string>>): string {
  return Object.entries(addresses).reduce((all, [from, to]) => {
    assert.ok(all.includes(from), from);
    return all.replaceAll(from, to);
  }, text);
}

/** As the peer would write it. */
function mirrored(conf: string): string {
  return conf.replace(/^(\s+)(left|right)/gm, (_, blank, side) => `${blank}${side === 'left' ? 'right' : 'left'}`);
}

interface Pair {
  readonly net: Sites;
  readonly a: Espalier;
  readonly b: StrongSwan;
}

/** strongSwan is there first, and waits. */
async function between(ours: string, theirs: string, work: (pair: Pair) => Promise<void>): Promise<void> {
  await inSites(async (net) => {
    const { topology, gwa, gwb } = net;
    // libipsec's routes want a source inside what they are for.
    for (const address of ['10.0.1.1/24', '10.0.2.1/24']) await gwb.ip('address', 'add', address, 'dev', 'lo');
    const conf = theirs.replace('auto=start', 'auto=add').replace('auto=route', 'auto=add');
    const b = await StrongSwan.start(topology, gwb, { conf, secrets: SECRETS });
    const a = await Espalier.start(topology, gwa, { conf: ours, secrets: SECRETS });
    try {
      await work({ net, a, b });
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.stack : error}\n${await a.log()}\n${await b.log()}`);
    }
  });
}

/** Both have this many children, and the same ones. */
async function children({ a, b }: Pair, count: number): Promise<readonly ChildSa[]> {
  const installed = (sas: readonly Sa[]) =>
    sas.flatMap((sa) => sa.children).filter(({ state }) => state === 'INSTALLED');
  return until(`${count} children on both sides`, async () => {
    const [ours, theirs] = [installed(await a.sas()), installed(await b.sas())];
    const spis = new Set(theirs.map(({ spiOut }) => Number.parseInt(spiOut, 16)));
    const same = ours.every(({ spiIn }) => spis.has(Number.parseInt(spiIn, 16)));
    return same && ours.length === count && theirs.length === count ? ours : undefined;
  });
}

async function pings({ net }: Pair): Promise<void> {
  assert.equal(await net.hosta.ping(B.host, { count: 5, patience: 1 }), true, 'a to b');
  assert.equal(await net.hostb.ping(A.host, { count: 5, patience: 1 }), true, 'b to a');
}

for (const version of ['ikev2', 'ikev1']) {
  const conf = TEMPLATE.replace('ikev2', version);

  test(`UCloud's file comes up by itself with ${version}, against the same seen from the other end`, { skip }, () =>
    between(conf, mirrored(conf), async (pair) => {
      const [child] = await children(pair, 1);
      assert.equal(child?.name, 'ipsvpn_tunnel-MQcK-cVMR');
      await pings(pair);
      const [sa] = await pair.b.sas();
      assert.equal(`IKEv${sa?.version}`, version.replace('ike', 'IKE'));
      // Its ike= and esp=, and nothing else: both end in "!".
      const { fields } = sa as Sa;
      assert.deepEqual(
        [fields['encr-alg'], fields['encr-keysize'], fields['integ-alg'], fields['dh-group']],
        ['AES_CBC', '128', 'HMAC_SHA1_96', 'MODP_1024'],
      );
    }),
  );
}

test('one file serves both ends: each finds its own addresses in it', { skip }, () =>
  between(mirrored(TEMPLATE), mirrored(TEMPLATE), async (pair) => {
    await children(pair, 1);
    await pings(pair);
    const [sa] = await pair.a.sas();
    assert.equal(sa?.localHost, A.outside);
    assert.match(JSON.stringify(pair.a.lines), /the right end of .* is an address of this host/);
  }),
);

test('a child that strongSwan begins is taken, with the group of esp= for its new keys', { skip }, () =>
  between(TEMPLATE.replace('auto=start', 'auto=add'), mirrored(TEMPLATE), async (pair) => {
    const name = 'ipsvpn_tunnel-MQcK-cVMR';
    const up = await pair.b.swanctl('--initiate', '--child', name, '--timeout', '20');
    assert.equal(up.code, 0, `${up.stdout}${up.stderr}`);
    const [before] = await children(pair, 1);
    const done = await pair.a.swanctl('--rekey', '--child', name);
    assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
    await until('new keys', async () => {
      const [now] = await children(pair, 1);
      return now && now.spiIn !== before?.spiIn && now.fields['dh-group'] === 'MODP_1024' ? now : undefined;
    });
    await pings(pair);
  }),
);

test('a conn more does not disturb those that stand, and a reload keeps the secrets', { skip }, () =>
  between(TEMPLATE, mirrored(TEMPLATE), async (pair) => {
    const [before] = await children(pair, 1);
    const more = TEMPLATE.replace('ipsvpn_tunnel-MQcK-cVMR', 'second').replaceAll(B.outside, '192.0.2.9');
    pair.a.rewrite(`${TEMPLATE}${more.replace('auto=start', 'auto=add')}`);
    const done = await pair.a.cli('reload');
    assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
    const [after] = await children(pair, 1);
    assert.equal(after?.spiIn, before?.spiIn);
    for (const verb of ['down', 'up']) {
      const again = await pair.a.cli(verb, 'ipsvpn_tunnel-MQcK-cVMR');
      assert.equal(again.code, 0, `${again.stdout}${again.stderr}`);
    }
    await children(pair, 1);
    await pings(pair);
    assert.match((await pair.a.cli('status')).stdout, /^second /m);
  }),
);

test("UCloud's sample, its // made #, comes up where strongSwan has it too", { skip }, () => {
  const addresses = { '10.23.228.173': A.outside, '113.31.113.78': A.outside, '10.23.0.0/16': A.net };
  const peer = { '106.75.234.78': B.outside, '10.0.192.0/20': B.net };
  // The tab at the end of its fourth line stays.
  const conf = placed(UCLOUD_SAMPLE.replaceAll('//', '#'), { ...addresses, ...peer });
  return between(conf, mirrored(conf), async (pair) => {
    await children(pair, 1);
    await pings(pair);
  });
});

test("Tencent's three policies come up as three children of one IKE SA", { skip }, () => {
  const conf = placed(TENCENT, {
    '192.0.2.10': A.outside,
    '198.51.100.20': B.outside,
    '192.168.0.0/24,192.168.1.0/24': A.net,
    '10.0.0.0/24': B.net,
    '192.168.2.0/24': '10.1.9.0/24',
  });
  return between(conf, mirrored(conf), async (pair) => {
    const done = await pair.a.cli('up', 'spd-1');
    assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
    const names = (await children(pair, 3)).map(({ name }) => name);
    assert.deepEqual(names.toSorted(), ['spd-1', 'spd-2', 'spd-3']);
    assert.deepEqual([(await pair.a.sas()).length, (await pair.b.sas()).length], [1, 1]);
    await pings(pair);
  });
});
