// Events as log lines: one line an event, with the connection's name and everything from which one can tell what to
// change. What is a fault of the configuration or of the peer is a warning; our own bugs are errors.

import type { Logger } from 'pino';
import { formatSocketAddress } from '../bytes/ip.ts';
import type { Event } from '../ike/effects.ts';
import { isOurWill, type Reason } from '../ike/reason.ts';

export function report(log: Logger, event: Event, peer: string | undefined): void {
  const { kind, ...rest } = event;
  const fields = { event: kind, ...flat(rest), ...(peer === undefined ? {} : { peer }) };
  const reason = 'reason' in event ? event.reason : undefined;
  const line = sentence(event);
  if (reason?.code === 'internal') return log.error({ ...fields, bug: true }, line);
  if (kind === 'child-failed' || kind === 'note' || kind === 'no-answer' || troubling(event)) {
    return log.warn(fields, line);
  }
  log.info(fields, line);
}

function troubling(event: Event): boolean {
  if (event.kind !== 'session-closed' && event.kind !== 'child-closed') return false;
  return !isOurWill(event.reason) && !['ok', 'peer-deleted', 'replaced'].includes(event.reason.code);
}

/** The reason's parts beside the event's, so that a log can be searched by them. */
function flat(event: Record<string, unknown>): Record<string, unknown> {
  const {
    reason,
    session,
    remote: _remote,
    since: _since,
    ...rest
  } = event as { reason?: Reason } & Record<string, unknown>;
  return {
    ...rest,
    ...(session === 0 ? {} : { ike: session }),
    ...(reason ? fields(reason) : {}),
  };
}

function fields({ code, notify, by, want, got, where, remedy }: Reason): Record<string, unknown> {
  return {
    reason: code,
    ...(notify === undefined ? {} : { notify }),
    ...(by === undefined ? {} : { by }),
    ...(want === undefined ? {} : { want }),
    ...(got === undefined ? {} : { got }),
    ...(where === undefined ? {} : { where: where.line === 0 ? where.file : `${where.file}:${where.line}` }),
    ...(remedy === undefined ? {} : { remedy }),
  };
}

/** Also what `initiate` shows while it waits. */
export function sentence(event: Event): string {
  switch (event.kind) {
    case 'session-started':
      return event.initiator ? 'negotiating an IKE SA' : 'the peer negotiates an IKE SA';
    case 'session-established':
      return 'IKE SA established';
    case 'session-rekeyed':
      return 'IKE SA rekeyed';
    case 'session-closed':
      return `IKE SA ${event.established || isOurWill(event.reason) ? 'closed' : 'failed'}: ${event.reason.text}`;
    case 'child-established':
      return `child ${event.child} established${event.pair === undefined ? '' : `: ${event.pair}`}`;
    case 'child-rekeyed':
      return `child ${event.child} rekeyed`;
    case 'child-closed':
      return `child ${event.child} closed: ${event.reason.text}`;
    case 'child-failed':
      return `child ${event.child} failed: ${event.reason.text}`;
    case 'no-answer':
      return `sent again: ${event.reason.text}`;
    case 'answered':
      return 'the peer answers again';
    case 'peer-moved':
      return `the peer moved to ${formatSocketAddress(event.remote)}`;
    case 'vendors':
      return `the peer says that it is or knows ${event.names.join(', ')}`;
    case 'note':
      return event.child === undefined ? event.reason.text : `child ${event.child}: ${event.reason.text}`;
  }
}
