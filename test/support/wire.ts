// Arbitraries for IKEv2 payloads and messages: everything they make is well-formed, so that it survives encoding and
// decoding unchanged. And messages that the encoders would not make.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compare, concat } from '../../src/bytes/bytes.ts';
import { WireError } from '../../src/bytes/error.ts';
import { ID, PAYLOAD, PROTOCOL } from '../../src/ike/wire/constants.ts';
import { encodeMessage, type HeaderFields } from '../../src/ike/wire/message.ts';
import type { Attribute, Identity, Payload, Proposal, Tag, Transform } from '../../src/ike/wire/payload.ts';
import type { Selector } from '../../src/ike/wire/ts.ts';

export const octet = fc.nat({ max: 0xff });
export const word = fc.nat({ max: 0xffff });
export const long = fc.nat({ max: 0xffffffff });

/** fast-check's own records may lack a prototype, which `deepEqual` tells from the decoders' values. */
export function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

export function octets(minLength: number, maxLength = minLength): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength, maxLength });
}

export const transform: fc.Arbitrary<Transform> = fc.oneof(
  record({ type: octet, id: word }),
  record({ type: octet, id: word, keyBits: word }),
);

const spiAndProtocol = fc.oneof(
  record({ protocol: fc.constant(PROTOCOL.IKE), spi: fc.oneof(octets(0), octets(8)) }),
  record({ protocol: fc.constantFrom(PROTOCOL.AH, PROTOCOL.ESP), spi: octets(4) }),
  record({ protocol: fc.integer({ min: 4, max: 255 }), spi: octets(0, 20) }),
);

/** Numbered 1, 2, 3 … as an initiator does. */
export const proposals: fc.Arbitrary<Proposal[]> = fc
  .array(fc.tuple(spiAndProtocol, fc.array(transform, { maxLength: 12 })), { minLength: 1, maxLength: 6 })
  .map((list) => list.map(([{ protocol, spi }, transforms], i) => ({ number: i + 1, protocol, spi, transforms })));

const ports = fc.oneof(
  fc.constant({ startPort: 0, endPort: 0xffff }),
  fc.constant({ startPort: 0xffff, endPort: 0 }),
  fc.tuple(word, word).map(([a, b]) => ({ startPort: Math.min(a, b), endPort: Math.max(a, b) })),
);

const addresses = fc
  .constantFrom(4, 16)
  .chain((size) => fc.tuple(octets(size), octets(size)))
  .map(([a, b]) => (compare(a, b) <= 0 ? { start: a, end: b } : { start: b, end: a }));

export const selector: fc.Arbitrary<Selector> = fc
  .tuple(octet, ports, addresses)
  .map(([protocol, { startPort, endPort }, { start, end }]) => ({ protocol, startPort, endPort, start, end }));

export const selectors: fc.Arbitrary<Selector[]> = fc.array(selector, { maxLength: 8 });

export const identity: fc.Arbitrary<Identity> = fc.oneof(
  record({ type: fc.constant(ID.IPV4_ADDR), data: octets(4) }),
  record({ type: fc.constant(ID.IPV6_ADDR), data: octets(16) }),
  record({
    type: fc.constantFrom(ID.FQDN, ID.RFC822_ADDR, ID.DER_ASN1_DN, ID.DER_ASN1_GN, ID.KEY_ID, ID.NULL, 200),
    data: octets(0, 60),
  }),
);

const attribute: fc.Arbitrary<Attribute> = record({ type: fc.nat({ max: 0x7fff }), value: octets(0, 20) });

/** RFC 3748 §4: code, identifier, length, data. */
const eap = fc.tuple(octet, octet, octets(0, 40)).map(([code, id, data]) => {
  const length = data.length + 4;
  return Uint8Array.of(code, id, length >> 8, length & 0xff, ...data);
});

const known = new Set<number>(Object.values(PAYLOAD));
const unknownId = fc.integer({ min: 1, max: 255 }).filter((id) => !known.has(id) || id === PAYLOAD.PS);

/** One arbitrary per tag. */
export const payloadOf = {
  SA: record({ tag: fc.constant('SA'), proposals }),
  KE: record({ tag: fc.constant('KE'), group: word, data: octets(1, 300) }),
  IDi: record({ tag: fc.constant('IDi'), id: identity }),
  IDr: record({ tag: fc.constant('IDr'), id: identity }),
  CERT: record({ tag: fc.constant('CERT'), encoding: octet, data: octets(0, 100) }),
  CERTREQ: record({ tag: fc.constant('CERTREQ'), encoding: octet, data: octets(0, 100) }),
  AUTH: record({ tag: fc.constant('AUTH'), method: octet, data: octets(0, 100) }),
  Nonce: record({ tag: fc.constant('Nonce'), data: octets(16, 256) }),
  N: record({ tag: fc.constant('N'), protocol: octet, spi: octets(0, 20), kind: word, data: octets(0, 60) }),
  D: fc.oneof(
    record({ tag: fc.constant('D'), protocol: fc.constant(PROTOCOL.IKE), spis: fc.constant([]) }),
    record({
      tag: fc.constant('D'),
      protocol: fc.constantFrom(PROTOCOL.AH, PROTOCOL.ESP),
      spis: fc.array(octets(4), { maxLength: 8 }),
    }),
  ),
  V: record({ tag: fc.constant('V'), data: octets(0, 60) }),
  TSi: record({ tag: fc.constant('TSi'), selectors }),
  TSr: record({ tag: fc.constant('TSr'), selectors }),
  CP: record({ tag: fc.constant('CP'), kind: octet, attributes: fc.array(attribute, { maxLength: 8 }) }),
  EAP: record({ tag: fc.constant('EAP'), data: eap }),
  unknown: record({ tag: fc.constant('unknown'), id: unknownId, critical: fc.boolean(), data: octets(0, 60) }),
} as const satisfies Readonly<Record<Tag, fc.Arbitrary<Payload>>>;

export const payload: fc.Arbitrary<Payload> = fc.oneof(...Object.values<fc.Arbitrary<Payload>>(payloadOf));

export const payloads: fc.Arbitrary<Payload[]> = fc.array(payload, { maxLength: 10 });

export const headerFields: fc.Arbitrary<HeaderFields> = record({
  spiI: octets(8),
  spiR: octets(8),
  exchange: octet,
  initiator: fc.boolean(),
  response: fc.boolean(),
  messageId: long,
});

/** A header with these bytes behind it, its length field right. */
export function withChain(fields: HeaderFields, nextPayload: number, chain: Uint8Array): Uint8Array {
  const datagram = concat(encodeMessage(fields, []), chain);
  datagram[16] = nextPayload;
  new DataView(datagram.buffer).setUint32(24, datagram.length);
  return datagram;
}

/** For `assert.throws`. */
export function refused(code: WireError['code'], offset?: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof WireError, String(error));
    assert.equal(error.code, code);
    if (offset !== undefined) assert.equal(error.offset, offset);
    return true;
  };
}
