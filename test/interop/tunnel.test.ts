// A tunnel with a pre-shared key between Espalier and strongSwan, in both roles: families, suites, NAT, a killed peer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INTEROP, lacking } from '../support/needs.ts';
import type { Plan } from './plan.ts';
import { inLab } from './scenario.ts';

const skip = lacking(...INTEROP);
const mixed: Plan = { a: 'espalier', b: 'strongswan' };

/** Misses a silent peer within seconds, on either program. */
const watchful: Partial<Plan> = { conn: 'dpd_delay = 2s\n    dpd_timeout = 6s' };

for (const [from, role] of [
  ['a', 'Espalier initiates'],
  ['b', 'strongSwan initiates'],
] as const) {
  test(`${role}: pings cross the tunnel, and none crosses without it`, { skip }, () =>
    inLab(mixed, async (lab) => {
      assert.equal(await lab.net.hosta.ping('10.2.0.2', { patience: 1 }), false);
      await lab.up(from);
      await lab.pings();
      const { child } = await lab.agreed();
      assert.ok(child.packetsIn >= 5 && child.packetsOut >= 5);
    }),
  );

  test(`${role}: a deleted tunnel is gone on both sides`, { skip }, () =>
    inLab(mixed, async (lab) => {
      await lab.up(from);
      const done = await lab.side(from).swanctl('--terminate', '--ike', 'gw', '--timeout', '10');
      assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
      await lab.empty();
      assert.equal(await lab.net.hosta.ping('10.2.0.2', { patience: 1 }), false, 'only the tunnel gets there');
    }),
  );

  test(`${role}: both families run inside a tunnel over IPv4`, { skip }, () =>
    inLab({ ...mixed, inside: [4, 6] }, async (lab) => {
      await lab.up(from);
      await lab.pings();
    }),
  );

  test(`${role}: both families run inside a tunnel over IPv6`, { skip }, () =>
    inLab({ ...mixed, outside: 6, inside: [4, 6] }, async (lab) => {
      await lab.up(from);
      await lab.pings();
    }),
  );

  for (const [name, ike, esp] of [
    ['AES-GCM with 256 bits', 'aes256gcm16-prfsha384-ecp256', 'aes256gcm16'],
    ['AES-GCM with a key exchange per child', 'aes128gcm16-prfsha256-ecp384', 'aes128gcm16-ecp384'],
    ['AES-CBC and HMAC-SHA2-256', 'aes128-sha256-modp2048', 'aes128-sha256'],
    ['AES-CBC and HMAC-SHA2-512', 'aes256-sha512-modp3072', 'aes256-sha512'],
    ['ChaCha20-Poly1305', 'chacha20poly1305-prfsha256-x25519', 'chacha20poly1305'],
    ['3DES and HMAC-SHA1', '3des-sha1-modp2048', '3des-sha1'],
  ] as const) {
    test(`${role}: ${name}`, { skip }, () =>
      inLab({ ...mixed, ike, esp }, async (lab) => {
        await lab.up(from);
        await lab.pings();
        await lab.rekey('child', [from]);
        await lab.pings();
      }),
    );
  }

  test(`${role}: a strongSwan that was killed comes back, and the tunnel with it`, { skip }, () =>
    inLab({ ...mixed, ...watchful }, async (lab) => {
      await lab.up(from);
      await lab.b.kill();
      await lab.gone('a');
      await lab.b.start();
      await lab.up(from);
      await lab.pings();
    }),
  );

  test(`${role}: an Espalier that was killed comes back, and the tunnel with it`, { skip }, () =>
    inLab({ ...mixed, ...watchful }, async (lab) => {
      await lab.up(from);
      await lab.a.kill();
      await lab.a.start();
      // strongSwan still has the old tunnel until it learns of the new one (INITIAL_CONTACT) or misses the peer.
      if (from === 'b') await lab.gone('b');
      await lab.up(from);
      await lab.pings();
    }),
  );
}

test('Espalier behind a NAT: the tunnel follows when the port changes', { skip }, () =>
  inLab({ ...mixed, nat: true, conn: 'dpd_delay = 1s' }, async (lab) => {
    await lab.up('a');
    await lab.pings();
    await lab.rebind();
    await lab.pingsAgain();
  }),
);

test('strongSwan behind a NAT: the tunnel follows when the port changes', { skip }, () =>
  inLab({ a: 'strongswan', b: 'espalier', nat: true, conn: 'dpd_delay = 1s' }, async (lab) => {
    await lab.up('a');
    await lab.pings();
    await lab.rebind();
    await lab.pingsAgain();
  }),
);

test('strongSwan behind a NAT: the tunnel follows when the address changes', { skip }, () =>
  inLab({ a: 'strongswan', b: 'espalier', nat: true, conn: 'dpd_delay = 1s' }, async (lab) => {
    await lab.up('a');
    await lab.pings();
    await lab.rebind('192.0.2.9');
    await lab.pingsAgain();
  }),
);
