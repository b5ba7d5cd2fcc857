// What the files behind cipher.h share: transform ids (IANA, "IKEv2 Parameters") and the makers of each kind.

#ifndef ESPALIER_SUITE_H
#define ESPALIER_SUITE_H

#include <openssl/evp.h>

#include "cipher.h"

enum encr {
  ENCR_AES_GCM_8 = 18,
  ENCR_AES_GCM_12 = 19,
  ENCR_AES_GCM_16 = 20,
};

enum { KEY_MAX = 32 };

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
bool cipher_refuses_to_seal(struct cipher *cipher, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq);
bool cipher_refuses_to_open(struct cipher *cipher, uint8_t *packet, size_t length, uint64_t seq);

// aead.c
struct cipher *gcm_new(const struct cipher_keys *keys, size_t icv_size);

#endif
