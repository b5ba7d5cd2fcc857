// The text of the metrics, read back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exposition } from '../../../src/daemon/metrics/exposition.ts';
import { parseMetrics, sampleOf } from '../../support/prometheus.ts';

test('labels come back whatever is in them', () => {
  const out = new Exposition('x_');
  const names = ['plain', 'with "quotes"', 'back\\slash', 'two\nlines', '}{,=', 'ünïcode', ''];
  const count = out.counter('things_total', 'Things.');
  for (const [n, name] of names.entries()) count({ name, other: 'y' }, n);
  out.gauge('bare', 'Without labels.')({}, 1.5);
  const read = parseMetrics(out.text());
  assert.deepEqual(
    names.map((name) => sampleOf(read, 'x_things_total', { name })),
    names.map((_, n) => n),
  );
  assert.equal(sampleOf(read, 'x_bare'), 1.5);
});
