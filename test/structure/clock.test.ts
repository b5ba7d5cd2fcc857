// Timers go by a clock that never jumps (SECURITY: G, clock jump). The wall clock is for people: dates in logs and files.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sources } from './source.ts';

/** Files that write or print dates. */
const PRINTS: ReadonlySet<string> = new Set([
  'src/daemon/audit.ts',
  'src/daemon/control/time.ts',
  'src/daemon/doctor/clock.ts',
  'src/daemon/logtext.ts',
]);

test('[G] nothing but what prints dates reads the wall clock, which may jump by years', () => {
  const found = sources('src').filter(({ text }) =>
    /\bDate\b(?!\w)/.test(text.replace(/\/\/.*|\/\*[\s\S]*?\*\//g, '')),
  );
  assert.deepEqual(
    found.map(({ path }) => path).filter((path) => !path.startsWith('src/cli/') && !PRINTS.has(path)),
    [],
  );
});
