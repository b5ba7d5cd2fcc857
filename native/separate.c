// A cipher with a separate MAC around ESP packets: AES-CBC (RFC 3602), Triple-DES (RFC 2451), DES (RFC 2405), AES-CTR
// (RFC 3686) or none (RFC 2410). Encrypt, then authenticate; check, then decrypt (RFC 4303 §3.3.2, §3.4.4).

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "suite.h"

struct separate {
  struct cipher cipher;
  /** NULL where nothing is encrypted. */
  EVP_CIPHER_CTX *context;
  struct mac *mac;
  uint8_t block;
  /** Of AES-CTR: salt, IV, and a counter that begins at 1 (RFC 3686 §4). */
  uint8_t counter[BLOCK_MAX];
  /** Writes IV and ciphertext. */
  bool (*hide)(struct separate *separate, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq);
  bool (*reveal)(struct separate *separate, uint8_t *packet, size_t length);
};

enum { POOL = 4096 };

/** Random bytes in stock: one call for a block at a time would cost more than encrypting a packet. */
static bool take_random(uint8_t *bytes, size_t size) {
  static _Thread_local uint8_t pool[POOL];
  static _Thread_local size_t left;
  if (left < size) {
    if (RAND_bytes(pool, POOL) != 1) return false;
    left = POOL;
  }
  left -= size;
  memcpy(bytes, pool + left, size);
  return true;
}

static bool crypt(struct separate *separate, uint8_t *out, const uint8_t *in, size_t length) {
  int done;
  return EVP_CipherUpdate(separate->context, out, &done, in, (int)length) == 1 && (size_t)done == length;
}

/**
 * The chain goes on from packet to packet: a random block is encrypted first, and what becomes of it is the IV. Nobody
 * can foresee it (RFC 3602 §3), and the context needs no new IV, which would cost 75 ns a packet.
 */
static bool cbc_hide(struct separate *separate, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq) {
  uint8_t random[BLOCK_MAX], *iv = packet + ESP_PREFIX;
  size_t block = separate->block;
  (void)seq;
  return take_random(random, block) && crypt(separate, iv, random, block) &&
         crypt(separate, iv + block, text, length);
}

/** The other way round: the IV is decrypted as if it were text, to nothing of use, and the chain behind it is right. */
static bool cbc_reveal(struct separate *separate, uint8_t *packet, size_t length) {
  uint8_t *iv = packet + ESP_PREFIX;
  return crypt(separate, iv, iv, separate->block + length);
}

static bool ctr_crypt(struct separate *separate, uint8_t *packet, const uint8_t *text, size_t length) {
  enum { SALT = 4, IV = 8 };
  memcpy(separate->counter + SALT, packet + ESP_PREFIX, IV);
  return EVP_CipherInit_ex2(separate->context, NULL, NULL, separate->counter, -1, NULL) == 1 &&
         crypt(separate, packet + ESP_PREFIX + IV, text, length);
}

static bool ctr_hide(struct separate *separate, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq) {
  put_be64(packet + ESP_PREFIX, seq);
  return ctr_crypt(separate, packet, text, length);
}

static bool ctr_reveal(struct separate *separate, uint8_t *packet, size_t length) {
  return ctr_crypt(separate, packet, packet + ESP_PREFIX + separate->cipher.iv_size, length);
}

static bool clear_hide(struct separate *separate, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq) {
  (void)separate, (void)seq;
  memmove(packet + ESP_PREFIX, text, length);
  return true;
}

static bool clear_reveal(struct separate *separate, uint8_t *packet, size_t length) {
  (void)separate, (void)packet, (void)length;
  return true;
}

/** Over the packet up to the ICV and, if it is extended, the high half of the sequence number (RFC 4303 §2.2.1). */
static bool authenticate(struct separate *separate, uint8_t *packet, size_t size, uint64_t seq, uint8_t *icv) {
  uint8_t high[4];
  put_be32(high, (uint32_t)(seq >> 32));
  struct iovec parts[] = {{packet, size}, {high, sizeof high}};
  return mac_compute(separate->mac, parts, separate->cipher.esn ? 2 : 1, icv);
}

