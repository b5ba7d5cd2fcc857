// Ciphers by transform id, and the checks of what they are made of.

#include "suite.h"

static bool is_aes_key(const struct cipher_keys *keys, size_t salt) {
  return (keys->key_bits == 128 || keys->key_bits == 192 || keys->key_bits == 256) &&
         keys->encr_size == keys->key_bits / 8u + salt;
}

struct cipher *cipher_make(const struct cipher_keys *keys) {
  switch (keys->encr) {
    case ENCR_AES_GCM_8:
    case ENCR_AES_GCM_12:
    case ENCR_AES_GCM_16:
      if (!is_aes_key(keys, 4) || keys->integ != 0 || keys->integ_size != 0) return NULL;
      return gcm_new(keys, 8 + 4u * (keys->encr - ENCR_AES_GCM_8));
    default:
      return NULL;
  }
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

bool cipher_refuses_to_seal(struct cipher *cipher, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq) {
  (void)cipher, (void)packet, (void)text, (void)length, (void)seq;
  return false;
}

bool cipher_refuses_to_open(struct cipher *cipher, uint8_t *packet, size_t length, uint64_t seq) {
  (void)cipher, (void)packet, (void)length, (void)seq;
  return false;
}
