// IKEv1 between Espalier and strongSwan, in both roles: main and aggressive mode, with and without PFS, old and new suites.

import { test } from 'node:test';
import { INTEROP, lacking } from '../support/needs.ts';
import type { Plan } from './plan.ts';
import { inLab } from './scenario.ts';

const skip = lacking(...INTEROP);
const mixed: Plan = { a: 'espalier', b: 'strongswan', version: 1 };

const SUITES = [
  ['3des-md5-modp1024', '3des-md5'],
  ['aes128-sha1-modp1536', 'aes128-sha1'],
  ['aes256-sha256-modp2048', 'aes256-sha256'],
  ['aes256-sha512-ecp384', 'aes256-sha512'],
] as const;

for (const mode of ['main', 'aggressive'] as const) {
  for (const [ike, esp] of SUITES) {
    for (const pfs of [true, false]) {
      test(`${mode} mode, ${ike}, PFS ${pfs ? 'on' : 'off'}, both roles`, { skip }, () => {
        const group = ike.slice(ike.lastIndexOf('-'));
        const conn = mode === 'aggressive' ? 'aggressive = yes' : '';
        return inLab({ ...mixed, ike, esp: pfs ? `${esp}${group}` : esp, conn }, async (lab) => {
          for (const from of ['a', 'b'] as const) {
            await lab.up(from);
            await lab.pings();
            await lab.over(4);
          }
        });
      });
    }
  }
}
