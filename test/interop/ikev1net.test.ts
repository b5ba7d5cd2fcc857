// IKEv1 with strongSwan where the network, or the other side, is not as simple as it could be: NAT, several subnets, AH
// and other modes, a peer that dies, and refusals that explain themselves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Espalier } from '../support/espalier.ts';
import { INTEROP, lacking } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { A, B, inSites } from '../support/sites.ts';
import { StrongSwan } from '../support/strongswan.ts';
import { ID, type Plan, PSK } from './plan.ts';
import { inLab, type Lab } from './scenario.ts';

const skip = lacking(...INTEROP);
const mixed: Plan = { a: 'espalier', b: 'strongswan', version: 1, ike: 'aes128-sha256-modp2048', esp: 'aes128-sha256' };

/** Its messages are more than fits into one fragment. */
const LONG = 'aes256-aes192-aes128-sha512-sha384-sha256-modp4096-modp3072-modp2048';

for (const aggressive of [false, true]) {
  const conn = `dpd_delay = 1s${aggressive ? '\n    aggressive = yes' : ''}`;
  const mode = aggressive ? 'aggressive' : 'main';

  test(`${mode} mode, Espalier behind a NAT: the tunnel follows when the port changes`, { skip }, () =>
    inLab({ ...mixed, nat: true, conn }, async (lab) => {
      await lab.up('a');
      await lab.pings();
      await lab.rebind();
      await lab.pingsAgain();
    }),
  );

  test(`${mode} mode, strongSwan behind a NAT: the tunnel follows when the port changes`, { skip }, () =>
    inLab({ ...mixed, a: 'strongswan', b: 'espalier', nat: true, conn }, async (lab) => {
      await lab.up('a');
      await lab.pings();
      await lab.rebind();
      await lab.pingsAgain();
    }),
  );
}

for (const [name, plan] of [
  ['AES-GCM for ESP', { esp: 'aes128gcm16' }],
  ['AES-GCM with PFS over X25519', { esp: 'aes256gcm16-x25519', ike: 'aes256-sha384-x25519' }],
  ['3DES with SHA1 and group 24', { ike: '3des-sha1-modp2048s256', esp: '3des-sha1' }],
  ['both gateways over IPv6', { outside: 6 }],
  [
    'large messages in fragments',
    { ike: LONG, differs: { a: { conn: 'fragmentation = force\n    fragment_size = 576' } } },
  ],
] as const) {
  test(`${name}, both roles`, { skip }, () =>
    inLab({ ...mixed, ...plan }, async (lab) => {
      for (const from of ['a', 'b'] as const) {
        await lab.up(from);
        await lab.pings();
        await lab.over(4);
      }
    }),
  );
}

/** Halves of the networks behind the gateways, and a host in each. */
const NETS = { a: ['10.1.0.0/25', '10.1.0.128/25'], b: ['10.2.0.0/25', '10.2.0.128/25'] } as const;
const HOSTS = { a: [A.host, '10.1.0.130'], b: [B.host, '10.2.0.130'] } as const;

function connection(side: 'a' | 'b', children: string): string {
  const [own, other] = side === 'a' ? [A, B] : [B, A];
  const [ownId, otherId] = side === 'a' ? [ID.a, ID.b] : [ID.b, ID.a];
  return `connections { gw {
    version = 1
    local_addrs = ${own.outside}
    remote_addrs = ${other.outside}
    proposals = aes128-sha256-modp2048
    encap = yes
    local { auth = psk
      id = ${ownId}
    }
    remote { auth = psk
      id = ${otherId}
    }
    children {
${children}
    }
  } }
secrets { ike-gw { secret = "${PSK}" } }
`;
}

test('two subnets on each side make four pairs of SAs, and all of them carry traffic', { skip }, () =>
  inSites(async (net) => {
    const child = (name: string, local: string, remote: string) =>
      `      ${name} {\n        local_ts = ${local}\n        remote_ts = ${remote}\n        esp_proposals = aes128-sha256\n      }`;
    const ours = child('net', NETS.a.join(', '), NETS.b.join(', '));
    // strongSwan takes one pair for each child in IKEv1.
    const theirs = NETS.b.flatMap((local, i) => NETS.a.map((remote, j) => child(`net${i}${j}`, local, remote)));
    // strongSwan wants an address of its own in each network that it protects.
    await net.gwb.ip('addr', 'add', '10.2.0.129/24', 'dev', 'hostb');
    const a = await Espalier.start(net.topology, net.gwa, { conf: connection('a', ours) });
    const b = await StrongSwan.start(net.topology, net.gwb, { conf: connection('b', theirs.join('\n')) });
    await net.hosta.ip('addr', 'add', `${HOSTS.a[1]}/24`, 'dev', 'gwa');
    await net.hostb.ip('addr', 'add', `${HOSTS.b[1]}/24`, 'dev', 'gwb');
    const done = await a.swanctl('--initiate', '--child', 'net', '--timeout', '20');
    assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
    await until('four children on both sides', async () => {
      const counts = (await Promise.all([a.sas(), b.sas()])).map(
        (sas) => sas.flatMap(({ children }) => children).length,
      );
      return counts.every((count) => count === 4) || undefined;
    });
    for (const from of HOSTS.a) {
      for (const to of HOSTS.b)
        assert.ok(await net.hosta.ping(to, { from, count: 3, patience: 1 }), `${from} to ${to}`);
    }
    const packets = (await a.sas()).flatMap(({ children }) => children.map(({ packetsIn }) => packetsIn));
    assert.deepEqual(
      packets.map((count) => count >= 3),
      [true, true, true, true],
    );
    const pairs = a.lines.filter(({ event }) => event === 'child-established').map(({ msg }) => `${msg}`);
    assert.equal(new Set(pairs).size, 4, 'each has a line of its own');
  }),
);

