// Whatever stands in an ipsec.conf or an ipsec.secrets, the answer is a configuration or a ConfigError, and soon.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigError } from '../../../src/config/error.ts';
import { inMemory, mistakes, read, readSecrets } from './read.ts';

/** Runs and lets nothing but ConfigError pass. */
function survives(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const { line, column, file } of error.errors) assert.ok(line >= 0 && column >= 0 && file !== '');
  }
}

const piece = fc.constantFrom(
  ...[
    '\n',
    '\n  ',
    '\n\t',
    '\r\n',
    ' ',
    '=',
    '"',
    "'",
    '\\',
    '#',
    '//',
    ':',
    ' : ',
    ',',
    '%',
    '@#',
    '!',
    '-',
    '\ufeff',
    '\0',
  ],
  ...[
    'conn a',
    'conn %default',
    'conn __proto__',
    'ca x',
    'config setup',
    'include ',
    'version',
    '__proto__',
    'also=a',
    'also=b',
  ],
  ...[
    'left',
    'right',
    'id=',
    'subnet=',
    'protoport=',
    'auth=psk',
    '10.0.0.0/8',
    '%any',
    '%dynamic',
    '[tcp/80]',
    'ike=aes128',
  ],
  ...[
    'lifetime=',
    'margintime=',
    'rekeyfuzz=',
    '9999999999999999',
    '100%',
    'auto=start',
    'authby=psk',
    'PSK',
    'RSA {',
    '}',
    '0x',
    '0s',
  ],
);
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.array(piece, { maxLength: 60 }).map((all) => all.join('')),
);

test('any text is a configuration or a ConfigError', () => {
  fc.assert(
    fc.property(texts, (text) => survives(() => read(text))),
    { numRuns: 2000 },
  );
});

test('whatever a conn has is read or refused', () => {
  const words = fc.constantFrom(
    ...[
      'left',
      'right',
      'leftid',
      'rightid',
      'leftsubnet',
      'rightprotoport',
      'ike',
      'esp',
      'ah',
      'lifetime',
      'margintime',
    ],
    ...[
      'rekeyfuzz',
      'lifebytes',
      'marginbytes',
      'keyingtries',
      'dpdaction',
      'dpddelay',
      'type',
      'keyexchange',
      'replay_window',
    ],
  );
  const values = fc.oneof(
    piece,
    fc.nat().map(String),
    fc.string({ maxLength: 12 }),
    fc.constantFrom('yes', 'no', '0', '1h', '%forever'),
  );
  const settings = fc.array(fc.tuple(words, values), { maxLength: 8 });
  fc.assert(
    fc.property(settings, (all) => {
      const lines = all.map(([word, value]) => `  ${word}=${value}\n`).join('');
      survives(() => read(`conn a\n  authby=psk\n  auto=add\n${lines}`));
    }),
    { numRuns: 2000 },
  );
});

test('any text is secrets or a ConfigError', () => {
  fc.assert(
    fc.property(texts, (text) => survives(() => readSecrets(text))),
    { numRuns: 2000 },
  );
});

const CONN = '  authby=psk\n  auto=add\n';

test('a hundred thousand lines, sections, mistakes or secrets are read in no time', () => {
  const many = 100_000;
  const lines = (make: (i: number) => string) => Array.from({ length: many }, (_, i) => make(i)).join('');
  const { connections } = read(`conn a\n${CONN}${lines((i) => `  dpddelay=${i}\n`)}  dpdaction=clear\n`);
  assert.equal(connections[0]?.dpdDelay, (many - 1) * 1000);
  assert.equal(read(lines((i) => `conn c${i}\n  auto=ignore\n`)).connections.length, 0);
  assert.equal(mistakes(() => read(`conn a\n${lines((i) => `  lefft${i}=1\n`)}`)).length, 20);
  assert.equal(mistakes(() => read(lines(() => 'x\n'))).length, 20);
  assert.equal(read(`conn a\n${CONN}  rightid="${'x'.repeat(1000)}"\n${'# \n'.repeat(many)}`).connections.length, 1);
  assert.equal(readSecrets(lines((i) => `id${i} : PSK secret${i}\n`)).keys.length, many);
});