static bool whole_blocks(const struct separate *separate, size_t length) {
  return separate->block == 1 || (length > 0 && length % separate->block == 0);
}

static bool seal(struct cipher *cipher, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq) {
  struct separate *separate = (struct separate *)cipher;
  size_t size = ESP_PREFIX + cipher->iv_size + length;
  return whole_blocks(separate, length) && separate->hide(separate, packet, text, length, seq) &&
         authenticate(separate, packet, size, seq, packet + size);
}

static bool open(struct cipher *cipher, uint8_t *packet, size_t length, uint64_t seq) {
  struct separate *separate = (struct separate *)cipher;
  size_t size = ESP_PREFIX + cipher->iv_size + length;
  uint8_t icv[ICV_MAX];
  return whole_blocks(separate, length) && authenticate(separate, packet, size, seq, icv) &&
         CRYPTO_memcmp(icv, packet + size, cipher->icv_size) == 0 && separate->reveal(separate, packet, length);
}

static void release(struct cipher *cipher) {
  struct separate *separate = (struct separate *)cipher;
  EVP_CIPHER_CTX_free(separate->context);
  mac_free(separate->mac);
  OPENSSL_clear_free(separate, sizeof *separate);
}

/** OpenSSL 3 has DES in its legacy provider only. With three equal keys EDE is DES, because E(D(E(x))) = E(x). */
static void des_key(uint8_t key[CIPHER_KEY_MAX], const uint8_t *des) {
  for (size_t i = 0; i < 3; i++) memcpy(key + 8 * i, des, 8);
}

static bool set_key(struct separate *separate, const struct suite *suite, const uint8_t *given, size_t key_size) {
  static const uint8_t zero[BLOCK_MAX];
  uint8_t key[CIPHER_KEY_MAX];
  if (suite->encr == ENCR_DES) des_key(key, given);
  else memcpy(key, given, key_size);
  bool good = EVP_CipherInit_ex2(separate->context, NULL, key, zero, -1, NULL) == 1 &&
              EVP_CIPHER_CTX_set_padding(separate->context, 0) == 1;
  OPENSSL_cleanse(key, sizeof key);
  return good;
}

static void choose(struct separate *separate, const struct suite *suite, const struct cipher_keys *keys,
                   size_t key_size) {
  switch (suite->encr) {
    case ENCR_NULL:
      separate->hide = clear_hide;
      separate->reveal = clear_reveal;
      return;
    case ENCR_AES_CTR:
      separate->hide = ctr_hide;
      separate->reveal = ctr_reveal;
      memcpy(separate->counter, keys->encr_key + key_size, suite->salt_size);
      separate->counter[BLOCK_MAX - 1] = 1;
      return;
    default:
      separate->hide = cbc_hide;
      separate->reveal = cbc_reveal;
  }
}

struct cipher *separate(const struct suite *suite, const struct cipher_keys *keys, size_t key_size) {
  struct separate *separate = OPENSSL_zalloc(sizeof *separate);
  if (separate == NULL) return NULL;
  separate->mac = mac_new(keys->integ, keys->integ_key, keys->integ_size);
  separate->block = suite->block;
  separate->cipher = (struct cipher){
    .iv_size = suite->iv_size,
    .icv_size = separate->mac == NULL ? 0 : (uint8_t)mac_size(separate->mac),
    .align = suite->block < 4 ? 4 : suite->block,
    .esn = keys->esn,
    .seal = keys->sealing ? seal : never_seals,
    .open = keys->sealing ? never_opens : open,
    .release = release,
  };
  choose(separate, suite, keys, key_size);
  if (suite->name != NULL) separate->context = openssl_context(suite, key_size, keys->sealing);
  bool keyed = suite->name == NULL || (separate->context != NULL && set_key(separate, suite, keys->encr_key, key_size));
  if (separate->mac != NULL && keyed) return &separate->cipher;
  release(&separate->cipher);
  return NULL;
}
