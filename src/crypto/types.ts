// What the rest of the program asks of cryptography. Implementations are chosen by wire id in `registry.ts`.

/** Bytes from a cryptographically strong source; under `test/` from a seed. */
export type Random = (size: number) => Uint8Array;

/** A pseudo-random function (RFC 7296 §2.13). */
export interface Prf {
  readonly id: number;
  /** Bytes of output, which is also the length of keys made for it. */
  readonly size: number;
  readonly keySize: number;
  /** `key` may have any length; ciphers in the role of a PRF fit it by their own RFC (4434 §2, 4615 §3). */
  compute(key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array;
}

export interface Integrity {
  readonly id: number;
  readonly keySize: number;
  /** Bytes sent: the truncated length. */
  readonly icvSize: number;
  compute(key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array;
}

/** Sizes of an encryption transform, before there is a key. `keySize` in bytes, without the salt. */
export interface CipherShape {
  readonly id: number;
  readonly keySize: number;
  readonly saltSize: number;
  readonly ivSize: number;
  /** What plaintext must be padded to: 1 for stream-like ciphers (ESP still pads to 4). */
  readonly blockSize: number;
  /** Zero unless the cipher authenticates by itself. */
  readonly icvSize: number;
  readonly aead: boolean;
}

export interface ProtectionKeys {
  readonly encr: number;
  /** Key length in bits as negotiated; ignored where the cipher has one length only. */
  readonly keyBits: number | undefined;
  /** Transform id of the integrity algorithm, 0 with AEAD. */
  readonly integ: number;
  /** Key material as RFC 7296 §2.17, RFC 5282 §7.1 and RFC 4106 §8.1 cut it: the key and then the salt. */
  readonly encrKey: Uint8Array;
  readonly integKey: Uint8Array;
}

/**
 * Confidentiality and integrity together, for SK payloads and for ESP. With AEAD the nonce is salt and `iv`, and `aad`
 * is authenticated beside the text; with cipher and MAC the ICV covers `aad`, `iv`, ciphertext and `tail`.
 * `tail` is ESN's high half for a separate MAC (RFC 4303 §2.2.1); AEAD takes it in `aad` instead.
 */
export interface Protection {
  readonly ivSize: number;
  readonly icvSize: number;
  readonly blockSize: number;
  /** True when `iv` must never repeat (counter modes, AEAD); false when it must be unpredictable (CBC). */
  readonly counterIv: boolean;
  /** Returns ciphertext and ICV. `plain` is padded already. */
  seal(iv: Uint8Array, aad: Uint8Array, plain: Uint8Array, tail?: Uint8Array): Uint8Array;
  /** Takes ciphertext and ICV. Undefined when the ICV is wrong; the ICV is checked before anything is decrypted. */
  open(iv: Uint8Array, aad: Uint8Array, sealed: Uint8Array, tail?: Uint8Array): Uint8Array | undefined;
}

export interface KeyPair {
  readonly secret: Uint8Array;
  readonly public: Uint8Array;
}

/** One Diffie-Hellman group (transform type 4), with public values as KE payloads carry them. */
export interface KeyExchange {
  readonly group: number;
  readonly publicSize: number;
  generate(): KeyPair;
  /** Undefined when the peer's value is not acceptable (length, range, subgroup, curve, all-zero result). */
  agree(pair: KeyPair, theirs: Uint8Array): Uint8Array | undefined;
}
