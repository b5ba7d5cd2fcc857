// The IKEv1 payloads as values (RFC 2408 §3, RFC 2407 §4.6, RFC 3947 §3.2). Decoded byte views borrow the datagram.

export interface Header {
  /** The cookies: here as in IKEv2 they are the SPIs of the two sides. */
  readonly spiI: Uint8Array;
  readonly spiR: Uint8Array;
  readonly nextPayload: number;
  readonly exchange: number;
  readonly encrypted: boolean;
  /** RFC 2408 §3.1: asks the peer to wait for CONNECTED, which we neither ask for nor wait for. */
  readonly commit: boolean;
  readonly messageId: number;
}

/** RFC 2408 §3.3. */
export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array;
  /** The value stood in the place of the length: two bytes. An answer must have the same form. */
  readonly short: boolean;
}

export interface Transform {
  readonly number: number;
  readonly id: number;
  readonly attributes: readonly Attribute[];
}

export interface Proposal {
  readonly number: number;
  readonly protocol: number;
  readonly spi: Uint8Array;
  readonly transforms: readonly Transform[];
}

/** RFC 2407 §4.6.2: in phase 1 a name, in quick mode a selector. */
export interface Id {
  readonly type: number;
  readonly protocol: number;
  readonly port: number;
  readonly data: Uint8Array;
}

export type Payload =
  | { readonly tag: 'SA'; readonly proposals: readonly Proposal[] }
  | { readonly tag: 'KE'; readonly data: Uint8Array }
  | { readonly tag: 'ID'; readonly id: Id }
  | { readonly tag: 'CERT' | 'CR'; readonly encoding: number; readonly data: Uint8Array }
  | { readonly tag: 'HASH'; readonly data: Uint8Array }
  | { readonly tag: 'SIG'; readonly data: Uint8Array }
  | { readonly tag: 'NONCE'; readonly data: Uint8Array }
  | {
      readonly tag: 'N';
      readonly protocol: number;
      readonly spi: Uint8Array;
      readonly kind: number;
      readonly data: Uint8Array;
    }
  | { readonly tag: 'D'; readonly protocol: number; readonly spis: readonly Uint8Array[] }
  | { readonly tag: 'VID'; readonly data: Uint8Array }
  /** `draft` for payload type 130, which drafts 02 and 03 of RFC 3947 have in the place of 20. */
  | { readonly tag: 'NATD'; readonly draft: boolean; readonly data: Uint8Array }
  /** `draft` for payload type 131 in the place of 21. */
  | { readonly tag: 'NATOA'; readonly draft: boolean; readonly address: Uint8Array }
  /** Cisco's fragment of a whole message, header included. */
  | {
      readonly tag: 'FRAG';
      readonly id: number;
      readonly number: number;
      readonly last: boolean;
      readonly data: Uint8Array;
    }
  | { readonly tag: 'unknown'; readonly id: number; readonly data: Uint8Array };

export type Tag = Payload['tag'];

/** A chain of payloads, and the bytes of each with its generic header: hashes are over those. */
export interface Chain {
  readonly payloads: readonly Payload[];
  /** One for each payload. */
  readonly raw: readonly Uint8Array[];
}
