// Known answers for ciphers without integrity of their own.

export interface CipherVector {
  readonly source: string;
  readonly key: string;
  readonly iv: string;
  readonly plain: string;
  readonly text: string;
}

const ascii = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const counting = (from: number, length: number): string =>
  Array.from({ length }, (_, i) => (from + i).toString(16).padStart(2, '0')).join('');

/** RFC 3602 §4, cases 1 to 4. */
export const aesCbc: readonly CipherVector[] = [
  {
    source: 'RFC 3602 §4 case 1',
    key: '06a9214036b8a15b512e03d534120006',
    iv: '3dafba429d9eb430b422da802c9fac41',
    plain: ascii('Single block msg'),
    text: 'e353779c1079aeb82708942dbe77181a',
  },
  {
    source: 'RFC 3602 §4 case 2',
    key: 'c286696d887c9aa0611bbb3e2025a45a',
    iv: '562e17996d093d28ddb3ba695a2e6f58',
    plain: counting(0x00, 32),
    text: 'd296cd94c2cccf8a3a863028b5e1dc0a 7586602d253cfff91b8266bea6d61ab1',
  },
  {
    source: 'RFC 3602 §4 case 3',
    key: '6c3ea0477630ce21a2ce334aa746c2cd',
    iv: 'c782dc4c098c66cbd9cd27d825682c81',
    plain: ascii('This is a 48-byte message (exactly 3 AES blocks)'),
    text: 'd0a02b3836451753d493665d33f0e886 2dea54cdb293abc7506939276772f8d5 021c19216bad525c8579695d83ba2684',
  },
  {
    source: 'RFC 3602 §4 case 4',
    key: '56e47a38c5598974bc46903dba290349',
    iv: '8ce82eefbea0da3c44699ed7db51b7d9',
    plain: counting(0xa0, 64),
    text: `c30e32ffedc0774e6aff6af0869f71aa 0f3af07a9a31a9c684db207eb0ef8e4e
           35907aa632c3ffdf868bb7b29d3d46ad 83ce9f9a102ee99d49a53e87f4c3da55`,
  },
];

/** A whole ESP packet without ICV: SPI, sequence number, IV and ciphertext; `payload` without trailer. */
export interface EspVector {
  readonly source: string;
  readonly key: string;
  readonly packet: string;
  readonly payload: string;
  readonly nextHeader: number;
}

/** RFC 3602 §4, cases 5 to 8. */
export const aesCbcEsp: readonly EspVector[] = [
  {
    source: 'RFC 3602 §4 case 5, transport mode',
    key: '90d382b410eeba7ad938c46cec1a82bf',
    packet: `00004321 00000001 e96e8c08ab465763fd098d45dd3ff893
      f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52
      775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6`,
    payload: `08000ebda70a00008e9c083db95b0700 08090a0b0c0d0e0f1011121314151617
      18191a1b1c1d1e1f2021222324252627 28292a2b2c2d2e2f3031323334353637`,
    nextHeader: 1,
  },
  {
    source: 'RFC 3602 §4 case 6, transport mode',
    key: '90d382b410eeba7ad938c46cec1a82bf',
    packet: `00004321 00000008 69d08df7d203329db093fc4924e5bd80
      f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75`,
    payload: '0800b5e8a80a0500a69c083d0b660e00 777777777777777777777777',
    nextHeader: 1,
  },
  {
    source: 'RFC 3602 §4 case 7, tunnel mode',
    key: '0123456789abcdef0123456789abcdef',
    packet: `00008765 00000002 f4e765244f6407adf13dc1380f673f37
      773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8e4ecaec78ac53aad7a0f022b859243c6
      47752e94a859352b8a4d4d2decd136e5c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d`,
    payload: `45000054090400004001f988c0a87b03c0a87bc8 08009f76a90a0100b49c083d02a20400
      08090a0b0c0d0e0f1011121314151617 18191a1b1c1d1e1f2021222324252627 28292a2b2c2d2e2f3031323334353637`,
    nextHeader: 4,
  },
  {
    source: 'RFC 3602 §4 case 8, tunnel mode',
    key: '0123456789abcdef0123456789abcdef',
    packet: `00008765 00000005 85d47224b5f3dd5d2101d4ea8dffab22
      15b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb50f980a08c9843fd3a1b06d5c07ff9639
      b7eb7dfb3512e5de435e7207ed971ef3d2726d9b5ef6affc6d17a0decbb13892`,
    payload: `45000044090c00004001f990c0a87b03c0a87bc8 0800d63caa0a0200c69c083da3de0300
      ffffffffffffffffffffffffffffffff ffffffffffffffffffffffffffffffff`,
    nextHeader: 4,
  },
];

