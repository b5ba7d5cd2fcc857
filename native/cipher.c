// Ciphers by transform id, and the checks of what they are made of.

#include <openssl/err.h>
#include <stdio.h>

#include "suite.h"

static const struct suite SUITES[] = {
  {ENCR_DES, 8, 0, 8, 0, 8, "DES-EDE3-CBC", separate},
  {ENCR_3DES, 24, 0, 8, 0, 8, "DES-EDE3-CBC", separate},
  {ENCR_AES_CBC, 0, 0, 16, 0, 16, "CBC", separate},
  {ENCR_AES_CTR, 0, 4, 8, 0, 1, "CTR", separate},
  {ENCR_AES_CCM_8, 0, 3, 8, 8, 1, "CCM", openssl_aead},
  {ENCR_AES_CCM_12, 0, 3, 8, 12, 1, "CCM", openssl_aead},
  {ENCR_AES_CCM_16, 0, 3, 8, 16, 1, "CCM", openssl_aead},
  {ENCR_AES_GCM_8, 0, 4, 8, 8, 1, "GCM", gcm},
  {ENCR_AES_GCM_12, 0, 4, 8, 12, 1, "GCM", gcm},
  {ENCR_AES_GCM_16, 0, 4, 8, 16, 1, "GCM", gcm},
  {ENCR_NULL_AUTH_AES_GMAC, 0, 4, 8, 16, 1, "GCM", openssl_aead},
  {ENCR_CHACHA20_POLY1305, 32, 4, 8, 16, 1, "ChaCha20-Poly1305", openssl_aead},
};

/** ENCR_NULL has no key, and what stands in a table as 0 is AES's. */
static const struct suite CLEAR = {ENCR_NULL, 0, 0, 0, 0, 1, NULL, separate};

static size_t key_size_of(const struct suite *suite, uint16_t bits) {
  if (suite->key_size != 0) return suite->key_size;
  return bits == 128 || bits == 192 || bits == 256 ? bits / 8u : 0;
}

static struct cipher *make(const struct cipher_keys *keys) {
  bool integ = keys->integ != INTEG_NONE;
  if (keys->encr == ENCR_NULL)
    return integ && keys->encr_size == 0 ? separate(&CLEAR, keys, 0) : NULL;
  for (size_t i = 0; i < sizeof SUITES / sizeof SUITES[0]; i++) {
    const struct suite *suite = &SUITES[i];
    if (suite->encr != keys->encr) continue;
    size_t key_size = key_size_of(suite, keys->key_bits);
    if (key_size == 0 || keys->encr_size != key_size + suite->salt_size) return NULL;
    // A combined mode takes no integrity algorithm, and nothing is encrypted without one (RFC 4303 §3.2).
    if (integ != (suite->icv_size == 0) || (!integ && keys->integ_size != 0)) return NULL;
    return suite->make(suite, keys, key_size);
  }
  return NULL;
}

struct cipher *cipher_make(const struct cipher_keys *keys) {
  struct cipher *cipher = make(keys);
  // What OpenSSL has noted of a failure would be taken by node:crypto for its own.
  if (cipher == NULL) ERR_clear_error();
  return cipher;
}

struct cipher *cipher_new(uint16_t encr, uint16_t key_bits, uint16_t integ, bool esn, bool sealing,
                          const uint8_t *encr_key, size_t encr_size, const uint8_t *integ_key, size_t integ_size) {
  return cipher_make(&(struct cipher_keys){
    .encr = encr,
    .key_bits = key_bits,
    .integ = integ,
    .esn = esn,
    .sealing = sealing,
    .encr_key = encr_key,
    .encr_size = encr_size,
    .integ_key = integ_key,
    .integ_size = integ_size,
  });
}

void cipher_free(struct cipher *cipher) {
  if (cipher != NULL) cipher->release(cipher);
}

bool cipher_has_vaes(void) {
  return gcm_has_vaes();
}

bool cipher_run_bare(struct cipher *cipher, const uint8_t nonce[12], const struct iovec *aad,
                     const struct iovec *text) {
  struct aead *aead = aead_of(cipher);
  if (aead == NULL) return false;
  uint8_t *bytes = text->iov_base;
  return aead->run(aead, &(struct message){
                           .nonce = nonce,
                           .aad = aad->iov_base,
                           .aad_size = aad->iov_len,
                           .in = bytes,
                           .out = bytes,
                           .length = text->iov_len,
                           .icv = bytes + text->iov_len,
                         });
}

EVP_CIPHER_CTX *openssl_context(const struct suite *suite, size_t key_size, bool sealing) {
  char name[32];
  if (suite->key_size != 0) snprintf(name, sizeof name, "%s", suite->name);
  else snprintf(name, sizeof name, "AES-%u-%s", (unsigned)key_size * 8, suite->name);
  EVP_CIPHER *type = EVP_CIPHER_fetch(NULL, name, NULL);
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  if (type != NULL && context != NULL && EVP_CipherInit_ex2(context, type, NULL, NULL, sealing ? 1 : 0, NULL) == 1) {
    EVP_CIPHER_free(type);
    return context;
  }
  EVP_CIPHER_free(type);
  EVP_CIPHER_CTX_free(context);
  return NULL;
}

bool never_seals(struct cipher *cipher, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq) {
  (void)cipher, (void)packet, (void)text, (void)length, (void)seq;
  return false;
}

bool never_opens(struct cipher *cipher, uint8_t *packet, size_t length, uint64_t seq) {
  (void)cipher, (void)packet, (void)length, (void)seq;
  return false;
}
