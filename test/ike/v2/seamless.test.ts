// Traffic over rekeyings on a perfect wire: children and IKE SAs are replaced by either side and by both at once, and no
// packet is lost (RFC 7296 §2.8). ESPALIER_SCHEDULES and ESPALIER_SEED as in `schedules.test.ts`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missing, runSchedules } from '../../support/schedules.ts';

const COUNT = Math.ceil(Number(process.env.ESPALIER_SCHEDULES ?? 10_000) / 2);

test('rekeying by either side or both at once loses no packet', (t) => {
  const run = runSchedules(COUNT, ['smooth']);
  t.diagnostic(run.report);
  assert.equal(run.failure, undefined, run.failure);
  if (run.played === 1) return;
  assert.deepEqual(missing(run.seen, ['notify TEMPORARY_FAILURE', 'event child-rekeyed', 'event session-rekeyed']), []);
});
