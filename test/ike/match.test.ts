// The indexes over connections and keys against the plain search that they stand for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compare, utf8 } from '../../src/bytes/bytes.ts';
import { parseIp, parsePrefix, prefixRange } from '../../src/bytes/ip.ts';
import { type AddressPattern, type Connection, Secret, type SharedKey } from '../../src/ike/connection.ts';
import { ANY_ID, identityKey, matchesIdentity, parseIdentity, sameIdentity } from '../../src/ike/identity.ts';
import { namedConnections, offeringConnections } from '../../src/ike/match.ts';
import { findSharedKey } from '../../src/ike/psk.ts';
import type { Identity } from '../../src/ike/wire/payload.ts';
import { connection, id, offers } from '../support/connections.ts';

const IPS = ['192.0.2.1', '192.0.2.2', '198.51.100.7', '2001:db8::1'] as const;

function bytes(ip: string): Uint8Array {
  const parsed = parseIp(ip);
  assert.ok(parsed, ip);
  return parsed;
}

function prefix(text: string): AddressPattern {
  const parsed = parsePrefix(text);
  assert.ok(parsed, text);
  return { kind: 'prefix', prefix: parsed };
}

const PATTERNS: readonly AddressPattern[] = [
  { kind: 'any' },
  ...IPS.map(prefix),
  ...['192.0.2.0/24', '192.0.0.0/8', '0.0.0.0/0', '2001:db8::/32'].map(prefix),
  { kind: 'range', start: bytes('192.0.2.1'), end: bytes('192.0.2.9') },
  { kind: 'range', start: bytes('198.51.100.7'), end: bytes('198.51.100.7') },
  { kind: 'name', name: 'gw.test' },
];
const NAMES = ['a.test', 'A.test', 'b.test', 'c@test'].map(id);
const OFFERS = ['aes128gcm16-prfsha256-x25519', 'aes256gcm16-prfsha384-ecp256'].map((text) => offers(text, 'ike'));

/** Often the same few, so that connections share their addresses, and places of equal rank stand mixed. */
const patterns = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom<AddressPattern[][]>(
      [{ kind: 'any' }],
      [prefix('192.0.2.1')],
      [prefix('192.0.2.1'), prefix('192.0.2.2')],
    ),
  },
  { weight: 1, arbitrary: fc.array(fc.constantFrom(...PATTERNS), { maxLength: 3 }) },
);
const conns = fc
  .array(
    fc.record({
      localAddrs: patterns,
      remoteAddrs: patterns,
      offers: fc.constantFrom(...OFFERS),
      version: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
      remoteId: fc.constantFrom<Connection['remoteId']>(
        { kind: 'any' },
        ...NAMES.map((name) => ({ kind: 'is' as const, id: name })),
      ),
    }),
    { maxLength: 12 },
  )
  .map((list) => list.map((over, i) => connection({ ...over, name: `c${i}` })));

/** Every connection looked at, the most specific first. */
function plain(connections: readonly Connection[], local: string, remote: string): Connection[] {
  return connections
    .flatMap((conn) => {
      const ours = closest(conn.localAddrs, local);
      const theirs = closest(conn.remoteAddrs, remote);
      return conn.version === 1 || ours < 0 || theirs < 0 ? [] : [{ conn, rank: theirs * 1000 + ours }];
    })
    .sort((a, b) => b.rank - a.rank)
    .map(({ conn }) => conn);
}

function closest(list: readonly AddressPattern[], ip: string): number {
  const address = bytes(ip);
  const inside = ({ start, end }: { start: Uint8Array; end: Uint8Array }) =>
    start.length === address.length && compare(start, address) <= 0 && compare(address, end) <= 0;
  return Math.max(
    -1,
    ...list.map((pattern) => {
      if (pattern.kind === 'any') return 0;
      if (pattern.kind === 'name') return -1;
      if (pattern.kind === 'range') return inside(pattern) ? 1 : -1;
      return inside(prefixRange(pattern.prefix)) ? 1 + pattern.prefix.length : -1;
    }),
  );
}

const names = (list: readonly Connection[]) => list.map(({ name }) => name);

test('a peer is offered the same connections in the same order as a search of all would find', () => {
  fc.assert(
    fc.property(
      conns,
      fc.constantFrom(...IPS),
      fc.constantFrom(...IPS),
      fc.boolean(),
      (list, local, remote, frozen) => {
        const connections = frozen ? Object.freeze(list) : list;
        const seen = new Set<unknown>();
        const firsts = plain(connections, local, remote).filter(
          (conn) => !seen.has(conn.offers) && seen.add(conn.offers),
        );
        // Twice: the second time the index is there.
        for (let i = 0; i < 2; i++)
          assert.deepEqual(names(offeringConnections(connections, local, remote)), names(firsts));
      },
    ),
  );
});

test('a peer that has named itself finds the connections that take its name, in the same order', () => {
  const peer = fc.constantFrom(...NAMES, ANY_ID);
  fc.assert(
    fc.property(conns, fc.constantFrom(...IPS), fc.constantFrom(...IPS), peer, (list, local, remote, name) => {
      const connections = Object.freeze(list);
      const expected = plain(connections, local, remote).filter((conn) => matchesIdentity(conn.remoteId, name));
      for (let i = 0; i < 2; i++) {
        assert.deepEqual(names(namedConnections(connections, local, remote, name)), names(expected));
      }
    }),
    { numRuns: 500 },
  );
});

test('a list that may still change is searched as it is at that moment', () => {
  const list = [connection({ name: 'one' })];
  assert.deepEqual(names(offeringConnections(list, '192.0.2.1', '192.0.2.2')), ['one']);
  list[0] = connection({ name: 'two' });
  assert.deepEqual(names(offeringConnections(list, '192.0.2.1', '192.0.2.2')), ['two']);
});

test('two identities have the same key exactly when they are the same', () => {
  const texts = [
    'a.test',
    'A.TEST',
    '@a.test',
    'a@test',
    'A@TEST',
    '@#61',
    '192.0.2.1',
    'keyid:a.test',
    'keyid:A.test',
  ];
  const identities = texts.map((text): Identity => {
    const identity = parseIdentity(text);
    assert.ok(identity, text);
    return identity;
  });
  for (const a of [...identities, ANY_ID]) {
    for (const b of [...identities, ANY_ID]) {
      const key = identityKey(a);
      assert.equal(key !== undefined && key === identityKey(b), sameIdentity(a, b));
    }
  }
});

test('the key that an index finds is the one that a search of all finds', () => {
  const owners = [ANY_ID, ...NAMES, ...IPS.map(id)];
  const keys = fc.array(fc.array(fc.constantFrom(...owners), { maxLength: 3 }), { maxLength: 10 });
  const name = fc.option(fc.constantFrom(...NAMES, id('192.0.2.1')), { nil: undefined });
  fc.assert(
    fc.property(
      keys,
      name,
      name,
      fc.constantFrom(...IPS),
      fc.constantFrom(...IPS),
      (lists, localId, remoteId, ...ips) => {
        const list: SharedKey[] = lists.map((some, i) => ({ owners: some, secret: new Secret(utf8(`${i}`)) }));
        const query = { localId, remoteId, localIp: ips[0], remoteIp: ips[1] };
        const expected = findSharedKey(list, query);
        const frozen = Object.freeze([...list]);
        for (let i = 0; i < 2; i++) assert.equal(findSharedKey(frozen, query), expected);
      },
    ),
    { numRuns: 500 },
  );
});
