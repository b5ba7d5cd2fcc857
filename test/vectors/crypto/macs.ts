// Known answers for PRFs and integrity algorithms. An `integ` answer is the `prf` one cut, where both are the same MAC.

import { INTEG, PRF } from '../../../src/crypto/ids.ts';

export interface MacVector {
  readonly source: string;
  readonly prf?: number;
  readonly integ?: number;
  readonly key: string;
  readonly data: string;
  readonly mac: string;
}

const ascii = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const counting = (length: number): string => Array.from({ length }, (_, i) => i.toString(16).padStart(2, '0')).join('');

const HI = ascii('Hi There');
const WANT = ascii('what do ya want for nothing?');
const LARGE_KEY = ascii('Test Using Larger Than Block-Size Key - Hash Key First');
const LARGE_BOTH = ascii(
  'This is a test using a larger than block-size key and a larger than block-size data. ' +
    'The key needs to be hashed before being used by the HMAC algorithm.',
);

/** RFC 2202 §2 and §3; its keys of 16 and 20 bytes serve the truncated forms of RFC 2403 and RFC 2404 too. */
const rfc2202: readonly MacVector[] = [
  {
    source: 'RFC 2202 §2 case 1',
    prf: PRF.HMAC_MD5,
    key: '0b'.repeat(16),
    data: HI,
    mac: '9294727a3638bb1c13f48ef8158bfc9d',
  },
  {
    source: 'RFC 2202 §2 case 2',
    prf: PRF.HMAC_MD5,
    key: ascii('Jefe'),
    data: WANT,
    mac: '750c783e6ab0b503eaa86e310a5db738',
  },
  {
    source: 'RFC 2202 §2 case 3',
    prf: PRF.HMAC_MD5,
    key: 'aa'.repeat(16),
    data: 'dd'.repeat(50),
    mac: '56be34521d144c88dbb8c733f0e8b3f6',
  },
  {
    source: 'RFC 2202 §2 case 5, 96 bits',
    integ: INTEG.HMAC_MD5_96,
    key: '0c'.repeat(16),
    data: ascii('Test With Truncation'),
    mac: '56461ef2342edc00f9bab995',
  },
  {
    source: 'RFC 2202 §3 case 1',
    prf: PRF.HMAC_SHA1,
    key: '0b'.repeat(20),
    data: HI,
    mac: 'b617318655057264e28bc0b6fb378c8ef146be00',
  },
  {
    source: 'RFC 2202 §3 case 2',
    prf: PRF.HMAC_SHA1,
    key: ascii('Jefe'),
    data: WANT,
    mac: 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79',
  },
  {
    source: 'RFC 2202 §3 case 3',
    prf: PRF.HMAC_SHA1,
    key: 'aa'.repeat(20),
    data: 'dd'.repeat(50),
    mac: '125d7342b9ac11cd91a39af48aa17b4f63f175d3',
  },
  {
    source: 'RFC 2202 §3 case 5, 96 bits',
    integ: INTEG.HMAC_SHA1_96,
    key: '0c'.repeat(20),
    data: ascii('Test With Truncation'),
    mac: '4c1a03424b55e07fe7f27be1',
  },
  {
    source: 'RFC 2202 §3 case 6',
    prf: PRF.HMAC_SHA1,
    key: 'aa'.repeat(80),
    data: LARGE_KEY,
    mac: 'aa4ae5e15272d00e95705637ce8a3b55ed402112',
  },
];

