import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatPrefix, inPrefix, type Prefix, prefixRange } from '../../src/bytes/ip.ts';
import { addressWords } from '../../src/esp/address.ts';
import { DEEPEST, Tries } from '../../src/esp/trie.ts';
import { ip } from './packets.ts';

/** The values whose prefixes cover the address, the longest first. */
function offered(tries: Tries, trie: number, address: Uint8Array): number[] {
  const [a0 = 0, a1 = 0, a2 = 0, a3 = 0] = addressWords(address);
  const path = new Int32Array(DEEPEST);
  const count = tries.match(trie, a0, a1, a2, a3, path);
  return [...path.subarray(0, count)].map((node) => tries.value(node)).reverse();
}

function place(tries: Tries, trie: number, { address, length }: Prefix, value: number): number {
  const node = tries.place(trie, addressWords(address), length);
  tries.setValue(node, value);
  return node;
}

const octet = fc.constantFrom(0, 1, 0x80, 0x81, 0xc0, 0xff);
const FAMILIES = {
  IPv4: fc.tuple(octet, octet, octet, octet).map((bytes) => Uint8Array.from(bytes)),
  IPv6: fc
    .tuple(octet, octet, octet, octet)
    .map(([a, b, c, d]) => Uint8Array.of(a, b, a, b, a, a, b, b, c, c, c, c, d, 0, 0, d)),
};

for (const [family, address] of Object.entries(FAMILIES)) {
  const prefix = fc.tuple(address, fc.nat(128)).map(([bytes, bits]): Prefix => {
    const length = bits % (bytes.length * 8 + 1);
    return { address: prefixRange({ address: bytes, length }).start, length };
  });

  test(`the trie holds what a list of ${family} prefixes would`, () => {
    const steps = fc.array(fc.tuple(prefix, fc.boolean()), { maxLength: 60 });
    fc.assert(
      fc.property(steps, fc.array(address), (all, addresses) => {
        const tries = new Tries();
        // Another trie in the same pool: what happens to one is nothing to the other.
        const other = tries.trie();
        place(tries, other, { address: new Uint8Array(4), length: 0 }, 1000);
        const trie = tries.trie();
        const list = new Map<string, { readonly prefix: Prefix; readonly node: number; readonly value: number }>();
        for (const [index, [each, keep]] of all.entries()) {
          const name = formatPrefix(each);
          const known = list.get(name);
          if (keep) {
            const node = place(tries, trie, each, index + 1);
            assert.equal(node, known?.node ?? node);
            list.set(name, { prefix: each, node, value: index + 1 });
          } else if (known) {
            tries.setValue(known.node, 0);
            tries.remove(trie, known.node);
            list.delete(name);
          }
          for (const { node, value } of list.values()) assert.equal(tries.value(node), value);
          assert.equal(tries.isEmpty(trie), list.size === 0);
        }
        for (const each of [...addresses, ...all.map(([{ address: start }]) => start)]) {
          const covering = [...list.values()].filter(({ prefix: p }) => inPrefix(p, each));
          covering.sort((a, b) => b.prefix.length - a.prefix.length);
          assert.deepEqual(
            offered(tries, trie, each),
            covering.map(({ value }) => value),
          );
          assert.deepEqual(offered(tries, other, each), [1000]);
        }
        for (const { node } of list.values()) {
          tries.setValue(node, 0);
          tries.remove(trie, node);
        }
        assert.equal(tries.isEmpty(trie), true);
      }),
      { numRuns: 200 },
    );
  });
}

test('a look-up offers as many values with ten thousand tunnels as there are prefixes around its address', () => {
  const tries = new Tries();
  const trie = tries.trie();
  for (let i = 0; i < 10_000; i++) {
    place(tries, trie, { address: Uint8Array.of(10, i >> 8, i & 0xff, 0), length: 24 }, i + 1);
  }
  place(tries, trie, { address: Uint8Array.of(0, 0, 0, 0), length: 0 }, 99_999);
  assert.deepEqual(offered(tries, trie, ip('10.39.15.200')), [39 * 256 + 15 + 1, 99_999]);
  assert.deepEqual(offered(tries, trie, ip('11.39.15.200')), [99_999]);
});
