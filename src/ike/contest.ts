// Two peers for the same packets (RFC 3948 §5). In transport mode two hosts behind one NAT have one address, as far as we
// can see (§5.2): the second is refused. In tunnel mode two may have been allowed the same network (§5.1), as where one
// stands in for the other: the newest gets its packets, and the log says so.

import { formatSocketAddress } from '../bytes/ip.ts';
import type { Child, Millis, Mode } from './connection.ts';
import { describeIdentity, sameIdentity } from './identity.ts';
import type { Reason } from './reason.ts';
import type { BaseState, ChildState } from './state.ts';
import { formatSelector, narrow } from './ts.ts';
import type { Selector } from './wire/ts.ts';
import { wordFor } from './words.ts';
import type { BaseWorld } from './world.ts';

/** An IKE SA of either version. */
interface Party {
  readonly state: BaseState;
  readonly world: BaseWorld;
}

interface Flow {
  readonly mode: Mode;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
}

/** Why this child cannot be had beside that of another host behind the same NAT. */
export function natObstacle(party: Party, config: Child, flow: Flow): Reason | undefined {
  if (flow.mode !== 'transport') return undefined;
  const holder = neighbours(party).find(({ children }) =>
    children.some((child) => isThere(child) && overlap(child, flow)),
  );
  if (!holder) return undefined;
  const place = config.where.get('remote_ts') ?? config.where.get('');
  return {
    code: 'nat-conflict',
    by: 'us',
    got: flow.remoteTs.map(formatSelector),
    text: `${nameOf(holder)}, behind the same NAT (${party.state.remote.ip}), has this in transport mode: packets for the two could not be told apart`,
    remedy: `use tunnel mode, with different addresses inside, or give each of them ports of its own in \`${wordFor(config, 'remote_ts')}\``,
    ...(place ? { where: place } : {}),
  };
}

/** Whoever is in the way is asked whether it is still there: the host that was refused will come again. */
export function checkNeighbours(party: Party, now: Millis): void {
  for (const { id } of neighbours(party)) party.world.sa(id)?.checkLiveness(now);
}

/** Other peers behind the same NAT that are here in transport mode. */
function neighbours({ state, world }: Party): BaseState[] {
  if (!state.natRemote || !state.remoteId) return [];
  return world
    .states()
    .filter(
      (other) =>
        other.remote.ip === state.remote.ip &&
        !isPeer(state, other) &&
        other.children.some(({ mode }) => mode === 'transport'),
    );
}

/** A child of this IKE SA has begun to send: the others that did so for the same packets hear of it. */
export function supplant({ state, world }: Party, child: ChildState): void {
  const own = state.children.filter(({ reqid }) => reqid === child.reqid).length;
  if (world.servers(child.reqid) === own || state.phase !== 'established') return;
  for (const other of world.states()) {
    const here = other.remote.ip === state.remote.ip && other.remote.port === state.remote.port;
    if (other === state || other.phase !== 'established' || (here && isPeer(state, other))) continue;
    if (!other.children.some((one) => one.reqid === child.reqid && isThere(one))) continue;
    const reason: Reason = {
      code: 'supplanted',
      by: 'us',
      want: child.remoteTs.map(formatSelector),
      text: `packets of ${child.name} go to ${nameOf(state)} at ${formatSocketAddress(state.remote)} now, which has the same selectors`,
      remedy: 'give each peer selectors of its own',
    };
    world.effect({ type: 'event', event: { kind: 'note', session: other.id, conn: other.conn, reason } });
  }
}

function isPeer(a: BaseState, b: BaseState): boolean {
  return a.remoteId !== undefined && b.remoteId !== undefined && sameIdentity(a.remoteId, b.remoteId);
}

/** Not one that only waits for its last packets. */
function isThere({ stage, successor }: ChildState): boolean {
  return successor === undefined && (stage === 'installed' || stage === 'rekeying');
}

function overlap(child: ChildState, { localTs, remoteTs }: Flow): boolean {
  if (child.mode !== 'transport') return false;
  return narrow(child.localTs, localTs).length > 0 && narrow(child.remoteTs, remoteTs).length > 0;
}

function nameOf({ remoteId }: BaseState): string {
  return remoteId ? describeIdentity(remoteId) : 'a peer';
}