/** RFC 4231 §4, which is RFC 4868 §2.7.1 (PRF) as well. */
const rfc4231: readonly MacVector[] = [
  {
    source: 'RFC 4231 §4.2',
    prf: PRF.HMAC_SHA2_256,
    key: '0b'.repeat(20),
    data: HI,
    mac: 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  },
  {
    source: 'RFC 4231 §4.2',
    prf: PRF.HMAC_SHA2_384,
    key: '0b'.repeat(20),
    data: HI,
    mac: 'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6',
  },
  {
    source: 'RFC 4231 §4.2',
    prf: PRF.HMAC_SHA2_512,
    key: '0b'.repeat(20),
    data: HI,
    mac: '87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854',
  },
  {
    source: 'RFC 4231 §4.4',
    prf: PRF.HMAC_SHA2_256,
    key: 'aa'.repeat(20),
    data: 'dd'.repeat(50),
    mac: '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
  },
  {
    source: 'RFC 4231 §4.4',
    prf: PRF.HMAC_SHA2_384,
    key: 'aa'.repeat(20),
    data: 'dd'.repeat(50),
    mac: '88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27',
  },
  {
    source: 'RFC 4231 §4.4',
    prf: PRF.HMAC_SHA2_512,
    key: 'aa'.repeat(20),
    data: 'dd'.repeat(50),
    mac: 'fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb',
  },
  {
    source: 'RFC 4231 §4.6',
    prf: PRF.HMAC_SHA2_256,
    key: 'aa'.repeat(131),
    data: LARGE_KEY,
    mac: '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  },
  {
    source: 'RFC 4231 §4.6',
    prf: PRF.HMAC_SHA2_384,
    key: 'aa'.repeat(131),
    data: LARGE_KEY,
    mac: '4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952',
  },
  {
    source: 'RFC 4231 §4.6',
    prf: PRF.HMAC_SHA2_512,
    key: 'aa'.repeat(131),
    data: LARGE_KEY,
    mac: '80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598',
  },
  {
    source: 'RFC 4231 §4.7',
    prf: PRF.HMAC_SHA2_256,
    key: 'aa'.repeat(131),
    data: LARGE_BOTH,
    mac: '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
  },
  {
    source: 'RFC 4231 §4.7',
    prf: PRF.HMAC_SHA2_384,
    key: 'aa'.repeat(131),
    data: LARGE_BOTH,
    mac: '6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e',
  },
];

/** RFC 4868 §2.7.2: truncated, under keys of the length that IPsec uses. */
const rfc4868: readonly MacVector[] = [
  {
    source: 'RFC 4868 §2.7.2.1 AUTH256-1',
    integ: INTEG.HMAC_SHA2_256_128,
    key: '0b'.repeat(32),
    data: HI,
    mac: '198a607eb44bfbc69903a0f1cf2bbdc5',
  },
  {
    source: 'RFC 4868 §2.7.2.1 AUTH256-2',
    integ: INTEG.HMAC_SHA2_256_128,
    key: ascii('Jefe'.repeat(8)),
    data: WANT,
    mac: '167f928588c5cc2eef8e3093caa0e87c',
  },
  {
    source: 'RFC 4868 §2.7.2.1 AUTH256-3',
    integ: INTEG.HMAC_SHA2_256_128,
    key: 'aa'.repeat(32),
    data: 'dd'.repeat(50),
    mac: 'cdcb1220d1ecccea91e53aba3092f962',
  },
  {
    source: 'RFC 4868 §2.7.2.2 AUTH384-1',
    integ: INTEG.HMAC_SHA2_384_192,
    key: '0b'.repeat(48),
    data: HI,
    mac: 'b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973',
  },
  {
    source: 'RFC 4868 §2.7.2.2 AUTH384-2',
    integ: INTEG.HMAC_SHA2_384_192,
    key: ascii('Jefe'.repeat(12)),
    data: WANT,
    mac: '2c7353974f1842fd66d53c452ca42122b28c0b594cfb184d',
  },
  {
    source: 'RFC 4868 §2.7.2.2 AUTH384-3',
    integ: INTEG.HMAC_SHA2_384_192,
    key: 'aa'.repeat(48),
    data: 'dd'.repeat(50),
    mac: '809f439be00274321d4a538652164b53554a508184a0c316',
  },
  {
    source: 'RFC 4868 §2.7.2.3 AUTH512-1',
    integ: INTEG.HMAC_SHA2_512_256,
    key: '0b'.repeat(64),
    data: HI,
    mac: '637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8',
  },
  {
    source: 'RFC 4868 §2.7.2.3 AUTH512-2',
    integ: INTEG.HMAC_SHA2_512_256,
    key: ascii('Jefe'.repeat(16)),
    data: WANT,
    mac: 'cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454',
  },
  {
    source: 'RFC 4868 §2.7.2.3 AUTH512-3',
    integ: INTEG.HMAC_SHA2_512_256,
    key: 'aa'.repeat(64),
    data: 'dd'.repeat(50),
    mac: '2ee7acd783624ca9398710f3ee05ae41b9f9b0510c87e49e586cc9bf961733d8',
  },
];

const XCBC_KEY = '000102030405060708090a0b0c0d0e0f';

/** RFC 3566 §4.6 (96 bits) and RFC 4434 §4; one MAC, so each message is an answer to both. */
const xcbc: readonly MacVector[] = [
  [XCBC_KEY, '', '75f0251d528ac01c4573dfd584d79f29'],
  [XCBC_KEY, counting(3), '5b376580ae2f19afe7219ceef172756f'],
  [XCBC_KEY, counting(16), 'd2a246fa349b68a79998a4394ff7a263'],
  [XCBC_KEY, counting(20), '47f51b4564966215b8985c63055ed308'],
  [XCBC_KEY, counting(32), 'f54f0ec8d2b9f3d36807734bd5283fd4'],
  [XCBC_KEY, counting(34), 'becbb3bccdb518a30677d5481fb6b4d8'],
  [XCBC_KEY, '00'.repeat(1000), 'f0dafee895db30253761103b5d84528f'],
].flatMap(([key = '', data = '', mac = ''], i) => [
  { source: `RFC 3566 §4.6 case ${i + 1}`, integ: INTEG.AES_XCBC_96, key, data, mac: mac.slice(0, 24) },
  { source: `RFC 3566 §4.6 case ${i + 1}, whole`, prf: PRF.AES128_XCBC, key, data, mac },
]);

const xcbcPrf: readonly MacVector[] = [
  {
    source: 'RFC 4434 §4, key of 10',
    prf: PRF.AES128_XCBC,
    key: counting(10),
    data: counting(20),
    mac: '0fa087af7d866e7653434e602fdde835',
  },
  {
    source: 'RFC 4434 §4, key of 18',
    prf: PRF.AES128_XCBC,
    key: `${XCBC_KEY}edcb`,
    data: counting(20),
    mac: '8cd3c93ae598a9803006ffb67c40e9e4',
  },
];

const CMAC_KEY = '2b7e151628aed2a6abf7158809cf4f3c';
const CMAC_DATA =
  '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710';

/** RFC 4493 §4 and RFC 4494 §4 (the same, 96 bits). */
const cmac: readonly MacVector[] = [
  [0, 'bb1d6929e95937287fa37d129b756746'],
  [16, '070a16b46b4d4144f79bdd9dd04a287c'],
  [40, 'dfa66747de9ae63030ca32611497c827'],
  [64, '51f0bebf7e3b9d92fc49741779363cfe'],
].flatMap(([length, mac], i) => {
  const data = CMAC_DATA.slice(0, 2 * Number(length));
  return [
    { source: `RFC 4493 §4 example ${i + 1}`, prf: PRF.AES128_CMAC, key: CMAC_KEY, data, mac: String(mac) },
    {
      source: `RFC 4494 §4 case ${i + 1}`,
      integ: INTEG.AES_CMAC_96,
      key: CMAC_KEY,
      data,
      mac: String(mac).slice(0, 24),
    },
  ];
});

/** RFC 4615 §4. */
const cmacPrf: readonly MacVector[] = [
  {
    source: 'RFC 4615 §4, key of 18',
    prf: PRF.AES128_CMAC,
    key: `${XCBC_KEY}edcb`,
    data: counting(20),
    mac: '84a348a4a45d235babfffc0d2b4da09a',
  },
  {
    source: 'RFC 4615 §4, key of 16',
    prf: PRF.AES128_CMAC,
    key: XCBC_KEY,
    data: counting(20),
    mac: '980ae87b5f4c9c5214f5b6a8455e4c2d',
  },
  {
    source: 'RFC 4615 §4, key of 10',
    prf: PRF.AES128_CMAC,
    key: counting(10),
    data: counting(20),
    mac: '290d9e112edb09ee141fcf64c0b72f3d',
  },
];

export const macVectors: readonly MacVector[] = [
  ...rfc2202,
  ...rfc4231,
  ...rfc4868,
  ...xcbc,
  ...xcbcPrf,
  ...cmac,
  ...cmacPrf,
];
