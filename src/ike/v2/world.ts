// What a session sees of its endpoint: the configuration, the other sessions, and where its effects go.

import type { Random } from '../../crypto/types.ts';
import type { Connection, Millis, SharedKey } from '../connection.ts';
import type { Effect, SessionId } from '../effects.ts';
import type { Unfinished } from '../fragment.ts';
import type { Session } from './session.ts';
import type { SessionState } from './state.ts';

export interface World {
  readonly random: Random;
  /** Our ports for IKE and for IKE and ESP behind a NAT. */
  readonly port: number;
  readonly natPort: number;
  /** Whether ESP can go out as protocol 50. */
  readonly rawEsp: boolean;
  readonly unfinished: Unfinished;
  connections(): readonly Connection[];
  connection(name: string): Connection | undefined;
  sharedKeys(): readonly SharedKey[];
  effect(effect: Effect): void;
  /** Counts a message that was dropped, by its reason. */
  count(code: string): void;
  /** Last packet on a child's SA, where there was one. */
  lastInbound(child: number): Millis | undefined;
  lastOutbound(child: number): Millis | undefined;
  sessionId(): SessionId;
  childId(): number;
  serial(): number;
  /** An inbound SPI of ESP that nobody uses. */
  takeSpi(): number;
  freeSpi(spi: number): void;
  /** The same number for the same policy, as long as a child serves it. */
  takeReqid(policy: string): number;
  freeReqid(reqid: number): void;
  /** An IKE SPI that nobody uses. */
  takeIkeSpi(): Uint8Array;
  /** A session made by rekeying another. */
  add(state: SessionState): Session;
  session(id: SessionId): Session | undefined;
  /** `child` belongs to `session` from now on. */
  own(child: number, session: SessionId): void;
  disown(child: number): void;
  /** True when no other session with these identities is established: the AUTH may say INITIAL_CONTACT. */
  firstContact(session: Session): boolean;
  established(now: Millis, session: Session, initialContact: boolean): void;
  /** Make before break: a new session for the same connection that closes this one when it stands. */
  replace(now: Millis, session: Session): void;
  /** The second session has taken the first one's place by rekeying. */
  inherit(from: SessionId, to: SessionId): void;
  /** The session is over and may be forgotten. */
  forget(session: Session): void;
}
