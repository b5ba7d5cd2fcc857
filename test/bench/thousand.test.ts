// What the bench of a thousand connections is told, the configurations that it writes, and its verdict.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { configuration, type Language, type Layout, MOST, type Side } from '../../bench/thousand/conf.ts';
import { Figures, verdict } from '../../bench/thousand/figures.ts';
import { parseOptions } from '../../bench/thousand/options.ts';
import { difference } from '../../src/config/changes.ts';
import { loadConfig } from '../../src/config/load.ts';

function loaded(side: Side, layout: Layout, language: Language = 'swanctl') {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-conf-'));
  try {
    const file = join(folder, `${language}.conf`);
    const { conf, secrets } = configuration(language, side, layout);
    writeFileSync(file, conf, { mode: 0o600 });
    if (secrets !== undefined) writeFileSync(join(folder, 'ipsec.secrets'), secrets, { mode: 0o600 });
    return loadConfig([file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const COUNT = 600;

test('every connection has a peer, a network, identities and a secret of its own', () => {
  const { connections, secrets, warnings } = loaded('a', { count: COUNT });
  assert.deepEqual(warnings, []);
  const distinct = (values: readonly unknown[]) => new Set(values.map((value) => JSON.stringify(value))).size;
  assert.equal(distinct(connections.map(({ remoteAddrs }) => remoteAddrs)), COUNT);
  assert.equal(distinct(connections.map(({ remoteId }) => remoteId)), COUNT);
  assert.equal(distinct(connections.flatMap(({ children }) => children.map(({ remoteTs }) => remoteTs))), COUNT);
  assert.equal(distinct(secrets.map(({ owners }) => owners)), COUNT);
  assert.equal(new Set(secrets.map(({ secret }) => Buffer.from(secret.reveal()).toString())).size, COUNT);
});

test('both sides mean the same tunnels', () => {
  const [a, b] = [loaded('a', { count: COUNT }), loaded('b', { count: COUNT })];
  const ours = a.connections.map(({ name, localAddrs, remoteAddrs, children }) =>
    JSON.stringify([name, localAddrs, remoteAddrs, children.map(({ localTs, remoteTs }) => [localTs, remoteTs])]),
  );
  const theirs = b.connections.map(({ name, localAddrs, remoteAddrs, children }) =>
    JSON.stringify([name, remoteAddrs, localAddrs, children.map(({ localTs, remoteTs }) => [remoteTs, localTs])]),
  );
  assert.deepEqual(ours, theirs);
});

test('what changes is one child, which is made anew', () => {
  const [before, after] = [loaded('a', { count: COUNT }), loaded('a', { count: COUNT, changed: true })];
  const { added, removed, changed, same } = difference(before.connections, after.connections);
  assert.deepEqual([added.length, removed.length, changed.length, same.length], [0, 0, 1, COUNT - 1]);
  assert.deepEqual(changed[0]?.keys, []);
  assert.deepEqual(
    changed[0]?.children.map(({ keys, remake }) => [keys, remake]),
    [[['remoteTs'], true]],
  );
});

test('in both languages it is the same', () => {
  const [swanctl, ipsec] = (['swanctl', 'ipsec'] as const).map((language) => {
    const { connections, secrets, warnings } = loaded('a', { count: COUNT, changed: true }, language);
    assert.deepEqual(warnings, []);
    return {
      connections: connections.map(
        ({ name, version, localAddrs, remoteAddrs, localId, remoteId, offers, children }) => ({
          ...{ name, version, localAddrs, remoteAddrs, localId, remoteId, offers },
          children: children.map((child) => [child.localTs, child.remoteTs, child.offers]),
        }),
      ),
      secrets: secrets.map(({ owners, secret }) => ({ owners, secret: secret.reveal() })),
    };
  });
  assert.deepEqual(ipsec, swanctl);
});

test('more connections than there are networks are refused', () => {
  for (const count of [0, MOST + 1, Number.NaN]) {
    assert.throws(() => configuration('swanctl', 'a', { count }), /1 to 16384 connections/);
  }
});

test('without options it is a thousand, and with --quick a few', () => {
  assert.deepEqual(parseOptions([]), { rounds: 5, count: 1000, json: undefined });
  assert.deepEqual(parseOptions(['--quick']), { rounds: 1, count: 50, json: undefined });
  assert.deepEqual(parseOptions(['--quick', '--count', '7', '--json', 'x']), { rounds: 1, count: 7, json: 'x' });
});

test('what cannot be measured is refused', () => {
  for (const argv of [['--count', '0'], ['--count', '10000'], ['--rounds', 'many'], ['--fast'], ['now']]) {
    assert.throws(() => parseOptions(argv), argv.join(' '));
  }
});

test('a promise is kept by the median, and what was not promised has no verdict', () => {
  const figures = new Figures();
  for (const value of [1.9, 0.5, 9]) figures.add('start', 's', value, 2);
  assert.deepEqual(figures.all(), [{ name: 'start', unit: 's', target: 2, values: [1.9, 0.5, 9] }]);
  assert.equal(verdict([1.9, 0.5, 9], 2), 'kept');
  assert.equal(verdict([2.1, 0.5, 9], 2), 'missed');
  assert.equal(verdict([2], 2), 'missed');
  assert.equal(verdict([2.1], undefined), '');
});
