// IKEv1 under a numbered flow of 200 packets per second in each direction: quick modes that renew SAs and phase 1 made
// anew, by either side, lose not one and bring none twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INTEROP, lacking } from '../support/needs.ts';
import type { Plan, Side } from './plan.ts';
import { inLab, whole } from './scenario.ts';

const skip = lacking(...INTEROP);
const mixed: Plan = { a: 'espalier', b: 'strongswan', version: 1, ike: 'aes128-sha256-modp2048', esp: 'aes128-sha256' };
const TIMES = 3;

const STARTERS: readonly (readonly [string, readonly Side[]])[] = [
  ['Espalier', ['a']],
  ['strongSwan', ['b']],
];

for (const [role, up] of [
  ['initiated by Espalier', 'a'],
  ['initiated by strongSwan', 'b'],
] as const) {
  for (const what of ['child', 'ike'] as const) {
    for (const [who, from] of STARTERS) {
      const renewed = what === 'child' ? 'quick modes' : 'reauthentications';
      test(`a tunnel ${role}: ${TIMES} ${renewed} by ${who} lose nothing`, { skip }, () =>
        inLab(mixed, async (lab) => {
          await lab.up(up);
          await lab.pings();
          const flow = await lab.flow();
          for (let i = 0; i < TIMES; i++) await lab.rekey(what, from);
          whole(await flow.stop());
        }),
      );
    }
  }
}

test('keys that are renewed every few seconds, and phase 1 every ten, lose nothing in 40 seconds', { skip }, () =>
  inLab(
    {
      ...mixed,
      conn: 'reauth_time = 10s\n    over_time = 5s\n    rand_time = 1s',
      child: 'rekey_time = 4s\n        life_time = 12s\n        rand_time = 1s',
    },
    async (lab) => {
      await lab.up('a');
      await lab.pings();
      const first = await lab.agreed();
      const flow = await lab.flow();
      await new Promise((resolve) => setTimeout(resolve, 40_000));
      whole(await flow.stop());
      const serving = (await lab.a.sas()).flatMap(({ state, spis, children }) =>
        state === 'ESTABLISHED'
          ? children.filter((child) => child.state === 'INSTALLED').map(({ spiIn }) => [spis, spiIn])
          : [],
      );
      assert.equal(serving.length, 1);
      assert.notEqual(serving[0]?.[0], first.sa.spis);
      assert.notEqual(serving[0]?.[1], first.child.spiIn);
    },
  ),
);
