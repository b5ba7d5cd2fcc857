// Known answers for combined modes: `key` is key and salt, `sealed` is ciphertext and ICV.

import { ENCR } from '../../../src/crypto/ids.ts';

export interface AeadVector {
  readonly source: string;
  readonly encr: number;
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly plain: string;
  readonly sealed: string;
}

/** draft-mcgrew-gcm-test-01 §4, as ESP: `aad` is SPI and (extended) sequence number, `plain` has its ESP trailer. */
const mcgrew: readonly AeadVector[] = [
  [
    '4c80cdefbb5d10da906ac73c3613a634',
    '2e443b68 4956ed7e3b244cfe',
    '000043218765432100000000',
    '45000048699a000080114db7c0a80102c0a801010a9bf15638d3010000010000 00000000045f736970045f756470037369700963796265726369747902646b00 0021000101020201',
    'fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34 cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce 61bc17d768fd9732 459018148f6cbe722fd04796562dfdb4',
  ],
  [
    'feffe9928665731c6d6a8f9467308308',
    'cafebabe facedbaddecaf888',
    '0000a5f80000000a',
    '4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d00100 0001000000000000037369700963796265726369747902646b00000100010001',
    'deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c 3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4ec3b9ba95d918bd1 83b70d3aa8bc6ee4c309e9d85a41ad4a',
  ],
  [
    'abbccddef00112233445566778899aababbccddef00112233445566778899aab',
    '11223344 0102030405060708',
    '4a2cbfe300000002',
    '4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee000000000 7002400020bf0000020405b40101040201020201',
    'ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763 748a637985771d347f0545659f14e99def842d8e b335f4eecfdbf831824b4c4915956c96',
  ],
  [
    '00000000000000000000000000000000',
    '00000000 0000000000000000',
    '0000000000000001',
    '4500003c99c500008001cb7a40679318010101010800075c0200440061626364 65666768696a6b6c6d6e6f707172737475767761626364656667686901020201',
    '4688daf2f973a392732909c331d56d60f694abaa414b5e7ff5fdcdfff5e9a284 456476492719ffb64de7d9dca1e1d894bc3bd57873ed4d181d19d4d5c8c18af3 f821d496eeb096e98ad2b69e4799c71d',
  ],
  [
    '3de09874b388e6491988d0c3607eae1f',
    '57690e43 4e280000a2fca1a3',
    '42f67e3f1010101010101010',
    '4500003c99c300008001cb7c40679318010101010800085c0200430061626364 65666768696a6b6c6d6e6f707172737475767761626364656667686901020201',
    'fba2caa4853cf9f0f22cb10d86dd83b0fec75691cf1a04b00d1138ec9c357917 65acbd8701ad79845bf9fe3fba487bc91755e6662b4c8d0d1f5e22739530320a e0d731cc978ecafaeae88f00e80d6e48',
  ],
  [
    '3de09874b388e6491988d0c3607eae1f',
    '57690e43 4e280000a2fca1a3',
    '42f67e3f1010101010101010',
    '4500001c42a200008001441f406793b6e00000020a00f5ff01020201',
    'fba2ca845e5df9f0f22c3e6e86dd831e1fc65792cd1af9130e1379ed 369f071f35e034be95f112e4e7d05d35',
  ],
  [
    'feffe9928665731c6d6a8f9467308308feffe9928665731c',
    'cafebabe facedbaddecaf888',
    '0000a5f80000000a',
    '45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e 501016d075680001',
    'a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0 315b27452144cc77 95457b9652037f5318027b5b4cd7a636',
  ],
  [
    'abbccddef00112233445566778899aab',
    'decaf888 cafedebaceface74',
    '000001000000000000000001',
    '4500004933ba00007f119106c3fb1d10c2b1d326c02831ce0035dd7b800302d5 00004e20001e8c18d75b81dc91baa0476b91b924b280389d92c963bac046ec95 9b6266c04722b14923010101',
    '18a6fd42f72cbf4ab2a2ea901f73d814e3e7f243d95412e1c349c1d2fbec168f 9190feebaf2cb01984e65863965d7472b79da345e0e780191f0d2f0e0f496c22 6f2127b27db35724e7845d68 651f57e65f354f75ff17015769623436',
  ],
  [
    'abbccddef00112233445566778899aababbccddef00112233445566778899aab',
    '73616c74 616e640169766563',
    '17405e67156f3126dd0db99b',
    '45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb712602 50101f646d540001',
    'f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57f f4d3a31ce673119e 451626c2415771e3b7eebca614c89b35',
  ],
  [
    '7d773d00c144c525ac619d18c84a3f47',
    'd9664267 43457e9182443bc6',
    '335467aeffffffff',
    '01020201',
    '437f866b cb3f699fe9b0822bac961c4504bef270',
  ],
  [
    'abbccddef00112233445566778899aab',
    'decaf888 cafedebaceface74',
    '000001000000000000000001',
    '746f016265016f72016e6f7401746f0162650001',
    '29c9fc69a197d038ccdd14e2ddfcaa0543332164 412503524303ed3c6c5f283843af8c3e',
  ],
  [
    '6c6567616c697a656d6172696a75616e61616e64646f69746265666f72656961',
    '7475726e 333021696765746d',
    '796b6963ffffffffffffffff',
    '45000030da3a00008001df3bc0a80005c0a800010800c6cd0200070061626364 65666768696a6b6c6d6e6f707172737401020201',
    'f97ab2aa356d8edce17644ac8c78e25dd24dedbb29ebf1b64a274b39b49c3a86 4cd3d78ca4ae68a32b42458fb57dbe821dcc63b9 d0937ba2945f669368661a329fb4c053',
  ],
].map(([key = '', nonce = '', aad = '', plain = '', sealed = ''], i) => {
  const [salt = '', iv = ''] = nonce.split(' ');
  return {
    source: `draft-mcgrew-gcm-test-01 §4, ${i + 1}`,
    encr: ENCR.AES_GCM_16,
    key: key + salt,
    iv,
    aad,
    plain,
    sealed,
  };
});

