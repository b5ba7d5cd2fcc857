// What clients bring: connections and secrets in messages of every kind, friendly and hostile.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { unhex } from '../../../src/bytes/bytes.ts';
import { readConnection } from '../../../src/daemon/control/load.ts';
import { section, text } from '../../../src/daemon/control/section.ts';
import type { Item, Section, Value } from '../../../src/daemon/control/vici.ts';
import { conn } from '../../config/ipsec/read.ts';
import { connection } from '../../support/connections.ts';
import { stage } from './fake.ts';

const PSK = section(['auth', 'psk']);

function withConn(entries: readonly (readonly [string, Value])[]): Section {
  return new Map<string, Value>([['local', PSK], ['remote', PSK], ...entries]);
}

test('a connection that a client loads is configured as a client one, and can be unloaded', async (t) => {
  const { client, gateway } = await stage(t);
  const one = await client();
  const message = section(['gw', withConn([['remote_addrs', ['192.0.2.1']]])]);
  assert.deepEqual(await one.request('load-conn', message), section(['success', 'yes']));
  assert.deepEqual(
    gateway.configured().map(({ conn, origin }) => [conn.name, origin]),
    [['gw', 'client']],
  );
  assert.deepEqual(await one.request('get-conns'), section(['conns', ['gw']]));
  assert.deepEqual(await one.request('unload-conn', section(['name', 'gw'])), section(['success', 'yes']));
  assert.equal(text(await one.request('unload-conn', section(['name', 'gw'])), 'success'), 'no');
  assert.equal(text(await one.request('unload-conn'), 'errmsg'), 'unload: missing connection name');
});

test('what stands in an ipsec.conf is not among what swanctl may unload', async (t) => {
  const { client, gateway } = await stage(t);
  gateway.configuration.load({ ...conn('right=192.0.2.1'), name: 'old' });
  gateway.configuration.load(connection());
  assert.deepEqual(await (await client()).request('get-conns'), section(['conns', ['gw']]));
});

test('one value stands for a list of one, where charon insists on a list', () => {
  const read = readConnection('gw', withConn([['remote_addrs', '192.0.2.1, 192.0.2.2']]));
  assert.equal('wrong' in read ? read.wrong : read.connection.remoteAddrs.length, 2);
});

test('a list where one value is expected, and bytes where text is, are refused with the key', () => {
  const bytes: Item = unhex('ff00');
  for (const [key, value, wrong] of [
    ['version', ['1', '2'], 'vici gw: version has one value, not a list'],
    ['rekey_time', [], 'vici gw: rekey_time has one value, not a list'],
    ['version', bytes, 'vici gw: version is not text'],
    ['remote_addrs', ['192.0.2.1', bytes], 'vici gw: remote_addrs is not text'],
  ] as const) {
    assert.deepEqual(readConnection('gw', withConn([[key, value]])), { wrong }, key);
  }
  const local = section(['auth', 'psk'], ['id', ['a', 'b']]);
  assert.deepEqual(readConnection('gw', new Map([['local', local]])), {
    wrong: 'vici gw.local: id has one value, not a list',
  });
});

test('certificates come as they are, and are refused as the option that they stand for', () => {
  const local = section(['auth', 'psk'], ['certs', [unhex('3082ff')]]);
  const read = readConnection('gw', new Map([...withConn([]), ['local', local]]));
  assert.ok('wrong' in read);
  assert.equal(
    read.wrong,
    'vici gw.local: option "certs" is refused: certificates and public keys are not supported yet',
  );
});

test('names that mean something to JavaScript are names like others', async (t) => {
  const { client, gateway, bugs } = await stage(t);
  const one = await client();
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const loaded = await one.request('load-conn', new Map([[name, withConn([])]]));
    assert.deepEqual(loaded, section(['success', 'yes']), name);
    const strange = await one.request('load-conn', new Map([['gw', withConn([[name, 'x']])]]));
    assert.match(text(strange, 'errmsg') ?? '', new RegExp(`^vici gw: unknown option "${name}"`));
    const within = await one.request('load-conn', new Map([['gw', withConn([[name, new Map()]])]]));
    assert.match(text(within, 'errmsg') ?? '', new RegExp(`^vici gw.${name}: unknown section "${name}"`));
    assert.deepEqual(
      await one.request('load-shared', section(['id', name], ['type', 'ike'], ['data', 'sesame'])),
      section(['success', 'yes']),
    );
    assert.equal(text(await one.request('get-counters', section(['name', name])), 'success'), 'no', name);
  }
  assert.deepEqual(
    gateway.configured().map(({ conn }) => conn.name),
    ['__proto__', 'constructor', 'toString'],
  );
  assert.deepEqual(gateway.sharedIds(), ['__proto__', 'constructor', 'toString']);
  assert.equal(Object.getPrototypeOf({}), Object.prototype);
  assert.deepEqual(bugs, []);
});

test('a message that is not one section with a name is refused', async (t) => {
  const { client, gateway } = await stage(t);
  const one = await client();
  for (const message of [
    new Map(),
    section(['gw', 'x']),
    section(['gw', ['x']]),
    section(['', withConn([])]),
    section(['a', withConn([])], ['b', withConn([])]),
  ]) {
    assert.equal(text(await one.request('load-conn', message), 'success'), 'no', inspect(message));
  }
  assert.deepEqual(gateway.configured(), []);
});

