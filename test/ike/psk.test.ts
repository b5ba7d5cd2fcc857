import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/bytes/bytes.ts';
import { Secret, type SharedKey } from '../../src/ike/connection.ts';
import { parseOwner } from '../../src/ike/identity.ts';
import { findSharedKey, type KeyQuery } from '../../src/ike/psk.ts';
import { ID } from '../../src/ike/wire/constants.ts';
import type { Identity } from '../../src/ike/wire/payload.ts';

function key(name: string, ...owners: readonly string[]): SharedKey {
  return { owners: owners.map(identity), secret: new Secret(utf8(name)) };
}

function identity(text: string): Identity {
  const owner = parseOwner(text);
  assert.ok(owner, text);
  return owner;
}

function find(keys: readonly SharedKey[], local: string | undefined, remote: string | undefined): string | undefined {
  const query: KeyQuery = {
    localId: local === undefined ? undefined : identity(local),
    remoteId: remote === undefined ? undefined : identity(remote),
    localIp: '192.0.2.1',
    remoteIp: '203.0.113.7',
  };
  const found = findSharedKey(keys, query);
  return found && new TextDecoder().decode(found.secret.reveal());
}

test('the most specific owners win, wherever the key stands', () => {
  const keys = [
    key('nobody'),
    key('any', '%any'),
    key('local address', '192.0.2.1', '203.0.113.7'),
    key('peer', '@b'),
    key('peer and address', '192.0.2.1', '@b'),
    key('both', '@a', '@b'),
  ];
  const expected = ['both', 'peer and address', 'peer', 'local address', 'any', 'nobody'];
  const left = [...keys];
  for (const name of expected) {
    for (const order of [left, [...left].reverse()]) assert.equal(find(order, '@a', '@b'), name);
    left.splice(
      left.findIndex((candidate) => new TextDecoder().decode(candidate.secret.reveal()) === name),
      1,
    );
  }
});

test('of equal keys the first is taken', () => {
  assert.equal(find([key('one', '@a', '@b'), key('two', '@b', '@a')], '@a', '@b'), 'one');
});

// SECURITY: a secret is bound to the identities it was given for
test('a key whose owners name others is never used', () => {
  assert.equal(find([key('x', '@a', '@b')], '@a', '@c'), undefined);
  assert.equal(find([key('x', '@c')], '@a', '@b'), undefined);
  assert.equal(find([key('x', '@c', '%any')], '@a', '@b'), undefined);
  assert.equal(find([key('x', '198.51.100.1')], '@a', '@b'), undefined);
  assert.equal(find([key('x', '@a', '@b', '@c')], '@a', '@d'), undefined);
});

test('two peers that swap their names get each other’s keys, which they do not know', () => {
  const keys = [key('of b', '@a', '@b'), key('of c', '@a', '@c')];
  assert.equal(find(keys, '@a', '@b'), 'of b');
  assert.equal(find(keys, '@a', '@c'), 'of c');
});

test('one owner that is ourselves opens to any peer, as does %any beside us', () => {
  assert.equal(find([key('x', '@a')], '@a', '@b'), 'x');
  assert.equal(find([key('x', '@a', '%any')], '@a', '@b'), 'x');
  assert.equal(find([key('x', '%any', '@a'), key('y', '@b')], '@a', '@b'), 'y');
});

test('an owner that is an address is meant for the peer behind it, whatever it calls itself', () => {
  assert.equal(find([key('x', '203.0.113.7')], '@a', '@b'), 'x');
  assert.equal(find([key('x', '203.0.113.7'), key('y', '@b')], '@a', '@b'), 'y');
  assert.equal(find([key('x', '203.0.113.7')], undefined, undefined), 'x');
});

test('while the peer has no name, a key between us and somebody is better than none', () => {
  assert.equal(find([key('x', '@a', '@b'), key('y')], '@a', undefined), 'x');
  assert.equal(find([key('x', '@c', '@b')], '@a', undefined), undefined);
});

test('names that a peer sends are not patterns', () => {
  const keys = [key('x', '@a', '@b')];
  for (const name of ['%any', '*', '', '0.0.0.0', '__proto__', 'constructor', '@b', 'b\u0000', 'b'.repeat(65_536)]) {
    const remoteId = { type: ID.FQDN, data: utf8(name) };
    const query = { localId: identity('@a'), remoteId, localIp: '192.0.2.1', remoteIp: '203.0.113.7' };
    assert.equal(findSharedKey(keys, query), undefined, name.slice(0, 20));
  }
  const remoteId = { type: 0, data: new Uint8Array(0) };
  assert.equal(
    findSharedKey([key('x', '@c', '%any')], { remoteId, localIp: '192.0.2.1', remoteIp: '203.0.113.7' }),
    undefined,
  );
});
