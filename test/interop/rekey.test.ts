// Rekeys under a numbered flow of 200 packets per second in each direction: not one may be lost or come twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INTEROP, lacking } from '../support/needs.ts';
import type { Plan, Side } from './plan.ts';
import { inLab, whole } from './scenario.ts';

const skip = lacking(...INTEROP);
const mixed: Plan = { a: 'espalier', b: 'strongswan' };
const TIMES = 10;

const STARTERS: readonly (readonly [string, readonly Side[]])[] = [
  ['Espalier', ['a']],
  ['strongSwan', ['b']],
  ['both at once', ['a', 'b']],
];

for (const [role, up] of [
  ['initiated by Espalier', 'a'],
  ['initiated by strongSwan', 'b'],
] as const) {
  for (const what of ['child', 'ike'] as const) {
    for (const [who, from] of STARTERS) {
      test(`a tunnel ${role}: ${TIMES} ${what} rekeys by ${who} lose nothing`, { skip }, () =>
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

test('a child rekey by one side crosses an IKE rekey by the other and loses nothing', { skip }, () =>
  inLab(mixed, async (lab) => {
    await lab.up('a');
    await lab.pings();
    const flow = await lab.flow();
    for (let i = 0; i < TIMES; i++) {
      const [child, ike] = i % 2 === 0 ? [lab.a, lab.b] : [lab.b, lab.a];
      const before = await lab.agreed();
      const done = await Promise.all([
        child.swanctl('--rekey', '--child', 'net'),
        ike.swanctl('--rekey', '--ike', 'gw'),
      ]);
      for (const { code, stdout, stderr } of done) assert.equal(code, 0, `${stdout}${stderr}`);
      await lab.changed((now) => now.sa.spis !== before.sa.spis);
    }
    whole(await flow.stop());
  }),
);
