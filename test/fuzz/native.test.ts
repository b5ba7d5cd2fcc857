// The fuzz targets of framing, splitting and joining (native/fuzz), for some seconds: `npm run fuzz` goes on for longer.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const FUZZ = fileURLToPath(new URL('../../../conf/fuzz.mjs', import.meta.url));
const SECONDS = 5;

function missing(): string | false {
  return spawnSync('gcc', ['--version'], { stdio: 'ignore' }).status === 0 ? false : 'gcc is missing';
}

test('whatever comes, framing, splitting and joining keep their promises', {
  skip: missing(),
  timeout: 240_000,
}, (t) => {
  // Another one each time: what a run finds is kept, and what it did can be done again.
  const args = [FUZZ, '--plain', '--seconds', `${SECONDS}`];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, /nothing broken/);
  t.diagnostic(stdout.trim());
});
