// What the files behind cipher.h share: transform ids (IANA, "IKEv2 Parameters"), sizes, and the maker of each kind.

#ifndef ESPALIER_SUITE_H
#define ESPALIER_SUITE_H

#include <openssl/evp.h>
#include <openssl/params.h>

#include "cipher.h"

enum {
  ENCR_DES = 2,
  ENCR_3DES = 3,
  ENCR_NULL = 11,
  ENCR_AES_CBC = 12,
  ENCR_AES_CTR = 13,
  ENCR_AES_CCM_8 = 14,
  ENCR_AES_CCM_12 = 15,
  ENCR_AES_CCM_16 = 16,
  ENCR_AES_GCM_8 = 18,
  ENCR_AES_GCM_12 = 19,
  ENCR_AES_GCM_16 = 20,
  ENCR_NULL_AUTH_AES_GMAC = 21,
  ENCR_CHACHA20_POLY1305 = 28,
};

enum {
  INTEG_NONE = 0,
  INTEG_HMAC_MD5_96 = 1,
  INTEG_HMAC_SHA1_96 = 2,
  INTEG_AES_XCBC_96 = 5,
  INTEG_AES_CMAC_96 = 8,
  INTEG_HMAC_SHA2_256_128 = 12,
  INTEG_HMAC_SHA2_384_192 = 13,
  INTEG_HMAC_SHA2_512_256 = 14,
  /**
   * Not IANA's, and never on the wire: SHA2-256 cut to 96 bits, as draft-ietf-ipsec-ciph-sha-256-00 had it and Linux
   * before 2.6.33 and routers of that time still have it. A peer like that says HMAC_SHA2_256_128 and means this.
   */
  INTEG_HMAC_SHA2_256_96 = 252,
};

enum { SALT_MAX = 4, NONCE_MAX = 12, BLOCK_MAX = 16, CIPHER_KEY_MAX = 32 };

/** An encryption transform: one row of the table in cipher.c. */
struct suite {
  uint16_t encr;
  /** In bytes; 0 where there are AES's three, by key_bits. */
  uint8_t key_size;
  uint8_t salt_size, iv_size;
  /** 0: an integrity algorithm stands beside it. */
  uint8_t icv_size;
  uint8_t block;
  /** OpenSSL's name; of an AES transform the mode alone. NULL where nothing is encrypted. */
  const char *name;
  struct cipher *(*make)(const struct suite *suite, const struct cipher_keys *keys, size_t key_size);
};

/** One message for a combined mode. */
struct message {
  const uint8_t *nonce;
  const uint8_t *aad;
  size_t aad_size;
  const uint8_t *in;
  uint8_t *out;
  size_t length;
  uint8_t *icv;
};

/** A cipher in a combined mode; what `run` needs is in the larger struct around it. */
struct aead {
  struct cipher cipher;
  /** Seals or opens, as it was made for; in the second case it also tells whether the ICV is right. */
  bool (*run)(struct aead *aead, const struct message *message);
  uint8_t nonce_size, salt_size;
  uint8_t salt[SALT_MAX];
};

static inline void put_be32(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 24);
  at[1] = (uint8_t)(value >> 16);
  at[2] = (uint8_t)(value >> 8);
  at[3] = (uint8_t)value;
}

static inline void put_be64(uint8_t *at, uint64_t value) {
  put_be32(at, (uint32_t)(value >> 32));
  put_be32(at + 4, (uint32_t)value);
}

// cipher.c
/** A context of what OpenSSL calls so, without a key. NULL: it has none, or there is no memory. */
EVP_CIPHER_CTX *openssl_context(const struct suite *suite, size_t key_size, bool sealing);
bool never_seals(struct cipher *cipher, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq);
bool never_opens(struct cipher *cipher, uint8_t *packet, size_t length, uint64_t seq);

// aead.c
void aead_init(struct aead *aead, const struct suite *suite, const struct cipher_keys *keys, size_t key_size);
struct aead *aead_of(struct cipher *cipher);
struct cipher *openssl_aead(const struct suite *suite, const struct cipher_keys *keys, size_t key_size);

// gcm.c
struct cipher *gcm(const struct suite *suite, const struct cipher_keys *keys, size_t key_size);
bool gcm_has_vaes(void);

// separate.c
struct cipher *separate(const struct suite *suite, const struct cipher_keys *keys, size_t key_size);

#endif
