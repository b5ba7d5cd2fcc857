// A file that outgrows the screen hides its seam. Aim for 300 lines; 500 is the end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Source, sources } from './source.ts';

const LIMIT = 500;

function tooLong({ path, text }: Source): readonly string[] {
  const lines = text.split('\n').length;
  return lines > LIMIT ? [`${path}: ${lines} lines`] : [];
}

test('no source file is longer than 500 lines', () => {
  const all = [
    ...sources('src'),
    ...sources('test').filter(({ path }) => !path.startsWith('test/vectors/')),
    ...sources('bench'),
    ...sources('conf', ['.mjs']),
    ...sources('native', ['.c', '.h']).filter(({ path }) => !/^native\/build/.test(path)),
  ];
  assert.ok(all.length > 20);
  assert.deepEqual(all.flatMap(tooLong), []);
});

test('the check finds a long file', () => {
  assert.equal(tooLong({ path: 'src/x.ts', text: 'a\n'.repeat(LIMIT) }).length, 1);
  assert.equal(tooLong({ path: 'src/x.ts', text: 'a\n'.repeat(LIMIT - 1) }).length, 0);
});
