// Updown programs of a real daemon: run when a tunnel comes, goes, and when the daemon stops, and not at a rekey. What
// strongSwan tells its own for the same tunnel is what ours are told, key by key.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Plan, swanctlConf } from '../interop/plan.ts';
import { Espalier } from '../support/espalier.ts';
import type { Gateway } from '../support/gateway.ts';
import { INTEROP, lacking } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { A, B, inSites, type Sites } from '../support/sites.ts';
import { PLUGINS, StrongSwan } from '../support/strongswan.ts';

const skip = lacking(...INTEROP, 'updown');

/** Of one run, as /proc has it, which a shell adds nothing to. */
type Told = Readonly<Record<string, string>>;

/** A folder for what the program is told, and the program. */
class Witness {
  readonly folder: string;
  readonly path: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(join(folder, 'told'));
    this.path = join(folder, 'updown.sh');
    const script = `#!/bin/sh
folder="${folder}/told"
tr '\\0' '\\n' < /proc/$$/environ > "$folder/$$.new"
readlink /proc/$$/fd/* > "${folder}/files" 2>&1
mv "$folder/$$.new" "$folder/$(ls "$folder" | wc -l).$$"
`;
    writeFileSync(this.path, script);
    chmodSync(this.path, 0o755);
    chmodSync(folder, 0o755);
  }

  /** So many runs, in their order. */
  async told(count: number): Promise<readonly Told[]> {
    const folder = join(this.folder, 'told');
    const files = await until(`${count} runs`, () => {
      const names = readdirSync(folder).filter((name) => !name.endsWith('.new'));
      return names.length >= count ? names : undefined;
    });
    const inOrder = files.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    return inOrder.map((name) => {
      const lines = readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean);
      return Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
    });
  }
}

/** The program is a's; b has none. */
function plan(a: Plan['a'], program: string, over: Partial<Plan> = {}): Plan {
  const { differs = {} } = over;
  const child = `updown = ${program}\nhostaccess = yes`;
  return { a, b: 'espalier', ...over, differs: { ...differs, a: { ...differs.a, child } } };
}

async function command(gateway: Gateway, ...args: readonly string[]): Promise<void> {
  const done = await gateway.swanctl(...args);
  assert.equal(done.code, 0, `swanctl ${args.join(' ')}: ${done.stdout}${done.stderr}\n${await gateway.log()}`);
}

test('a tunnel runs its program when it comes, when it goes and when the daemon stops', { skip }, () =>
  inSites(async (net) => {
    const witness = new Witness(net.topology.folder());
    const both = plan('espalier', witness.path);
    const a = await Espalier.start(net.topology, net.gwa, { conf: swanctlConf(both, 'a') });
    await Espalier.start(net.topology, net.gwb, { conf: swanctlConf(both, 'b') });
    await command(a, '--initiate', '--child', 'net');
    const [up] = await witness.told(1);
    assert.deepEqual(up, {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      PLUTO_VERSION: '1.1',
      PLUTO_VERB: 'up-client',
      PLUTO_CONNECTION: 'net',
      PLUTO_INTERFACE: 'gwb',
      PLUTO_REQID: '1',
      PLUTO_PROTO: 'esp',
      PLUTO_UNIQUEID: '1',
      PLUTO_ME: A.outside,
      PLUTO_MY_ID: 'a.espalier.test',
      PLUTO_MY_CLIENT: A.net,
      PLUTO_MY_PORT: '0',
      PLUTO_MY_PROTOCOL: '0',
      PLUTO_PEER: B.outside,
      PLUTO_PEER_ID: 'b.espalier.test',
      PLUTO_PEER_CLIENT: B.net,
      PLUTO_PEER_PORT: '0',
      PLUTO_PEER_PROTOCOL: '0',
      PLUTO_HOST_ACCESS: '1',
    });
    const files = readFileSync(join(witness.folder, 'files'), 'utf8').split('\n').filter(Boolean);
    const foreign = files.filter(
      (file) => file !== '/dev/null' && !/^pipe:/.test(file) && !file.startsWith(witness.folder),
    );
    assert.deepEqual(foreign, [], 'descriptors of the daemon');
    const [sa] = await a.sas();
    await command(a, '--rekey', '--child', 'net');
    await until(
      'another SA',
      async () => (await a.sas())[0]?.children[0]?.spiIn !== sa?.children[0]?.spiIn || undefined,
    );
    await command(a, '--terminate', '--ike', 'gw');
    assert.equal((await witness.told(2))[1]?.PLUTO_VERB, 'down-client');
    await command(a, '--initiate', '--child', 'net');
    await witness.told(3);
    await a.stop();
    const all = await witness.told(4);
    assert.deepEqual(
      all.map(({ PLUTO_VERB }) => PLUTO_VERB),
      ['up-client', 'down-client', 'up-client', 'down-client'],
    );
    // The number of the IKE SA is the one thing that is not the same.
    const { PLUTO_UNIQUEID: _first, ...before } = all[2] ?? {};
    const { PLUTO_UNIQUEID: _last, ...after } = all[3] ?? {};
    assert.deepEqual({ ...after, PLUTO_VERB: 'up-client' }, before);
    const lines = a.lines
      .filter(({ event }) => event === 'updown')
      .map(({ conn, child, verb, code }) => [conn, child, verb, code]);
    assert.deepEqual(
      lines,
      all.map(({ PLUTO_VERB }) => ['gw', 'net', PLUTO_VERB, 0]),
    );
  }),
);

