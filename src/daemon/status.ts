// What the gateway tells about itself: the values behind `list-sas`, `status` and, later, the metrics.

import type { Ip, SocketAddress } from '../bytes/ip.ts';
import type { Connection, Mode, Protocol, SharedKey } from '../ike/connection.ts';
import type { Reason } from '../ike/reason.ts';
import type { Tally } from '../ike/tally.ts';
import type { Transform } from '../ike/wire/payload.ts';
import type { Selector } from '../ike/wire/ts.ts';
import type { Configured } from './configuration.ts';
import type { Trapped } from './protection.ts';

/** strongSwan's names for the state of an IKE SA. */
export type SessionState = 'CREATED' | 'CONNECTING' | 'ESTABLISHED' | 'REKEYING' | 'REKEYED' | 'DELETING';

/** strongSwan's names for the state of a child SA. */
export type ChildState = 'CREATED' | 'INSTALLING' | 'INSTALLED' | 'REKEYING' | 'REKEYED' | 'DELETING' | 'DELETED';

/** Ages and remaining times are in seconds. */
export interface ChildStatus {
  readonly id: number;
  readonly name: string;
  readonly reqid: number;
  readonly state: ChildState;
  readonly mode: Mode;
  readonly protocol: Protocol;
  readonly udp: boolean;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly esn: boolean;
  /** What was negotiated: encr, integ, ke (of the last rekey with PFS). */
  readonly transforms: readonly Transform[];
  readonly bytesIn: number;
  readonly packetsIn: number;
  readonly bytesOut: number;
  readonly packetsOut: number;
  /** Seconds since the last packet; undefined when there was none. */
  readonly useIn: number | undefined;
  readonly useOut: number | undefined;
  readonly rekeyIn: number | undefined;
  readonly lifeIn: number | undefined;
  readonly installedSince: number;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
}

export interface SessionStatus {
  readonly id: number;
  readonly conn: string;
  readonly version: 1 | 2;
  readonly state: SessionState;
  readonly local: SocketAddress;
  /** strongSwan's text form of an identity. */
  readonly localId: string;
  readonly remote: SocketAddress;
  readonly remoteId: string;
  readonly initiator: boolean;
  /** 16 hexadecimal digits. */
  readonly spiI: string;
  readonly spiR: string;
  readonly natLocal: boolean;
  readonly natRemote: boolean;
  /** There is no NAT, but we speak as if there were one. */
  readonly natFake: boolean;
  /** encr, integ, prf, ke; empty until negotiated. */
  readonly transforms: readonly Transform[];
  readonly establishedSince: number | undefined;
  readonly rekeyIn: number | undefined;
  readonly reauthIn: number | undefined;
  readonly tasksQueued: readonly string[];
  readonly tasksActive: readonly string[];
  readonly children: readonly ChildStatus[];
}

/** PRODUCT's states of a connection. */
export type ConnectionState =
  | 'down'
  | 'waiting'
  | 'connecting'
  | 'phase1-failed'
  | 'phase2-failed'
  | 'connected'
  | 'rekeying'
  | 'deleting';

export interface ConnectionStatus {
  readonly name: string;
  readonly state: ConnectionState;
  readonly reason: Reason;
  /** Seconds in this state. */
  readonly since: number;
  /** The peer, where known. */
  readonly remote: string;
  readonly children: readonly { readonly name: string; readonly state: ConnectionState; readonly reason: Reason }[];
  readonly failure?: Failure;
  /** What is odd about a tunnel that stands, or about one that does not. */
  readonly suspicions: readonly Suspicion[];
}

export interface Suspicion {
  /** Of the whole connection without one. */
  readonly child?: string;
  readonly reason: Reason;
}

/** What went wrong last, kept when it goes well again. */
export interface Failure {
  readonly reason: Reason;
  /** The child, where it was one's. */
  readonly child?: string;
  /** Seconds ago. */
  readonly ago: number;
  /** The same, one after the other. */
  readonly times: number;
}

/** How an `initiate` or `terminate` ended. */
export interface Outcome {
  readonly ok: boolean;
  readonly reason: Reason;
}

/** One line of a command's progress, as strongSwan's `control-log` event carries it. */
export interface Progress {
  readonly level: number;
  readonly group: string;
  readonly text: string;
  readonly session: number | undefined;
  readonly conn: string | undefined;
}