const LONG = `d9313225f88406e5a55909c5aff5269a 86a7a9531534f7da2e4c303d8a318a72
  1c3c0c95956809532fcf0e2449a6b525 b16aedf5aa0de657ba637b391aafd255`;

const LONG_TEXT = `42831ec2217774244b7221b784d0d49c e3aa212f2c02a4e035c17e2329aca12e
  21d514b25466931c7d8f6a5aac84aa05 1ba30b396a0aac973d58e091473f5985`;

const VIEGA = { key: 'feffe9928665731c6d6a8f9467308308 cafebabe', iv: 'facedbaddecaf888', plain: LONG };

/** McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B case 3, with each length of ICV. */
const viega: readonly AeadVector[] = [
  { source: 'GCM case 3, ICV of 8', encr: ENCR.AES_GCM_8, ...VIEGA, aad: '', sealed: `${LONG_TEXT} 4d5c2af327cd64a6` },
  {
    source: 'GCM case 3, ICV of 12',
    encr: ENCR.AES_GCM_12,
    ...VIEGA,
    aad: '',
    sealed: `${LONG_TEXT} 4d5c2af327cd64a62cf35abd`,
  },
  {
    source: 'GCM case 3, ICV of 16',
    encr: ENCR.AES_GCM_16,
    ...VIEGA,
    aad: '',
    sealed: `${LONG_TEXT} 4d5c2af327cd64a62cf35abd2ba6fab4`,
  },
];

const CCM_AAD = '44a62c05e9e143b1587cf25c6d390a64 a4f01305d177996711c4c6db00563661';

/**
 * CCM with an 11-byte nonce, as RFC 4309 has it; RFC 3610 §8 has 13-byte nonces only. NIST CAVS samples as the Linux
 * kernel carries them (crypto/testmgr.h, ccm(aes) and rfc4309(ccm(aes))).
 */
