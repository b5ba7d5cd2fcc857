// Between which addresses a connection begins.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Prefix, parsePrefix } from '../../src/bytes/ip.ts';
import { choosePath } from '../../src/daemon/path.ts';
import type { AddressPattern, Connection } from '../../src/ike/connection.ts';
import { connection } from '../support/connections.ts';

function single(ip: string): AddressPattern {
  return { kind: 'prefix', prefix: parsePrefix(ip) as Prefix };
}

test('of a peer’s addresses, the first that ours allow and that has a route is called', () => {
  const remoteAddrs = ['2001:db8::2', '192.0.2.2', '198.51.100.2'].map(single);
  const routes = new Map([
    ['2001:db8::2', '2001:db8::1'],
    ['198.51.100.2', '198.51.100.1'],
  ]);
  const host = { sourceFor: (ip: string) => routes.get(ip), addresses: () => ['192.0.2.1'] };
  const path = (over: Partial<Connection>) => choosePath(connection({ remoteAddrs, ...over }), host);
  assert.deepEqual(path({}), { local: '2001:db8::1', remote: '2001:db8::2' });
  assert.deepEqual(path({ localAddrs: [single('192.0.2.1')] }), { local: '192.0.2.1', remote: '192.0.2.2' });
  assert.deepEqual(path({ localAddrs: [{ kind: 'prefix', prefix: parsePrefix('0.0.0.0/0') as Prefix }] }), {
    local: '198.51.100.1',
    remote: '198.51.100.2',
  });
  const none = path({ remoteAddrs: [single('192.0.2.9'), single('192.0.2.8')] });
  assert.deepEqual('text' in none && [none.code, none.text], [
    'no-route',
    'this host has no route to 192.0.2.9, 192.0.2.8',
  ]);
  const strange = path({ localAddrs: [single('192.0.2.7')] });
  assert.deepEqual('text' in strange && [strange.code, strange.text], [
    'not-our-address',
    '192.0.2.7 is not an address of this host',
  ]);
  const other = path({ localAddrs: [single('192.0.2.1')], remoteAddrs: [single('2001:db8::2')] });
  assert.match('text' in other ? other.text : '', /^the peer has IPv6 addresses only \(2001:db8::2\)/);
});

test('after an address that was silent comes the next one that has a route, and it again when there is no other', () => {
  const all = ['192.0.2.2', '192.0.2.3', '192.0.2.4'];
  const host = { sourceFor: (ip: string) => (ip === '192.0.2.3' ? undefined : '192.0.2.1'), addresses: () => [] };
  const next = (ip: string, remoteAddrs = all, silent = true) => {
    const called = { ip, silent };
    const path = choosePath(connection({ remoteAddrs: remoteAddrs.map(single) }), host, undefined, called);
    return 'remote' in path ? path.remote : path.code;
  };
  assert.equal(next('192.0.2.2'), '192.0.2.4');
  assert.equal(next('192.0.2.4'), '192.0.2.2');
  assert.equal(next('192.0.2.9'), '192.0.2.2', 'one that it has no more');
  assert.equal(next('192.0.2.2', ['192.0.2.2']), '192.0.2.2');
  assert.equal(next('192.0.2.4', all, false), '192.0.2.4', 'one that has answered');
});
