// Key exchange: both ends agree, with themselves and with the twin, and unacceptable public values are refused
// (RFC 6989, RFC 8031 §5).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { same, unhex } from '../../src/bytes/bytes.ts';
import { KE } from '../../src/crypto/ids.ts';
import { modp768, modp1024, modp2048Order256, namedModp } from '../../src/crypto/primes.ts';
import { keyExchange, supported } from '../../src/crypto/registry.ts';
import { exchangeVectors } from '../vectors/crypto/exchanges.ts';
import { bytesOf, integer, nobleExchange, power, primeOf } from './exchange.ts';
import { present, suites } from './suite.ts';

/** Plain bigints take long for these; noble's agreement on them says nothing new. */
const SLOW: readonly number[] = [KE.MODP_6144, KE.MODP_8192];
const MODP: readonly number[] = [KE.MODP_768, KE.MODP_1024, KE.MODP_1536, KE.MODP_2048, KE.MODP_2048_256];

for (const group of supported.ke) {
  const exchange = present(keyExchange(group));

  test(`group ${group}: both ends agree`, () => {
    for (let run = 0; run < 3; run++) {
      const i = exchange.generate();
      const r = exchange.generate();
      assert.equal(i.public.length, exchange.publicSize);
      assert.ok(!same(i.secret, r.secret) && !same(i.public, r.public));
      const shared = present(exchange.agree(i, r.public));
      assert.deepEqual(exchange.agree(r, i.public), shared);
      const taken = { secret: i.secret.slice(), public: i.public.slice() };
      assert.deepEqual(exchange.agree(taken, r.public), shared, 'from exported state');
    }
  });

  if (!SLOW.includes(group))
    test(`group ${group}: the twin agrees with us`, () => {
      const twin = present(nobleExchange(group));
      const ours = exchange.generate();
      const theirs = twin.generate();
      assert.deepEqual(exchange.agree(ours, theirs.public), twin.agree(theirs, ours.public));
    });

  test(`group ${group}: keys are plain bytes with memory of their own`, () => {
    const pair = exchange.generate();
    const other = exchange.generate();
    for (const bytes of [pair.secret, pair.public, present(exchange.agree(pair, other.public))]) {
      assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
      assert.equal(bytes.buffer.byteLength, bytes.length);
    }
  });

  test(`group ${group}: a public value of another length is refused`, () => {
    const pair = exchange.generate();
    const value = exchange.generate().public;
    assert.equal(exchange.agree(pair, value.subarray(1)), undefined);
    assert.equal(exchange.agree(pair, Uint8Array.of(0, ...value)), undefined);
    assert.equal(exchange.agree(pair, new Uint8Array(0)), undefined);
  });

  test(`group ${group}: zero is refused`, () => {
    assert.equal(exchange.agree(exchange.generate(), new Uint8Array(exchange.publicSize)), undefined);
  });
}

const primes: Readonly<Record<number, () => Uint8Array>> = {
  [KE.MODP_768]: () => modp768().prime,
  [KE.MODP_1024]: () => modp1024().prime,
  [KE.MODP_1536]: () => namedModp('modp5', 32).prime,
  [KE.MODP_2048]: () => namedModp('modp14', 32).prime,
  [KE.MODP_2048_256]: () => modp2048Order256().prime,
};

for (const suite of suites)
  for (const group of MODP)
    test(`${suite.name}, group ${group}: one, p - 1, p and what lies above are refused (RFC 6989 §2.1)`, () => {
      const exchange = present(suite.keyExchange(group));
      const pair = exchange.generate();
      const prime = integer(present(primes[group])());
      for (const y of [0n, 1n, prime - 1n, prime, prime + 1n, (1n << BigInt(8 * exchange.publicSize)) - 1n])
        assert.equal(exchange.agree(pair, bytesOf(y, exchange.publicSize)), undefined);
    });

test('the primes are the ones that RFC 2409 and RFC 3526 define through pi', () => {
  assert.equal(integer(modp768().prime), primeOf(768, 149686));
  assert.equal(integer(modp1024().prime), primeOf(1024, 129093));
  assert.equal(integer(namedModp('modp14', 32).prime), primeOf(2048, 124476));
  assert.equal(integer(namedModp('modp18', 52).prime), primeOf(8192, 4743158));
});

test('the parameters of group 24 fit together', () => {
  const { prime, generator, order } = modp2048Order256();
  const p = integer(prime);
  const q = integer(present(order));
  assert.equal((p - 1n) % q, 0n);
  assert.equal(power(integer(generator), q, p), 1n);
});

for (const suite of suites)
  test(`${suite.name}, group 24: a value outside the subgroup is refused (RFC 6989 §2.2)`, () => {
    const exchange = present(suite.keyExchange(KE.MODP_2048_256));
    const pair = exchange.generate();
    const { prime, generator } = modp2048Order256();
    const p = integer(prime);
    const g = integer(generator);
    const outside = [2n, 3n, p - 2n, p - g].filter(
      (y) => power(y, integer(present(modp2048Order256().order)), p) !== 1n,
    );
    assert.ok(outside.length >= 3);
    for (const y of outside) assert.equal(exchange.agree(pair, bytesOf(y, 256)), undefined);
    assert.notEqual(exchange.agree(pair, bytesOf((g * g) % p, 256)), undefined);
  });

for (const suite of suites)
  for (const [group, size] of [
    [KE.ECP_256, 32],
    [KE.ECP_384, 48],
    [KE.ECP_521, 66],
  ] as const)
    test(`${suite.name}, group ${group}: a point off the curve is refused (RFC 6989 §2.3)`, () => {
      const exchange = present(suite.keyExchange(group));
      const pair = exchange.generate();
      const point = exchange.generate().public;
      const off = point.slice();
      off[2 * size - 1] = (off[2 * size - 1] ?? 0) ^ 1;
      assert.equal(exchange.agree(pair, off), undefined);
      const swapped = Uint8Array.of(...point.slice(size), ...point.slice(0, size));
      assert.equal(exchange.agree(pair, swapped), undefined);
      assert.equal(exchange.agree(pair, new Uint8Array(2 * size).fill(0xff)), undefined, 'coordinates above the field');
    });

/** Points of small order: RFC 7748 §6.1 and §6.2 ask for the check, the list is the well-known one. */
const small: readonly { readonly group: number; readonly values: readonly string[] }[] = [
  {
    group: KE.CURVE25519,
    values: [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      `ec${'ff'.repeat(30)}7f`,
      `ed${'ff'.repeat(30)}7f`,
      `ee${'ff'.repeat(30)}7f`,
    ],
  },
  { group: KE.CURVE448, values: ['00'.repeat(56), `01${'00'.repeat(55)}`, `fe${'ff'.repeat(27)}fe${'ff'.repeat(27)}`] },
];

for (const suite of suites)
  for (const { group, values } of small)
    test(`${suite.name}, group ${group}: a value that makes the secret all zero is refused (RFC 8031 §5)`, () => {
      const exchange = present(suite.keyExchange(group));
      const pair = exchange.generate();
      for (const value of values) assert.equal(exchange.agree(pair, unhex(value)), undefined, value);
    });

test('leading zeros of public values and of shared secrets are kept', () => {
  const exchange = present(keyExchange(KE.MODP_768));
  const pair = { secret: unhex('0190'), public: new Uint8Array(96) };
  assert.deepEqual(exchange.agree(pair, bytesOf(2n, 96)), bytesOf(2n ** 400n, 96));
  const vector = exchangeVectors.find(({ source }) => source.includes('A.8'));
  assert.match(present(vector).shared, /^00/);
});
