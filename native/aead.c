// Combined modes through OpenSSL: AES-GCM (RFC 4106).

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

enum { SALT = 4, IV = 8, NONCE = SALT + IV };

struct aead {
  struct cipher cipher;
  EVP_CIPHER_CTX *context;
  uint8_t nonce[NONCE];
};

/** SPI and sequence number (RFC 4106 §5). */
static int aad_of(const struct cipher *cipher, const uint8_t *packet, uint64_t seq, uint8_t aad[12]) {
  memcpy(aad, packet, 4);
  if (!cipher->esn) {
    memcpy(aad + 4, packet + 4, 4);
    return 8;
  }
  put_be32(aad + 4, (uint32_t)(seq >> 32));
  memcpy(aad + 8, packet + 4, 4);
  return 12;
}

static bool seal(struct cipher *cipher, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq) {
  struct aead *aead = (struct aead *)cipher;
  EVP_CIPHER_CTX *context = aead->context;
  uint8_t aad[12], *out = packet + ESP_PREFIX + IV;
  int done, aad_size = aad_of(cipher, packet, seq, aad);
  put_be64(packet + ESP_PREFIX, seq);
  memcpy(aead->nonce + SALT, packet + ESP_PREFIX, IV);
  return EVP_EncryptInit_ex(context, NULL, NULL, NULL, aead->nonce) == 1 &&
         EVP_EncryptUpdate(context, NULL, &done, aad, aad_size) == 1 &&
         EVP_EncryptUpdate(context, out, &done, text, (int)length) == 1 &&
         EVP_EncryptFinal_ex(context, out + length, &done) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, cipher->icv_size, out + length) == 1;
}

static bool open(struct cipher *cipher, uint8_t *packet, size_t length, uint64_t seq) {
  struct aead *aead = (struct aead *)cipher;
  EVP_CIPHER_CTX *context = aead->context;
  uint8_t aad[12], *text = packet + ESP_PREFIX + IV;
  int done, aad_size = aad_of(cipher, packet, seq, aad);
  memcpy(aead->nonce + SALT, packet + ESP_PREFIX, IV);
  return EVP_DecryptInit_ex(context, NULL, NULL, NULL, aead->nonce) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, cipher->icv_size, text + length) == 1 &&
         EVP_DecryptUpdate(context, NULL, &done, aad, aad_size) == 1 &&
         EVP_DecryptUpdate(context, text, &done, text, (int)length) == 1 &&
         EVP_DecryptFinal_ex(context, text + length, &done) == 1;
}

static void release(struct cipher *cipher) {
  struct aead *aead = (struct aead *)cipher;
  EVP_CIPHER_CTX_free(aead->context);
  OPENSSL_cleanse(aead, sizeof *aead);
  free(aead);
}

struct cipher *gcm_new(const struct cipher_keys *keys, size_t icv_size) {
  size_t key_size = keys->encr_size - SALT;
  struct aead *aead = calloc(1, sizeof *aead);
  if (aead == NULL) return NULL;
  aead->cipher = (struct cipher){
    .iv_size = IV,
    .icv_size = (uint8_t)icv_size,
    .align = 4,
    .esn = keys->esn,
    .seal = keys->sealing ? seal : cipher_refuses_to_seal,
    .open = keys->sealing ? cipher_refuses_to_open : open,
    .release = release,
  };
  memcpy(aead->nonce, keys->encr_key + key_size, SALT);
  const EVP_CIPHER *type = key_size == 16 ? EVP_aes_128_gcm() : key_size == 24 ? EVP_aes_192_gcm() : EVP_aes_256_gcm();
  aead->context = EVP_CIPHER_CTX_new();
  if (aead->context != NULL &&
      EVP_CipherInit_ex(aead->context, type, NULL, keys->encr_key, NULL, keys->sealing ? 1 : 0) == 1)
    return &aead->cipher;
  release(&aead->cipher);
  return NULL;
}
