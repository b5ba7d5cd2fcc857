// What the bench is told, and the configurations that it writes for it.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { configuration, others, type Side } from '../../bench/path/conf.ts';
import { contestant, usual } from '../../bench/path/contestants.ts';
import { parseOptions, TESTS, udpTest } from '../../bench/path/options.ts';
import { loadConfig } from '../../src/config/load.ts';

const NONE = { pump: false };

function loaded(tunnels: number, side: Side) {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-conf-'));
  try {
    const file = join(folder, 'swanctl.conf');
    writeFileSync(file, configuration({ esp: 'aes128gcm16', udp: true, tunnels }, side), { mode: 0o600 });
    return loadConfig([file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('every tunnel has subnets of its own, and both sides mean the same ones', () => {
  const [a, b] = [loaded(350, 'a'), loaded(350, 'b')];
  assert.deepEqual(a.warnings, []);
  const selectors = ({ connections }: typeof a, key: 'localTs' | 'remoteTs') =>
    connections.flatMap((conn) => conn.children.map((child) => JSON.stringify(child[key])));
  for (const config of [a, b]) {
    assert.equal(new Set(selectors(config, 'localTs')).size, 350);
    assert.equal(new Set(selectors(config, 'remoteTs')).size, 350);
  }
  assert.deepEqual(selectors(a, 'localTs'), selectors(b, 'remoteTs'));
  assert.deepEqual(selectors(a, 'remoteTs'), selectors(b, 'localTs'));
  assert.deepEqual(
    a.connections.map(({ name }) => name),
    ['gw', ...others({ tunnels: 350 })],
  );
});

test('one tunnel is one connection', () => {
  assert.equal(loaded(1, 'a').connections.length, 1);
  assert.deepEqual(others({ tunnels: 1 }), []);
});

test('more tunnels than there are subnets are refused', () => {
  assert.throws(() => configuration({ esp: 'aes128gcm16', udp: true, tunnels: 70_000 }, 'a'), /1 to 65536 tunnels/);
  assert.throws(() => configuration({ esp: 'aes128gcm16', udp: true, tunnels: Number.NaN }, 'a'), /NaN/);
});

test('all contestants are known, and so are those that they are compared with', () => {
  const equipment = { pump: true, wireguard: '/opt/wireguard-go' };
  const labels = usual(equipment);
  for (const label of labels) {
    const { libipsec, pump, base } = contestant(label, equipment);
    for (const other of [libipsec, pump, base]) assert.ok(other === undefined || labels.includes(other), `${label}`);
  }
});

test('a variant says what differs, and is compared with what it varies', () => {
  const varied = contestant('espalier-cbc:workers=2:without=uso+vnet:tunnels=10:ESPALIER_NO_VAES=1', NONE);
  assert.equal(varied.base, 'espalier-cbc');
  assert.equal(varied.libipsec, 'libipsec-cbc');
  assert.equal(contestant('espalier-gcm:ESPALIER_NO_VAES=1', NONE).pump, 'pump-evp');
  assert.equal(contestant('espalier-raw', NONE).base, 'espalier-gcm');
});

test('a label that means nothing is refused', () => {
  for (const label of [
    'espalier-aes',
    'espalier-gcm:workers',
    'espalier-gcm:depth=2',
    'espalier-gcm:tunnels=many',
    'libipsec-gcm:workers=2',
    'libreswan',
    'wireguard-new',
  ]) {
    assert.throws(() => contestant(label, NONE), label);
  }
});

test('without options all tests run in three rounds', () => {
  const { rounds, seconds, tests, only, quick } = parseOptions([]);
  assert.deepEqual(
    { rounds, seconds, tests, only, quick },
    { rounds: 3, seconds: 5, tests: TESTS, only: undefined, quick: false },
  );
});

test('lists are given by comma or one by one', () => {
  const { only, tests } = parseOptions(['--only', 'plain,openvpn', '--only', 'wireguard', '--tests', 'udp512q,rekey']);
  assert.deepEqual(only, ['plain', 'openvpn', 'wireguard']);
  assert.deepEqual(tests, ['udp512q', 'rekey']);
  assert.deepEqual(udpTest('udp512q'), { size: 512, flatOut: true });
});

test('what cannot be measured is refused', () => {
  for (const argv of [
    ['--tests', 'udp4'],
    ['--tests', 'udp9000'],
    ['--tests', 'tcp'],
    ['--rounds', '0'],
    ['--seconds', '1.5'],
    ['--fast'],
  ]) {
    assert.throws(() => parseOptions(argv), argv.join(' '));
  }
});
