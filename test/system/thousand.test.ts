// The bench of a thousand connections, with a few of them: that it runs to its end, and that a reload touches one.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Figure } from '../../bench/thousand/figures.ts';
import { lacking } from '../support/needs.ts';
import { must } from '../support/netns.ts';

const BENCH = join(import.meta.dirname, '../../bench/main.js');
const skip = lacking('root', 'ip', 'namespaces', 'tun', 'swanctl', 'espalier');

test('the bench measures every figure, and the reload touches one SA of all', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  try {
    const file = join(folder, 'figures.json');
    const said = await must(process.execPath, [BENCH, 'thousand', '--quick', '--count', '12', '--json', file]);
    assert.match(said, /bringing up 12 tunnels/);
    const figures: readonly Figure[] = JSON.parse(readFileSync(file, 'utf8')).figures;
    for (const { name, values } of figures) assert.ok(Number(values[0]) > 0, `${name}: ${values}`);
    assert.deepEqual(figures.find(({ name }) => name === 'SAs that it touched')?.values, [1]);
    const names = figures.map(({ name }) => name).join('\n');
    for (const what of ['load', 'start', 'memory', '--list-sas', 'status', 'reload', '--load-all']) {
      assert.ok(names.includes(what) && said.includes(what), what);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
