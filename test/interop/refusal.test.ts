// What goes wrong most often, and whether Espalier says why: the state, the reason with its remedy, and a log line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Espalier, type LogLine } from '../support/espalier.ts';
import { INTEROP, lacking } from '../support/needs.ts';
import type { Plan } from './plan.ts';
import { inLab, type Lab } from './scenario.ts';

const skip = lacking(...INTEROP);
const mixed: Plan = { a: 'espalier', b: 'strongswan', conn: 'keyingtries = 1' };

interface Case {
  readonly what: string;
  readonly plan: Plan;
  readonly state: 'phase1-failed' | 'phase2-failed';
  readonly codes: readonly string[];
  /** What we answer with when the peer begins. */
  readonly notify: string;
}

const CASES: readonly Case[] = [
  {
    what: 'another pre-shared key',
    plan: { ...mixed, differs: { b: { psk: 'a different word of some length' } } },
    state: 'phase1-failed',
    codes: ['auth-failed'],
    notify: 'AUTHENTICATION_FAILED',
  },
  {
    what: 'no IKE proposal in common',
    plan: { ...mixed, differs: { b: { ike: 'aes256-sha512-modp4096' } } },
    state: 'phase1-failed',
    codes: ['no-proposal'],
    notify: 'NO_PROPOSAL_CHOSEN',
  },
  {
    what: 'no ESP proposal in common',
    plan: { ...mixed, differs: { b: { esp: 'aes256-sha512' } } },
    state: 'phase2-failed',
    codes: ['no-child-proposal'],
    notify: 'NO_PROPOSAL_CHOSEN',
  },
  {
    what: 'selectors that do not meet',
    plan: { ...mixed, differs: { b: { localTs: '10.99.0.0/24' } } },
    state: 'phase2-failed',
    codes: ['ts-mismatch'],
    notify: 'TS_UNACCEPTABLE',
  },
  {
    what: 'an identity that strongSwan does not have',
    plan: { ...mixed, differs: { b: { localId: 'somebody.else.test' } } },
    state: 'phase1-failed',
    codes: ['auth-failed', 'unknown-id'],
    notify: 'AUTHENTICATION_FAILED',
  },
];

/** charon's short names of the notifies. */
const PEER_SAYS: Readonly<Record<string, RegExp>> = {
  AUTHENTICATION_FAILED: /AUTH_FAILED|AUTHENTICATION_FAILED/,
  NO_PROPOSAL_CHOSEN: /NO_PROP|NO_PROPOSAL_CHOSEN/,
  TS_UNACCEPTABLE: /TS_UNACCEPT/,
};

for (const { what, plan, state, codes, notify } of CASES) {
  test(`Espalier initiates, ${what}: up fails and says why`, { skip }, () =>
    inLab(plan, async (lab) => {
      const espalier = ours(lab);
      const done = await espalier.cli('up', 'gw');
      assert.equal(done.code, 1, done.stdout + done.stderr);
      const status = await statusOf(espalier);
      assert.equal(status.state, state);
      assert.ok(codes.includes(status.code), `${status.code} is not one of ${codes.join(', ')}`);
      assert.match(status.remedy, /\S/);
      await espalier.line(`${what}, with a remedy`, (line) => explains(line, codes));
    }),
  );

  test(`strongSwan initiates, ${what}: Espalier refuses with ${notify} and says why`, { skip }, () =>
    inLab(plan, async (lab) => {
      const done = await lab.b.swanctl('--initiate', '--child', 'net', '--timeout', '10');
      assert.notEqual(done.code, 0);
      const line = await ours(lab).line(`${what}, with a remedy`, (line) => explains(line, codes));
      assert.equal(line.notify, notify);
      // strongSwan's side of the story: what it read off the wire.
      assert.match(`${done.stdout}${done.stderr}`, PEER_SAYS[notify] ?? /^$/);
      const status = await statusOf(ours(lab));
      assert.equal(status.state, state);
      assert.ok(codes.includes(status.code), status.code);
    }),
  );
}

test('a peer that is not there: the state says since when there is no answer', { skip }, () =>
  inLab(mixed, async (lab) => {
    await lab.b.kill();
    const espalier = ours(lab);
    await espalier.cli('up', 'gw', '--no-wait');
    await espalier.line('no answer', (line) => line.event === 'no-answer');
    // Its host is there, and says so.
    assert.equal((await statusOf(espalier)).code, 'not-listening');
  }),
);

function ours(lab: Lab): Espalier {
  if (lab.a instanceof Espalier) return lab.a;
  throw new Error('a is not Espalier');
}

interface Verdict {
  readonly state: string;
  readonly code: string;
  readonly remedy: string;
}

/** `status gw --json`: a connection, or a list of them, with state and reason; a child's failure stands at the child. */
async function statusOf(espalier: Espalier): Promise<Verdict> {
  const value = await espalier.json('status', 'gw');
  const list = Array.isArray(value) ? value : (record(value).connections ?? [value]);
  const connection = record(Array.isArray(list) ? list[0] : list);
  const reason = record(connection.reason);
  return { state: `${connection.state}`, code: `${reason.code}`, remedy: `${reason.remedy ?? ''}` };
}

function explains(line: LogLine, codes: readonly string[]): boolean {
  const text = JSON.stringify(line);
  return codes.some((code) => text.includes(`"${code}"`)) && /remedy/.test(text);
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new Error(`an object was expected, not ${JSON.stringify(value)}`);
}
