// What is offered where the configuration is silent or says `default`. Strongest first within each kind; nothing that
// `transforms.ts` calls weak.

const GROUPS = 'x25519-ecp256-ecp384-ecp521-modp3072-modp4096-modp2048';

/** Pseudo-random functions beside an AEAD cipher, which brings no hash along from which to take one. */
export const AEAD_PRFS = ['prfsha384', 'prfsha256', 'prfsha512'] as const;

export const DEFAULT_IKE = [
  `aes256gcm16-aes128gcm16-chacha20poly1305-${AEAD_PRFS.join('-')}-${GROUPS}`,
  `aes256-aes192-aes128-sha256-sha384-sha512-${GROUPS}`,
] as const;

export const DEFAULT_IKE_V1 = ['aes256-aes128-sha256-sha384-sha512-modp2048-modp3072-ecp256'] as const;

export const DEFAULT_ESP = ['aes256gcm16-aes128gcm16-chacha20poly1305', 'aes256-aes128-sha256-sha384-sha512'] as const;

export const DEFAULT_ESP_V1 = ['aes256-aes128-sha256-sha384-sha512'] as const;

export const DEFAULT_AH = ['sha256-sha384-sha512'] as const;
