// What the protocol asks of the world. `daemon/gateway.ts` carries these out; `test/support/pair.ts` does so on a
// virtual clock. Nothing here can fail in the sender's eyes: what has an answer gets it through `Endpoint.answer`.

import type { SocketAddress } from '../bytes/ip.ts';
import type { KeyPair, ProtectionKeys } from '../crypto/types.ts';
import type { CopyDscp, Millis, Mode, Mss, Protocol } from './connection.ts';
import type { Reason } from './reason.ts';
import type { Selector } from './wire/ts.ts';

export type SessionId = number;

/** One direction of a child SA as the data plane needs it. */
export interface SaKeys {
  readonly spi: number;
  /** With AH `encr` is 0 and `encrKey` empty. */
  readonly keys: ProtectionKeys;
}

/** A child SA, both directions, ready to be installed. */
export interface ChildSa {
  /** Unique in this process: strongSwan's number in braces. */
  readonly id: number;
  readonly session: SessionId;
  readonly conn: string;
  readonly child: string;
  /** The same for every SA that serves one child's policy. */
  readonly reqid: number;
  readonly protocol: Protocol;
  /** As negotiated, which need not be as configured. */
  readonly mode: Mode;
  readonly inbound: SaKeys;
  readonly outbound: SaKeys;
  readonly esn: boolean;
  /** ESP in UDP between the session's addresses, or protocol 50 between its IPs. */
  readonly udp: boolean;
  /** A NAT is between the peers: in transport mode checksums no longer fit the addresses (RFC 3948 §3.1.2). */
  readonly natted: boolean;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
  readonly replayWindow: number;
  readonly copyDf: boolean;
  readonly copyEcn: boolean;
  readonly copyDscp: CopyDscp;
  readonly mss: Mss;
  readonly installRoutes: boolean;
  /** Soft and hard limits of either direction; 0 for none. Time limits are the session's own deadlines. */
  readonly limits: {
    readonly softBytes: number;
    readonly hardBytes: number;
    readonly softPackets: number;
    readonly hardPackets: number;
  };
  /** False while a rekeyed predecessor still sends (RFC 7296 §2.8): outbound waits for `activate`. */
  readonly active: boolean;
}

export type Effect =
  | { readonly type: 'send'; readonly local: SocketAddress; readonly remote: SocketAddress; readonly bytes: Uint8Array }
  /** One byte of 0xFF (RFC 3948 §2.3). */
  | { readonly type: 'keepalive'; readonly local: SocketAddress; readonly remote: SocketAddress }
  /** Answered with `{ pair }`. */
  | { readonly type: 'generate'; readonly job: Job; readonly group: number }
  /** Answered with `{ shared }`, undefined when the peer's value is unacceptable. */
  | {
      readonly type: 'agree';
      readonly job: Job;
      readonly group: number;
      readonly pair: KeyPair | undefined;
      readonly theirs: Uint8Array;
    }
  | { readonly type: 'install'; readonly sa: ChildSa }
  /** Outbound traffic of this policy now uses this SA. */
  | { readonly type: 'activate'; readonly child: number }
  | { readonly type: 'remove'; readonly child: number }
  /** The peer's address or ours changed for all SAs of the session. */
  | {
      readonly type: 'move';
      readonly children: readonly number[];
      readonly local: SocketAddress;
      readonly remote: SocketAddress;
      readonly udp: boolean;
    }
  | { readonly type: 'event'; readonly event: Event };

/** Names the piece of slow work an answer belongs to. */
export interface Job {
  readonly session: SessionId;
  readonly serial: number;
}

export type Answer =
  | { readonly type: 'generated'; readonly job: Job; readonly pair: KeyPair }
  /** With `pair` where the effect had none: our value was made in the same step (a responder's case). */
  | { readonly type: 'agreed'; readonly job: Job; readonly pair: KeyPair; readonly shared: Uint8Array | undefined };

/** What happened, for the log, the status and whoever waits for a result. Names are for people; ids are unique. */
export type Event =
  | {
      readonly kind: 'session-started';
      readonly session: SessionId;
      readonly conn: string;
      readonly initiator: boolean;
    }
  | { readonly kind: 'session-established'; readonly session: SessionId; readonly conn: string }
  | { readonly kind: 'session-rekeyed'; readonly session: SessionId; readonly conn: string; readonly by: SessionId }
  | {
      readonly kind: 'session-closed';
      /** The peer, where there was one: the session cannot be asked any more. */
      readonly remote?: SocketAddress;
      readonly session: SessionId;
      readonly conn: string;
      readonly established: boolean;
      readonly reason: Reason;
    }
  | {
      readonly kind: 'child-established';
      readonly session: SessionId;
      readonly conn: string;
      readonly child: string;
      readonly id: number;
      /** Which of its pairs of selectors, where a child has an SA for each. */
      readonly pair?: string;
    }
  | {
      readonly kind: 'child-rekeyed';
      readonly session: SessionId;
      readonly conn: string;
      readonly child: string;
      readonly id: number;
      readonly by: number;
    }
  | {
      readonly kind: 'child-closed';
      readonly session: SessionId;
      readonly conn: string;
      readonly child: string;
      readonly id: number;
      readonly reason: Reason;
    }
  /** A child that was asked for and did not come to be. */
  | {
      readonly kind: 'child-failed';
      readonly session: SessionId;
      readonly conn: string;
      readonly child: string;
      readonly reason: Reason;
      /** It was to replace one that stands, which goes on until its end. */
      readonly renews?: true;
    }
  /** A request of ours was sent again: the peer has been silent since then. Once more where it is known better why. */
  | {
      readonly kind: 'no-answer';
      readonly session: SessionId;
      readonly conn: string;
      readonly since: Millis;
      readonly reason: Reason;
    }
  /** An answer came after all. */
  | { readonly kind: 'answered'; readonly session: SessionId; readonly conn: string }
  /** What the peer's vendor ids say of it. */
  | {
      readonly kind: 'vendors';
      readonly session: SessionId;
      readonly conn: string;
      readonly remote: SocketAddress;
      readonly names: readonly string[];
    }
  | { readonly kind: 'peer-moved'; readonly session: SessionId; readonly conn: string; readonly remote: SocketAddress }
  | {
      readonly kind: 'note';
      readonly session: SessionId;
      readonly conn: string;
      /** Of which child it is, where it is one's; there may be another attempt. */
      readonly child?: string;
      /** The child was to replace one that stands. */
      readonly renews?: true;
      readonly reason: Reason;
    };
