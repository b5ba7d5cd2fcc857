// The situations of IKEv2 that have a test of their own, each from every side that can be in it. `side` is who begins what
// the situation is about; the left one began the first IKE SA.

export type SideName = 'left' | 'right';

export interface Situation {
  readonly id: string;
  readonly sides: readonly SideName[];
  readonly text: string;
}

const BOTH = ['left', 'right'] as const;
const LEFT = ['left'] as const;

export const SITUATIONS = [
  // Child rekeying.
  { id: 'child-rekey-regular', sides: BOTH, text: 'child rekey, regular' },
  { id: 'child-rekey-pfs', sides: BOTH, text: 'child rekey with several key exchanges' },
  { id: 'child-rekey-invalid-ke', sides: BOTH, text: 'child rekey with INVALID_KE_PAYLOAD' },
  { id: 'child-rekey-soft-expire', sides: BOTH, text: 'the responder ignores its soft expire after a rekeying' },
  { id: 'child-rekey-hard-expire', sides: BOTH, text: 'hard expire at the responder after a rekeying' },
  { id: 'child-rekey-responder-delete', sides: BOTH, text: 'the responder deletes the old child' },
  { id: 'child-rekey-lost-sa', sides: BOTH, text: 'the responder has lost the child' },
  { id: 'child-rekey-wrong-delete', sides: BOTH, text: 'the Delete after a rekeying names another SA' },
  { id: 'child-rekey-delete-timeout', sides: BOTH, text: 'the Delete after a rekeying is never answered' },
  // Collisions of child rekeying.
  { id: 'child-rekey-collision', sides: BOTH, text: 'both rekey a child at once' },
  { id: 'child-rekey-collision-mixed', sides: BOTH, text: 'both rekey at once with different key exchanges' },
  { id: 'child-rekey-collision-delayed-response', sides: BOTH, text: '… and one response is late' },
  { id: 'child-rekey-collision-delayed-request', sides: BOTH, text: '… and one request is late' },
  {
    id: 'child-rekey-collision-delayed-request-delete',
    sides: BOTH,
    text: '… and one request and the Delete are late',
  },
  { id: 'child-rekey-collision-invalid-ke', sides: BOTH, text: '… and one gets INVALID_KE_PAYLOAD' },
  { id: 'child-rekey-collision-delete', sides: BOTH, text: 'one rekeys a child that the other deletes' },
  { id: 'child-rekey-collision-dropped-delete', sides: BOTH, text: '… and the Delete is lost' },
  { id: 'child-rekey-collision-dropped-rekey', sides: BOTH, text: '… and the rekeying is lost' },
  { id: 'child-rekey-collision-dropped-request', sides: BOTH, text: 'both rekey at once and one request is lost' },
  { id: 'child-rekey-collision-ike-rekey', sides: BOTH, text: 'one rekeys a child, the other the IKE SA' },
  { id: 'child-rekey-collision-ike-rekey-dropped', sides: BOTH, text: '… and a request is lost' },
  { id: 'child-rekey-collision-ike-delete', sides: BOTH, text: 'one rekeys a child, the other deletes the IKE SA' },
  // IKE rekeying, the same list.
  { id: 'ike-rekey-regular', sides: BOTH, text: 'IKE rekey, regular' },
  { id: 'ike-rekey-groups', sides: BOTH, text: 'IKE rekey with several key exchanges' },
  { id: 'ike-rekey-invalid-ke', sides: BOTH, text: 'IKE rekey with INVALID_KE_PAYLOAD' },
  { id: 'ike-rekey-soft-expire', sides: BOTH, text: 'the responder ignores its soft expire after a rekeying' },
  { id: 'ike-rekey-hard-expire', sides: BOTH, text: 'hard expire at the responder' },
  { id: 'ike-rekey-responder-delete', sides: BOTH, text: 'the responder deletes the old IKE SA' },
  { id: 'ike-rekey-lost-sa', sides: BOTH, text: 'the responder has lost the IKE SA' },
  { id: 'ike-rekey-wrong-delete', sides: BOTH, text: 'the Delete after a rekeying is for a child nobody has' },
  { id: 'ike-rekey-delete-timeout', sides: BOTH, text: 'the Delete after a rekeying is never answered' },
  { id: 'ike-rekey-collision', sides: BOTH, text: 'both rekey the IKE SA at once' },
  { id: 'ike-rekey-collision-mixed', sides: BOTH, text: 'both rekey at once with different key exchanges' },
  { id: 'ike-rekey-collision-delayed-response', sides: BOTH, text: '… and one response is late' },
  { id: 'ike-rekey-collision-delayed-request', sides: BOTH, text: '… and one request is late' },
  { id: 'ike-rekey-collision-delayed-request-delete', sides: BOTH, text: '… and one request and the Delete are late' },
  { id: 'ike-rekey-collision-invalid-ke', sides: BOTH, text: '… and one gets INVALID_KE_PAYLOAD' },
  { id: 'ike-rekey-collision-delete', sides: BOTH, text: 'one rekeys the IKE SA that the other deletes' },
  { id: 'ike-rekey-collision-dropped-delete', sides: BOTH, text: '… and the Delete is lost' },
  { id: 'ike-rekey-collision-dropped-rekey', sides: BOTH, text: '… and the rekeying is lost' },
  { id: 'ike-rekey-collision-dropped-request', sides: BOTH, text: 'both rekey at once and one request is lost' },
  { id: 'ike-rekey-collision-child-delete', sides: BOTH, text: 'one rekeys the IKE SA, the other deletes a child' },
  { id: 'ike-rekey-collision-child-create', sides: BOTH, text: 'one rekeys the IKE SA, the other creates a child' },
  // Deleting.
  { id: 'child-delete', sides: BOTH, text: 'a child is deleted' },
  { id: 'child-delete-collision', sides: BOTH, text: 'both delete a child at once' },
  { id: 'ike-delete', sides: BOTH, text: 'the IKE SA is deleted' },
  { id: 'ike-delete-collision', sides: BOTH, text: 'both delete the IKE SA at once' },
  { id: 'ike-delete-child-delete', sides: BOTH, text: 'one deletes the IKE SA, the other a child' },
  { id: 'ike-delete-timeout', sides: BOTH, text: 'the Delete of the IKE SA is never answered' },
  // Creating.
  { id: 'child-create', sides: BOTH, text: 'a further child' },
  { id: 'child-create-collision', sides: BOTH, text: 'both create the same child at once' },
  { id: 'child-create-invalid-ke', sides: BOTH, text: 'child create with INVALID_KE_PAYLOAD' },
  { id: 'childless', sides: BOTH, text: 'childless initiation' },
  { id: 'child-narrowed', sides: BOTH, text: 'narrowed to one pair, further children follow' },
  { id: 'child-single-pair', sides: BOTH, text: 'SINGLE_PAIR_REQUIRED' },
  { id: 'child-ts-unacceptable', sides: BOTH, text: 'TS_UNACCEPTABLE' },
  { id: 'child-no-proposal', sides: BOTH, text: 'NO_PROPOSAL_CHOSEN for a child' },
  { id: 'child-temporary-failure', sides: BOTH, text: 'TEMPORARY_FAILURE and the wait after it' },
  { id: 'child-no-additional-sas', sides: BOTH, text: 'NO_ADDITIONAL_SAS' },
  // Transport mode, AH, extended sequence numbers.
  { id: 'transport', sides: BOTH, text: 'transport mode, negotiated and rekeyed' },
  { id: 'transport-collision', sides: BOTH, text: 'both create or rekey a child of transport mode at once' },
  { id: 'transport-declined', sides: BOTH, text: 'the peer declines transport mode' },
  { id: 'transport-narrowed', sides: BOTH, text: 'selectors that are not the two gateways' },
  { id: 'transport-nat', sides: BOTH, text: 'transport mode through a NAT' },
  { id: 'ah', sides: BOTH, text: 'AH in both modes, negotiated, rekeyed and deleted' },
  { id: 'ah-collision', sides: BOTH, text: 'both create, rekey or delete a child of AH at once' },
  { id: 'ah-nat', sides: BOTH, text: 'AH and a NAT, or forced UDP' },
  { id: 'ah-esp', sides: BOTH, text: 'one side has AH, the other ESP' },
  { id: 'esn', sides: BOTH, text: 'extended sequence numbers, and no agreement about them' },
  // IKE_SA_INIT and IKE_AUTH. The left side begins.
  { id: 'init-cookie', sides: BOTH, text: 'COOKIE' },
  { id: 'init-invalid-ke', sides: BOTH, text: 'INVALID_KE_PAYLOAD' },
  { id: 'init-cookie-invalid-ke', sides: BOTH, text: 'COOKIE and INVALID_KE_PAYLOAD' },
  { id: 'init-cookie-foreign', sides: BOTH, text: 'a cookie for another address, port, nonce or SPI' },
  { id: 'init-cookie-threshold', sides: BOTH, text: 'when cookies are asked for' },
  { id: 'init-no-proposal', sides: BOTH, text: 'NO_PROPOSAL_CHOSEN with what, where and why' },
  { id: 'init-downgrade', sides: BOTH, text: 'the first messages changed on the way' },
  { id: 'init-both', sides: LEFT, text: 'both sides initiate at once' },
  { id: 'init-lost', sides: BOTH, text: 'each message of the initial exchanges lost, doubled, late' },
  { id: 'init-nonce', sides: BOTH, text: 'nonces and SPIs out of range' },
  { id: 'auth-wrong-psk', sides: BOTH, text: 'another pre-shared key' },
  { id: 'auth-unknown-id', sides: BOTH, text: 'an identity that is not known' },
  { id: 'auth-forged', sides: BOTH, text: 'AUTH of zeros, of another method, our own' },
  { id: 'initial-contact', sides: BOTH, text: 'INITIAL_CONTACT' },
  // Message ids, retransmission, liveness, time.
  { id: 'message-id-sync', sides: BOTH, text: 'ids out of the window, repeated requests' },
  { id: 'retransmission', sides: BOTH, text: 'the timeline of retransmission' },
  { id: 'dpd', sides: BOTH, text: 'dead peer detection' },
  { id: 'lifetimes', sides: BOTH, text: 'soft and hard limits by time and volume' },
  { id: 'slow-key-exchange', sides: BOTH, text: 'key exchanges that take their time' },
  { id: 'transplant', sides: BOTH, text: 'export and import in the middle of every exchange' },
  // Addresses and sizes.
  { id: 'nat', sides: BOTH, text: 'NAT detection, port 4500, keepalives, forced encapsulation' },
  { id: 'nat-rebinding', sides: BOTH, text: 'a NAT changes its mapping' },
  { id: 'fragmentation', sides: BOTH, text: 'fragments, also lost ones' },
  { id: 'fragment-attacks', sides: BOTH, text: 'fragments that do not fit' },
  // Negative ones.
  { id: 'payload-missing', sides: BOTH, text: 'each payload missing' },
  { id: 'payload-doubled', sides: BOTH, text: 'each payload doubled' },
  { id: 'payload-reordered', sides: BOTH, text: 'payloads in another order' },
  { id: 'payload-unknown', sides: BOTH, text: 'unknown payloads with and without the critical bit' },
  { id: 'notify-misplaced', sides: BOTH, text: 'every notify where it does not belong' },
  { id: 'response-unsolicited', sides: BOTH, text: 'unsolicited responses' },
  { id: 'message-id-wrong', sides: BOTH, text: 'wrong message ids' },
  { id: 'address-other', sides: BOTH, text: 'replies from another address' },
  { id: 'encrypted-before-auth', sides: BOTH, text: 'INFORMATIONAL and CREATE_CHILD_SA before AUTH' },
] as const satisfies readonly Situation[];

export type SituationId = (typeof SITUATIONS)[number]['id'];
