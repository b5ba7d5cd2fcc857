// Why there is an IKE SA and no child: the causes of the second phase, with strongSwan as the peer and in both roles; and
// what is told of a child that stands, but not as it was meant.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INTEROP, lacking } from '../support/needs.ts';
import { A, B } from '../support/sites.ts';
import { begin, type Cause, inBoth, ours, planOf, type Role, table, theirs, V1 } from './causes.ts';
import { Lab } from './scenario.ts';

const skip = lacking(...INTEROP);
const state = 'phase2-failed';
const proposals = { state, where: 'esp_proposals =' };

const refusal = (what: string, peers: string, differs: { text: RegExp; remedy: RegExp }): readonly Cause[] =>
  inBoth((version, plan) => ({
    what,
    plan: { ...plan, differs: { b: { esp: peers } } },
    says: {
      initiator: {
        ...{ code: 'no-child-proposal', ...proposals },
        text: /^the peer accepts none of our ESP proposals$/,
        remedy:
          version === 2
            ? /^compare protocol \(ESP or AH\), mode, encryption, hash and PFS group in the peer's settings with aes128-sha256 /
            : /^compare protocol \(ESP or AH\), mode, encryption, hash, PFS group and lifetime in the peer's settings with/,
      },
      responder: { code: 'no-child-proposal', ...proposals, ...differs },
    },
  }));

const ALGORITHMS: readonly Cause[] = [
  ...refusal('another encryption', 'aes256-sha256', {
    text: /: encryption: we want AES_CBC_128, the peer AES_CBC_256$/,
    remedy: /^add the proposal aes256-sha256 to `esp_proposals` in \S+:\d+, or have the peer offer aes128-sha256$/,
  }),
  ...refusal('another hash', 'aes128-sha512', {
    text: /: integrity: we want HMAC_SHA2_256_128, the peer HMAC_SHA2_512_256$/,
    remedy: /^peer offers sha512; add `-sha512` to `esp_proposals` in \S+:\d+/,
  }),
  ...inBoth((_, plan) => ({
    what: 'ESP here, AH there',
    plan: { ...plan, differs: { b: { ah: 'sha256', encap: 'auto' } } },
    says: {
      initiator: {
        ...{ code: 'no-child-proposal', ...proposals },
        text: /^the peer accepts none of our ESP proposals$/,
        remedy: /^compare protocol \(ESP or AH\), /,
      },
      responder: {
        ...{ code: 'no-child-proposal', ...proposals },
        text: /^the peer offers AH, and we want ESP$/,
        remedy:
          /^write `ah_proposals` in place of `esp_proposals` in \S+:\d+, or have the peer offer ESP with aes128-sha256$/,
      },
    },
  })),
];

const GROUPS = [
  {
    what: 'PFS here alone',
    ours: 'aes128-sha256-modp2048',
    peers: 'aes128-sha256',
    text: /the groups for PFS differ: we want MODP_2048, the peer none$/,
    remedy: /^the peer does not want PFS: take the group out of `esp_proposals` in \S+:\d+/,
  },
  {
    what: 'PFS at the peer alone',
    ours: 'aes128-sha256',
    peers: 'aes128-sha256-modp2048',
    text: /the groups for PFS differ: we want none, the peer MODP_2048$/,
    remedy: /^peer offers modp2048; add `-modp2048` to `esp_proposals` in \S+:\d+/,
  },
  {
    what: 'another group for PFS',
    ours: 'aes128-sha256-modp2048',
    peers: 'aes128-sha256-modp3072',
    text: /the groups for PFS differ: we want MODP_2048, the peer MODP_3072$/,
    remedy: /^peer offers modp3072; add `-modp3072` to `esp_proposals` in \S+:\d+/,
  },
] as const;

/** In IKEv2 the first child has no group: only the renewal of its keys fails. */
async function renewed(lab: Lab, role: Role): Promise<void> {
  const side = role === 'initiator' ? ours(lab) : theirs(lab);
  const up = await side.swanctl('--initiate', '--child', 'net', '--timeout', '20');
  assert.equal(up.code, 0, `${up.stdout}${up.stderr}`);
  await side.swanctl('--rekey', '--child', 'net');
}

