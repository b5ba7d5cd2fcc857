// Which sessions are with the same peer, for what RFC 7296 §2.4 and §2.8.1 have to say about several. Sessions are found
// by what does not change any more once the peer has named itself, so that thousands of them need not be searched.

import { identityKey, sameIdentity } from './identity.ts';
import type { BaseState } from './state.ts';

interface Party {
  readonly state: BaseState;
}

export class Parties<Session extends Party> {
  readonly #byConnection = new Map<string, Session[]>();
  readonly #byPeer = new Map<string, Session[]>();

  /** A session whose peer is known. */
  add(session: Session): void {
    append(this.#byConnection, session.state.conn, session);
    append(this.#byPeer, peerOf(session), session);
  }

  remove(session: Session): void {
    remove(this.#byConnection, session.state.conn, session);
    remove(this.#byPeer, peerOf(session), session);
  }

  /** Established sessions of the same connection between the same parties, the oldest first. */
  others(session: Session): Session[] {
    const { conn, remoteId } = session.state;
    const some = remoteId ? this.#byPeer.get(peerOf(session)) : this.#byConnection.get(conn);
    return (some ?? [])
      .filter((other) => other !== session && other.state.phase === 'established' && sameParties(session, other))
      .sort((a, b) => a.state.id - b.state.id);
  }
}

function peerOf({ state }: Party): string {
  return `${state.conn}|${(state.remoteId && identityKey(state.remoteId)) ?? ''}`;
}

function append<Session>(map: Map<string, Session[]>, key: string, session: Session): void {
  const list = map.get(key);
  if (!list) map.set(key, [session]);
  else if (!list.includes(session)) list.push(session);
}

function remove<Session>(map: Map<string, Session[]>, key: string, session: Session): void {
  const list = map.get(key)?.filter((other) => other !== session) ?? [];
  if (list.length > 0) map.set(key, list);
  else map.delete(key);
}

function sameParties(a: Party, b: Party): boolean {
  const { localId, remoteId } = a.state;
  const other = b.state;
  if (!localId || !other.localId || !sameIdentity(localId, other.localId)) return false;
  // Before the peer has said who it is, the address must do.
  if (!remoteId || !other.remoteId) return a.state.remote.ip === other.remote.ip;
  return sameIdentity(remoteId, other.remoteId);
}
