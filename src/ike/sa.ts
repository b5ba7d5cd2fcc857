// An IKE SA as its endpoint and the daemon see it, whatever its version.

import type { SocketAddress } from '../bytes/ip.ts';
import type { Child, Connection, Millis } from './connection.ts';
import type { Answer } from './effects.ts';
import type { Reason } from './reason.ts';
import type { Trouble } from './silence.ts';
import type { BaseState, ChildState, Numbers } from './state.ts';

export interface Tasks {
  /** By strongSwan's names. */
  readonly active: readonly string[];
  readonly queued: readonly string[];
}

export interface IkeSa {
  readonly state: BaseState;
  readonly conn: Connection;
  /** The SPI that we chose: the peer's messages find the SA by it. */
  readonly ourSpi: Uint8Array;
  /** ESP of this SA goes in UDP. */
  readonly udp: boolean;
  readonly tasks: Tasks;
  /** Its own keys are being renewed. */
  readonly rekeying: boolean;
  answer(now: Millis, answer: Answer): void;
  /** When `tick` is next needed. */
  deadline(): Millis | undefined;
  tick(now: Millis): void;
  /** Another child, as it is configured. */
  create(now: Millis, child: Child): void;
  rekeyChild(now: Millis, child: ChildState): void;
  deleteChild(now: Millis, child: ChildState): void;
  /** A hard limit of a child is reached. */
  expireChild(now: Millis, child: ChildState): void;
  /** The peer sends on a child. */
  used(now: Millis, child: ChildState): void;
  /** The peer is at another address than before. */
  moved(now: Millis, remote: SocketAddress): void;
  /** A message of ours did not arrive, it seems. */
  undelivered(trouble: Trouble): void;
  rekey(now: Millis): void;
  /** Another one is made from the beginning, and takes its place. */
  reauthenticate(now: Millis): void;
  checkLiveness(now: Millis): void;
  close(now: Millis, reason: Reason): void;
  /** Ends here and now, without a word to the peer. */
  over(now: Millis, reason: Reason): void;
  /** Beside those of its children. */
  readonly numbers: Numbers;
  /** Out of all lists: it is over. */
  leave(): void;
  /** Wipes its keys. */
  wipe(): void;
}
