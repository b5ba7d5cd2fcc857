// Children of every kind for tests: of ESP and AH, in tunnel and in transport mode; and what is done with them.

import type { Child } from '../../../src/ike/connection.ts';
import { child, offers, selectors, sides } from '../../support/connections.ts';
import { Pair, type Side } from '../../support/pair.ts';
import type { SideName } from './situations.ts';

export const WHERE = new Map([
  ['', { file: 'gw.conf', line: 10, column: 1 }],
  ['ah_proposals', { file: 'gw.conf', line: 11, column: 1 }],
  ['esp_proposals', { file: 'gw.conf', line: 12, column: 1 }],
  ['mode', { file: 'gw.conf', line: 13, column: 1 }],
]);

export function esp(text = 'aes128gcm16', over: Partial<Child> = {}): Child {
  return child({ offers: offers(text, 'esp'), where: WHERE, ...over });
}

export function ah(text = 'sha256', over: Partial<Child> = {}): Child {
  return child({ protocol: 'ah', offers: offers(text, 'ah'), where: WHERE, ...over });
}

/** In transport mode, for the two gateways themselves. */
export function hosts(over: Partial<Child> = {}): Child {
  const dynamic = selectors('dynamic');
  return esp('aes128gcm16', { mode: 'transport', localTs: dynamic, remoteTs: dynamic, ...over });
}

/** The child of `side` and that of the other side, both as the left one would have them. */
export function apart(side: SideName, mine: Child, theirs: Child) {
  const [left, right] = side === 'left' ? [mine, theirs] : [theirs, mine];
  const mirrored = { ...right, localTs: right.remoteTs, remoteTs: right.localTs };
  return sides({ children: [left] }, { children: [mirrored] });
}

/** An IKE SA without a child. */
export function bare(options: ReturnType<typeof sides>, seed = 1): Pair {
  const pair = new Pair(...options, seed);
  pair.left.initiate([]);
  pair.run(1000);
  return pair;
}

export function create(side: Side, name = 'net'): void {
  side.run(side.endpoint.createChild(side.pair.now, side.session, name));
}

export function rekey(side: Side): void {
  side.run(side.endpoint.rekeyChild(side.pair.now, side.child));
}

export function closeChild(side: Side): void {
  side.run(side.endpoint.closeChild(side.pair.now, side.child));
}

export function spi(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}
