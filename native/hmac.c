// HMAC (RFC 2104) from two states of the hash, made once per key: after the inner and after the outer padded key.
// With OpenSSL 3.0 copying them is as fast as HMAC_Init_ex and 30 ns a packet faster than EVP_MAC. SHA256_Update and its
// like on saved structures would spare another 60 ns, of 925 with 1400 bytes; but they are deprecated.

#include <openssl/crypto.h>
#include <string.h>

#include "mac.h"

enum { BLOCK_MAX = 128 };

struct hmac {
  struct mac mac;
  EVP_MD_CTX *inner, *outer, *work;
};

static bool finish(struct hmac *hmac, uint8_t digest[EVP_MAX_MD_SIZE]) {
  unsigned size;
  return EVP_DigestFinal_ex(hmac->work, digest, &size) == 1 && EVP_MD_CTX_copy_ex(hmac->work, hmac->outer) == 1 &&
         EVP_DigestUpdate(hmac->work, digest, size) == 1 && EVP_DigestFinal_ex(hmac->work, digest, NULL) == 1;
}

static bool compute(struct mac *mac, const struct iovec *parts, int count, uint8_t *icv) {
  struct hmac *hmac = (struct hmac *)mac;
  uint8_t digest[EVP_MAX_MD_SIZE];
  if (EVP_MD_CTX_copy_ex(hmac->work, hmac->inner) != 1) return false;
  for (int i = 0; i < count; i++)
    if (EVP_DigestUpdate(hmac->work, parts[i].iov_base, parts[i].iov_len) != 1) return false;
  if (!finish(hmac, digest)) return false;
  memcpy(icv, digest, mac->size);
  return true;
}

/** OpenSSL wipes the states. */
static void release(struct mac *mac) {
  struct hmac *hmac = (struct hmac *)mac;
  EVP_MD_CTX_free(hmac->inner);
  EVP_MD_CTX_free(hmac->outer);
  EVP_MD_CTX_free(hmac->work);
  OPENSSL_free(hmac);
}

/** No key here is longer than a block. */
static EVP_MD_CTX *padded(const EVP_MD *hash, const uint8_t *key, size_t key_size, uint8_t pad) {
  uint8_t block[BLOCK_MAX];
  size_t size = (size_t)EVP_MD_get_block_size(hash);
  EVP_MD_CTX *state = EVP_MD_CTX_new();
  memset(block, pad, sizeof block);
  for (size_t i = 0; i < key_size; i++) block[i] ^= key[i];
  bool good = state != NULL && EVP_DigestInit_ex2(state, hash, NULL) == 1 && EVP_DigestUpdate(state, block, size) == 1;
  OPENSSL_cleanse(block, sizeof block);
  if (good) return state;
  EVP_MD_CTX_free(state);
  return NULL;
}

struct mac *hmac_new(const char *name, const uint8_t *key, size_t key_size) {
  EVP_MD *hash = EVP_MD_fetch(NULL, name, NULL);
  struct hmac *hmac = OPENSSL_zalloc(sizeof *hmac);
  if (hash != NULL && hmac != NULL) {
    hmac->mac.compute = compute;
    hmac->mac.release = release;
    hmac->inner = padded(hash, key, key_size, 0x36);
    hmac->outer = padded(hash, key, key_size, 0x5c);
    hmac->work = EVP_MD_CTX_new();
  }
  EVP_MD_free(hash);
  if (hmac == NULL || (hmac->inner != NULL && hmac->outer != NULL && hmac->work != NULL)) return (struct mac *)hmac;
  release(&hmac->mac);
  return NULL;
}
