// README.md says nothing that is not so: its configurations load, its words and commands exist, its links lead somewhere.

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../src/cli/program.ts';
import { ConfigError } from '../../src/config/error.ts';
import { lintSecrets } from '../../src/config/lint/secrets.ts';
import { loadConfig } from '../../src/config/load.ts';
import { keywords } from '../../src/ike/transforms.ts';
import { blocks, CONF, commands, configurations, OURS, PEERS, README, ROOT, SECRETS } from './blocks.ts';

function load(text: string) {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-readme-'));
  try {
    const file = join(folder, 'swanctl.conf');
    writeFileSync(file, text);
    chmodSync(file, 0o600);
    return loadConfig([file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('every configuration of ours loads, without a warning', () => {
  const ours = configurations(OURS);
  assert.ok(ours.length > 0);
  for (const text of ours) {
    const { connections, secrets, warnings } = load(text);
    assert.deepEqual(warnings, []);
    assert.equal(connections.length, 1);
    assert.equal(secrets.length, 1);
  }
});

test('the ipsec.conf and its secrets load, without a warning', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-readme-'));
  try {
    for (const path of [CONF, SECRETS]) {
      writeFileSync(join(folder, basename(path)), configurations(path).join(''), { mode: 0o600 });
    }
    const loaded = loadConfig([join(folder, 'ipsec.conf')], { ownAddresses: ['192.0.2.1'] });
    const { connections, secrets, warnings } = loaded;
    assert.deepEqual([connections[0]?.children[0]?.name, connections.length, secrets.length], ['office', 1, 1]);
    assert.deepEqual(warnings, []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the two ends of the example mirror each other', () => {
  const [ours, theirs] = [OURS, PEERS].map((path) => load(configurations(path)[0] ?? ''));
  const [us, them] = [ours?.connections[0], theirs?.connections[0]];
  assert.ok(us && them);
  assert.deepEqual(ours?.secrets[0]?.owners, theirs?.secrets[0]?.owners);
  const [net, back] = [us.children[0], them.children[0]];
  assert.deepEqual([net?.localTs, net?.remoteTs, net?.offers], [back?.remoteTs, back?.localTs, back?.offers]);
  assert.deepEqual([us.offers, ours?.secrets[0]?.secret.reveal()], [them.offers, theirs?.secrets[0]?.secret.reveal()]);
});

test('check calls the key that is printed here one that is tried first', () => {
  const found = [OURS, PEERS].map((path) => load(configurations(path)[0] ?? ''));
  for (const { connections, secrets } of found) {
    assert.deepEqual(
      lintSecrets(connections, secrets).map(({ severity, code }) => [severity, code]),
      [['error', 'psk-common']],
    );
  }
});

test('the mistake that is shown is reported in these words', () => {
  const [shown = ''] = blocks('').flatMap(({ text }) => (text.includes('did you mean') ? [text.trim()] : []));
  const wrong = (configurations(OURS)[0] ?? '').replace(' proposals', ' proposls');
  assert.throws(
    () => load(wrong),
    (error) => error instanceof ConfigError && `${OURS}:${error.message.split(':').slice(1).join(':')}` === shown,
  );
});

test('every word of the table of algorithms is one', () => {
  const table = README.slice(README.indexOf('## Algorithms'), README.indexOf('## How'));
  const rows = table.split('\n').filter((line) => line.startsWith('| ') && line.includes('`'));
  const words = rows.flatMap((line) => [...line.matchAll(/`(\w+)`/g)].map(([, word = '']) => word));
  assert.ok(words.length > 30);
  const known = new Set(keywords());
  const suffixes = ['gcm12', 'gcm8'];
  assert.deepEqual(
    words.filter((word) => !known.has(suffixes.includes(word) ? `aes128${word}` : word)),
    [],
  );
});

test('every code of the table of failures is one', () => {
  const table = README.slice(README.indexOf('| what you see | the code'), README.indexOf('The log is JSON'));
  const shown = table.split('\n').flatMap((row) => [...(row.split('|')[2] ?? '').matchAll(/`([\w-]+)`/g)]);
  const source = readFileSync(join(ROOT, 'src/ike/reason.ts'), 'utf8');
  const codes = [...source.matchAll(/^ {2}\| '([\w-]+)'/gm)].map(([, code]) => code);
  assert.ok(shown.length > 25);
  assert.deepEqual(
    shown.map(([, code]) => code).filter((code) => !codes.includes(code)),
    [],
  );
});

test('every command that is shown exists', async () => {
  const shown = [...README.matchAll(/\bespalier ([a-z]+)\b(?= |`|$)/gm)].map(([, verb = '']) => verb);
  const typed = commands().flatMap(({ command }) => /^espalier (\w+)/.exec(command)?.[1] ?? []);
  const verbs = new Set([...shown, ...typed]);
  assert.ok(verbs.has('daemon') && verbs.has('up') && verbs.has('status'));
  for (const verb of verbs) {
    const output: string[] = [];
    const collect = (text: string) => void output.push(text);
    const code = await run([verb, '--help'], { out: collect, err: collect, width: undefined, colour: false });
    assert.equal(code, 0, `espalier ${verb}: ${output.join('\n')}`);
    assert.match(output.join('\n'), new RegExp(`espalier ${verb}`));
  }
});

test('npm knows the scripts, and links lead to files', () => {
  for (const [, target = ''] of README.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
    assert.ok(existsSync(join(ROOT, target)), target);
  }
  for (const script of ['npm start', 'npm test', 'npm run build']) assert.ok(README.includes(script), script);
});
