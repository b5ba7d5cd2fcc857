// What to do about what says only what it is: faults of the peer's software and of ours, which look alike wherever they
// are met.

import type { Event } from '../ike/effects.ts';
import type { ReasonCode } from '../ike/reason.ts';

const FAULTY = "this is against the protocol: look into the peer's log, and for a newer version of its software";

const REMEDIES: Partial<Record<ReasonCode, string>> = {
  'peer-error': FAULTY,
  syntax: FAULTY,
  'unsupported-critical': FAULTY,
  'wrong-group': FAULTY,
  'mode-mismatch': FAULTY,
  'ts-mismatch': FAULTY,
  'bad-key-exchange': `${FAULTY}; or try another group`,
  'child-not-found': 'the peer has lost it, or was started anew: it is made again by itself',
  'half-open': "look into the peer's log for why it did not go on",
  expired: 'look further up in the log for why it was not renewed',
  limit: 'look for who opens so many: espalier counters',
  internal: 'this is a bug of ours: please report it with what the log says of it',
};

/** The same event, with a remedy where its reason has none. */
export function remedied(event: Event): Event {
  if (!('reason' in event) || event.reason.remedy !== undefined) return event;
  const remedy = REMEDIES[event.reason.code];
  return remedy === undefined ? event : { ...event, reason: { ...event.reason, remedy } };
}