/** RFC 3686 §6; the nonce, our salt, stands after the key. */
export const aesCtr: readonly CipherVector[] = [
  {
    source: 'RFC 3686 §6 vector 1',
    key: 'ae6852f8121067cc4bf7a5765577f39e 00000030',
    iv: '0000000000000000',
    plain: ascii('Single block msg'),
    text: 'e4095d4fb7a7b3792d6175a3261311b8',
  },
  {
    source: 'RFC 3686 §6 vector 2',
    key: '7e24067817fae0d743d6ce1f32539163 006cb6db',
    iv: 'c0543b59da48d90b',
    plain: counting(0, 32),
    text: '5104a106168a72d9790d41ee8edad388 eb2e1efc46da57c8fce630df9141be28',
  },
  {
    source: 'RFC 3686 §6 vector 3',
    key: '7691be035e5020a8ac6e618529f9a0dc 00e0017b',
    iv: '27777f3f4a1786f0',
    plain: counting(0, 36),
    text: 'c1cf48a89f2ffdd9cf4652e9efdb72d7 4540a42bde6d7836d59a5ceaaef31053 25b2072f',
  },
  {
    source: 'RFC 3686 §6 vector 4',
    key: '16af5b145fc9f579c175f93e3bfb0eed 863d06ccfdb78515 00000048',
    iv: '36733c147d6d93cb',
    plain: ascii('Single block msg'),
    text: '4b55384fe259c9c84e7935a003cbe928',
  },
  {
    source: 'RFC 3686 §6 vector 5',
    key: '7c5cb2401b3dc33c19e7340819e0f69c 678c3db8e6f6a91a 0096b03b',
    iv: '020c6eadc2cb500d',
    plain: counting(0, 32),
    text: '453243fc609b23327edfaafa7131cd9f 8490701c5ad4a79cfc1fe0ff42f4fb00',
  },
  {
    source: 'RFC 3686 §6 vector 6',
    key: '02bf391ee8ecb159b959617b0965279b f59b60a786d3e0fe 0007bdfd',
    iv: '5cbd60278dcc0912',
    plain: counting(0, 36),
    text: '96893fc55e5c722f540b7dd1ddf7e758 d288bc95c69165884536c811662f2188 abee0935',
  },
  {
    source: 'RFC 3686 §6 vector 7',
    key: '776beff2851db06f4c8a0542c8696f6c 6a81af1eec96b4d37fc1d689e6c1c104 00000060',
    iv: 'db5672c97aa8f0b2',
    plain: ascii('Single block msg'),
    text: '145ad01dbf824ec7560863dc71e3e0c0',
  },
  {
    source: 'RFC 3686 §6 vector 8',
    key: 'f6d66d6bd52d59bb0796365879eff886 c66dd51a5b6a99744b50590c87a23884 00faac24',
    iv: 'c1585ef15a43d875',
    plain: counting(0, 32),
    text: 'f05e231b3894612c49ee000b804eb2a9 b8306b508f839d6a5530831d9344af1c',
  },
  {
    source: 'RFC 3686 §6 vector 9',
    key: 'ff7a617ce69148e4f1726e2f43581de2 aa62d9f805532edff1eed687fb54153d 001cc5b7',
    iv: '51a51d70a1c11148',
    plain: counting(0, 36),
    text: 'eb6c52821d0bbbf7ce7594462aca4faa b407df866569fd07f48cc0b583d6071f 1ec0e6b8',
  },
];

/** NIST TDES Multi-block Message Test for CBC (TCBCMMT3), the first two of encryption. */
export const tripleDesCbc: readonly CipherVector[] = [
  {
    source: 'NIST TCBCMMT3 count 0',
    key: '627f460e08104a10 43cd265d5840eaf1 313edf97df2a8a8c',
    iv: '8e29f75ea77e5475',
    plain: '326a494cd33fe756',
    text: 'b22b8d66de970692',
  },
  {
    source: 'NIST TCBCMMT3 count 1',
    key: '37ae5ebf46dff2dc 0754b94f31cbb385 5e7fd36dc870bfae',
    iv: '3d1de3cc132e3b65',
    plain: '84401f78fe6c1087 6d8ea23094ea5309',
    text: '7b1f7c7e3b1c948e bd04a75ffba7d2f5',
  },
];

/** FIPS 81 appendix, table C1; and NESSIE DES set 8, vectors 0 and 1 (ECB, so one block under a zero IV). */
export const desCbc: readonly CipherVector[] = [
  {
    source: 'FIPS 81 table C1',
    key: '0123456789abcdef',
    iv: '1234567890abcdef',
    plain: '4e6f772069732074 68652074696d6520 666f7220616c6c20',
    text: 'e5c7cdde872bf27c 43e934008c389c0f 683788499a7c05f6',
  },
  {
    source: 'NESSIE DES set 8 vector 0',
    key: '0001020304050607',
    iv: '0000000000000000',
    plain: '41ad068548809d02',
    text: '0011223344556677',
  },
  {
    source: 'NESSIE DES set 8 vector 1',
    key: '2bd6459f82c5b300',
    iv: '0000000000000000',
    plain: 'b10f843097a0f932',
    text: 'ea024714ad5c4d84',
  },
];