/** What a command may name: an IKE SA and a child, by configured name or by unique id. */
export interface Target {
  readonly ike?: string;
  readonly child?: string;
  readonly ikeId?: number;
  readonly childId?: number;
}

/** What happened to SAs, with all that is known of them at that moment. */
export type Happening =
  | { readonly kind: 'ike-updown'; readonly up: boolean; readonly session: SessionStatus }
  | { readonly kind: 'ike-rekey'; readonly before: SessionStatus; readonly session: SessionStatus }
  /** `session` has the addresses from before. */
  | {
      readonly kind: 'ike-update';
      readonly session: SessionStatus;
      readonly local: SocketAddress;
      readonly remote: SocketAddress;
    }
  | {
      readonly kind: 'child-updown';
      readonly up: boolean;
      readonly session: SessionStatus;
      readonly child: ChildStatus;
    }
  | {
      readonly kind: 'child-rekey';
      readonly session: SessionStatus;
      readonly before: ChildStatus;
      readonly child: ChildStatus;
    };

/** What the gateway has to do. */
export interface Load {
  /** Since the start, in seconds. */
  readonly uptime: number;
  /** Of the data plane. */
  readonly threads: number;
  /** Times that are waited for. */
  readonly scheduled: number;
  /** Key exchanges that no thread has taken up. */
  readonly queued: number;
  readonly sessions: number;
  readonly halfOpen: number;
}

/** What was counted since the start, by names that are API. */
export interface CountedAll {
  /** IKE messages that went no further, by reason. */
  readonly ike: Readonly<Record<string, number>>;
  /** Packets that went no further, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  /** How packets came and went. */
  readonly io: Readonly<Record<string, number>>;
}

/** What reading the files anew has changed; names of connections. */
export interface Reloaded extends Outcome {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  readonly same: number;
  /** How many are new, gone or others; they count from the next negotiation. */
  readonly secrets: number;
  readonly warnings: readonly string[];
}

/** What the control socket may ask of the gateway. */
export interface Gateway {
  /** Sessions in order of their ids. */
  sessions(): readonly SessionStatus[];
  connections(): readonly ConnectionStatus[];
  /** `ike` and `child` by configured name; a child alone is enough. Resolves when up or failed, or at `timeout` ms (0: never). */
  initiate(
    what: { ike?: string; child?: string },
    timeout: number,
    progress: (line: Progress) => void,
  ): Promise<Outcome>;
  /** By names or unique ids; `matches` is how many SAs that meant. */
  terminate(
    what: Target & { readonly force?: boolean },
    timeout: number,
    progress: (line: Progress) => void,
  ): Promise<Outcome & { readonly matches: number; readonly terminated: number }>;
  counted(): CountedAll;
  /** Messages by their kind, in all and by connection. */
  readonly tally: Tally;
  load(): Load;
  /** Where it can be reached. */
  addresses(): readonly Ip[];
  /** Children that the next packet begins. */
  traps(): readonly Trapped[];
  /** Tells what happens from now on, until the answer is called. */
  watch(hear: (happening: Happening) => void): () => void;
  /** In order: as the files have it, and then what clients loaded. */
  configured(): readonly Configured[];
  /** In the place of the connection of this name, if there is one; one that says the same changes nothing. */
  loadConnection(conn: Connection): Outcome;
  unloadConnection(name: string): Outcome;
  /** In the place of the secret with this id, if there is one. */
  loadShared(id: string, key: SharedKey): Outcome;
  unloadShared(id: string): Outcome;
  /** Ids of secrets that can be unloaded. */
  sharedIds(): readonly string[];
  clearSecrets(): void;
  /** A packet is to begin the child from now on. */
  install(what: { ike?: string; child: string }): Outcome;
  uninstall(what: { ike?: string; child: string }): Outcome;
  /** Reads the files anew: all of it counts, or nothing and the outcome says why. */
  reload(): Promise<Reloaded>;
  /** Management status of a connection, or of one child of it. */
  manage(what: { ike: string; child?: string }, down: boolean): Outcome;
  /** Starts rekeying, or of IKE SAs reauthentication; the number of SAs that were meant. */
  rekey(what: Target, reauth?: boolean): number;
}
