// AES-XCBC-MAC (RFC 3566) and AES-CMAC (RFC 4493): AES-128 in CBC from a zero IV, of which the last block counts, after
// it was padded if short and masked with one of two keys.

#include <openssl/crypto.h>
#include <string.h>

#include "mac.h"

enum { BLOCK = 16, CHUNK = 512 };

struct cbcmac {
  struct mac mac;
  EVP_CIPHER_CTX *context;
  uint8_t mask_whole[BLOCK], mask_padded[BLOCK];
  /** What may be the last block, and so must wait. */
  uint8_t held[BLOCK];
  size_t holds;
};

/** Puts a chunk, of whole blocks, into the chain; `last` receives what comes out of the last of them. */
static bool chain(struct cbcmac *cbcmac, const uint8_t *bytes, size_t size, uint8_t last[BLOCK]) {
  uint8_t out[CHUNK];
  int done;
  if (EVP_EncryptUpdate(cbcmac->context, out, &done, bytes, (int)size) != 1) return false;
  memcpy(last, out + size - BLOCK, BLOCK);
  return true;
}

static bool absorb(struct cbcmac *cbcmac, const uint8_t *bytes, size_t size) {
  uint8_t unused[BLOCK];
  while (size > 0) {
    size_t now;
    if (cbcmac->holds == BLOCK) {
      if (!chain(cbcmac, cbcmac->held, BLOCK, unused)) return false;
      cbcmac->holds = 0;
    }
    if (cbcmac->holds == 0 && size > BLOCK) {
      now = size - 1 < CHUNK ? (size - 1) / BLOCK * BLOCK : CHUNK;
      if (!chain(cbcmac, bytes, now, unused)) return false;
    } else {
      now = size < BLOCK - cbcmac->holds ? size : BLOCK - cbcmac->holds;
      memcpy(cbcmac->held + cbcmac->holds, bytes, now);
      cbcmac->holds += now;
    }
    bytes += now;
    size -= now;
  }
  return true;
}

static bool compute(struct mac *mac, const struct iovec *parts, int count, uint8_t *icv) {
  static const uint8_t zero[BLOCK];
  struct cbcmac *cbcmac = (struct cbcmac *)mac;
  cbcmac->holds = 0;
  if (EVP_EncryptInit_ex2(cbcmac->context, NULL, NULL, zero, NULL) != 1) return false;
  for (int i = 0; i < count; i++)
    if (!absorb(cbcmac, parts[i].iov_base, parts[i].iov_len)) return false;
  const uint8_t *mask = cbcmac->holds == BLOCK ? cbcmac->mask_whole : cbcmac->mask_padded;
  if (cbcmac->holds < BLOCK) {
    memset(cbcmac->held + cbcmac->holds, 0, BLOCK - cbcmac->holds);
    cbcmac->held[cbcmac->holds] = 0x80;
  }
  for (int i = 0; i < BLOCK; i++) cbcmac->held[i] ^= mask[i];
  uint8_t whole[BLOCK];
  if (!chain(cbcmac, cbcmac->held, BLOCK, whole)) return false;
  memcpy(icv, whole, mac->size);
  return true;
}

static void release(struct mac *mac) {
  EVP_CIPHER_CTX_free(((struct cbcmac *)mac)->context);
  OPENSSL_clear_free(mac, sizeof(struct cbcmac));
}

static bool set_key(struct cbcmac *cbcmac, const uint8_t key[BLOCK]) {
  static const uint8_t zero[BLOCK];
  return EVP_EncryptInit_ex2(cbcmac->context, NULL, key, zero, NULL) == 1 &&
         EVP_CIPHER_CTX_set_padding(cbcmac->context, 0) == 1;
}

/** AES of one block: CBC under a zero IV. */
static bool encrypt(struct cbcmac *cbcmac, const uint8_t key[BLOCK], const uint8_t in[BLOCK], uint8_t out[BLOCK]) {
  return set_key(cbcmac, key) && chain(cbcmac, in, BLOCK, out);
}

static struct cbcmac *make(void) {
  struct cbcmac *cbcmac = OPENSSL_zalloc(sizeof *cbcmac);
  EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
  if (cbcmac != NULL) {
    cbcmac->mac.compute = compute;
    cbcmac->mac.release = release;
    cbcmac->context = EVP_CIPHER_CTX_new();
  }
  bool good = cbcmac != NULL && aes != NULL && cbcmac->context != NULL &&
              EVP_EncryptInit_ex2(cbcmac->context, aes, NULL, NULL, NULL) == 1;
  EVP_CIPHER_free(aes);
  if (good || cbcmac == NULL) return cbcmac;
  release(&cbcmac->mac);
  return NULL;
}

static struct mac *made(struct cbcmac *cbcmac, bool good) {
  if (good || cbcmac == NULL) return (struct mac *)cbcmac;
  release(&cbcmac->mac);
  return NULL;
}

/** RFC 3566 §4: K1 to K3 are encryptions of constants, and the message is chained under K1. */
struct mac *xcbc_new(const uint8_t key[BLOCK]) {
  uint8_t constant[BLOCK], k1[BLOCK];
  struct cbcmac *cbcmac = make();
  bool good = cbcmac != NULL && encrypt(cbcmac, key, memset(constant, 1, BLOCK), k1) &&
              encrypt(cbcmac, key, memset(constant, 2, BLOCK), cbcmac->mask_whole) &&
              encrypt(cbcmac, key, memset(constant, 3, BLOCK), cbcmac->mask_padded) && set_key(cbcmac, k1);
  OPENSSL_cleanse(k1, sizeof k1);
  return made(cbcmac, good);
}

/** Multiplication by x in GF(2^128), without a branch on the secret bit (RFC 4493 §2.3). */
static void twice(const uint8_t in[BLOCK], uint8_t out[BLOCK]) {
  uint8_t carry = (uint8_t)(0x87 & -(in[0] >> 7));
  for (int i = 0; i < BLOCK - 1; i++) out[i] = (uint8_t)(in[i] << 1 | in[i + 1] >> 7);
  out[BLOCK - 1] = (uint8_t)(in[BLOCK - 1] << 1) ^ carry;
}

struct mac *cmac_new(const uint8_t key[BLOCK]) {
  static const uint8_t zero[BLOCK];
  uint8_t l[BLOCK];
  struct cbcmac *cbcmac = make();
  bool good = cbcmac != NULL && encrypt(cbcmac, key, zero, l);
  if (good) {
    twice(l, cbcmac->mask_whole);
    twice(cbcmac->mask_whole, cbcmac->mask_padded);
  }
  OPENSSL_cleanse(l, sizeof l);
  return made(cbcmac, good);
}