test('a message with very many options is answered, with the first mistakes and not with all of them', async (t) => {
  const { client } = await stage(t);
  const one = await client();
  const many = Array.from({ length: 20_000 }, (_, i) => [`o${i}`, 'x'] as const);
  const reply = await one.request('load-conn', new Map([['gw', withConn(many)]]));
  assert.equal(text(reply, 'success'), 'no');
  assert.equal((text(reply, 'errmsg') ?? '').split('; ').length, 20);
});

test('a secret is loaded under its id, for its owners, as the bytes that came', async (t) => {
  const { client, gateway } = await stage(t);
  const one = await client();
  const data = unhex('00ff80');
  const message = section(['id', 'k'], ['type', 'IKE'], ['data', data], ['owners', ['gw.example.org', '%any']]);
  assert.deepEqual(await one.request('load-shared', message), section(['success', 'yes']));
  const [key] = gateway.configuration.secrets();
  assert.deepEqual(key?.secret.reveal(), data);
  assert.equal(key?.owners.length, 2);
  assert.deepEqual(await one.request('get-shared'), section(['keys', ['k']]));
  assert.deepEqual(await one.request('unload-shared', section(['id', 'k'])), section(['success', 'yes']));
  assert.deepEqual(await one.request('unload-shared', section(['id', 'k'])), section(['success', 'yes']));
  assert.deepEqual(gateway.sharedIds(), []);
});

test('secrets without an id are not listed, and replace those for the same owners', async (t) => {
  const { client, gateway } = await stage(t);
  const one = await client();
  const load = (owner: string, data: string) =>
    one.request('load-shared', section(['type', 'ike'], ['data', data], ['owners', [owner]]));
  await load('a.test', 'first');
  await load('b.test', 'second');
  await load('a.test', 'third');
  assert.deepEqual(await one.request('get-shared'), section(['keys', []]));
  assert.deepEqual(
    gateway.configuration.secrets().map(({ secret }) => new TextDecoder().decode(secret.reveal())),
    ['third', 'second'],
  );
  assert.deepEqual(await one.request('clear-creds'), section(['success', 'yes']));
  assert.deepEqual(gateway.configuration.secrets(), []);
});

test('a secret that is none is refused, and no answer has it', async (t) => {
  const { client, gateway } = await stage(t);
  const one = await client();
  const base = section(['id', 'k'], ['type', 'ike'], ['data', 'sesame']);
  for (const [key, value, errmsg] of [
    ['type', undefined, 'shared key type missing'],
    ['type', 'foo', 'invalid shared key type: foo'],
    ['type', 'EAP', 'a secret of type eap is refused: EAP and XAuth are not supported yet'],
    ['data', undefined, 'shared key data missing'],
    ['data', '', 'shared key data missing'],
    ['data', ['sesame'], 'shared key data is not one value'],
    ['data', section(['x', 'sesame']), 'shared key data is not one value'],
    ['owners', 'sesame', "'owners' is not a list"],
    ['owners', [unhex('ff')], "'owners' has something that is not text"],
    ['owners', ['*.test'], 'owners: "*.test" is a pattern, which is not supported yet; write one identity or %any'],
    ['id', ['k'], "'id' is not one text"],
  ] as const) {
    const message: Section = new Map(base);
    if (value === undefined) message.delete(key);
    else message.set(key, value);
    const reply = await one.request('load-shared', message);
    assert.equal(text(reply, 'errmsg'), errmsg);
    assert.doesNotMatch(inspect(reply), /sesame/);
  }
  assert.deepEqual(gateway.sharedIds(), []);
});

test('keys, certificates and tokens are refused by name', async (t) => {
  const { client } = await stage(t);
  const one = await client();
  for (const command of ['load-cert', 'load-key', 'load-token']) {
    const reply = await one.request(command, section(['type', 'rsa'], ['data', unhex('30')]));
    assert.equal(text(reply, 'errmsg'), 'certificates and public keys are not supported yet', command);
  }
  assert.deepEqual(await one.request('get-keys'), section(['keys', []]));
  assert.deepEqual(await one.request('get-authorities'), section(['authorities', []]));
  assert.equal(text(await one.request('unload-pool', section(['name', 'p'])), 'errmsg'), 'p not found');
});

test('names that are lists are refused everywhere: they must not mean "all"', async (t) => {
  const { client, gateway } = await stage(t);
  const one = await client();
  const ike = section(['ike', ['gw']], ['child-id', 1]);
  for (const command of [
    'initiate',
    'terminate',
    'rekey',
    'install',
    'uninstall',
    'list-sas',
    'list-conns',
    'list-policies',
  ]) {
    assert.equal(text(await one.request(command, ike), 'errmsg'), "'ike' is not one text", command);
  }
  for (const command of ['get-counters', 'reset-counters', 'unload-conn']) {
    assert.equal(
      text(await one.request(command, section(['name', ['gw']])), 'errmsg'),
      "'name' is not one text",
      command,
    );
  }
  assert.deepEqual(gateway.asked, []);
});

test('what swanctl is to show is one line of ASCII: of anything else it shows nothing', async (t) => {
  const { client, gateway } = await stage(t);
  gateway.initiating = async () => ({ ok: false, reason: { code: 'internal', text: 'first\n  second “ä” …' } });
  const reply = await (await client()).request('initiate', section(['child', 'net']));
  assert.equal(text(reply, 'errmsg'), 'first; second ???????? ...');
});
