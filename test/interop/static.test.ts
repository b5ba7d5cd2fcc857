// Our data plane against a Linux kernel's, with SAs that nobody negotiates: ESP and AH, both modes, sequence numbers of
// 32 and of 64 bits, these across their first 2^32.

import { after, before, test } from 'node:test';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { KERNEL, lacking } from '../support/needs.ts';
import type { StaticChild } from '../support/static.ts';
import { StaticRig } from './static.ts';

const skip = lacking(...KERNEL);

type Suite = readonly [name: string, encr: number, keyBits: number | undefined, integ: number];

const ESP: readonly Suite[] = [
  ['AES-GCM with 128 bits', ENCR.AES_GCM_16, 128, INTEG.NONE],
  ['AES-GCM with 256 bits and an ICV of 8 bytes', ENCR.AES_GCM_8, 256, INTEG.NONE],
  ['AES-CCM', ENCR.AES_CCM_16, 128, INTEG.NONE],
  ['ChaCha20-Poly1305', ENCR.CHACHA20_POLY1305, undefined, INTEG.NONE],
  ['AES-CBC and HMAC-SHA2-256', ENCR.AES_CBC, 128, INTEG.HMAC_SHA2_256_128],
  ['AES-CBC and HMAC-SHA2-384', ENCR.AES_CBC, 192, INTEG.HMAC_SHA2_384_192],
  ['AES-CTR and HMAC-SHA2-512', ENCR.AES_CTR, 256, INTEG.HMAC_SHA2_512_256],
  ['AES-CBC and AES-XCBC', ENCR.AES_CBC, 256, INTEG.AES_XCBC_96],
  ['3DES and HMAC-SHA1', ENCR.DES3, undefined, INTEG.HMAC_SHA1_96],
  ['NULL and AES-CMAC', ENCR.NULL, undefined, INTEG.AES_CMAC_96],
];

const AH: readonly Suite[] = [
  ['HMAC-SHA1', 0, undefined, INTEG.HMAC_SHA1_96],
  ['HMAC-SHA2-256', 0, undefined, INTEG.HMAC_SHA2_256_128],
  ['HMAC-SHA2-384', 0, undefined, INTEG.HMAC_SHA2_384_192],
  ['HMAC-SHA2-512', 0, undefined, INTEG.HMAC_SHA2_512_256],
  ['AES-XCBC', 0, undefined, INTEG.AES_XCBC_96],
  ['AES-CMAC', 0, undefined, INTEG.AES_CMAC_96],
];

/** So few packets before 2^32 that what is sent here goes beyond. */
const BEFORE_HIGH = 2 ** 32 - 200;

let rig: StaticRig | undefined;
before(async () => {
  if (skip === false) rig = await StaticRig.boot();
});
after(() => rig?.dispose());

/** Every suite in both modes; without ESN where nothing else tests it. */
for (const [protocol, suites, widths] of [
  ['esp', ESP, [true]],
  ['ah', AH, [false, true]],
] as const) {
  for (const [i, [name, encr, keyBits, integ]] of suites.entries()) {
    for (const mode of ['tunnel', 'transport'] as const) {
      for (const esn of widths) {
        // Half of the suites over either family, and each over both.
        const outside = (i % 2 === 0) === (mode === 'tunnel') ? 4 : 6;
        const child: StaticChild = { protocol, mode, encr, keyBits, integ, esn, outside, first: esn ? BEFORE_HIGH : 1 };
        const title = `${protocol.toUpperCase()} in ${mode} mode over IPv${outside}, ${name}${esn ? ', ESN' : ''}`;
        test(`${title}: all that is sent comes back`, { skip }, () => rig?.carries(child));
      }
    }
  }
}
