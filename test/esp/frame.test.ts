import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat, hex, unhex } from '../../src/bytes/bytes.ts';
import type { Protection } from '../../src/crypto/types.ts';
import { aead, cbc } from './support.ts';
import { fault, open, seal, seqOf, spiOf, unpad } from './twin/frame.ts';

interface Vector {
  readonly name: string;
  readonly protection: Protection;
  readonly esp: string;
  readonly payload: string;
  readonly nextHeader: number;
}

const RFC3602_56 = cbc('aes-128-cbc', 16, unhex('90d382b4 10eeba7a d938c46c ec1a82bf'), new Uint8Array(0));
const RFC3602_78 = cbc('aes-128-cbc', 16, unhex('01234567 89abcdef 01234567 89abcdef'), new Uint8Array(0));

const VECTORS: readonly Vector[] = [
  {
    name: 'RFC 3602 §4 case 5 (transport mode)',
    protection: RFC3602_56,
    esp: `00004321 00000001 e96e8c08 ab465763 fd098d45 dd3ff893
      f663c25d 325c18c6 a9453e19 4e120849 a4870b66 cc6b9965 330013b4 898dc856
      a4699e52 3a55db08 0b59ec3a 8e4b7e52 775b07d1 db34ed9c 538ab50c 551b874a
      a269add0 47ad2d59 13ac19b7 cfbad4a6`,
    payload: `08000ebd a70a0000 8e9c083d b95b0700 08090a0b 0c0d0e0f 10111213 14151617
      18191a1b 1c1d1e1f 20212223 24252627 28292a2b 2c2d2e2f 30313233 34353637`,
    nextHeader: 1,
  },
  {
    name: 'RFC 3602 §4 case 6 (transport mode)',
    protection: RFC3602_56,
    esp: `00004321 00000008 69d08df7 d203329d b093fc49 24e5bd80
      f5199588 1ec4e0c4 488987ce 742e8109 689bb379 d2d750c0 d915dca3 46a89f75`,
    payload: '0800b5e8 a80a0500 a69c083d 0b660e00 77777777 77777777 77777777',
    nextHeader: 1,
  },
  {
    name: 'RFC 3602 §4 case 7 (tunnel mode)',
    protection: RFC3602_78,
    esp: `00008765 00000002 f4e76524 4f6407ad f13dc138 0f673f37
      773b5241 a4c44922 5e4f3ce5 ed611b0c 237ca96c f74a9301 3c1b0ea1 a0cf70f8
      e4ecaec7 8ac53aad 7a0f022b 859243c6 47752e94 a859352b 8a4d4d2d ecd136e5
      c177f132 ad3fbfb2 201ac990 4c74ee0a 109e0ca1 e4dfe9d5 a100b842 f1c22f0d`,
    payload: `45000054 09040000 4001f988 c0a87b03 c0a87bc8 08009f76 a90a0100 b49c083d
      02a20400 08090a0b 0c0d0e0f 10111213 14151617 18191a1b 1c1d1e1f 20212223
      24252627 28292a2b 2c2d2e2f 30313233 34353637`,
    nextHeader: 4,
  },
  {
    name: 'RFC 3602 §4 case 8 (tunnel mode)',
    protection: RFC3602_78,
    esp: `00008765 00000005 85d47224 b5f3dd5d 2101d4ea 8dffab22
      15b92683 819596a8 047232cc 00f7048f e45318e1 1f8a0f62 ede3c3fc 61203bb5
      0f980a08 c9843fd3 a1b06d5c 07ff9639 b7eb7dfb 3512e5de 435e7207 ed971ef3
      d2726d9b 5ef6affc 6d17a0de cbb13892`,
    payload: `45000044 090c0000 4001f990 c0a87b03 c0a87bc8 0800d63c aa0a0200 c69c083d
      a3de0300 ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff
      ffffffff`,
    nextHeader: 4,
  },
  {
    name: 'RFC 7634 appendix A (ChaCha20-Poly1305, tunnel mode)',
    protection: aead(
      'chacha20-poly1305',
      unhex('808182838485868788898a8b8c8d8e8f 909192939495969798999a9b9c9d9e9f a0a1a2a3'),
    ),
    esp: `01020304 00000005 1011121314151617
      24039428b97f417e3c13753a4f05087b 67c352e6a7fab1b982d466ef407ae5c6
      14ee8099d52844eb61aa95dfab4c02f7 2aa71e7c4c4f64c9befe2facc638e8f3
      cbec163fac469b502773f6fb94e664da 9165b82829f641e0 76aaa8266b7fb0f7b11b369907e1ad43`,
    payload: `45000054a6f200004001e778c6336405 c000020508005b7a3a080000553bec10
      0007362708090a0b0c0d0e0f10111213 1415161718191a1b1c1d1e1f20212223
      2425262728292a2b2c2d2e2f30313233 34353637`,
    nextHeader: 4,
  },
  // Of draft-mcgrew-gcm-test-01 §4 the packets with sequence numbers of 32 bits, one for each key size and the empty
  // one. The draft's next header is 1 throughout, which no tunnel would accept.
  {
    name: 'draft-mcgrew-gcm-test-01 (AES-128-GCM)',
    protection: aead('aes-gcm', unhex('feffe9928665731c6d6a8f9467308308 cafebabe')),
    esp: `0000a5f8 0000000a facedbaddecaf888
      deb22cd9b07c72c16e3a65beeb8df304 a5a5897d33ae530f1ba76d5d114d2a5c
      3de81827c10e9a4f51330d0eec416642 cfbb85a5b47e48a4ec3b9ba95d918bd1
      83b70d3aa8bc6ee4c309e9d85a41ad4a`,
    payload: `4500003e698f000080114dccc0a80102 c0a801010a980035002a2343b2d00100
      00010000000000000373697009637962 65726369747902646b0000010001`,
    nextHeader: 1,
  },
  {
    name: 'draft-mcgrew-gcm-test-01 (AES-192-GCM)',
    protection: aead('aes-gcm', unhex('feffe9928665731c6d6a8f9467308308 feffe9928665731c cafebabe')),
    esp: `0000a5f8 0000000a facedbaddecaf888
      a5b1f8066029aea40e598b8122de0242 0938b3ab33f828e687b8858b5bfbdbd0
      315b27452144cc77 95457b9652037f53 18027b5b4cd7a636`,
    payload: `45000028a4ad4000400678800a01038f 0a010612802306b8cb712602dd6bb03e
      501016d07568`,
    nextHeader: 1,
  },
  {
    name: 'draft-mcgrew-gcm-test-01 (AES-256-GCM)',
    protection: aead('aes-gcm', unhex('abbccddef00112233445566778899aab abbccddef00112233445566778899aab 11223344')),
    esp: `4a2cbfe3 00000002 0102030405060708
      ff425c9b724599df7a3bcd510194e00d 6a78107f1b0b1cbf06efae9d65a5d763
      748a637985771d347f0545659f14e99d ef842d8eb335f4eecfdbf831824b4c49 15956c96`,
    payload: `4500003069a6400080062690c0a80102 9389155e0a9e008b2dc57ee000000000
      7002400020bf0000020405b401010402`,
    nextHeader: 1,
  },
  {
    name: 'draft-mcgrew-gcm-test-01 (AES-128-GCM, nothing but a trailer, the last sequence number)',
    protection: aead('aes-gcm', unhex('7d773d00c144c525ac619d18c84a3f47 d9664267')),
    esp: '335467ae ffffffff 43457e9182443bc6 437f866bcb3f699fe9b0822bac961c45 04bef270',
    payload: '',
    nextHeader: 1,
  },
];

