// The exchanges in which `negative.test.ts` changes messages, what came of it, and whether both ends are sound afterwards.

import assert from 'node:assert/strict';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { child, offers, sides } from '../../support/connections.ts';
import { type Match, Pair, type Side } from '../../support/pair.ts';
import { change, request, response, words } from '../../support/tamper.ts';
import type { SideName } from './situations.ts';

export type Edit = (payloads: readonly Payload[]) => readonly Payload[];

export interface Scene {
  readonly name: string;
  /** Who begins the exchange whose request or response `side` sends. */
  readonly play: (pair: Pair, asks: Side) => void;
  readonly match: (from: Side) => Match;
  readonly isResponse: boolean;
  /** The initial exchanges are begun by the one that asks; for all others the tunnel stands. */
  readonly initial: boolean;
}

export function scene(
  name: string,
  isResponse: boolean,
  exchange: Parameters<typeof request>[1],
  play: Scene['play'],
  holding?: string,
): Scene {
  const match = (from: Side) => (isResponse ? response(from, exchange) : request(from, exchange, holding));
  const initial = exchange === 'IKE_SA_INIT' || exchange === 'IKE_AUTH';
  return { name: `${name} ${isResponse ? 'response' : 'request'}`, play, match, isResponse, initial };
}

export const initiate = (_pair: Pair, asks: Side) => void asks.initiate();
export const rekeyChild = ({ now }: Pair, asks: Side) => asks.run(asks.endpoint.rekeyChild(now, asks.child));
export const rekeyIke = ({ now }: Pair, asks: Side) => asks.run(asks.endpoint.rekeyIke(now, asks.session));
export const closeChild = ({ now }: Pair, asks: Side) => asks.run(asks.endpoint.closeChild(now, asks.child));
export const check = ({ now }: Pair, asks: Side) => asks.run(asks.endpoint.checkLiveness(now, asks.session));

export const SCENES: readonly Scene[] = [false, true].flatMap((isResponse) => [
  scene('IKE_SA_INIT', isResponse, 'IKE_SA_INIT', initiate),
  scene('IKE_AUTH', isResponse, 'IKE_AUTH', initiate),
  scene('rekey child', isResponse, 'CREATE_CHILD_SA', rekeyChild),
  scene('rekey IKE', isResponse, 'CREATE_CHILD_SA', rekeyIke),
  scene('delete', isResponse, 'INFORMATIONAL', closeChild),
  scene('liveness', isResponse, 'INFORMATIONAL', check),
]);

export const PFS = child({ offers: offers('aes128gcm16-x25519', 'esp') });

/** What the message of a scene holds when nobody changes it. */
export function plain(scene: Scene, side: SideName): readonly Payload[] {
  let found: readonly Payload[] = [];
  stage(scene, side, (payloads) => {
    found = payloads;
    return payloads;
  });
  return found;
}

/** Plays a scene with one message of it changed, and lets everything settle. */
export function stage(scene: Scene, side: SideName, edited: Edit): Pair {
  const options = sides({ children: [PFS], dpdDelay: 30_000 });
  const pair = scene.initial ? new Pair(...options) : Pair.up(...options);
  const from = pair[side];
  const asks = scene.isResponse ? from.other : from;
  let seen = 0;
  const match = scene.match(from);
  change(pair, (bytes, sender) => match(bytes, sender) && seen++ === 0, edited);
  scene.play(pair, asks);
  pair.run(15_000);
  assert.ok(seen > 0, `${scene.name} was seen`);
  return pair;
}

/** Whatever happened: no bug, no SA without the other side's, no memory; and a good tunnel comes up afterwards. */
export function sound(pair: Pair, what: string, alsoChildren = true): void {
  pair.wire.tamper = undefined;
  // What one side believes in alone, it finds to be dead.
  pair.run(200_000);
  const { left, right } = pair;
  for (const side of [left, right]) {
    assert.equal(side.endpoint.counters().get('bug'), undefined, `${what}: a bug at ${side.name}`);
    assert.equal(side.endpoint.size, side.live.sessions.length, `${what}: ${side.name} has forgotten what is over`);
  }
  assert.deepEqual(pair.faults(), [], what);
  const spis = (side: Side) => side.live.sessions.map(({ state }) => state.spiI.join()).sort();
  assert.deepEqual(spis(left), spis(right), `${what}: the same IKE SAs`);
  const pairs = (side: Side, way: 'in' | 'out') =>
    side.live.children.map((net) => (way === 'in' ? [net.spiIn, net.spiOut] : [net.spiOut, net.spiIn]).join()).sort();
  if (alsoChildren) assert.deepEqual(pairs(left, 'in'), pairs(right, 'out'), `${what}: the same children`);
  left.restart();
  right.restart();
  left.initiate();
  pair.run(3000);
  assert.equal(right.live.children.length, 1, `${what}: a good tunnel comes up`);
}

/** One word for what came of it. */
export function outcome(pair: Pair): string {
  const { left, right } = pair;
  const sessions = left.live.sessions.length === 1 && right.live.sessions.length === 1;
  if (!sessions) return left.live.sessions.length + right.live.sessions.length === 0 ? 'IKE SA gone' : 'differ';
  if (left.live.sessions[0]?.state.spiI.join() !== right.live.sessions[0]?.state.spiI.join()) return 'differ';
  const children = [left, right].map((side) => side.live.children.length).join();
  return children === '1,1' ? 'up' : children === '0,0' ? 'no child' : `children ${children}`;
}

/** What comes of an edit for every payload of every scene: `outcome <- payloads`, scene by scene. */
export function every(
  side: SideName,
  edits: (payloads: readonly Payload[], i: number) => readonly Payload[] | undefined,
): Record<string, readonly string[]> {
  const table: Record<string, string[]> = {};
  for (const one of SCENES) {
    const payloads = plain(one, side);
    const lines = new Map<string, string[]>();
    payloads.forEach((_, i) => {
      if (!edits(payloads, i)) return;
      const word = words(payloads)[i] ?? '';
      const pair = stage(one, side, (found) => edits(found, i) ?? found);
      const came = outcome(pair);
      // Who never heard of a Delete keeps the child until its own limit.
      sound(pair, `${one.name} ${word}`, !(one.name === 'delete request' && came.startsWith('children')));
      lines.set(came, [...(lines.get(came) ?? []), word]);
    });
    table[one.name] = [...lines].map(([came, of]) => `${came} <- ${of.join(' ')}`);
  }
  return table;
}

/** Every scene with the same edit, and what came of it. */
export function all(side: SideName, edited: Edit, alsoChildren = true, scenes = SCENES): Record<string, string> {
  const table: Record<string, string> = {};
  for (const one of scenes) {
    const pair = stage(one, side, edited);
    table[one.name] = outcome(pair);
    sound(pair, one.name, alsoChildren);
  }
  return table;
}

export const PROTECTED = SCENES.filter(({ name }) => !name.startsWith('IKE_SA_INIT'));

/** What becomes of each scene when nothing is wrong with it. */
export const FINE: Readonly<Record<string, string>> = Object.fromEntries(
  SCENES.map(({ name }) => [name, name.startsWith('delete') ? 'no child' : 'up']),
);
/** IKE_SA_INIT is under AUTH: it cannot be changed at all. */
export const UNDER_AUTH = { 'IKE_SA_INIT request': 'IKE SA gone', 'IKE_SA_INIT response': 'IKE SA gone' };
