// AES-GCM (RFC 4106): with our vector code where the processor has the instructions and a self-test against OpenSSL
// succeeds, through OpenSSL elsewhere. ESPALIER_NO_VAES=1 in the environment keeps to OpenSSL.

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "vaes.h"

struct gcm {
  struct aead aead;
  struct vaes_key key;
};

static struct vaes_message vaes_message(const struct message *message, uint8_t tag[VAES_TAG]) {
  return (struct vaes_message){
    .nonce = message->nonce,
    .aad = message->aad,
    .aad_size = message->aad_size,
    .in = message->in,
    .out = message->out,
    .length = message->length,
    .tag = tag,
  };
}

static bool seal(struct aead *aead, const struct message *message) {
  struct gcm *gcm = (struct gcm *)aead;
  uint8_t tag[VAES_TAG];
  if (message->aad_size > VAES_AAD_MAX) return false;
  struct vaes_message given = vaes_message(message, tag);
  vaes_seal(&gcm->key, &given);
  memcpy(message->icv, tag, aead->cipher.icv_size);
  return true;
}

static bool open(struct aead *aead, const struct message *message) {
  struct gcm *gcm = (struct gcm *)aead;
  uint8_t tag[VAES_TAG];
  if (message->aad_size > VAES_AAD_MAX) return false;
  struct vaes_message given = vaes_message(message, tag);
  vaes_open(&gcm->key, &given);
  return CRYPTO_memcmp(tag, message->icv, aead->cipher.icv_size) == 0;
}

static void release(struct cipher *cipher) {
  OPENSSL_cleanse(cipher, sizeof(struct gcm));
  free(cipher);
}

static struct cipher *ours(const struct suite *suite, const struct cipher_keys *keys, size_t key_size) {
  struct gcm *gcm = aligned_alloc(_Alignof(struct gcm), sizeof *gcm);
  if (gcm == NULL) return NULL;
  memset(gcm, 0, sizeof *gcm);
  aead_init(&gcm->aead, suite, keys, key_size);
  gcm->aead.cipher.release = release;
  gcm->aead.run = keys->sealing ? seal : open;
  vaes_key(&gcm->key, keys->encr_key, key_size);
  return &gcm->aead.cipher;
}

/** What the self-test works with. The packets have room for LENGTH_MAX bytes of text. */
struct trial {
  struct cipher *sealing, *opening, *openssl;
  uint8_t *text, *sealed, *expected;
};

enum { IV = 8, ICV = 16, AROUND = ESP_PREFIX + IV + ICV, LENGTH_MAX = 5000 };
enum { ROOM = LENGTH_MAX + 2 * (AROUND + LENGTH_MAX) };

static bool agree(const struct trial *trial, size_t length) {
  const uint64_t seq = 0x0123456700000000 + length;
  struct cipher *sealing = trial->sealing, *opening = trial->opening, *openssl = trial->openssl;
  size_t size = AROUND + length;
  if (!sealing->seal(sealing, trial->sealed, trial->text, length, seq)) return false;
  if (!openssl->seal(openssl, trial->expected, trial->text, length, seq)) return false;
  if (memcmp(trial->sealed, trial->expected, size) != 0) return false;
  trial->sealed[size - 1] ^= 1;
  if (opening->open(opening, trial->sealed, length, seq)) return false;
  return opening->open(opening, trial->expected, length, seq) &&
         memcmp(trial->expected + ESP_PREFIX + IV, trial->text, length) == 0;
}

/** Each way in which a text can end after none to three strides of sixteen blocks, and a counter of two bytes. */
static bool agree_always(const struct trial *trial) {
  for (size_t i = 0; i < LENGTH_MAX; i++) trial->text[i] = (uint8_t)(i * i >> 3);
  for (size_t length = 0; length < 1024; length++)
    if (!agree(trial, length)) return false;
  return agree(trial, LENGTH_MAX);
}

static bool agree_with_openssl(uint16_t bits, uint8_t *room) {
  static const struct suite SUITE = {ENCR_AES_GCM_16, 0, 4, IV, ICV, 1, "GCM", NULL};
  uint8_t key[CIPHER_KEY_MAX + SALT_MAX];
  for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)(i * 73 + bits);
  struct cipher_keys keys = {.encr = ENCR_AES_GCM_16, .key_bits = bits, .esn = true, .encr_key = key};
  struct trial trial = {.text = room, .sealed = room + LENGTH_MAX, .expected = room + 2 * LENGTH_MAX + AROUND};
  trial.opening = ours(&SUITE, &keys, bits / 8u);
  keys.sealing = true;
  trial.sealing = ours(&SUITE, &keys, bits / 8u);
  trial.openssl = openssl_aead(&SUITE, &keys, bits / 8u);
  bool good = trial.opening != NULL && trial.sealing != NULL && trial.openssl != NULL && agree_always(&trial);
  cipher_free(trial.opening);
  cipher_free(trial.sealing);
  cipher_free(trial.openssl);
  return good;
}

static pthread_once_t decided = PTHREAD_ONCE_INIT;
static bool vaes;

static void decide(void) {
  const char *no = getenv("ESPALIER_NO_VAES");
  if ((no != NULL && no[0] != '\0') || !vaes_present()) return;
  uint8_t *room = calloc(1, ROOM);
  if (room == NULL) return;
  vaes = agree_with_openssl(128, room) && agree_with_openssl(192, room) && agree_with_openssl(256, room);
  free(room);
}

bool gcm_has_vaes(void) {
  pthread_once(&decided, decide);
  return vaes;
}

struct cipher *gcm(const struct suite *suite, const struct cipher_keys *keys, size_t key_size) {
  return gcm_has_vaes() && !keys->plain ? ours(suite, keys, key_size) : openssl_aead(suite, keys, key_size);
}
