// How the tests of IKEv1's situations are written: one for every side that can be in it, with traffic running where a
// tunnel must not be interrupted.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChildState } from '../../../src/ike/state.ts';
import { isCurrent } from '../../../src/ike/v1/children.ts';
import { sides1 } from '../../support/connections.ts';
import { Ear } from '../../support/ear.ts';
import { type Match, Pair, type Side } from '../../support/pair.ts';
import { flow } from '../v2/narrate.ts';
import type { SideName } from '../v2/situations.ts';
import { SITUATIONS, type SituationId } from './situations.ts';

export { ends, flow, nothing, quiet } from '../v2/narrate.ts';
export type { SideName } from '../v2/situations.ts';

/** A test for every side of the situation, its name `[id/side] text`. */
export function situation(id: SituationId, text: string, run: (side: SideName) => void): void {
  const known = SITUATIONS.find((one) => one.id === id);
  if (!known) throw new Error(`no situation ${id}`);
  for (const side of known.sides) test(`[${id}/${side}] ${text}`, () => run(side));
}

export interface Scene {
  readonly pair: Pair;
  readonly ear: Ear;
  /** Who begins. */
  readonly me: Side;
  readonly peer: Side;
}

/** Two sides that have not spoken yet. */
export function strangers(side: SideName, options: ReturnType<typeof sides1> = sides1(), seed = 1): Scene {
  const pair = new Pair(...options, seed);
  return { pair, ear: new Ear(pair), me: pair[side], peer: pair[side].other };
}

/** A tunnel that the left one has begun. */
export function tunnel(side: SideName, options: ReturnType<typeof sides1> = sides1(), seed = 1): Scene {
  const scene = strangers(side, options, seed);
  scene.pair.left.initiate();
  scene.pair.run(2000);
  one(scene.pair);
  return scene;
}

/** The first transmission alone. */
export function once(match: Match): Match {
  let seen = false;
  return (bytes, from) => {
    if (seen || !match(bytes, from)) return false;
    seen = true;
    return true;
  };
}

/** Children that serve: in IKEv1 those that were replaced stay until their end, and are receive-only. */
export function serving(side: Side): ChildState[] {
  return side.live.sessions.flatMap(({ state }) => state.children.filter(isCurrent));
}

/** One IKE SA with so many children on each side, the same ones on both, once the others have gone. */
export function one(pair: Pair, children = 1): void {
  assert.deepEqual(pair.faults(), []);
  const { left, right } = pair;
  for (const side of [left, right]) {
    assert.equal(side.endpoint.counters().get('bug'), undefined, JSON.stringify(side.events));
    assert.equal(side.live.sessions.length, 1, `${side.name} has one IKE SA\n${pair.log.join('\n')}`);
    assert.equal(serving(side).length, children, `${side.name} has children\n${pair.log.join('\n')}`);
    for (const child of side.live.sessions.flatMap(({ state }) => state.children)) {
      if (!isCurrent(child)) assert.deepEqual([child.stage, child.successor !== undefined], ['rekeyed', true]);
    }
  }
  const inward = serving(left).map(({ spiIn, spiOut }) => `${spiIn} ${spiOut}`);
  const outward = serving(right).map(({ spiIn, spiOut }) => `${spiOut} ${spiIn}`);
  assert.deepEqual(inward.sort(), outward.sort());
  const [x] = left.live.sessions;
  const [y] = right.live.sessions;
  assert.deepEqual([x?.state.spiI, x?.state.spiR], [y?.state.spiI, y?.state.spiR]);
}

/** After everything has settled one IKE SA with one child is left, and traffic was never interrupted. */
export function settled(pair: Pair, children = 1): void {
  flow(pair, 15_000);
  flow(pair, 120_000, 500);
  one(pair, children);
  for (const side of [pair.left, pair.right]) {
    assert.equal(side.endpoint.size, 1, `${side.name} has forgotten the others`);
  }
}

/** Nobody was told that something which stood was closed, or that something failed. */
export function calm({ left, right }: Pair): void {
  for (const { name, events } of [left, right]) {
    const loud = events.filter(
      (event) =>
        event.kind === 'child-closed' ||
        event.kind === 'child-failed' ||
        (event.kind === 'session-closed' && event.established),
    );
    assert.deepEqual(loud, [], `${name} has nothing to complain of`);
  }
}

/** Nothing is kept once all is closed. */
export function closed({ pair, me }: Scene): void {
  for (const { state } of me.endpoint.sessions()) {
    me.run(me.endpoint.close(pair.now, state.id, { code: 'requested', text: 'the end' }));
  }
  pair.run(100_000);
  for (const { name, endpoint, plane } of [pair.left, pair.right]) {
    assert.deepEqual(
      Object.entries(endpoint.held).filter(([, count]) => count > 0),
      [],
      `${name} keeps nothing`,
    );
    assert.equal(plane.sas.length, 0);
    assert.equal(endpoint.deadline(), undefined);
  }
}
