// A configuration that is read anew: what it changes, and that everything else goes on as if nothing had happened.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Espalier, MAIN } from '../support/espalier.ts';
import { Flow } from '../support/flow.ts';
import { AT_A, AT_B, conf, type Ends, gateways, type Wanted } from '../support/gateways.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { A, B, inSites, type Sites } from '../support/sites.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier', 'swanctl');

/** Beside `net` there is `spare`, with networks of its own. */
function two([ours, theirs]: Ends, wanted: Wanted & { readonly spare?: string } = {}): string {
  const third = (net: string) => net.replace('.0.0/24', '.9.0/24');
  const { spare = `remote_ts = ${third(theirs.net)}` } = wanted;
  const children = `spare {
        local_ts = ${third(ours.net)}
        ${spare}
      }`;
  return conf([ours, theirs], { ...wanted, children });
}

const IDLE = `idle {
    remote_addrs = 192.0.2.77
    local { auth = psk }
    remote { auth = psk }
    children {
      net {
        remote_ts = 10.77.0.0/24
      }
    }
  }`;

interface Pair {
  readonly net: Sites;
  readonly a: Espalier;
  readonly b: Espalier;
}

function pair(act: (pair: Pair) => Promise<void>): Promise<void> {
  return gateways({ a: two(AT_A), b: two(AT_B) }, async (net, a, b) => {
    for (const name of ['gw/net', 'gw/spare']) {
      const up = await a.cli('up', name);
      assert.equal(up.code, 0, `${up.stdout}${up.stderr}`);
    }
    await act({ net, a, b });
  });
}

interface Child {
  readonly name: string;
  readonly spiIn: string;
}

async function childrenOf(gateway: Espalier): Promise<ReadonlyMap<string, string>> {
  const sas = await gateway.sas();
  const children: Child[] = sas.flatMap((sa) => sa.children);
  return new Map(children.map(({ name, spiIn }) => [name, spiIn]));
}

interface Reloaded {
  readonly ok: boolean;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  readonly same: number;
  readonly secrets: number;
}

async function reload(gateway: Espalier, text: string): Promise<Reloaded> {
  gateway.rewrite(text);
  return (await gateway.json('reload')) as Reloaded;
}

test('[G] what a reload does not change keeps its SPIs and loses no packet', { skip }, () =>
  pair(async ({ net, a, b }) => {
    const before = await childrenOf(a);
    const flow = await Flow.start({
      ...{ a: net.hosta, b: net.hostb, aAddress: A.host, bAddress: B.host, rate: 1000 },
    });
    // Nothing at all, another connection, times of this one, and another network for one of its children.
    assert.deepEqual(await reload(a, two(AT_A)), {
      ok: true,
      ...{ added: [], removed: [], changed: [], same: 1, secrets: 0 },
      warnings: [],
    });
    const added = await reload(
      a,
      two(AT_A, { conn: ['dpd_delay = 30s'], child: ['dpd_action = restart'], connections: IDLE }),
    );
    assert.deepEqual([added.added, added.changed], [['idle'], ['gw']]);
    assert.deepEqual(await childrenOf(a), before);
    const wide = { conn: ['dpd_delay = 30s'], child: ['dpd_action = restart'] };
    const [ours, theirs] = ['10.2.8.0/24', '10.1.8.0/24'];
    b.rewrite(two(AT_B, { spare: `local_ts = ${ours}\n        remote_ts = 10.1.9.0/24` }));
    await b.json('reload');
    const removed = await reload(a, two(AT_A, { ...wide, spare: `remote_ts = ${ours}` }));
    assert.deepEqual([removed.removed, removed.changed], [['idle'], ['gw']], theirs);
    await until('the child with another network is made anew', async () => {
      const spare = (await childrenOf(a)).get('spare');
      return spare !== undefined && spare !== before.get('spare');
    });
    assert.equal((await childrenOf(a)).get('net'), before.get('net'));
    for (const { lost, duplicated } of await flow.stop())
      assert.deepEqual({ lost, duplicated }, { lost: 0, duplicated: 0 });
  }),
);

test('a connection that is configured no more is deleted on both sides, and its networks are free', { skip }, () =>
  pair(async ({ net, a, b }) => {
    const { removed } = await reload(a, 'connections {\n}\n');
    assert.deepEqual(removed, ['gw']);
    await until('the peer has heard of it', async () => (await b.sas()).length === 0);
    await until('no route is left', async () => (await net.gwa.ip('route', 'show', 'table', '220')).trim() === '');
    const again = await b.cli('up', 'gw');
    assert.equal(again.code, 1, 'nobody answers for it any more');
  }),
);

test('[G] a configuration with a mistake changes nothing, and the mistake has its place', { skip }, () =>
  pair(async ({ a }) => {
    const before = await childrenOf(a);
    a.rewrite(two(AT_A, { conn: ['dpd_dealy = 30s'], connections: IDLE }));
    const done = await a.cli('reload');
    assert.equal(done.code, 2);
    assert.match(done.stderr, /espalier\.conf:5:5: unknown option "dpd_dealy"; did you mean "dpd_delay"\?/);
    assert.deepEqual(await childrenOf(a), before);
    const status = (await a.json('status')) as readonly { name: string; state: string }[];
    assert.deepEqual(
      status.map(({ name, state }) => [name, state]),
      [['gw', 'connected']],
    );
  }),
);

test('another IKE version makes the connection anew at once, and SIGHUP reads the files too', { skip }, () =>
  pair(async ({ net, a }) => {
    a.rewrite(two(AT_A, { conn: ['version = 1'] }));
    process.kill(a.pid as number, 'SIGHUP');
    await until('IKEv1 in the place of IKEv2', async () => {
      const sas = await a.sas();
      const children = sas.flatMap((sa) => sa.children.map(({ name }) => name));
      return sas.every(({ version }) => version === 1) && children.sort().join() === 'net,spare';
    });
    assert.ok(await net.hosta.ping(B.host, { count: 3 }));
  }),
);

/** In a mount namespace whose /etc/espalier is empty. */
const UNCONFIGURED = `
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
rm -rf /etc/espalier
mkdir /etc/espalier
control="unix://$0/vici.sock"
"$1" "$2" daemon --control "$control" --state-dir "$0/state" > "$0/log" &
while ! [ -S "$0/vici.sock" ]; do kill -0 $!; sleep 0.1; done
echo "before: $("$1" "$2" status --json --control "$control")"
cp "$3" /etc/espalier/swanctl.conf
chmod 600 /etc/espalier/swanctl.conf
"$1" "$2" reload --control "$control"
kill $!
wait $!`;

test(
  'without a file the daemon says where it looked, and a reload finds one that is written later',
  {
    skip: skip || lacking('overlay'),
  },
  () =>
    inSites(async ({ topology, gwa }) => {
      const folder = topology.folder();
      const file = join(folder, 'later.conf');
      writeFileSync(file, conf(AT_A));
      const done = await gwa.run('unshare', ['-m', 'sh', '-ec', UNCONFIGURED, folder, process.execPath, MAIN, file]);
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stdout, /^before: \[\]\nadded: gw\n/);
      const places =
        /there is no configuration, neither \/etc\/espalier\/ipsec\.conf nor \/etc\/espalier\/swanctl\.conf: /;
      assert.match(readFileSync(join(folder, 'log'), 'utf8'), places);
    }),
);
