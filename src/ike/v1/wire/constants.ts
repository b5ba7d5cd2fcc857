// Numbers of IKEv1 with the names of RFC 2407, 2408, 2409, 3706 and 3947, and of IANA's "Internet Key Exchange (IKE)
// Attributes" and "Internet Security Association and Key Management Protocol (ISAKMP) Identifiers".

export const EXCHANGE = {
  BASE: 1,
  IDENTITY_PROTECTION: 2,
  AUTHENTICATION_ONLY: 3,
  AGGRESSIVE: 4,
  INFORMATIONAL: 5,
  TRANSACTION: 6,
  QUICK_MODE: 32,
  NEW_GROUP_MODE: 33,
} as const;

/** Keys are the tags of `Payload`, but for the drafts' numbers. */
export const PAYLOAD = {
  NONE: 0,
  SA: 1,
  P: 2,
  T: 3,
  KE: 4,
  ID: 5,
  CERT: 6,
  CR: 7,
  HASH: 8,
  SIG: 9,
  NONCE: 10,
  N: 11,
  D: 12,
  VID: 13,
  ATTR: 14,
  NATD: 20,
  NATOA: 21,
  NATD_DRAFT: 130,
  NATOA_DRAFT: 131,
  FRAG: 132,
} as const;

export const DOI_IPSEC = 1;
export const SIT_IDENTITY_ONLY = 1;

export const PROTOCOL = {
  ISAKMP: 1,
  AH: 2,
  ESP: 3,
  IPCOMP: 4,
} as const;

/** The only transform of phase 1 (RFC 2407 §4.4.2). */
export const KEY_IKE = 1;

/** Attributes of phase 1 (RFC 2409 appendix A). */
export const IKE_ATTRIBUTE = {
  ENCRYPTION: 1,
  HASH: 2,
  AUTHENTICATION: 3,
  GROUP: 4,
  GROUP_TYPE: 5,
  LIFE_TYPE: 11,
  LIFE_DURATION: 12,
  PRF: 13,
  KEY_LENGTH: 14,
} as const;

/** Attributes of quick mode (RFC 2407 §4.5, RFC 4304 §2.2). */
export const SA_ATTRIBUTE = {
  LIFE_TYPE: 1,
  LIFE_DURATION: 2,
  GROUP: 3,
  ENCAPSULATION: 4,
  AUTHENTICATION: 5,
  KEY_LENGTH: 6,
  KEY_ROUNDS: 7,
  ESN: 11,
} as const;

export const LIFE = { SECONDS: 1, KILOBYTES: 2 } as const;

/** RFC 2407 §4.5, RFC 3947 §5.1; the drafts' are of the range for private use. */
export const ENCAPSULATION = {
  TUNNEL: 1,
  TRANSPORT: 2,
  UDP_TUNNEL: 3,
  UDP_TRANSPORT: 4,
  UDP_TUNNEL_DRAFT: 61443,
  UDP_TRANSPORT_DRAFT: 61444,
} as const;

export const AUTHENTICATION = {
  PRE_SHARED_KEY: 1,
  DSS_SIGNATURE: 2,
  RSA_SIGNATURE: 3,
  RSA_ENCRYPTION: 4,
  REVISED_RSA_ENCRYPTION: 5,
  ECDSA_SHA256_P256: 9,
  ECDSA_SHA384_P384: 10,
  ECDSA_SHA512_P521: 11,
  XAUTH_INIT_PRE_SHARED: 65001,
  XAUTH_RESP_PRE_SHARED: 65002,
} as const;

export const ID = {
  IPV4_ADDR: 1,
  FQDN: 2,
  USER_FQDN: 3,
  IPV4_ADDR_SUBNET: 4,
  IPV6_ADDR: 5,
  IPV6_ADDR_SUBNET: 6,
  IPV4_ADDR_RANGE: 7,
  IPV6_ADDR_RANGE: 8,
  DER_ASN1_DN: 9,
  DER_ASN1_GN: 10,
  KEY_ID: 11,
} as const;

export const NOTIFY = {
  // RFC 2408 §3.14.1, errors
  INVALID_PAYLOAD_TYPE: 1,
  DOI_NOT_SUPPORTED: 2,
  SITUATION_NOT_SUPPORTED: 3,
  INVALID_COOKIE: 4,
  INVALID_MAJOR_VERSION: 5,
  INVALID_MINOR_VERSION: 6,
  INVALID_EXCHANGE_TYPE: 7,
  INVALID_FLAGS: 8,
  INVALID_MESSAGE_ID: 9,
  INVALID_PROTOCOL_ID: 10,
  INVALID_SPI: 11,
  INVALID_TRANSFORM_ID: 12,
  ATTRIBUTES_NOT_SUPPORTED: 13,
  NO_PROPOSAL_CHOSEN: 14,
  BAD_PROPOSAL_SYNTAX: 15,
  PAYLOAD_MALFORMED: 16,
  INVALID_KEY_INFORMATION: 17,
  INVALID_ID_INFORMATION: 18,
  INVALID_CERT_ENCODING: 19,
  INVALID_CERTIFICATE: 20,
  CERT_TYPE_UNSUPPORTED: 21,
  INVALID_CERT_AUTHORITY: 22,
  INVALID_HASH_INFORMATION: 23,
  AUTHENTICATION_FAILED: 24,
  INVALID_SIGNATURE: 25,
  ADDRESS_NOTIFICATION: 26,
  NOTIFY_SA_LIFETIME: 27,
  CERTIFICATE_UNAVAILABLE: 28,
  UNSUPPORTED_EXCHANGE_TYPE: 29,
  UNEQUAL_PAYLOAD_LENGTHS: 30,

  // Status: RFC 2408 §3.14.1, RFC 2407 §4.6.3, RFC 3706 §5.3
  CONNECTED: 16384,
  RESPONDER_LIFETIME: 24576,
  REPLAY_STATUS: 24577,
  INITIAL_CONTACT: 24578,
  R_U_THERE: 36136,
  R_U_THERE_ACK: 36137,
} as const;

export function notifyName(kind: number): string {
  return notifyNames.get(kind) ?? `NOTIFY_${kind}`;
}

/** RFC 2408 §3.14.1: 1 to 16383 say what went wrong. */
export function isErrorNotify(kind: number): boolean {
  return kind > 0 && kind < 16384;
}

export function exchangeName(exchange: number): string {
  return exchangeNames.get(exchange) ?? `EXCHANGE_${exchange}`;
}

const notifyNames = byNumber(NOTIFY);
const exchangeNames = byNumber(EXCHANGE);

function byNumber(numbers: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(numbers).map(([name, number]) => [number, name]));
}
