// Integrity algorithms by transform id.

#include "mac.h"

#include <openssl/err.h>

#include "suite.h"

struct integrity {
  uint16_t integ;
  uint8_t key_size;
  uint8_t icv_size;
  /** OpenSSL's name; NULL where the MAC is made of AES. */
  const char *hash;
};

static const struct integrity INTEGRITIES[] = {
  {INTEG_HMAC_MD5_96, 16, 12, "MD5"},            // RFC 2403
  {INTEG_HMAC_SHA1_96, 20, 12, "SHA1"},          // RFC 2404
  {INTEG_AES_XCBC_96, 16, 12, NULL},             // RFC 3566
  {INTEG_AES_CMAC_96, 16, 12, NULL},             // RFC 4494
  {INTEG_HMAC_SHA2_256_128, 32, 16, "SHA2-256"}, // RFC 4868
  {INTEG_HMAC_SHA2_384_192, 48, 24, "SHA2-384"},
  {INTEG_HMAC_SHA2_512_256, 64, 32, "SHA2-512"},
  {INTEG_HMAC_SHA2_256_96, 32, 12, "SHA2-256"},
};

static struct mac *make(const struct integrity *integrity, const uint8_t *key) {
  if (integrity->hash != NULL) return hmac_new(integrity->hash, key, integrity->key_size);
  return integrity->integ == INTEG_AES_XCBC_96 ? xcbc_new(key) : cmac_new(key);
}

struct mac *mac_new(uint16_t integ, const uint8_t *key, size_t size) {
  for (size_t i = 0; i < sizeof INTEGRITIES / sizeof INTEGRITIES[0]; i++) {
    const struct integrity *integrity = &INTEGRITIES[i];
    if (integrity->integ != integ) continue;
    struct mac *mac = size == integrity->key_size ? make(integrity, key) : NULL;
    if (mac != NULL) mac->size = integrity->icv_size;
    else ERR_clear_error();
    return mac;
  }
  return NULL;
}

size_t mac_size(const struct mac *mac) {
  return mac->size;
}

bool mac_compute(struct mac *mac, const struct iovec *parts, int count, uint8_t *icv) {
  return mac->compute(mac, parts, count, icv);
}

void mac_free(struct mac *mac) {
  if (mac != NULL) mac->release(mac);
}