const PFS: readonly Cause[] = GROUPS.flatMap(({ what, ours: mine, peers, text, remedy }) =>
  inBoth((version, plan) => {
    const differs = { a: { esp: mine }, b: { esp: peers } };
    const told = { code: 'pfs-mismatch', where: 'esp_proposals =', text, remedy };
    if (version === 1) {
      const initiator = {
        ...{ code: 'no-child-proposal', ...proposals },
        text: /^the peer accepts none of our ESP proposals$/,
        remedy: /encryption, hash, PFS group and lifetime/,
      };
      return { what, plan: { ...plan, differs }, says: { initiator, responder: { ...told, state } } };
    }
    const initiator = {
      ...{ code: 'pfs-mismatch', state: 'connected', where: 'esp_proposals =' },
      text: /^it has no new keys, and ends when its life is over: .*most likely only one side wants PFS, or the groups differ$/,
      remedy: /^compare the peer's PFS group with .*: both sides need the same one, or none$/,
    };
    const says = { initiator, responder: { ...told, state: 'connected' } };
    return { what, plan: { ...plan, differs }, provoke: renewed, says };
  }),
);

const SELECTORS: readonly Cause[] = [
  ...inBoth((_, plan) => ({
    what: 'another network at the peer',
    plan: { ...plan, differs: { b: { localTs: '10.9.0.0/24' } } },
    says: {
      initiator: {
        ...{ code: 'ts-mismatch', state, where: 'local_ts =' },
        text: /^the peer has no policy for 10\.1\.0\.0\/24 === 10\.2\.0\.0\/24$/,
        remedy:
          /^make the peer's selectors the mirror image .*: there 10\.2\.0\.0\/24 is local and 10\.1\.0\.0\/24 remote(;|$)/,
      },
      responder: {
        ...{ code: 'ts-mismatch', state, where: 'remote_ts =' },
        text: /do not overlap: we want 10\.1\.0\.0\/24 === 10\.2\.0\.0\/24, the peer 10\.1\.0\.0\/24 === 10\.9\.0\.0\/24$/,
        remedy: /^set `remote_ts` in \S+:\d+ to 10\.9\.0\.0\/24, or the peer's local selector to 10\.2\.0\.0\/24$/,
      },
    },
  })),
  ...inBoth((_, plan) => ({
    what: 'selectors that were copied and not mirrored',
    plan: { ...plan, differs: { b: { localTs: A.net, remoteTs: B.net } } },
    says: {
      initiator: {
        ...{ code: 'ts-mismatch', state, where: 'local_ts =' },
        text: /^the peer has no policy for 10\.1\.0\.0\/24 === 10\.2\.0\.0\/24$/,
        remedy: /: there 10\.2\.0\.0\/24 is local and 10\.1\.0\.0\/24 remote(;|$)/,
      },
      responder: {
        ...{ code: 'ts-mismatch', state, where: 'local_ts =' },
        text: /are the wrong way round: we want 10\.1\.0\.0\/24 === 10\.2\.0\.0\/24, the peer 10\.2\.0\.0\/24 ===/,
        remedy:
          /^exchange `local_ts` and `remote_ts` in \S+:\d+, or the peer's two: what is local here is remote there$/,
      },
    },
  })),
  ...inBoth((_, plan) => {
    const narrowed = {
      ...{ code: 'narrowed', state: 'connected', where: 'remote_ts =' },
      text: /^only a part of what is configured has come to be: we want 10\.2\.0\.0\/24, and have 10\.2\.0\.0\/25$/,
      remedy: /^make the peer's selectors the mirror image of `remote_ts` \(ours is in \S+:\d+\)/,
    };
    return {
      what: 'a smaller network at the peer',
      plan: { ...plan, differs: { b: { localTs: '10.2.0.0/25' } } },
      says: { initiator: narrowed, responder: narrowed },
    };
  }),
];

test('what protects the packets', { skip }, (t) => table(t, ALGORITHMS));
test('groups for new keys', { skip }, (t) => table(t, PFS));
test('which packets', { skip }, (t) => table(t, SELECTORS));

test('lifetimes that differ are no failure: of those that are told the shorter one counts', { skip }, async () => {
  const lifetimes = 'rekey_time = 10m\n        life_time = 11m';
  let lab = await Lab.start(planOf({ what: '', plan: { ...V1, differs: { b: { child: lifetimes } } }, says: {} }));
  try {
    // strongSwan tells its own where it begins. Where it is asked it says yes to ours, and goes by its own by itself.
    for (const [role, longest] of [
      ['responder', 660],
      ['initiator', 3960],
    ] as const) {
      await begin(lab, role);
      await lab.agreed();
      const [sa] = await ours(lab).sas();
      const life = Number(sa?.children[0]?.fields['life-time']);
      assert.ok(life > longest - 60 && life <= longest, `${role}: ${life} s`);
      const { findings } = (await ours(lab).json('why', 'gw')) as { findings: readonly unknown[] };
      assert.deepEqual(findings, []);
      lab = await lab.again(lab.plan);
    }
  } finally {
    await lab.dispose();
  }
});
