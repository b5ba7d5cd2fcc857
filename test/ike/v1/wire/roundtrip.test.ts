// encode(decode(x)) = x and decode(encode(v)) = v, per payload and for whole messages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../../../src/bytes/bytes.ts';
import { PAYLOAD } from '../../../../src/ike/v1/wire/constants.ts';
import {
  encodeChain,
  encodeEncrypted,
  encodeMessage,
  parseChain,
  parseMessage,
} from '../../../../src/ike/v1/wire/message.ts';
import type { Payload } from '../../../../src/ike/v1/wire/payload.ts';
import { octet, octets } from '../../../support/wire.ts';
import { headerFields, payloadOf, payloads } from '../../../support/wire1.ts';

for (const [tag, arbitrary] of Object.entries<fc.Arbitrary<Payload>>(payloadOf)) {
  test(`a payload ${tag} comes back from its bytes, and its bytes from it`, () => {
    fc.assert(
      fc.property(arbitrary, (payload) => {
        const { first, bytes } = encodeChain([payload]);
        const decoded = parseChain(first, bytes, { padded: false });
        assert.deepEqual(decoded, { payloads: [payload], raw: [bytes] });
        assert.deepEqual(encodeChain(decoded.payloads), { first, bytes });
      }),
    );
  });
}

test('a chain of payloads comes back in order, and its bytes piece by piece', () => {
  fc.assert(
    fc.property(payloads, (list) => {
      const { first, bytes } = encodeChain(list);
      const chain = parseChain(first, bytes, { padded: false });
      assert.deepEqual(chain.payloads, list);
      assert.equal(chain.raw.length, list.length);
      assert.deepEqual(concat(...chain.raw), bytes);
    }),
  );
});

test('a chain comes back whatever padding stands behind it', () => {
  fc.assert(
    fc.property(payloads, octets(0, 16), (list, padding) => {
      const { first, bytes } = encodeChain(list);
      const chain = parseChain(first, concat(bytes, padding), { padded: true });
      assert.deepEqual(chain.payloads, list);
      assert.deepEqual(concat(...chain.raw), bytes);
    }),
  );
});

test('a message in the clear comes back with its header', () => {
  fc.assert(
    fc.property(headerFields, payloads, (fields, list) => {
      const { first, bytes } = encodeChain(list);
      const { header, chain, body } = parseMessage(encodeMessage(fields, list));
      assert.deepEqual(header, { ...fields, nextPayload: first, encrypted: false, commit: false });
      assert.deepEqual(chain?.payloads, list);
      assert.deepEqual(body, bytes);
    }),
  );
});

test('an encrypted message comes back as header and ciphertext', () => {
  const first = octet.filter((type) => type !== PAYLOAD.FRAG);
  fc.assert(
    fc.property(headerFields, first, octets(0, 200), (fields, nextPayload, ciphertext) => {
      const { header, chain, body } = parseMessage(encodeEncrypted(fields, nextPayload, ciphertext));
      assert.deepEqual(header, { ...fields, nextPayload, encrypted: true, commit: false });
      assert.equal(chain, undefined);
      assert.deepEqual(body, ciphertext);
    }),
  );
});