// --- a peer that dies ----------------------------------------------------------------------------------------------------

async function stateOf(lab: Lab): Promise<string> {
  const [gw] = (await (lab.a as Espalier).json('status')) as readonly { state: string }[];
  return gw?.state ?? '';
}

for (const [action, then] of [
  ['clear', 'down'],
  ['trap', 'waiting'],
  ['restart', 'connected'],
] as const) {
  test(`a strongSwan that is killed: dpd_action = ${action} does it in its time`, { skip }, () =>
    inLab({ ...mixed, conn: 'dpd_delay = 2s\n    dpd_timeout = 6s', child: `dpd_action = ${action}` }, async (lab) => {
      await lab.up('a');
      await lab.pings();
      const heard = performance.now();
      await lab.b.kill();
      await lab.gone('a');
      const took = performance.now() - heard;
      // 6 s from the last packet, and not before: the upper bound is a guard against hanging alone.
      assert.ok(took > 5000 && took < 60_000, `${took} ms`);
      const closed = (lab.a as Espalier).lines.find(
        ({ event, reason }) => event === 'session-closed' && reason === 'peer-dead',
      );
      assert.ok(closed, 'it is told why');
      await lab.b.start();
      await until(`the connection is ${then}`, async () => (await stateOf(lab)) === then || undefined, 60_000);
      if (action === 'restart') await lab.pingsAgain();
    }),
  );
}

test(
  'without dpd_timeout a killed strongSwan is given up after as many questions as there are transmissions',
  { skip },
  () =>
    inLab({ ...mixed, conn: 'dpd_delay = 2s' }, async (lab) => {
      await lab.up('a');
      await lab.pings();
      const heard = performance.now();
      await lab.b.kill();
      await lab.gone('a');
      // 2 s of silence, then 1 + 2 + 4 + 8 + 16 s.
      assert.ok(performance.now() - heard > 30_000);
    }),
);

// --- refusals ------------------------------------------------------------------------------------------------------------

async function refused(lab: Lab, from: 'a' | 'b', fits: RegExp): Promise<Readonly<Record<string, unknown>>> {
  const ours = lab.a as Espalier;
  await lab.side(from).swanctl('--initiate', '--child', 'net', '--timeout', '8');
  return ours.line(`${fits}`, ({ msg }) => fits.test(`${msg}`), 40_000);
}

test('another secret in main mode is told as such, with the connection and the place, in either role', { skip }, () =>
  inLab({ ...mixed, differs: { b: { psk: 'another word of some length' } } }, async (lab) => {
    const initiating = await refused(lab, 'a', /pre-shared keys differ/);
    assert.deepEqual([initiating.conn, initiating.reason], ['gw', 'auth-failed']);
    const answering = await refused(lab, 'b', /message 5 of main mode .* cannot be decrypted/);
    assert.deepEqual([answering.conn, answering.reason], ['gw', 'auth-failed']);
    assert.match(`${answering.where}`, /espalier\.conf:\d+$/);
  }),
);

test('no proposal in common is told with what differs, in phase 1 and in quick mode', { skip }, async () => {
  await inLab({ ...mixed, differs: { b: { ike: 'aes256-sha1-modp1536' } } }, async (lab) => {
    const line = await refused(lab, 'b', /no IKE proposal in common/);
    assert.match(`${line.msg}`, /AES_CBC_128.*AES_CBC_256/);
    assert.match(`${line.remedy}`, /proposals/);
    await refused(lab, 'a', /accepts none of our IKE proposals/);
  });
  await inLab({ ...mixed, differs: { b: { esp: 'aes128-sha256-modp2048' } } }, async (lab) => {
    await refused(lab, 'b', /the groups for PFS differ: we want none, the peer MODP_2048/);
    await refused(lab, 'a', /accepts none of our ESP proposals/);
  });
});

test('selectors that do not fit are told on both sides', { skip }, () =>
  inLab({ ...mixed, differs: { b: { localTs: '10.9.0.0/24' } } }, async (lab) => {
    await refused(lab, 'b', /do not overlap/);
    await refused(lab, 'a', /has no policy for 10\.1\.0\.0\/24 === 10\.2\.0\.0\/24/);
  }),
);
