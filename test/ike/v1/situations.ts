// The situations of IKEv1 that have a test of their own, each from every side that can be in it. `side` is who begins what
// the situation is about.

import type { Situation } from '../v2/situations.ts';

const BOTH = ['left', 'right'] as const;
const LEFT = ['left'] as const;

export const SITUATIONS = [
  // Phase 1 and the first quick mode.
  { id: 'main-lost', sides: BOTH, text: 'each message of main mode lost' },
  { id: 'main-doubled', sides: BOTH, text: 'each message of main mode doubled' },
  { id: 'main-late', sides: BOTH, text: 'each message of main mode after later ones' },
  { id: 'aggressive-lost', sides: BOTH, text: 'each message of aggressive mode lost' },
  { id: 'aggressive-doubled', sides: BOTH, text: 'each message of aggressive mode doubled' },
  { id: 'aggressive-late', sides: BOTH, text: 'each message of aggressive mode after later ones' },
  { id: 'quick-lost', sides: BOTH, text: 'each message of quick mode lost' },
  { id: 'quick-doubled', sides: BOTH, text: 'each message of quick mode doubled' },
  { id: 'quick-late', sides: BOTH, text: 'each message of quick mode after later ones' },
  { id: 'phase1-silent', sides: BOTH, text: 'a message of phase 1 never arrives' },
  { id: 'quick-silent', sides: BOTH, text: 'a message of quick mode never arrives' },
  { id: 'initiate-both', sides: BOTH, text: 'both sides initiate at once, in every mode' },
  { id: 'initial-contact', sides: BOTH, text: 'one side restarts' },
  { id: 'address-other', sides: BOTH, text: 'replies from another address' },
  { id: 'slow-key-exchange', sides: BOTH, text: 'key exchanges that take their time' },
  // Children.
  { id: 'child-rekey', sides: BOTH, text: 'a child is rekeyed, with each message lost, doubled or late' },
  { id: 'child-rekey-collision', sides: BOTH, text: 'both rekey the same child at once' },
  { id: 'child-rekey-collision-lost', sides: BOTH, text: '… and a message is lost' },
  { id: 'child-rekey-collision-late', sides: BOTH, text: '… and a message is late' },
  { id: 'child-create-collision', sides: BOTH, text: 'both create the same child at once' },
  { id: 'child-rekey-refused', sides: BOTH, text: 'a renewal is refused' },
  { id: 'child-delete', sides: BOTH, text: 'a child is deleted' },
  { id: 'child-pairs', sides: BOTH, text: 'several selectors on each side, and a peer that narrows them' },
  { id: 'lifetimes', sides: BOTH, text: 'lifetimes that differ, RESPONDER-LIFETIME, hard expiry' },
  { id: 'commit-bit', sides: BOTH, text: 'the commit bit and CONNECTED' },
  // The IKE SA.
  { id: 'reauth', sides: BOTH, text: 'reauthentication under traffic' },
  { id: 'reauth-lost', sides: BOTH, text: '… with each message lost' },
  { id: 'reauth-collision', sides: BOTH, text: 'both reauthenticate at once' },
  { id: 'reauth-collision-lost', sides: BOTH, text: '… with each message lost' },
  { id: 'reauth-child-rekey', sides: BOTH, text: 'reauthentication and a quick mode at once' },
  { id: 'delete', sides: BOTH, text: 'the IKE SA is deleted' },
  { id: 'delete-lost', sides: BOTH, text: 'the Delete is lost, and dead-peer detection cleans up' },
  { id: 'delete-collision', sides: BOTH, text: 'both delete at once' },
  // Dead-peer detection.
  { id: 'dpd', sides: BOTH, text: 'dead-peer detection: answered, an answer lost, a peer that is gone' },
  { id: 'dpd-timeout', sides: BOTH, text: 'dpd_timeout' },
  { id: 'dpd-on-demand', sides: BOTH, text: 'only where nothing comes back' },
  { id: 'dpd-rekey', sides: BOTH, text: 'dead-peer detection during a rekeying' },
  { id: 'dpd-number', sides: BOTH, text: 'numbers out of order, HASH after NOTIFY' },
  // Addresses.
  { id: 'nat', sides: LEFT, text: 'a NAT, with each message lost' },
  { id: 'nat-rebinding', sides: BOTH, text: 'a NAT changes its mapping' },
  { id: 'transplant', sides: BOTH, text: 'export and import in the middle of every exchange' },
  // Negative ones. `side` is who sends the message in question.
  { id: 'hash-wrong', sides: BOTH, text: 'a wrong HASH' },
  { id: 'unprotected', sides: BOTH, text: 'notify and Delete in the clear' },
  { id: 'message-id', sides: BOTH, text: 'message ids that are zero or were used before' },
] as const satisfies readonly Situation[];

export type SituationId = (typeof SITUATIONS)[number]['id'];
