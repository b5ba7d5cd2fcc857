// Whatever stands in a file, the answer is a configuration or a ConfigError, and it does not take long.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigError } from '../../src/config/error.ts';
import { parseSettings, type Section } from '../../src/config/settings.ts';
import { loadSwanctl } from '../../src/config/swanctl.ts';

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
  ...['{', '}', '=', '"', '\\', '#', ':', ',', '.', '\n', '\r\n', ' ', '\t', '\ufeff', '\0', 'include ', '__proto__'],
  ...['connections', 'secrets', 'a', 'b', 'local', 'remote', 'children', 'auth = psk', 'id = ', 'secret = 0x', '%any'],
  ...['proposals = aes256-', 'esp_proposals = ', 'local_ts = 10.0.0.0/', 'rekey_time = ', 'retransmit { ', '\u{1f512}'],
);

test('any text is a configuration or a ConfigError', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(piece, { maxLength: 60 }).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => survives(() => loadSwanctl([{ path: 'f', text }]))),
    { numRuns: 2000 },
  );
});

test('what is inside the right sections is read or refused, whatever it is', () => {
  const parts = fc.array(piece, { maxLength: 30 }).map((all) => all.join(''));
  const wrapped = fc
    .tuple(parts, parts)
    .map(
      ([conn, child]) =>
        `connections { c { local { auth = psk }\nremote { auth = psk }\n${conn}\nchildren { n {\n${child}\n} } } }`,
    );
  fc.assert(
    fc.property(wrapped, (text) => survives(() => loadSwanctl([{ path: 'f', text }]))),
    { numRuns: 1000 },
  );
});

interface Tree {
  readonly settings: readonly (readonly [string, string])[];
  readonly sections: readonly (readonly [string, Tree])[];
}

const word = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,8}$/).filter((name) => name !== 'include');
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record(
    {
      settings: fc.uniqueArray(fc.tuple(word, fc.string({ maxLength: 20 }).filter(printable)), {
        selector: ([key]) => key,
        maxLength: 4,
      }),
      sections: fc.oneof(
        { maxDepth: 4, depthSize: 'small' },
        fc.constant([]),
        fc.uniqueArray(fc.tuple(word, tie('tree')), { selector: ([name]) => name, maxLength: 3 }),
      ),
    },
    { noNullPrototype: true },
  ),
}));

function printable(text: string): boolean {
  return !/[\p{Cc}]/u.test(text);
}

function write({ settings, sections }: Tree): string {
  const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
  return [
    ...settings.map(([key, value]) => `${key} = ${quoted(value)}\n`),
    ...sections.map(([name, inner]) => `${name} { ${write(inner)} }`),
  ].join('');
}

function read(section: Section): Tree {
  return {
    settings: [...section.settings].map(([key, { text }]) => [key, text ?? '']),
    sections: [...section.sections].map(([name, inner]) => [name, read(inner)]),
  };
}

test('what is written as a tree is read as the same tree', () => {
  fc.assert(
    fc.property(tree, (made) => assert.deepEqual(read(parseSettings([{ path: 'f', text: write(made) }])), made)),
    {
      numRuns: 300,
    },
  );
});

test('a file of ten megabytes is read, whether it is right, wrong or nonsense', () => {
  const conn = (i: number) =>
    `c${i} { local { auth = psk }\nremote { auth = psk }\nchildren { n { local_ts = 10.0.0.0/8 } } }\n`;
  const right = `connections {\n${Array.from({ length: 2000 }, (_, i) => conn(i)).join('')}}\n`;
  const comment = `# ${'x'.repeat(100)}\n`.repeat(100_000);
  const { connections } = loadSwanctl([{ path: 'f', text: right + comment }]);
  assert.equal(connections.length, 2000);
  const size = 10 * 1024 * 1024;
  const wrong = `connections { c {\n${Array.from({ length: 400_000 }, (_, i) => `proposalz${i} = aes128\n`).join('')}} }`;
  for (const text of [
    wrong,
    '{'.repeat(size),
    '"'.repeat(size),
    'a = "'.padEnd(size, '\\"'),
    'a '.repeat(size / 2),
    'a:'.repeat(size / 2),
  ]) {
    assert.throws(() => loadSwanctl([{ path: 'f', text }]), ConfigError);
  }
  assert.throws(() => loadSwanctl([{ path: 'f', text: ' '.repeat(33 * 1024 * 1024) }]), /more than 32 MiB/);
});
