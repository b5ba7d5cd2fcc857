// How a peer takes its leave, and what that tells: RFC 7296 §1.4.1, RFC 2408 §3.15.

import type { Child, Connection, Place } from './connection.ts';
import type { Reason } from './reason.ts';
import type { BaseState } from './state.ts';
import { at } from './why.ts';
import { assignment } from './words.ts';

interface Party {
  readonly state: Pick<BaseState, 'remote'>;
  readonly conn: Connection;
}

/** A child, or without one the whole IKE SA. */
export function closedByPeer({ state, conn }: Party, child?: Child): Reason {
  const configured = child ?? (conn.children.length === 1 ? conn.children[0] : undefined);
  const place = configured?.where.get('close_action') ?? configured?.where.get('') ?? conn.where.get('');
  return {
    code: 'peer-deleted',
    text: 'closed by the peer',
    by: 'peer',
    remedy: `it was taken down at ${state.remote.ip}, where the log says why; ${again(configured, place)}`,
    peer: state.remote,
    ...(place ? { where: place } : {}),
  };
}

function again(child: Child | undefined, place: Place | undefined): string {
  const written = child ? assignment(child, 'close_action', 'start') : 'close_action = start';
  return `to begin it anew by itself, set \`${written}\`${at(place)}`;
}

/** A negotiation that the peer began, and did not go on with. */
export function halfOpen(
  { state, conn }: Party,
  facts: {
    /** What we have answered. */
    readonly answered: string;
    /** What should have come. */
    readonly next: string;
    /** The port on which it should have come, where that is another one. */
    readonly port: number | undefined;
    /** It said the same again: it does not have our answer. */
    readonly repeated: boolean;
  },
): Reason {
  const { answered, next, port, repeated } = facts;
  const { ip } = state.remote;
  const place = conn.where.get('remote_addrs') ?? conn.where.get('');
  const shared = { by: 'peer' as const, peer: state.remote, ...(place ? { where: place } : {}) };
  if (repeated) {
    return {
      ...shared,
      code: 'half-open',
      text: `${ip} asks again and again, and does not hear our answer to ${answered}`,
      remedy: `permit UDP 500 from here to ${ip} in every firewall between the gateways`,
    };
  }
  if (port !== undefined) {
    return {
      ...shared,
      code: 'unanswered-4500',
      text: `${ip} had our answer to ${answered} on UDP 500, and ${next} did not come on UDP ${port}: either that port is blocked on the way to us, or the peer did not go on`,
      remedy: `permit UDP ${port} in both directions in every firewall between the gateways; if it passes, the peer's log says why it stopped (a missing pre-shared key, for one)`,
    };
  }
  return {
    ...shared,
    code: 'half-open',
    text: `${ip} had our answer to ${answered}, and ${next} did not come: the peer did not go on`,
    remedy: "the peer's log says why it stopped (a missing pre-shared key, for one)",
  };
}
