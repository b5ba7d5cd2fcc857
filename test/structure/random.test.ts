// Seeded randomness is for tests. What the daemon draws comes from node:crypto.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOnly, type Finding, matches, type Source, sources, withoutComments } from './source.ts';

/** Generators whose output can be computed: by import, by name, or Math.random. */
function predictable(source: Source): readonly Finding[] {
  const text = withoutComments(source.text);
  return [
    ...matches(source, text, /['"][^'"]*\b(test|support)\/[^'"]*['"]/g, ([found]) => `names ${found}`),
    ...matches(source, codeOnly(source.text), /\bMath\.random\b/g, () => 'draws from Math.random'),
    ...matches(
      source,
      codeOnly(source.text),
      /\b(mulberry32|xorshift\w*|splitmix\w*|xoshiro\w*|pcg32|seeded\w*|seedrandom)\b/gi,
      ([found]) => `uses ${found}`,
    ),
  ];
}

test('nothing under src/ draws from a seeded generator', () => {
  assert.deepEqual(sources('src').flatMap(predictable), []);
});

test('the check finds what it looks for', () => {
  const found = (text: string) => predictable({ path: 'src/x.ts', text }).length;
  assert.equal(found("import { seeded } from '../test/support/random.ts';"), 2);
  assert.equal(found('const spi = Math.random() * 2 ** 32;'), 1);
  assert.equal(found('const draw = mulberry32(7);'), 1);
  assert.equal(found("import { randomBytes } from 'node:crypto'; // not Math.random"), 0);
});
