// Arbitraries for IKEv1 payloads and messages: everything they make is well-formed, so that it survives encoding and
// decoding unchanged. And messages that the encoders would not make.

import fc from 'fast-check';
import { concat } from '../../src/bytes/bytes.ts';
import { ID, PAYLOAD, PROTOCOL } from '../../src/ike/v1/wire/constants.ts';
import { encodeMessage, type HeaderFields } from '../../src/ike/v1/wire/message.ts';
import type { Attribute, Id, Payload, Proposal, Tag, Transform } from '../../src/ike/v1/wire/payload.ts';
import { long, octet, octets, record, word } from './wire.ts';

const type = fc.nat({ max: 0x7fff });

export const attribute: fc.Arbitrary<Attribute> = fc.oneof(
  record({ type, value: octets(2), short: fc.constant(true) }),
  record({ type, value: octets(0, 20), short: fc.constant(false) }),
);

export const transform: fc.Arbitrary<Transform> = record({
  number: octet,
  id: octet,
  attributes: fc.array(attribute, { maxLength: 10 }),
});

export const proposals: fc.Arbitrary<Proposal[]> = fc.array(
  record({
    number: octet,
    protocol: octet,
    spi: octets(0, 20),
    transforms: fc.array(transform, { minLength: 1, maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 6 },
);

export const id: fc.Arbitrary<Id> = fc.oneof(
  sized([ID.IPV4_ADDR], 4, 4),
  sized([ID.IPV4_ADDR_SUBNET, ID.IPV4_ADDR_RANGE], 8, 8),
  sized([ID.IPV6_ADDR], 16, 16),
  sized([ID.IPV6_ADDR_SUBNET, ID.IPV6_ADDR_RANGE], 32, 32),
  sized([0, ID.FQDN, ID.USER_FQDN, ID.DER_ASN1_DN, ID.DER_ASN1_GN, ID.KEY_ID, 255], 1, 60),
);

function sized(types: readonly number[], min: number, max: number): fc.Arbitrary<Id> {
  return record({ type: fc.constantFrom(...types), protocol: octet, port: word, data: octets(min, max) });
}

const known = new Set<number>(Object.values(PAYLOAD));
const unknownId = fc.integer({ min: 1, max: 255 }).filter((number) => !known.has(number) || number === PAYLOAD.ATTR);

/** One arbitrary per tag. */
export const payloadOf = {
  SA: record({ tag: fc.constant('SA'), proposals }),
  KE: record({ tag: fc.constant('KE'), data: octets(1, 300) }),
  ID: record({ tag: fc.constant('ID'), id }),
  CERT: record({ tag: fc.constant('CERT'), encoding: octet, data: octets(0, 100) }),
  CR: record({ tag: fc.constant('CR'), encoding: octet, data: octets(0, 100) }),
  HASH: record({ tag: fc.constant('HASH'), data: octets(0, 64) }),
  SIG: record({ tag: fc.constant('SIG'), data: octets(0, 256) }),
  NONCE: record({ tag: fc.constant('NONCE'), data: octets(8, 256) }),
  N: record({ tag: fc.constant('N'), protocol: octet, spi: octets(0, 20), kind: word, data: octets(0, 60) }),
  D: fc.oneof(
    record({
      tag: fc.constant('D'),
      protocol: fc.constant(PROTOCOL.ISAKMP),
      spis: fc.array(octets(16), { minLength: 1, maxLength: 4 }),
    }),
    record({
      tag: fc.constant('D'),
      protocol: fc.constantFrom(PROTOCOL.AH, PROTOCOL.ESP),
      spis: fc.array(octets(4), { minLength: 1, maxLength: 8 }),
    }),
  ),
  VID: record({ tag: fc.constant('VID'), data: octets(0, 60) }),
  NATD: record({ tag: fc.constant('NATD'), draft: fc.boolean(), data: octets(0, 64) }),
  NATOA: record({ tag: fc.constant('NATOA'), draft: fc.boolean(), address: fc.oneof(octets(4), octets(16)) }),
  FRAG: record({ tag: fc.constant('FRAG'), id: word, number: octet, last: fc.boolean(), data: octets(1, 100) }),
  unknown: record({ tag: fc.constant('unknown'), id: unknownId, data: octets(0, 60) }),
} as const satisfies Readonly<Record<Tag, fc.Arbitrary<Payload>>>;

export const payload: fc.Arbitrary<Payload> = fc.oneof(...Object.values<fc.Arbitrary<Payload>>(payloadOf));

export const payloads: fc.Arbitrary<Payload[]> = fc.array(payload, { maxLength: 10 });

export const headerFields: fc.Arbitrary<HeaderFields> = record({
  spiI: octets(8),
  spiR: octets(8),
  exchange: octet,
  messageId: long,
});

/** A header with these bytes behind it, its length field right. */
export function withChain(fields: HeaderFields, nextPayload: number, chain: Uint8Array): Uint8Array {
  const datagram = concat(encodeMessage(fields, []), chain);
  datagram[16] = nextPayload;
  new DataView(datagram.buffer).setUint32(24, datagram.length);
  return datagram;
}

/** A payload of any type on its own, whatever its body. */
export function alone(body: Uint8Array): Uint8Array {
  const length = body.length + 4;
  return concat(Uint8Array.of(0, 0, length >> 8, length & 0xff), body);
}
