// The IKEv2 payloads as values (RFC 7296 §3, RFC 7383 §2.5). Decoded byte views borrow the datagram.

import type { Selector } from './ts.ts';

export interface Header {
  readonly spiI: Uint8Array;
  readonly spiR: Uint8Array;
  readonly nextPayload: number;
  readonly major: number;
  readonly minor: number;
  readonly exchange: number;
  /** Sent by the side that began this IKE SA. */
  readonly initiator: boolean;
  readonly response: boolean;
  readonly messageId: number;
}

export interface Transform {
  readonly type: number;
  readonly id: number;
  /** The Key Length attribute, in bits. */
  readonly keyBits?: number;
  /** It came with an attribute we do not know: such a transform must not be chosen (RFC 7296 §3.3.6). */
  readonly unknownAttribute?: true;
}

export interface Proposal {
  readonly number: number;
  readonly protocol: number;
  readonly spi: Uint8Array;
  readonly transforms: readonly Transform[];
}

export interface Identity {
  readonly type: number;
  readonly data: Uint8Array;
}

export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array;
}

export type Payload =
  | { readonly tag: 'SA'; readonly proposals: readonly Proposal[] }
  | { readonly tag: 'KE'; readonly group: number; readonly data: Uint8Array }
  | { readonly tag: 'IDi' | 'IDr'; readonly id: Identity }
  | { readonly tag: 'CERT' | 'CERTREQ'; readonly encoding: number; readonly data: Uint8Array }
  | { readonly tag: 'AUTH'; readonly method: number; readonly data: Uint8Array }
  | { readonly tag: 'Nonce'; readonly data: Uint8Array }
  | {
      readonly tag: 'N';
      readonly protocol: number;
      readonly spi: Uint8Array;
      readonly kind: number;
      readonly data: Uint8Array;
    }
  | { readonly tag: 'D'; readonly protocol: number; readonly spis: readonly Uint8Array[] }
  | { readonly tag: 'V'; readonly data: Uint8Array }
  | { readonly tag: 'TSi' | 'TSr'; readonly selectors: readonly Selector[] }
  | { readonly tag: 'CP'; readonly kind: number; readonly attributes: readonly Attribute[] }
  | { readonly tag: 'EAP'; readonly data: Uint8Array }
  | { readonly tag: 'unknown'; readonly id: number; readonly critical: boolean; readonly data: Uint8Array };

export type Tag = Payload['tag'];

/** What stands in an SK or SKF payload, still encrypted (RFC 7296 §3.14, RFC 7383 §2.5). */
export interface Encrypted {
  /** First payload inside; in SKF zero on every fragment but the first. */
  readonly inner: number;
  /** Everything from the IKE header up to the IV: what an AEAD authenticates beside the text (RFC 5282 §5.1). */
  readonly aad: Uint8Array;
  /** IV, ciphertext and ICV. */
  readonly body: Uint8Array;
  readonly fragment?: { readonly number: number; readonly total: number };
}

export interface Message {
  readonly header: Header;
  /** The payloads outside the encryption. */
  readonly payloads: readonly Payload[];
  readonly encrypted?: Encrypted;
}
