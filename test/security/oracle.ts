// What every attack is measured by: nothing of ours breaks, nothing is left behind, and a good tunnel comes up afterwards.

import assert from 'node:assert/strict';
import type { Endpoint } from '../../src/ike/endpoint.ts';
import type { Session } from '../../src/ike/v2/session.ts';
import type { Pair } from '../support/pair.ts';
import { sessions2 } from '../support/v2.ts';

/** Retransmissions, half-open and closed sessions are all over within this time. */
export const PEACE = 200_000;

/** What is wrong with a pair that has been attacked and then left alone; empty when nothing is. */
export function harm(pair: Pair): string[] {
  return [pair.left, pair.right].flatMap(({ name, endpoint, plane }) => [
    ...(bugs(endpoint) > 0 ? [`${name} has met ${bugs(endpoint)} bugs of its own`] : []),
    ...plane.faults.map((fault) => `${name}: ${fault}`),
    ...sessions2(endpoint).flatMap((session) => (idle(session) ? [] : [`${name}: a session waits for nothing`])),
    ...endpoint.sessions().flatMap(({ state }) => (state.phase === 'established' ? [] : [`${name}: ${state.phase}`])),
  ]);
}

export function bugs(endpoint: Endpoint): number {
  return endpoint.counters().get('bug') ?? 0;
}

/** A task without anything that will bring it to its end keeps the session from ever doing something again. */
function idle({ state }: Session): boolean {
  const ends = state.outstanding ?? state.taskJob ?? state.incomingJob ?? state.endAt;
  return state.task === undefined || ends !== undefined;
}

/** Dropped messages so far, by whatever reason. */
export function dropped(endpoint: Endpoint): number {
  let sum = 0;
  for (const count of endpoint.counters().values()) sum += count;
  return sum;
}

/** After an attack: nothing is broken, and the same two endpoints make a tunnel that carries packets. */
export function assertUnharmed(pair: Pair, what = ''): void {
  pair.run(PEACE);
  assert.deepEqual(harm(pair), [], what);
  pair.wire.tamper = undefined;
  const session = pair.left.initiate();
  pair.run(5000);
  assert.equal(pair.left.endpoint.session(session)?.state.phase, 'established', `a new tunnel after ${what}`);
  const { sent, lost } = pair.flow;
  pair.probe();
  pair.run(1000);
  assert.ok(pair.flow.sent > sent, `traffic after ${what}`);
  assert.equal(pair.flow.lost, lost, `packets lost after ${what}`);
  assert.deepEqual(harm(pair), [], what);
}