/** What the two have different reasons to tell otherwise. */
const APART = new Set(['PATH', 'PWD', 'SHLVL', '_', 'OLDPWD']);

/** Runs of a whole life of one tunnel, by the same plan but for who is a. */
async function life(
  net: Sites,
  kind: 'espalier' | 'strongswan',
  over: Partial<Plan>,
  runs: number,
): Promise<readonly Told[]> {
  const witness = new Witness(net.topology.folder());
  const conf = swanctlConf(plan(kind, witness.path, over), 'a');
  const a =
    kind === 'espalier'
      ? await Espalier.start(net.topology, net.gwa, { conf })
      : await StrongSwan.start(net.topology, net.gwa, { conf, plugins: `${PLUGINS} updown` });
  const names = ['--child', 'net'];
  await command(a, '--initiate', ...names);
  await witness.told(runs / 2);
  await command(a, '--terminate', '--ike', 'gw');
  const told = await witness.told(runs);
  await a.stop();
  const text = ({ PLUTO_VERB, PLUTO_MY_CLIENT, PLUTO_PEER_CLIENT }: Told) =>
    [PLUTO_VERB, PLUTO_MY_CLIENT, PLUTO_PEER_CLIENT].join(' ');
  return told
    .map((env) => Object.fromEntries(Object.entries(env).filter(([key]) => !APART.has(key))))
    .sort((x, y) => (text(x) < text(y) ? -1 : 1));
}

const CASES: readonly (readonly [what: string, runs: number, over: Partial<Plan>])[] = [
  ['one pair of networks', 2, { encap: 'yes' }],
  ['networks of both families, over IPv6', 4, { encap: 'yes', inside: [4, 6], outside: 6 }],
  [
    'several pairs, with ports and ranges',
    8,
    {
      encap: 'yes',
      differs: {
        a: { localTs: '10.1.0.0/24[tcp/80], 10.1.0.1-10.1.0.6', remoteTs: '10.2.0.0/24, 10.3.0.0/24[tcp/1000-2000]' },
        b: { localTs: '10.2.0.0/24, 10.3.0.0/24[tcp/1000-2000]', remoteTs: '10.1.0.0/24[tcp/80], 10.1.0.1-10.1.0.6' },
      },
    },
  ],
  [
    'the gateways themselves, and ICMP of one type',
    2,
    {
      encap: 'yes',
      differs: {
        a: { localTs: 'dynamic[icmp/2049]', remoteTs: '10.2.0.0/24[icmp]' },
        b: { localTs: '10.2.0.0/24[icmp]', remoteTs: 'dynamic[icmp/2049]' },
      },
    },
  ],
  ['IKEv1', 2, { encap: 'yes', version: 1, ike: 'aes128-sha256-modp2048', esp: 'aes128-sha256' }],
];

for (const [what, runs, over] of CASES) {
  test(`what strongSwan tells its program, ours tells it too: ${what}`, { skip }, () =>
    inSites(async (net) => {
      await Espalier.start(net.topology, net.gwb, { conf: swanctlConf(plan('espalier', '/bin/true', over), 'b') });
      const real = await life(net, 'strongswan', over, runs);
      const own = await life(net, 'espalier', over, runs);
      assert.deepEqual(own, real);
    }),
  );
}
