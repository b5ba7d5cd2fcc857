// Random schedules on a bad wire: whatever is lost, doubled, overtaken, restarted or begun on both sides at once, in the
// end both agree, or both have given up. ESPALIER_SCHEDULES sets how many; ESPALIER_SEED plays one again, with its log.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missing, runSchedules } from '../../support/schedules.ts';

const COUNT = Number(process.env.ESPALIER_SCHEDULES ?? 10_000);

/** What must have occurred at least once for the run to mean anything. */
const EXPECTED = [
  ...['init', 'auth', 'established', 'rekeyed', 'deleting', 'closed'].map((phase) => `phase ${phase}`),
  ...['installed', 'rekeying', 'rekeyed', 'deleting', 'lingering'].map((stage) => `stage ${stage}`),
  ...['IKE_SA_INIT', 'IKE_AUTH', 'CREATE_CHILD_SA', 'INFORMATIONAL'].flatMap((name) => [
    `exchange ${name} request`,
    `exchange ${name} response`,
  ]),
  ...[
    'COOKIE',
    'INVALID_KE_PAYLOAD',
    'TEMPORARY_FAILURE',
    'CHILD_SA_NOT_FOUND',
    'REKEY_SA',
    'INITIAL_CONTACT',
    'NAT_DETECTION_SOURCE_IP',
    'NAT_DETECTION_DESTINATION_IP',
    'IKEV2_FRAGMENTATION_SUPPORTED',
    'CHILDLESS_IKEV2_SUPPORTED',
    'USE_TRANSPORT_MODE',
  ].map((name) => `notify ${name}`),
  ...['repeated-request', 'message-id', 'unexpected-response', 'unknown-spi', 'early-request'].map(
    (code) => `counter ${code}`,
  ),
  ...['esp tunnel', 'esp tunnel esn', 'esp transport', 'ah tunnel'].map((flavour) => `live ${flavour}`),
  'event peer-moved',
  'event no-answer',
  'fragment',
  'end up',
  'end down',
];

test('after any schedule of rekeyings, losses and restarts both sides agree or have given up', (t) => {
  const run = runSchedules(COUNT, ['rough']);
  t.diagnostic(run.report);
  assert.equal(run.failure, undefined, run.failure);
  if (run.played === 1) return;
  assert.deepEqual(missing(run.seen, EXPECTED), []);
  // A schedule in which everything dies proves little.
  const up = run.seen.get('end up') ?? 0;
  assert.ok(up > 0.6 * run.played, `only ${up} of ${run.played} ended with an IKE SA`);
  for (const act of ['act rekey-child', 'act rekey-ike']) assert.ok((run.seen.get(act) ?? 0) >= run.played, act);
});

test('nothing is installed where a shared key does not fit, and nothing is left of it', (t) => {
  const run = runSchedules(Math.ceil(COUNT / 20), ['refused']);
  t.diagnostic(run.report);
  assert.equal(run.failure, undefined, run.failure);
  if (run.played > 1) assert.deepEqual(missing(run.seen, ['notify AUTHENTICATION_FAILED', 'end refused']), []);
});
