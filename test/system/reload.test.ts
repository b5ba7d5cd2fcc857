// A configuration that is read anew: what it changes, and that everything else goes on as if nothing had happened.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Espalier } from '../support/espalier.ts';
import { Flow } from '../support/flow.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { A, B, type Sites, sites } from '../support/sites.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier', 'swanctl');

interface Wanted {
  readonly version?: number;
  readonly conn?: string;
  readonly spare?: string;
  readonly child?: string;
  readonly more?: string;
}

/** `ours` and `theirs` are networks and outside addresses. */
function conf([ours, theirs]: readonly [typeof A | typeof B, typeof A | typeof B], wanted: Wanted = {}): string {
  const third = (net: string) => net.replace('.0.0/24', '.9.0/24');
  const { version = 0, conn = '', child = '', more = '' } = wanted;
  const spare = wanted.spare ?? `remote_ts = ${third(theirs.net)}`;
  return `connections {
  gw {
    version = ${version}
    local_addrs = ${ours.outside}
    remote_addrs = ${theirs.outside}
    ${conn}
    local { auth = psk }
    remote { auth = psk }
    children {
      net {
        local_ts = ${ours.net}
        remote_ts = ${theirs.net}
        ${child}
      }
      spare {
        local_ts = ${third(ours.net)}
        ${spare}
      }
    }
  }
  ${more}
}
secrets {
  ike {
    secret = "a long enough one for a test"
  }
}
`;
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

async function pair(act: (pair: Pair) => Promise<void>): Promise<void> {
  const net = await sites();
  try {
    const a = await Espalier.start(net.topology, net.gwa, { conf: conf([A, B]) });
    const b = await Espalier.start(net.topology, net.gwb, { conf: conf([B, A]) });
    for (const name of ['gw/net', 'gw/spare']) {
      const up = await a.cli('up', name);
      assert.equal(up.code, 0, `${up.stdout}${up.stderr}`);
    }
    await act({ net, a, b });
  } finally {
    await net.topology.dispose();
  }
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
    assert.deepEqual(await reload(a, conf([A, B])), {
      ok: true,
      ...{ added: [], removed: [], changed: [], same: 1 },
      warnings: [],
    });
    const added = await reload(a, conf([A, B], { conn: 'dpd_delay = 30s', child: 'dpd_action = restart', more: IDLE }));
    assert.deepEqual([added.added, added.changed], [['idle'], ['gw']]);
    assert.deepEqual(await childrenOf(a), before);
    const wide = { conn: 'dpd_delay = 30s', child: 'dpd_action = restart' };
    const [ours, theirs] = ['10.2.8.0/24', '10.1.8.0/24'];
    b.rewrite(conf([B, A], { spare: `local_ts = ${ours}\n        remote_ts = 10.1.9.0/24` }));
    await b.json('reload');
    const removed = await reload(a, conf([A, B], { ...wide, spare: `remote_ts = ${ours}` }));
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
    a.rewrite(conf([A, B], { conn: 'dpd_dealy = 30s', more: IDLE }));
    const done = await a.cli('reload');
    assert.equal(done.code, 2);
    assert.match(done.stderr, /espalier\.conf:6:5: unknown option "dpd_dealy"; did you mean "dpd_delay"\?/);
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
    a.rewrite(conf([A, B], { version: 1 }));
    process.kill(a.pid as number, 'SIGHUP');
    await until('IKEv1 in the place of IKEv2', async () => {
      const sas = await a.sas();
      const children = sas.flatMap((sa) => sa.children.map(({ name }) => name));
      return sas.every(({ version }) => version === 1) && children.sort().join() === 'net,spare';
    });
    assert.ok(await net.hosta.ping(B.host, { count: 3 }));
  }),
);
