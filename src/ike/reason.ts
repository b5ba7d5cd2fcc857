// Why something did not work, as data: what we wanted, what came, where ours is written, what to change. The log line,
// the metric's label, the status and the `why` command are all made from this one value. `code` is API.

import type { SocketAddress } from '../bytes/ip.ts';
import type { Place } from './connection.ts';
import type { Miss } from './why.ts';

export type ReasonCode =
  | 'ok'
  | 'requested'
  | 'reconfigured'
  | 'admin-down'
  | 'configuration'
  | 'peer-deleted'
  | 'replaced'
  | 'no-answer'
  | 'stopped-answering'
  | 'unanswered-4500'
  | 'not-listening'
  | 'unreachable'
  | 'not-sent'
  | 'no-route'
  | 'not-our-address'
  | 'peer-dead'
  | 'expired'
  | 'no-connection'
  | 'name-unresolved'
  | 'no-proposal'
  | 'no-child-proposal'
  | 'wrong-group'
  | 'pfs-mismatch'
  | 'bad-key-exchange'
  | 'auth-failed'
  | 'auth-method'
  | 'no-psk'
  | 'unknown-id'
  | 'ts-mismatch'
  | 'mode-mismatch'
  | 'ah-nat'
  | 'nat-conflict'
  | 'supplanted'
  | 'single-pair'
  | 'no-additional-sas'
  | 'temporary-failure'
  | 'child-not-found'
  | 'childless'
  | 'wrong-version'
  | 'wrong-exchange'
  | 'syntax'
  | 'unsupported-critical'
  | 'half-open'
  | 'limit'
  | 'peer-error'
  | 'no-traffic-back'
  | 'no-traffic-out'
  | 'esp-blocked'
  | 'narrowed'
  | 'internal';

export interface Reason {
  readonly code: ReasonCode;
  /** A plain sentence. */
  readonly text: string;
  /** The notify that the peer sent or that we answered with, by its RFC name. */
  readonly notify?: string;
  /** Who refused. */
  readonly by?: 'us' | 'peer';
  readonly want?: readonly string[];
  readonly got?: readonly string[];
  readonly misses?: readonly Miss[];
  readonly where?: Place;
  /** What to change, and on which side. */
  readonly remedy?: string;
  readonly peer?: SocketAddress;
}

const OUR_WILL: ReadonlySet<ReasonCode> = new Set(['requested', 'reconfigured', 'admin-down']);

/** It ended because somebody here wanted it so: nothing has failed. */
export function isOurWill({ code }: Reason): boolean {
  return OUR_WILL.has(code);
}

const SILENT: ReadonlySet<ReasonCode> = new Set([
  'no-answer',
  'stopped-answering',
  'unanswered-4500',
  'not-listening',
  'unreachable',
  'no-route',
  'not-sent',
]);

/** Nothing came back, or not any more: the next time it may. */
export function isSilence({ code }: Reason): boolean {
  return SILENT.has(code);
}
