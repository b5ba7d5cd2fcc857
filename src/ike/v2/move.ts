// The peer behind its NAT has got another mapping, and everything goes there from now on (RFC 7296 §2.23).

import type { SocketAddress } from '../../bytes/ip.ts';
import type { Millis } from '../connection.ts';
import { rekeyChild } from './children.ts';
import type { Session } from './session.ts';

/** A peer's address may change by its ESP packets this often (SECURITY E11). */
const INTERVAL: Millis = 5000;

/** An authentic and newest ESP packet came from another address: a NAT has changed its mapping. */
export function peerMoved(session: Session, now: Millis, from: SocketAddress): void {
  const { state } = session;
  const soon = state.lastMove !== undefined && now - state.lastMove < INTERVAL;
  if (state.natRemote && !soon && state.phase === 'established') relocate(session, now, state.local, from);
}

export function relocate(session: Session, now: Millis, local: SocketAddress, remote: SocketAddress): void {
  const { state, world, udp } = session;
  if (sameAddress(state.remote, remote) && sameAddress(state.local, local)) return;
  const elsewhere = state.remote.ip !== remote.ip || state.local.ip !== local.ip;
  const moved = state.phase !== 'auth';
  state.local = local;
  state.remote = remote;
  if (!moved) return;
  state.lastMove = now;
  const children = state.children.map((child) => child.id);
  world.effect({ type: 'move', children, local, remote, udp });
  session.event({ kind: 'peer-moved', session: state.id, conn: state.conn, remote });
  if (!elsewhere) return;
  // In transport mode the selectors name the addresses that were: new SAs are made for the new ones.
  for (const child of [...state.children]) if (child.mode === 'transport') rekeyChild(session, now, child);
}

function sameAddress(a: SocketAddress, b: SocketAddress): boolean {
  return a.ip === b.ip && a.port === b.port;
}
