// Every situation of the list has its test, and no test names one that is not on it.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SITUATIONS } from './situations.ts';

const MODES = ['main', 'aggressive'];

/** `situation('id', …)` makes a test for every side of the list: it is the calls that must be there. */
function told(): string[] {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.js'));
  return files.flatMap((name) => {
    const source = readFileSync(join(import.meta.dirname, name), 'utf8');
    const ids = [...source.matchAll(/\bsituation\(\s*['`]([^'`]+)['`]/g)].map(([, id]) => id ?? '');
    // Main and aggressive mode are told of side by side.
    return ids.flatMap((id) => MODES.map((mode) => id.replace(/^\$\{mode\}/, mode)));
  });
}

test('every situation has a test', () => {
  const ids = told();
  assert.deepEqual(
    SITUATIONS.map(({ id }) => id).filter((id) => !ids.includes(id)),
    [],
  );
});

test('no test tells of a situation that is not on the list', () => {
  const known: readonly string[] = SITUATIONS.map(({ id }) => id);
  assert.deepEqual(
    told().filter((id) => id !== 'id' && !known.includes(id)),
    [],
  );
});

test('an id stands on the list once', () => {
  const ids = SITUATIONS.map(({ id }) => id);
  assert.deepEqual(ids, [...new Set(ids)]);
});
