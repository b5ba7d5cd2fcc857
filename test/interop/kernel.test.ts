// Espalier against a strongSwan with the IPsec of a Linux kernel, as routers have it: protocol 50, every algorithm, both
// roles, both families inside and outside. One machine is booted for all of it (support/uml.ts).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { KERNEL, lacking } from '../support/needs.ts';
import { A, B } from '../support/sites.ts';
import { Rig } from './kernel.ts';
import type { Plan, Side } from './plan.ts';
import { type Lab, whole } from './scenario.ts';

const skip = lacking(...KERNEL);
const mixed: Plan = { a: 'espalier', b: 'kernel', hop: true, inside: [4, 6] };

/** What is to be said of one child. */
const CHILDREN: readonly (readonly [name: string, words: Partial<Plan>])[] = [
  ['AES-GCM with 128 bits', { esp: 'aes128gcm16' }],
  ['AES-GCM with 256 bits', { esp: 'aes256gcm16' }],
  ['AES-GCM with an ICV of 8 bytes', { esp: 'aes192gcm8' }],
  ['AES-CCM with 128 bits', { esp: 'aes128ccm16' }],
  ['AES-CCM with 256 bits and an ICV of 12 bytes', { esp: 'aes256ccm12' }],
  ['ChaCha20-Poly1305', { esp: 'chacha20poly1305' }],
  ['AES-CBC and HMAC-SHA1', { esp: 'aes128-sha1' }],
  ['AES-CBC and HMAC-SHA2-256', { esp: 'aes192-sha256' }],
  ['AES-CBC and HMAC-SHA2-384', { esp: 'aes256-sha384' }],
  ['AES-CBC and HMAC-SHA2-512', { esp: 'aes256-sha512' }],
  ['AES-CBC and HMAC-MD5', { esp: 'aes128-md5' }],
  ['AES-CBC and AES-XCBC', { esp: 'aes128-aesxcbc' }],
  ['AES-CBC and AES-CMAC', { esp: 'aes128-aescmac' }],
  ['AES-CTR and HMAC-SHA2-256', { esp: 'aes128ctr-sha256' }],
  ['3DES and HMAC-SHA1', { esp: '3des-sha1' }],
  ['NULL and HMAC-SHA1', { esp: 'null-sha1' }],
  ['AES-GMAC', { esp: 'aes128gmac' }],
  ['AES-CBC and HMAC-SHA2-256 cut to 96 bits', { esp: 'aes128-sha256_96' }],
  ['AES-GCM with ESN', { esp: 'aes128gcm16-esn' }],
  ['AES-CBC and HMAC-SHA2-256 with ESN', { esp: 'aes256-sha256-esn' }],
  ['AH with HMAC-SHA1', { ah: 'sha1' }],
  ['AH with HMAC-SHA2-256', { ah: 'sha256' }],
  ['AH with HMAC-SHA2-384', { ah: 'sha384' }],
  ['AH with HMAC-SHA2-512 and ESN', { ah: 'sha512-esn' }],
  ['AH with AES-XCBC', { ah: 'aesxcbc' }],
  ['AH with AES-CMAC', { ah: 'aescmac' }],
  ['transport mode with AES-GCM', { mode: 'transport', esp: 'aes128gcm16' }],
  ['transport mode with AES-CBC, HMAC-SHA1 and ESN', { mode: 'transport', esp: 'aes128-sha1-esn' }],
  ['transport mode with AH and HMAC-SHA2-256', { mode: 'transport', ah: 'sha256' }],
  ['transport mode with AH, HMAC-SHA2-512 and ESN', { mode: 'transport', ah: 'sha512-esn' }],
];

const REKEYS: readonly (readonly [what: 'child' | 'ike', from: readonly Side[]])[] = [
  ['child', ['a']],
  ['child', ['b']],
  ['ike', ['a']],
  ['child', ['a', 'b']],
  ['ike', ['b']],
  ['child', ['b']],
  ['ike', ['a', 'b']],
  ['child', ['a']],
];

let rig: Rig | undefined;

before(async () => {
  if (skip === false) rig = await Rig.boot(mixed);
});
after(() => rig?.dispose());

/** Runs the work in the lab with this plan, and no tunnel yet. */
async function planned(plan: Plan, work: (lab: Lab, rig: Rig) => Promise<void>): Promise<void> {
  assert.ok(rig, 'the machine did not boot');
  await work(await rig.lab(plan), rig);
}

for (const [name, words] of CHILDREN) {
  test(
    `${name}: from Espalier over IPv4, from the kernel over IPv6, and after rekeys, what is sent comes back`,
    { skip },
    () =>
      planned({ ...mixed, ...words, both: true, outside: 4 }, async (lab, rig) => {
        await lab.up('a');
        assert.equal((await lab.agreed()).child.encap, false, 'protocol 50, not UDP');
        await rig.echo('all');
        await lab.rekey('child', ['b']);
        await rig.echo('some');
        const six = await rig.over(6);
        await six.up('b');
        await rig.echo('some');
        await six.rekey('child', ['a']);
        await rig.echo('some');
        await rig.faultless();
      }),
  );
}

for (const outside of [4, 6] as const) {
  test(`over IPv${outside} rekeys by both sides and of both kinds lose nothing`, { skip }, () =>
    planned({ ...mixed, outside }, async (lab, rig) => {
      await lab.up('a');
      await lab.pings();
      const [flow, transfer] = [await lab.flow(outside), rig.transfer()];
      for (const [what, from] of REKEYS) await lab.rekey(what, from);
      whole(await flow.stop());
      await transfer;
    }),
  );

  for (const side of ['a', 'b'] as const) {
    const [near, far] = side === 'a' ? ['Espalier', 'the kernel'] : ['the kernel', 'Espalier'];
    test(`over IPv${outside} a narrow link at ${near} stops nothing that ${far} sends`, { skip }, () =>
      planned({ ...mixed, outside }, async (lab, rig) => {
        await rig.narrow(side, 1400);
        try {
          await lab.up('a');
          await rig.echo('all');
        } finally {
          await rig.narrow(side, 1500);
        }
      }),
    );
  }
}

for (const [family, toA, toB] of [
  [4, A.host, B.host],
  [6, A.host6, B.host6],
] as const) {
  test(`both hosts are told how large a packet of IPv${family} may be, and such a one gets through`, { skip }, () =>
    planned(mixed, async (lab, rig) => {
      await lab.up('a');
      for (const [host, address] of [
        [lab.net.hosta, toB],
        [lab.net.hostb, toA],
      ] as const) {
        const mtu = await rig.pathMtu(host, address);
        assert.ok(mtu >= 1280 && mtu < 1500, `${mtu}`);
      }
    }),
  );
}