test('conns that share IKE are one connection, however many there are', () => {
  const conn = (i: number) => `conn c${i}\n${CONN}  right=192.0.2.9\n  rightsubnet=10.${i >> 8}.${i & 255}.0/24\n`;
  const { connections } = read(Array.from({ length: 2000 }, (_, i) => conn(i)).join(''));
  assert.deepEqual([connections.length, connections[0]?.children.length], [1, 2000]);
});

test('sections that take over from each other in every way come to an end', () => {
  const names = Array.from({ length: 400 }, (_, i) => i);
  const all = names
    .map(
      (i) =>
        `conn c${i}\n${names
          .slice(0, i)
          .map((j) => `  also=c${j}\n`)
          .join('')}`,
    )
    .join('');
  survives(() => read(all));
  const chain = (length: number) => Array.from({ length }, (_, i) => `conn c${i}\n  also=c${i + 1}\n`).join('');
  const long = mistakes(() => read(`${chain(5000)}conn c5000\n  auto=ignore\n`));
  assert.match(long[0] ?? '', /too many sections take over from each other$/);
  assert.deepEqual(read(`${chain(40)}conn c40\n  auto=ignore\n`).connections, []);
});

test('names of JavaScript are names', () => {
  const text = `conn __proto__\n  also=constructor\n${CONN}conn constructor\n  dpdaction=hold\nca __proto__\n`;
  assert.equal(read(text).connections[0]?.children[0]?.dpdAction, 'trap');
  for (const word of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    assert.match(
      mistakes(() => read(`conn a\n${CONN}  ${word}=yes\n`))[0] ?? '',
      new RegExp(`unknown option "${word}"`),
    );
    assert.match(mistakes(() => read(`conn a\n${CONN}  keyexchange=${word}\n`))[0] ?? '', /is none of/);
    assert.match(mistakes(() => readSecrets(`: ${word} x\n`))[0] ?? '', /comes the kind of secret/);
  }
});

test('values that are huge are refused', () => {
  const huge = '9'.repeat(400);
  for (const word of [
    'lifetime',
    'ikelifetime',
    'margintime',
    'rekeyfuzz',
    'lifebytes',
    'marginpackets',
    'keyingtries',
    'replay_window',
    'dpddelay',
    'rightikeport',
    'reqid',
    'inactivity',
  ]) {
    assert.ok(
      mistakes(() => read(`conn a\n${CONN}  dpdaction=clear\n  lifebytes=9\n  lifepackets=9\n  ${word}=${huge}\n`))
        .length > 0,
      word,
    );
  }
});

test('files that include each other without end are refused', () => {
  const deep = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`/f${i}`, `include /f${i + 1}\n`]));
  const many = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`/m${i}`, '']));
  for (const run of [
    read,
    (text: string, { files }: { files: ReturnType<typeof inMemory> }) => readSecrets(text, files),
  ]) {
    assert.match(
      mistakes(() => run('include /f0\n', { files: inMemory(deep) })).join(),
      /files included deeper than 16/,
    );
    assert.match(
      mistakes(() => run('include /m*\n', { files: inMemory(many) })).join(),
      /more than 1000 configuration files/,
    );
  }
});

test('a file of ten megabytes is read, whether it is right, wrong or nonsense', () => {
  const size = 10 * 1024 * 1024;
  for (const text of [
    'conn a\n  x="'.padEnd(size, '\\"'),
    '"'.repeat(size),
    '='.repeat(size),
    'conn '.repeat(size / 5),
    '\n '.repeat(size / 2),
  ]) {
    survives(() => read(text));
    survives(() => readSecrets(text));
  }
  assert.throws(() => read(' '.repeat(33 * 1024 * 1024)), /more than 32 MiB/);
});
