// What the control plane tells the data plane: plain values, which cross to a worker in a message. Keys are not among
// them: they are with the lane's C side already when an SA is announced here.

import type { ChildSa, SessionId } from '../ike/effects.ts';
import type { Selector } from '../ike/wire/ts.ts';

export type Change =
  | Install
  /** Outbound traffic of the SA's group takes this one from now on. */
  | { readonly type: 'activate'; readonly slot: number }
  | { readonly type: 'remove'; readonly slot: number }
  /** Another path or another size of what fits through it. */
  | ({ readonly type: 'route'; readonly slot: number } & Way)
  | {
      readonly type: 'policy';
      /** Unique among policies. */
      readonly id: number;
      /** A trap without an SA raises an `acquire`; a block drops without a word. */
      readonly kind: 'trap' | 'block';
      readonly localTs: readonly Selector[];
      readonly remoteTs: readonly Selector[];
    }
  | { readonly type: 'no-policy'; readonly id: number };

/** Where an SA's packets go, and how large they may be inside. */
export interface Way {
  /** As net/native.ts lays it out. */
  readonly path: Uint8Array;
  readonly flags: number;
  readonly mtu: number;
  readonly mss4: number;
  readonly mss6: number;
}

export interface Install extends Way {
  readonly type: 'install';
  readonly slot: number;
  readonly owner: number;
  readonly id: number;
  readonly session: SessionId;
  readonly reqid: number;
  readonly spi: number;
  /** The peer's: what an ICMP error about our packets quotes. */
  readonly spiOut: number;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
  readonly replayWindow: number;
  readonly limits: ChildSa['limits'];
  readonly lastSeq: number;
  readonly active: boolean;
}

/** What the data plane tells the control plane. */
export type SaEvent =
  /** A limit of bytes, packets or sequence numbers: time for a successor, or the end. Each once per child. */
  | { readonly kind: 'soft' | 'hard'; readonly session: SessionId; readonly id: number }
  /** The peer sends on this SA, though our own traffic does not use it yet. Once. */
  | { readonly kind: 'used'; readonly session: SessionId; readonly id: number }
  /** An authentic packet, the newest of its SA, came from another address. For every batch until the path changes. */
  | {
      readonly kind: 'moved';
      readonly session: SessionId;
      readonly id: number;
      readonly remote: Endpoint;
      readonly udp: boolean;
    }
  /** A packet met a trap: somebody wants the tunnel. At most once a second for a policy. */
  | { readonly kind: 'acquire'; readonly policy: number; readonly packet: Uint8Array }
  /** A router says that packets of this size do not fit (RFC 1191, RFC 8201); it quoted one of this SA. */
  | { readonly kind: 'too-big'; readonly session: SessionId; readonly id: number; readonly mtu: number }
  /** A router, or the peer's host, says that a packet of IKE did not arrive: a record of `ERROR` words. */
  | { readonly kind: 'undelivered'; readonly words: Int32Array }
  /** The slot is free of traffic: its keys may go. */
  | { readonly kind: 'removed'; readonly slot: number }
  /** Somebody deleted the TUN device: nothing that is protected can pass any more. */
  | { readonly kind: 'device-gone'; readonly errno: number }
  /** A bug, met with a batch that is lost. */
  | { readonly kind: 'bug'; readonly text: string };

/** An address in bytes, so that nothing is formatted per packet. */
export interface Endpoint {
  readonly address: Uint8Array;
  readonly port: number;
}