const ccm: readonly AeadVector[] = [
  {
    source: 'CAVS CCM-128, ICV of 16, no AAD',
    encr: ENCR.AES_CCM_16,
    key: '83ac5466c2ebe5052e01d1fc5d82662e 96ac59',
    iv: '3007a1e2a2c75524',
    aad: '',
    plain: '19c881f6e986ff930b7867e5bbb7fc6e 8377b3a60c8c9f9c352eade062f991a1',
    sealed: 'ab6fe1691d1999a892a0c46f7ee28bb1 70bb8ca64c6e978a572bbe5d98a6b132 da24ead9a13998fda4bed9f21a6d22a8',
  },
  {
    source: 'CAVS CCM-128, ICV of 16',
    encr: ENCR.AES_CCM_16,
    key: '1e2c7e01419aefc00d58966e5ca24bd3 4fa319',
    iv: 'd3015ad830601556',
    aad: 'dae6289c452dfd635eda4cb6e6fcf9b7 0c56cbe4e0057ae10a630978bc2c55de',
    plain: '87a336fd96b39378a92863ba12a31485 571e06c97b21ef767f387e8e29a43e7e',
    sealed: '8a1e11f0026be219fc70c46d8eb799ab c54ba2acd3f348ff3bb5ce53efdebb02 a986156c13feda0a22b8293dd8399a23',
  },
  {
    source: 'CAVS CCM-192, ICV of 16, no text',
    encr: ENCR.AES_CCM_16,
    key: 'f46bc27562feb4e1a3f0ffdd4e4b1275 531473668d88f680 a02035',
    iv: '26f2218d5020dae2',
    aad: '5b9e1367025eefc16cf9d71e528f7a47 e9d4cf20146ef02dd89e2b56102356e7',
    plain: '',
    sealed: '36ea7a7008dc6abcad0c7a63f661fd9b',
  },
  {
    source: 'CAVS CCM-192, ICV of 16',
    encr: ENCR.AES_CCM_16,
    key: '56df5c8f263f0e42ef7ad3cefc846062 cab440af5fc9c901 d63c8c',
    iv: '8684b6cdef092e94',
    aad: '0265783ce9213091b1b9da769a786d95 f28832a3f250cb4ce300736984698779',
    plain: '9fd2024b5249313c43693a2d8e70ad7e e0e54609808913b28c8bd93f86fbb56b',
    sealed: '39df7c3c5a29b9625d51c216d8bd069f 9b6a0970c15183c266881d4f9adae01e c7791158e56b20407aea46428be46fe1',
  },
  {
    source: 'CAVS CCM-256, ICV of 8',
    encr: ENCR.AES_CCM_8,
    key: 'e08d997160d7971abd0199d58adf713a d3df244b5e3d4b4e307ab9d8530a5e2b 1e2991',
    iv: 'ad8ec1530acf2dbe',
    aad: '19b61f57c4f3f08b782b9402290f4227 6b75cb9834087e79e43e490d848b2287',
    plain: 'e1d9d813eb3a753f9dbd5f66bedcbb66 bf1799624a39271f1ddc24ae192f984c',
    sealed: '19b86133452b43966f51d020307d9bc6 263df8c96516a89ff0621734f21e8d75 4e13ccc0c32a542d',
  },
  {
    source: 'CAVS CCM-256, ICV of 12',
    encr: ENCR.AES_CCM_12,
    key: '7cc8183b8d99e07c4541b8bd5ca7c232 8ab80259a4fea92c09759a9b3c9b2739 f9d94e',
    iv: '63b53d9d43f61e50',
    aad: '57f56b8b575c3d3b1302010c834c9635 8ed639cf7d149b94b03936e68f57e013',
    plain: '3b6c2936b6ef07a68372074fcffa6689 5fcab1bad58f2c2730db750993d465e4',
    sealed: 'b0885a33aae5c71d8523c7c62ff41e3d cc63442507784f9e96b888ebbc481f06 39af39acd84a80397b728af7',
  },
  {
    source: 'CAVS CCM-192, ICV of 8, no text',
    encr: ENCR.AES_CCM_8,
    key: '39bba7be59979e73a2bc6b98d7757fe3 a448933926714ac6 ee4983',
    iv: 'e9a9ffe957bafd9e',
    aad: CCM_AAD,
    plain: '',
    sealed: '7199faf44412689b',
  },
  {
    source: 'CAVS CCM-192, ICV of 8',
    encr: ENCR.AES_CCM_8,
    key: '585da096651a04d796e5c568aa9535e0 29a0ba9e4878d1ba ee4983',
    iv: 'e9a9ffe957bafd9e',
    aad: CCM_AAD,
    plain: '85346642c8920f3658e06b913c985cbb 0a85cc02ad7a96e96543a4c30fdc5581',
    sealed: 'fbe55d34bee5e8e75aef2fbf1f7fd4b2 66ca611e967a61b31c164552ba049c9f b1d240bc527c6fb1',
  },
];

