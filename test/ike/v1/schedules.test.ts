// Random schedules on a bad wire, and traffic over renewals on a good one, in IKEv1: in the end both sides agree, or both
// have given up. ESPALIER_SCHEDULES and ESPALIER_SEED as for IKEv2.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missing, runSchedules } from '../../support/schedules.ts';

const COUNT = Math.ceil(Number(process.env.ESPALIER_SCHEDULES ?? 5000) / 10);

/** What must have occurred at least once for the run to mean anything. */
const EXPECTED = [
  ...['MM1', 'MM6', 'AM1', 'AM3', 'QM1', 'QM2', 'QM3', 'INFO', 'FRAG'].map((name) => `said ${name}:`),
  ...['R_U_THERE', 'R_U_THERE_ACK', 'INITIAL_CONTACT', 'NO_PROPOSAL_CHOSEN'].map((name) => `said N(${name})`),
  ...['ESP', 'ISAKMP'].map((name) => `said D(${name})`),
  ...['repeated-message', 'unknown-spi', 'no-amplification'].map((code) => `counter ${code}`),
  ...['esp tunnel', 'esp tunnel esn', 'esp transport', 'ah tunnel'].map((flavour) => `live ${flavour}`),
  ...['peer-moved', 'no-answer', 'answered', 'session-rekeyed', 'child-rekeyed'].map((kind) => `event ${kind}`),
  'end up',
  'end down',
];

test('after any schedule of renewals, losses and restarts both sides agree or have given up', (t) => {
  const run = runSchedules(COUNT, ['rough'], 1);
  t.diagnostic(run.report);
  assert.equal(run.failure, undefined, run.failure);
  if (run.played === 1) return;
  assert.deepEqual(missing(run.seen, EXPECTED), []);
  const up = run.seen.get('end up') ?? 0;
  assert.ok(up > 0.6 * run.played, `only ${up} of ${run.played} ended with an IKE SA`);
});

test('renewals by either side or both at once lose no packet', (t) => {
  const run = runSchedules(Math.ceil(COUNT / 2), ['smooth'], 1);
  t.diagnostic(run.report);
  assert.equal(run.failure, undefined, run.failure);
});

test('nothing is installed where a shared key does not fit, and nothing is left of it', (t) => {
  const run = runSchedules(Math.ceil(COUNT / 20), ['refused'], 1);
  t.diagnostic(run.report);
  assert.equal(run.failure, undefined, run.failure);
});