for (const { name, protection, esp, payload, nextHeader } of VECTORS) {
  const wire = unhex(esp);
  const iv = wire.subarray(8, 8 + protection.ivSize);

  test(`${name} is opened`, () => {
    assert.equal(fault(protection, wire), undefined);
    const plain = open(protection, wire);
    assert.ok(plain);
    const opened = unpad(plain);
    assert.ok(opened !== 'bad-padding');
    assert.equal(hex(opened.payload), hex(unhex(payload)));
    assert.equal(opened.nextHeader, nextHeader);
  });

  test(`${name} is built, byte for byte`, () => {
    const built = seal(protection, spiOf(wire), seqOf(wire), iv, unhex(payload), nextHeader);
    assert.equal(hex(built), hex(wire));
  });
}

const GCM = aead('aes-gcm', unhex('feffe9928665731c6d6a8f9467308308 cafebabe'));
const CBC = cbc('aes-128-cbc', 16, new Uint8Array(16), new Uint8Array(32));
const CBC8 = cbc(
  'des-ede3-cbc',
  8,
  Uint8Array.from({ length: 24 }, (_, i) => i),
  new Uint8Array(32),
);
const BOTH = [
  { name: 'AEAD', protection: GCM, unit: 4 },
  { name: 'CBC with 16-byte blocks', protection: CBC, unit: 16 },
  { name: 'CBC with 8-byte blocks', protection: CBC8, unit: 8 },
];

