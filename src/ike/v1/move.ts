// The peer is there, and where: behind a NAT it may have got another mapping, and everything goes there from now on.

import type { SocketAddress } from '../../bytes/ip.ts';
import type { Millis } from '../connection.ts';
import { comesBack } from './send.ts';
import type { Session } from './session.ts';

/** A peer's address may change this often (SECURITY E11). */
const INTERVAL: Millis = 5000;

/** By an authentic and newest packet of ESP, or a message that proved itself. */
export function peerMoved(session: Session, now: Millis, from: SocketAddress): void {
  const { state, world, udp } = session;
  const soon = state.lastMove !== undefined && now - state.lastMove < INTERVAL;
  const known = state.remote.ip === from.ip && state.remote.port === from.port;
  if (known || soon || !state.natRemote || state.phase !== 'established') return;
  state.remote = from;
  state.lastMove = now;
  const children = state.children.map((child) => child.id);
  world.effect({ type: 'move', children, local: state.local, remote: from, udp });
  session.event({ kind: 'peer-moved', session: state.id, conn: state.conn, remote: from });
}

/** An authenticated message: the peer lives, and may have moved. */
export function heard(session: Session, now: Millis, from: SocketAddress): void {
  const { state } = session;
  state.lastIn = now;
  comesBack(session, state.probe);
  delete state.probe;
  delete state.sent;
  peerMoved(session, now, from);
}
