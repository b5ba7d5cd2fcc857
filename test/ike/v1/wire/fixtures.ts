// Messages laid out by hand from the figures of RFC 2408 §3, and what they say.

import { unhex } from '../../../../src/bytes/bytes.ts';
import {
  AUTHENTICATION,
  ENCAPSULATION,
  EXCHANGE,
  ID,
  IKE_ATTRIBUTE,
  KEY_IKE,
  LIFE,
  PROTOCOL,
  SA_ATTRIBUTE,
} from '../../../../src/ike/v1/wire/constants.ts';
import type { HeaderFields } from '../../../../src/ike/v1/wire/message.ts';
import type { Attribute, Payload } from '../../../../src/ike/v1/wire/payload.ts';

export function short(type: number, value: number): Attribute {
  return { type, value: Uint8Array.of(value >> 8, value & 0xff), short: true };
}

export function long(type: number, value: string): Attribute {
  return { type, value: unhex(value), short: false };
}

/** Main mode from a router: AES-256 or 3DES, pre-shared key, a day in the long form, and its vendor ids. */
export const MAIN_MODE_1 = unhex(`
  11 12 13 14 15 16 17 18  00 00 00 00 00 00 00 00
  01 10 02 00  00 00 00 00  00 00 00 e4
  0d 00 00 60  00 00 00 01  00 00 00 01
    00 00 00 54  01 01 00 02
      03 00 00 28  01 01 00 00
        80 01 00 07  80 0e 01 00  80 02 00 02  80 04 00 02  80 03 00 01  80 0b 00 01  00 0c 00 04 00 01 51 80
      00 00 00 24  02 01 00 00
        80 01 00 05  80 02 00 02  80 04 00 02  80 03 00 01  80 0b 00 01  00 0c 00 04 00 01 51 80
  0d 00 00 14  4a 13 1c 81 07 03 58 45 5c 57 28 f2 0e 95 45 2f
  0d 00 00 14  7d 94 19 a6 53 10 ca 6f 2c 17 9d 92 15 52 9d 56
  0d 00 00 14  90 cb 80 91 3e bb 69 6e 08 63 81 b5 ec 42 7b 1f
  0d 00 00 14  af ca d7 13 68 a1 f1 c9 6b 86 96 fc 77 57 01 00
  00 00 00 18  40 48 b7 d5 6e bc e8 85 25 e7 de 7f 00 d6 c2 d3 80 00 00 00
`);

export const main1Fields: HeaderFields = {
  spiI: unhex('11 12 13 14 15 16 17 18'),
  spiR: new Uint8Array(8),
  exchange: EXCHANGE.IDENTITY_PROTECTION,
  messageId: 0,
};

const common = [
  short(IKE_ATTRIBUTE.HASH, 2),
  short(IKE_ATTRIBUTE.GROUP, 2),
  short(IKE_ATTRIBUTE.AUTHENTICATION, AUTHENTICATION.PRE_SHARED_KEY),
  short(IKE_ATTRIBUTE.LIFE_TYPE, LIFE.SECONDS),
  long(IKE_ATTRIBUTE.LIFE_DURATION, '00 01 51 80'),
];

export const main1: readonly Payload[] = [
  {
    tag: 'SA',
    proposals: [
      {
        number: 1,
        protocol: PROTOCOL.ISAKMP,
        spi: new Uint8Array(),
        transforms: [
          {
            number: 1,
            id: KEY_IKE,
            attributes: [short(IKE_ATTRIBUTE.ENCRYPTION, 7), short(IKE_ATTRIBUTE.KEY_LENGTH, 256), ...common],
          },
          { number: 2, id: KEY_IKE, attributes: [short(IKE_ATTRIBUTE.ENCRYPTION, 5), ...common] },
        ],
      },
    ],
  },
  // RFC 3947, its drafts 03 and 02, RFC 3706, Cisco's fragmentation.
  { tag: 'VID', data: unhex('4a131c81070358455c5728f20e95452f') },
  { tag: 'VID', data: unhex('7d9419a65310ca6f2c179d9215529d56') },
  { tag: 'VID', data: unhex('90cb80913ebb696e086381b5ec427b1f') },
  { tag: 'VID', data: unhex('afcad71368a1f1c96b8696fc77570100') },
  { tag: 'VID', data: unhex('4048b7d56ebce88525e7de7f00d6c2d3 80000000') },
];

/** Quick mode, decrypted and without padding: ESP with AES-128 and SHA-1 for an hour, between two networks. */
export const QUICK_MODE_1 = unhex(`
  01 00 00 18  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13
  0a 00 00 38  00 00 00 01  00 00 00 01
    00 00 00 2c  01 03 04 01  c0 ff ee 01
      00 00 00 20  01 0c 00 00
        80 01 00 01  00 02 00 04 00 00 0e 10  80 04 00 01  80 05 00 02  80 06 00 80
  05 00 00 14  a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac ad ae af
  05 00 00 10  04 00 00 00  0a 00 01 00  ff ff ff 00
  00 00 00 10  04 06 00 50  0a 00 02 00  ff ff ff 00
`);

export const quick1: readonly Payload[] = [
  { tag: 'HASH', data: unhex('00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13') },
  {
    tag: 'SA',
    proposals: [
      {
        number: 1,
        protocol: PROTOCOL.ESP,
        spi: unhex('c0 ff ee 01'),
        transforms: [
          {
            number: 1,
            id: 12,
            attributes: [
              short(SA_ATTRIBUTE.LIFE_TYPE, LIFE.SECONDS),
              long(SA_ATTRIBUTE.LIFE_DURATION, '00 00 0e 10'),
              short(SA_ATTRIBUTE.ENCAPSULATION, ENCAPSULATION.TUNNEL),
              short(SA_ATTRIBUTE.AUTHENTICATION, 2),
              short(SA_ATTRIBUTE.KEY_LENGTH, 128),
            ],
          },
        ],
      },
    ],
  },
  { tag: 'NONCE', data: unhex('a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac ad ae af') },
  { tag: 'ID', id: { type: ID.IPV4_ADDR_SUBNET, protocol: 0, port: 0, data: unhex('0a 00 01 00 ff ff ff 00') } },
  { tag: 'ID', id: { type: ID.IPV4_ADDR_SUBNET, protocol: 6, port: 80, data: unhex('0a 00 02 00 ff ff ff 00') } },
];