for (const { name, protection, unit } of BOTH) {
  const iv = new Uint8Array(protection.ivSize);

  test(`${name}: every payload length is padded to ${unit} with 1, 2, 3 … and comes back`, () => {
    for (let length = 0; length < 40; length++) {
      const payload = new Uint8Array(length).fill(0xaa);
      const esp = seal(protection, 0x1234, 1, iv, payload, 4);
      const plain = open(protection, esp);
      assert.ok(plain);
      assert.equal(plain.length % unit, 0);
      assert.ok(plain.length - length - 2 < unit);
      const padding = plain.subarray(length, -2);
      assert.deepEqual(
        [...padding],
        [...padding.keys()].map((i) => i + 1),
      );
      assert.deepEqual(unpad(plain), { nextHeader: 4, payload });
    }
  });

  test(`${name}: a packet too short for IV, trailer and ICV is refused before any cryptography`, () => {
    const fixed = 8 + protection.ivSize + protection.icvSize;
    for (let length = 0; length < fixed + 2; length++) {
      assert.equal(fault(protection, new Uint8Array(length)), 'short', `${length}`);
    }
    for (let text = 2; text < 3 * unit; text++) {
      const expected = text % unit === 0 ? undefined : 'misaligned';
      assert.equal(fault(protection, new Uint8Array(fixed + text)), expected, `${text}`);
    }
  });

  test(`${name}: no flipped bit goes unnoticed`, () => {
    const esp = seal(protection, 0x1234, 7, iv, new Uint8Array(30), 4);
    for (let bit = 0; bit < esp.length * 8; bit++) {
      const forged = esp.slice();
      forged[bit >> 3] = (forged[bit >> 3] as number) ^ (0x80 >> (bit & 7));
      assert.equal(open(protection, forged), undefined, `bit ${bit}`);
    }
  });
}

test('padding that is not 1, 2, 3 … or longer than the text is refused', () => {
  assert.equal(unpad(Uint8Array.of(9, 9, 1, 3, 2, 4)), 'bad-padding');
  assert.equal(unpad(Uint8Array.of(9, 9, 0, 0, 2, 4)), 'bad-padding');
  assert.equal(unpad(Uint8Array.of(1, 2, 3, 4)), 'bad-padding');
  assert.equal(unpad(Uint8Array.of(1, 2, 255, 4)), 'bad-padding');
  assert.deepEqual(unpad(Uint8Array.of(1, 2, 2, 4)), { nextHeader: 4, payload: new Uint8Array(0) });
  assert.deepEqual(unpad(Uint8Array.of(0, 59)), { nextHeader: 59, payload: new Uint8Array(0) });
});

test('a whole 255 bytes of padding are allowed', () => {
  const padding = Uint8Array.from({ length: 255 }, (_, i) => i + 1);
  assert.deepEqual(unpad(concat(Uint8Array.of(7), padding, Uint8Array.of(255, 4))), {
    nextHeader: 4,
    payload: Uint8Array.of(7),
  });
});

test('taking the trailer off never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 300 }), (plain) => {
      const opened = unpad(plain);
      if (opened !== 'bad-padding') assert.ok(opened.payload.length <= plain.length - 2);
    }),
  );
});
