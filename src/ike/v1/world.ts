// What an SA of IKEv1 sees of its endpoint.

import type { SocketAddress } from '../../bytes/ip.ts';
import type { Connection, Millis } from '../connection.ts';
import type { World as Worlds } from '../world.ts';
import type { Session } from './session.ts';
import type { SessionState } from './state.ts';

export interface Ends {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

export interface World extends Worlds<Session, SessionState> {
  /** `ends` where the peer is reached at certain ports alone. */
  initiate(
    now: Millis,
    conn: Connection,
    local: string,
    remote: string,
    children: readonly string[],
    ends?: Ends,
  ): Session;
}
