// What is configured, by the files and by clients, and that one more connection costs no look at all the others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/bytes/bytes.ts';
import { Configuration } from '../../src/daemon/configuration.ts';
import { Desk } from '../../src/daemon/desk.ts';
import { type Connection, Secret, type SharedKey } from '../../src/ike/connection.ts';
import { ID } from '../../src/ike/wire/constants.ts';
import type { Identity } from '../../src/ike/wire/payload.ts';
import { Network, NOTHING, within } from '../security/gateways.ts';
import { connection } from '../support/connections.ts';

function named(name: string, over: Partial<Connection> = {}): Connection {
  return connection({ name, ...over });
}

function secret(text: string, id?: string): SharedKey {
  return { owners: [], secret: new Secret(utf8(text)), ...(id === undefined ? {} : { id }) };
}

function words(configuration: Configuration): readonly string[] {
  return configuration.secrets().map((key) => Buffer.from(key.secret.reveal()).toString());
}

test('each change says what it has changed', () => {
  const configuration = new Configuration([named('a')], []);
  const names = (list: readonly Connection[]) => list.map(({ name }) => name);
  const told = ({ added, removed, changed }: ReturnType<Configuration['load']>) => [
    ...[names(added), names(removed)],
    changed.map(({ after, keys }) => `${after.name} ${keys}`),
  ];
  assert.deepEqual(told(configuration.load(named('b'))), [['b'], [], []]);
  assert.deepEqual(told(configuration.load(named('b'))), [[], [], []]);
  assert.deepEqual(told(configuration.load(named('b', { dpdDelay: 9 }))), [[], [], ['b dpdDelay']]);
  assert.deepEqual(told(configuration.read([named('c')], [])), [['c'], ['a'], []]);
  assert.deepEqual(
    names(configuration.connections()),
    ['c', 'b'],
    'the files come first, and take away what was theirs',
  );
  assert.deepEqual(told(configuration.unload('b')), [[], ['b'], []]);
  assert.deepEqual(told(configuration.unload('b')), [[], [], []]);
});

test('the files have the last word on what stands in them, and leave alone what clients have brought besides', () => {
  const configuration = new Configuration([named('a')], [secret('file', 'one'), secret('nameless')]);
  configuration.load(named('a', { dpdDelay: 9 }));
  configuration.loadSecret('one', secret('client'));
  configuration.loadSecret('two', secret('brought'));
  assert.deepEqual(words(configuration), ['client', 'nameless', 'brought']);
  const { changed } = configuration.read([named('a')], [secret('file', 'one')]);
  assert.equal(changed[0]?.before.dpdDelay, 9);
  assert.deepEqual(words(configuration), ['file', 'brought']);
  configuration.read([], []);
  assert.deepEqual(words(configuration), ['brought'], 'what the file does not name any more is gone');
  assert.ok(!configuration.unloadSecret('one') && configuration.unloadSecret('two'));
});

test('reading anew tells how many secrets are new, gone or others, and not which', () => {
  const fqdn = (name: string): Identity => ({ type: ID.FQDN, data: utf8(name) });
  const own = (text: string, name: string, id?: string) => ({ ...secret(text, id), owners: [fqdn(name)] });
  const configuration = new Configuration([named('a')], [own('x', 'one'), own('y', 'two'), own('z', 'three', 'id')]);
  configuration.loadSecret('brought', secret('brought'));
  const read = (...keys: readonly SharedKey[]) => configuration.read([named('a')], keys);
  const { secrets, ...same } = read(own('y', 'two'), own('x', 'one'), own('z', 'three', 'id'));
  assert.deepEqual([secrets, same.changed, same.same.length], [0, [], 1]);
  assert.equal(read(own('other', 'one'), own('y', 'two'), own('z', 'three', 'id')).secrets, 1, 'another');
  assert.equal(read(own('other', 'one'), own('y', 'two'), own('z', 'three', 'id'), own('w', 'four')).secrets, 1, 'new');
  assert.equal(
    read(own('y', 'two'), own('y', 'two'), own('zz', 'three', 'id')).secrets,
    4,
    'two gone, one new, another',
  );
  assert.equal(read().secrets, 3, 'what clients have brought stays');
});

test('secrets without an id can be cleared by nobody but the file', () => {
  const configuration = new Configuration([], [secret('nameless'), secret('file', 'one')]);
  assert.deepEqual(configuration.secretIds(), ['one']);
  configuration.clearSecrets();
  assert.deepEqual(words(configuration), ['nameless']);
});

test('what is loaded one by one is looked at once, when it is next needed', () =>
  within(new Network(), ({ left: { gateway } }) => {
    const desk = new Desk(gateway, NOTHING);
    let looks = 0;
    const { children, ...rest } = named('watched');
    const watched: Connection = Object.defineProperty({ ...rest, children }, 'children', {
      enumerable: true,
      get: () => {
        looks++;
        return children;
      },
    });
    desk.loadConnection(watched);
    const first = looks;
    for (let n = 0; n < 100; n++) {
      desk.loadConnection(named(`c${n}`));
      desk.loadShared(`s${n}`, secret(`${n}`));
    }
    assert.equal(looks, first, 'while nobody negotiates');
    let told = 0;
    const { endpoint } = gateway;
    assert.ok(looks > first, 'the endpoint knows of it');
    const configure = endpoint.configure.bind(endpoint);
    endpoint.configure = (connections, secrets) => {
      told++;
      assert.equal(connections.at(-1)?.name, 'c99');
      assert.equal(secrets.at(-1)?.id, 's100');
      configure(connections, secrets);
    };
    assert.ok(gateway.endpoint.sessions().length === 0 && told === 0, 'nothing is new');
    desk.loadShared('s100', secret('100'));
    assert.ok(gateway.endpoint.sessions().length === 0 && gateway.endpoint.sessions().length === 0);
    assert.equal(told, 1);
  }));
