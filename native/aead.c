// Combined modes around ESP packets: AES-GCM (RFC 4106), AES-CCM (RFC 4309), ChaCha20-Poly1305 (RFC 7634), and
// AES-GMAC, which hides nothing (RFC 4543). All but the fast GCM of gcm.c run through OpenSSL here.

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

enum { IV = 8, AAD_MAX = 12 };

/** SPI and sequence number, whole where it is extended (RFC 4106 §5). */
static size_t aad_of(const struct cipher *cipher, const uint8_t *packet, uint64_t seq, uint8_t aad[AAD_MAX]) {
  memcpy(aad, packet, ESP_PREFIX);
  if (!cipher->esn) return ESP_PREFIX;
  put_be32(aad + 4, (uint32_t)(seq >> 32));
  memcpy(aad + 8, packet + 4, 4);
  return AAD_MAX;
}

static bool run(struct aead *aead, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq) {
  uint8_t nonce[NONCE_MAX], aad[AAD_MAX], *out = packet + ESP_PREFIX + IV;
  memcpy(nonce, aead->salt, SALT_MAX);
  memcpy(nonce + aead->salt_size, packet + ESP_PREFIX, IV);
  return aead->run(aead, &(struct message){
                           .nonce = nonce,
                           .aad = aad,
                           .aad_size = aad_of(&aead->cipher, packet, seq, aad),
                           .in = text,
                           .out = out,
                           .length = length,
                           .icv = out + length,
                         });
}

static bool seal(struct cipher *cipher, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq) {
  put_be64(packet + ESP_PREFIX, seq);
  return run((struct aead *)cipher, packet, text, length, seq);
}

static bool open(struct cipher *cipher, uint8_t *packet, size_t length, uint64_t seq) {
  return run((struct aead *)cipher, packet, packet + ESP_PREFIX + IV, length, seq);
}

void aead_init(struct aead *aead, const struct suite *suite, const struct cipher_keys *keys, size_t key_size) {
  aead->cipher = (struct cipher){
    .iv_size = suite->iv_size,
    .icv_size = suite->icv_size,
    .align = 4,
    .esn = keys->esn,
    .seal = keys->sealing ? seal : never_seals,
    .open = keys->sealing ? never_opens : open,
  };
  aead->salt_size = suite->salt_size;
  memcpy(aead->salt, keys->encr_key + key_size, suite->salt_size);
}

struct aead *aead_of(struct cipher *cipher) {
  return cipher->seal == seal || cipher->open == open ? (struct aead *)cipher : NULL;
}

struct openssl_aead {
  struct aead aead;
  EVP_CIPHER_CTX *context;
  /** Made once: naming a parameter anew for each packet costs 20 ns. */
  OSSL_PARAM tag[2];
  bool sealing, tells_length;
};

static bool add(EVP_CIPHER_CTX *context, uint8_t *out, const uint8_t *in, size_t length) {
  int done;
  return EVP_CipherUpdate(context, out, &done, in, (int)length) == 1;
}

/** What is authenticated alone has no place to go to. */
static bool add_aad(EVP_CIPHER_CTX *context, const uint8_t *bytes, size_t length) {
  return add(context, NULL, bytes, length);
}

static bool begin(struct openssl_aead *mode, const struct message *message) {
  mode->tag[0].data = message->icv;
  // A tag that is there already is what the text is checked against.
  return EVP_CipherInit_ex2(mode->context, NULL, NULL, message->nonce, -1, mode->sealing ? NULL : mode->tag) == 1;
}

static bool end(struct openssl_aead *mode, const struct message *message) {
  int done;
  if (EVP_CipherFinal_ex(mode->context, message->out + message->length, &done) != 1) return false;
  return !mode->sealing || EVP_CIPHER_CTX_get_params(mode->context, mode->tag) == 1;
}

/** OpenSSL notes failures for the thread, and node:crypto would take that of a forged packet for its own. */
static bool leaving_no_error(bool good) {
  if (!good) ERR_clear_error();
  return good;
}

static bool openssl_run(struct aead *aead, const struct message *message) {
  struct openssl_aead *mode = (struct openssl_aead *)aead;
  EVP_CIPHER_CTX *context = mode->context;
  return leaving_no_error(begin(mode, message) &&
                          (!mode->tells_length || add(context, NULL, NULL, message->length)) &&
                          add_aad(context, message->aad, message->aad_size) &&
                          add(context, message->out, message->in, message->length) && end(mode, message));
}

/** All is AAD: SPI and sequence number, IV (draft-mcgrew-gcm-test-01 and Linux have it so), text (RFC 4543 §3.3). */
static bool gmac_run(struct aead *aead, const struct message *message) {
  struct openssl_aead *mode = (struct openssl_aead *)aead;
  EVP_CIPHER_CTX *context = mode->context;
  memmove(message->out, message->in, message->length);
  return leaving_no_error(begin(mode, message) && add_aad(context, message->aad, message->aad_size) &&
                          add_aad(context, message->nonce + aead->salt_size, IV) &&
                          add_aad(context, message->out, message->length) && end(mode, message));
}

static void release(struct cipher *cipher) {
  EVP_CIPHER_CTX_free(((struct openssl_aead *)cipher)->context);
  OPENSSL_clear_free(cipher, sizeof(struct openssl_aead));
}

/** CCM wants to know the sizes of nonce and tag before it is given the key. */
static bool set_sizes(EVP_CIPHER_CTX *context, const struct suite *suite) {
  return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, suite->salt_size + IV, NULL) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, suite->icv_size, NULL) == 1;
}

static bool is_ccm(const struct suite *suite) {
  return suite->encr >= ENCR_AES_CCM_8 && suite->encr <= ENCR_AES_CCM_16;
}

struct cipher *openssl_aead(const struct suite *suite, const struct cipher_keys *keys, size_t key_size) {
  struct openssl_aead *mode = OPENSSL_zalloc(sizeof *mode);
  if (mode == NULL) return NULL;
  aead_init(&mode->aead, suite, keys, key_size);
  mode->aead.cipher.release = release;
  mode->aead.run = suite->encr == ENCR_NULL_AUTH_AES_GMAC ? gmac_run : openssl_run;
  mode->sealing = keys->sealing;
  mode->tells_length = is_ccm(suite);
  mode->tag[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, suite->icv_size);
  mode->tag[1] = OSSL_PARAM_construct_end();
  mode->context = openssl_context(suite, key_size, keys->sealing);
  if (mode->context != NULL && (!is_ccm(suite) || set_sizes(mode->context, suite)) &&
      EVP_CipherInit_ex2(mode->context, NULL, keys->encr_key, NULL, -1, NULL) == 1)
    return &mode->aead.cipher;
  release(&mode->aead.cipher);
  return NULL;
}
