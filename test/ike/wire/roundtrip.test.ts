// encode(decode(x)) = x and decode(encode(v)) = v, per payload and for whole messages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../../src/bytes/bytes.ts';
import { PAYLOAD } from '../../../src/ike/wire/constants.ts';
import {
  encodeMessage,
  encodePayloads,
  encryptedPrefix,
  parseMessage,
  parsePayloads,
} from '../../../src/ike/wire/message.ts';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { headerFields, octet, octets, payloadOf, payloads, withChain } from '../../support/wire.ts';

for (const [tag, arbitrary] of Object.entries<fc.Arbitrary<Payload>>(payloadOf)) {
  test(`an ${tag} payload comes back from its bytes, and its bytes from it`, () => {
    fc.assert(
      fc.property(arbitrary, (payload) => {
        const { first, bytes } = encodePayloads([payload]);
        const decoded = parsePayloads(first, bytes);
        assert.deepEqual(decoded, [payload]);
        assert.deepEqual(encodePayloads(decoded), { first, bytes });
      }),
    );
  });
}

test('a chain of payloads comes back in order', () => {
  fc.assert(
    fc.property(payloads, (list) => {
      const { first, bytes } = encodePayloads(list);
      assert.deepEqual(parsePayloads(first, bytes), list);
    }),
  );
});

test('an unencrypted message comes back with its header', () => {
  fc.assert(
    fc.property(headerFields, payloads, (fields, list) => {
      const message = parseMessage(encodeMessage(fields, list));
      const { nextPayload, major, minor, ...header } = message.header;
      assert.deepEqual(header, fields);
      assert.deepEqual([major, minor], [2, 0]);
      assert.equal(nextPayload, encodePayloads(list).first);
      assert.deepEqual(message.payloads, list);
      assert.equal(message.encrypted, undefined);
    }),
  );
});

test('an encrypted message comes back as prefix and body', () => {
  fc.assert(
    fc.property(headerFields, octet, octets(0, 200), (fields, inner, body) => {
      const prefix = encryptedPrefix(fields, inner, body.length);
      assert.equal(prefix.length, 32);
      const { header, payloads: outer, encrypted } = parseMessage(concat(prefix, body));
      assert.equal(header.nextPayload, PAYLOAD.SK);
      assert.deepEqual(outer, []);
      assert.deepEqual(encrypted, { inner, aad: prefix, body });
    }),
  );
});

test('a fragment comes back as prefix, number, total and body', () => {
  const numbers = fc.tuple(fc.integer({ min: 1, max: 0xffff }), fc.integer({ min: 1, max: 0xffff }));
  fc.assert(
    fc.property(headerFields, octet, octets(0, 200), numbers, (fields, inner, body, [a, b]) => {
      const fragment = { number: Math.min(a, b), total: Math.max(a, b) };
      const prefix = encryptedPrefix(fields, inner, body.length, fragment);
      assert.equal(prefix.length, 36);
      const { header, encrypted } = parseMessage(concat(prefix, body));
      assert.equal(header.nextPayload, PAYLOAD.SKF);
      assert.deepEqual(encrypted, { inner, aad: prefix, body, fragment });
    }),
  );
});

test('payloads before the encrypted one stay outside it', () => {
  fc.assert(
    fc.property(headerFields, payloads, octet, octets(0, 50), (fields, list, inner, body) => {
      // We never send such a message: the chain is made with SK as if we did not know it.
      const chain = encodePayloads([...list, { tag: 'unknown', id: PAYLOAD.SK, critical: false, data: body }]);
      const whole = withChain(fields, chain.first, chain.bytes);
      const skAt = whole.length - body.length - 4;
      whole[skAt] = inner;
      const message = parseMessage(whole);
      assert.deepEqual(message.payloads, list);
      assert.deepEqual(message.encrypted, { inner, aad: whole.subarray(0, skAt + 4), body });
    }),
  );
});
