// What an IKE SA sees of its endpoint: the configuration, the other SAs of its version, and where its effects go.

import type { Random } from '../crypto/types.ts';
import type { Connection, Millis, SharedKey } from './connection.ts';
import type { Effect, SessionId } from './effects.ts';
import type { Unfinished } from './fragment.ts';
import type { IkeSa } from './sa.ts';
import type { BaseState } from './state.ts';
import type { Tally } from './tally.ts';

export interface BaseWorld {
  readonly random: Random;
  /** Our ports for IKE and for IKE and ESP behind a NAT. */
  readonly port: number;
  readonly natPort: number;
  /** Whether ESP and AH can go out as protocols 50 and 51. */
  readonly rawEsp: boolean;
  readonly unfinished: Unfinished;
  connections(): readonly Connection[];
  connection(name: string): Connection | undefined;
  sharedKeys(): readonly SharedKey[];
  effect(effect: Effect): void;
  /** Counts a message that was dropped, by its reason. */
  count(code: string): void;
  readonly tally: Tally;
  /** Last packet on a child's SA, where there was one. */
  lastInbound(child: number): Millis | undefined;
  lastOutbound(child: number): Millis | undefined;
  sessionId(): SessionId;
  childId(): number;
  serial(): number;
  /** An inbound SPI that nobody uses, be it for ESP or for AH. */
  takeSpi(): number;
  freeSpi(spi: number): void;
  /** The same number for the same policy, as long as a child serves it. */
  takeReqid(policy: string): number;
  freeReqid(reqid: number): void;
  /** How many children serve this policy. */
  servers(reqid: number): number;
  /** An IKE SPI that nobody uses. */
  takeIkeSpi(): Uint8Array;
  /** `child` belongs to `session` from now on. */
  own(child: number, session: SessionId): void;
  disown(child: number): void;
  /** Of all IKE SAs of either version, the oldest first. */
  states(): readonly BaseState[];
  /** One of either version, to do something to it. */
  sa(id: SessionId): IkeSa | undefined;
}

export interface World<Session, State> extends BaseWorld {
  /** A session made by rekeying another. */
  add(state: State): Session;
  session(id: SessionId): Session | undefined;
  /** Other established sessions of the same connection with the same peer, the oldest first. */
  others(session: Session): readonly Session[];
  /** The peer has said who it is. */
  known(session: Session): void;
  /** Begins a session with these children of its connection. */
  initiate(now: Millis, conn: Connection, local: string, remote: string, children: readonly string[]): Session;
  /** The session is over and may be forgotten. */
  forget(session: Session): void;
}
