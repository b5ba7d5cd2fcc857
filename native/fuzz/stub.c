// Ciphers and integrity algorithms of every shape that framing must cope with, and of no strength.

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static bool seal(struct cipher *cipher, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq) {
  uint8_t *iv = packet + ESP_PREFIX, *to = iv + cipher->iv_size;
  PROMISE(length % cipher->align == 0);
  for (size_t i = 0; i < cipher->iv_size; i++) iv[i] = (uint8_t)(seq >> 8 * (i % 8));
  for (size_t i = 0; i < length; i++) to[i] = text[i] ^ STUB_MASK;
  memset(to + length, GOOD_ICV, cipher->icv_size);
  return true;
}

static bool open(struct cipher *cipher, uint8_t *packet, size_t length, uint64_t seq) {
  (void)seq;
  PROMISE(length % cipher->align == 0);
  uint8_t *text = packet + ESP_PREFIX + cipher->iv_size;
  bool good = text[length] == GOOD_ICV;
  for (size_t i = 0; i < length; i++) text[i] ^= STUB_MASK;
  return good;
}

static void release(struct cipher *cipher) {
  free(cipher);
}

struct cipher *stub_cipher(uint8_t choice, bool esn) {
  // AEADs; AES-CBC and 3DES with HMACs; NULL with an HMAC.
  static const uint8_t shapes[][3] = {{8, 16, 4}, {8, 8, 4}, {16, 16, 16}, {16, 32, 16}, {8, 12, 8}, {0, 16, 4}, {8, 24, 4}};
  const uint8_t *shape = shapes[choice % (sizeof shapes / sizeof shapes[0])];
  struct cipher *cipher = calloc(1, sizeof *cipher);
  if (cipher == NULL) abort();
  *cipher = (struct cipher){
    .iv_size = shape[0], .icv_size = shape[1], .align = shape[2], .esn = esn, .seal = seal, .open = open, .release = release};
  return cipher;
}

void cipher_free(struct cipher *cipher) {
  cipher->release(cipher);
}

/** Everything that framing knows of one is the size of its ICV. */
struct mac {
  size_t size;
};

struct mac *stub_mac(uint8_t choice) {
  static const uint8_t sizes[] = {12, 16, 24, 32};
  struct mac *mac = calloc(1, sizeof *mac);
  if (mac == NULL) abort();
  mac->size = sizes[choice % sizeof sizes];
  return mac;
}

size_t mac_size(const struct mac *mac) {
  return mac->size;
}

/** Reads every byte, as a real one does. */
bool mac_compute(struct mac *mac, const struct iovec *parts, int count, uint8_t *icv) {
  volatile uint8_t sum = 0;
  for (int i = 0; i < count; i++) {
    const uint8_t *bytes = parts[i].iov_base;
    for (size_t at = 0; at < parts[i].iov_len; at++) sum = (uint8_t)(sum + bytes[at]);
  }
  memset(icv, GOOD_ICV, mac->size);
  return true;
}

void mac_free(struct mac *mac) {
  free(mac);
}

int CRYPTO_memcmp(const void *a, const void *b, size_t size) {
  return memcmp(a, b, size);
}