/** RFC 7634: appendix A is an ESP packet, appendix B an IKEv2 message. */
const chacha: readonly AeadVector[] = [
  {
    source: 'RFC 7634 appendix A',
    encr: ENCR.CHACHA20_POLY1305,
    key: '808182838485868788898a8b8c8d8e8f 909192939495969798999a9b9c9d9e9f a0a1a2a3',
    iv: '1011121314151617',
    aad: '0102030400000005',
    plain: `45000054a6f200004001e778c6336405 c000020508005b7a3a080000553bec10 0007362708090a0b0c0d0e0f10111213
      1415161718191a1b1c1d1e1f20212223 2425262728292a2b2c2d2e2f30313233 34353637 01020204`,
    sealed: `24039428b97f417e3c13753a4f05087b 67c352e6a7fab1b982d466ef407ae5c6 14ee8099d52844eb61aa95dfab4c02f7
      2aa71e7c4c4f64c9befe2facc638e8f3 cbec163fac469b502773f6fb94e664da 9165b82829f641e0
      76aaa8266b7fb0f7b11b369907e1ad43`,
  },
  {
    source: 'RFC 7634 appendix B',
    encr: ENCR.CHACHA20_POLY1305,
    key: '808182838485868788898a8b8c8d8e8f 909192939495969798999a9b9c9d9e9f a0a1a2a3',
    iv: '1011121314151617',
    aad: 'c0c1c2c3c4c5c6c7 d0d1d2d3d4d5d6d7 2e202500 00000009 00000045 29000029',
    plain: '0000000c000040010000000a 00',
    sealed: '610394701f8d017f7c12924889 6b71bfe25236efd7cdc67066906315b2',
  },
];

/** draft-mcgrew-gcm-test-01 as the Linux kernel carries it (crypto/testmgr.h, rfc4543(gcm(aes))): the text stays. */
const gmac: readonly AeadVector[] = [
  {
    source: 'draft-mcgrew-gcm-test-01, AES-GMAC',
    encr: ENCR.NULL_AUTH_AES_GMAC,
    key: '4c80cdefbb5d10da906ac73c3613a634 22433c64',
    iv: '0000000000000000',
    aad: '0000432100000007',
    plain: `45000030da3a00008001df3bc0a80005 c0a800010800c6cd0200070061626364 65666768696a6b6c6d6e6f7071727374
      01020201`,
    sealed: `45000030da3a00008001df3bc0a80005 c0a800010800c6cd0200070061626364 65666768696a6b6c6d6e6f7071727374
      01020201 f2a9a836e155106aa8dcd618e4099aaa`,
  },
];

export const aeadVectors: readonly AeadVector[] = [...mcgrew, ...viega, ...ccm, ...chacha, ...gmac];
