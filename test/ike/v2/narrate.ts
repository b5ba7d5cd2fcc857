// How the tests of situations are written: one for every side that can be in it, with traffic running where a tunnel must
// not be interrupted.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '../../../src/bytes/bytes.ts';
import type { Pair, Side } from '../../support/pair.ts';
import { read } from '../../support/tamper.ts';
import { SITUATIONS, type SideName, type SituationId } from './situations.ts';

/** A test for every side of the situation, its name `[id/side] text`. */
export function situation(id: SituationId, text: string, run: (side: SideName) => void): void {
  const known = SITUATIONS.find((one) => one.id === id);
  if (!known) throw new Error(`no situation ${id}`);
  for (const side of known.sides) test(`[${id}/${side}] ${text}`, () => run(side));
}

export function ends(pair: Pair, side: SideName): { me: Side; peer: Side } {
  return { me: pair[side], peer: pair[side].other };
}

/** Traffic both ways: at every moment each side has an SA to send on, and the other side accepts what comes. */
export function flow(pair: Pair, duration: number, interval = 20): void {
  const before = pair.flow.sent;
  pair.flowing(duration, interval);
  assert.equal(pair.flow.sent - before, 2 * Math.ceil(duration / interval), 'a policy was without an SA, or had two');
  assert.equal(pair.flow.lost, 0, 'packets were lost');
}

/** After everything has settled, one IKE SA with one child is left on each side, and nothing else. */
export function settled(pair: Pair): void {
  flow(pair, 15_000);
  flow(pair, 60_000, 500);
  one(pair);
}

/** One IKE SA with one child on each side, the same one on both. */
export function one(pair: Pair): void {
  assert.deepEqual(pair.faults(), []);
  const { left, right } = pair;
  for (const side of [left, right]) {
    assert.equal(side.live.sessions.length, 1, `${side.name} has one IKE SA`);
    assert.equal(side.live.children.length, 1, `${side.name} has one child`);
    assert.equal(side.plane.sas.length, 1, `${side.name} has one SA installed`);
    assert.equal(side.endpoint.size, 1, `${side.name} has forgotten the others`);
    assert.equal(side.endpoint.counters().get('bug'), undefined);
  }
  const [a] = left.live.children;
  const [b] = right.live.children;
  assert.deepEqual([a?.spiIn, a?.spiOut], [b?.spiOut, b?.spiIn]);
  const [x] = left.live.sessions;
  const [y] = right.live.sessions;
  assert.deepEqual([x?.state.spiI, x?.state.spiR], [y?.state.spiI, y?.state.spiR]);
}

/** Nobody was told that something closed or failed. */
export function quiet(pair: Pair): void {
  const loud = ['session-closed', 'child-closed', 'child-failed'];
  for (const side of [pair.left, pair.right]) {
    assert.deepEqual(
      side.events.filter(({ kind }) => loud.includes(kind)),
      [],
      `${side.name} has nothing to complain of`,
    );
  }
}

/** Nothing is left of any session. */
export function nothing(pair: Pair): void {
  assert.deepEqual(pair.faults(), []);
  for (const side of [pair.left, pair.right]) {
    assert.equal(side.endpoint.size, 0, `${side.name} has forgotten everything`);
    assert.equal(side.plane.sas.length, 0, `${side.name} has nothing installed`);
    assert.equal(side.endpoint.counters().get('bug'), undefined);
  }
}

/** The nonces of each exchange from now on, by who began it. */
export function collect(pair: Pair): Map<string, Uint8Array[]> {
  const nonces = new Map<string, Uint8Array[]>();
  pair.wire.tamper = (bytes, from) => {
    const said = read(bytes, from);
    const asker = said?.header.response ? from.other.name : from.name;
    const nonce = said?.payloads.find(({ tag }) => tag === 'Nonce');
    if (nonce?.tag === 'Nonce') nonces.set(asker, [...(nonces.get(asker) ?? []), nonce.data]);
    return bytes;
  };
  return nonces;
}

/** Who began the exchange in which the lowest of all nonces is. */
export function lowest(nonces: ReadonlyMap<string, readonly Uint8Array[]>): string | undefined {
  const all = [...nonces].flatMap(([asker, some]) => some.map((nonce) => ({ asker, text: hex(nonce) })));
  return all.sort((a, b) => (a.text < b.text ? -1 : 1))[0]?.asker;
}

export const SEEDS = [1, 2, 3, 4, 5, 6] as const;
