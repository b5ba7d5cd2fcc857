// What the integrity algorithms share.

#ifndef ESPALIER_MAC_H
#define ESPALIER_MAC_H

#include <openssl/evp.h>

#include "cipher.h"

struct mac {
  size_t size;
  bool (*compute)(struct mac *mac, const struct iovec *parts, int count, uint8_t *icv);
  void (*release)(struct mac *mac);
};

// hmac.c
struct mac *hmac_new(const char *hash, const uint8_t *key, size_t key_size);

// cbcmac.c
struct mac *xcbc_new(const uint8_t key[16]);
struct mac *cmac_new(const uint8_t key[16]);

#endif
