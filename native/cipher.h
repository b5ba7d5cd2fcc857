// What protects packets: a cipher with its integrity for ESP (RFC 4303), and the integrity algorithms alone for AH
// (RFC 4302). Each is made once from transform ids of IKEv2 and a key, and then used for packets without allocating.
// A cipher or MAC belongs to one thread at a time; it may be made in one and used in another.

#ifndef ESPALIER_CIPHER_H
#define ESPALIER_CIPHER_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { ESP_PREFIX = 8, IV_MAX = 16, ICV_MAX = 32, ALIGN_MAX = 16 };

/** One direction's protection. Per packet only IV and sequence number change. */
struct cipher {
  /** The text, which is payload, padding and two bytes of trailer, is a multiple of `align`: of 4, or of a block. */
  uint8_t iv_size, icv_size, align;
  bool esn;
  /**
   * `packet` is the ESP header, with SPI and low sequence number in it; IV, ciphertext and ICV are written behind it.
   * `text` is the padded text: either at packet + 8 + iv_size already, or anywhere that overlaps with none of these.
   * `seq` is the whole 64-bit number, of which a counter cipher makes its IV: it must never repeat under one key.
   */
  bool (*seal)(struct cipher *cipher, uint8_t *packet, const uint8_t *text, size_t length, uint64_t seq);
  /**
   * In place: the text, of `length` bytes, ends up at packet + 8 + iv_size; IV and ICV are not kept. False: forged, and
   * what is there then is undefined.
   */
  bool (*open)(struct cipher *cipher, uint8_t *packet, size_t length, uint64_t seq);
  /** Wipes the keys and frees. */
  void (*release)(struct cipher *cipher);
};

/** What a cipher is made of; nothing of it is kept. `key_bits` counts where the cipher has several lengths. */
struct cipher_keys {
  uint16_t encr;
  uint16_t key_bits;
  uint16_t integ;
  bool esn;
  bool sealing;
  /** OpenSSL even where code of our own is faster: for tests and benches. */
  bool plain;
  /** The key, and the salt behind it (RFC 4106 §8.1). */
  const uint8_t *encr_key;
  size_t encr_size;
  const uint8_t *integ_key;
  size_t integ_size;
};

/** NULL: there is no such combination, a key has another size than it needs, or there is no memory. */
struct cipher *cipher_make(const struct cipher_keys *keys);
struct cipher *cipher_new(uint16_t encr, uint16_t key_bits, uint16_t integ, bool esn, bool sealing,
                          const uint8_t *encr_key, size_t encr_size, const uint8_t *integ_key, size_t integ_size);
void cipher_free(struct cipher *cipher);

/** Whether AES-GCM runs on code of our own: where the processor can, and a self-test agreed with OpenSSL. */
bool cipher_has_vaes(void);
/**
 * A combined mode without ESP around it, for published vectors. The nonce is what salt and IV make; ICV follows the
 * text. False also for ciphers that are no such mode, and for lengths that the implementation has no use for.
 */
bool cipher_run_bare(struct cipher *cipher, const uint8_t nonce[12], const struct iovec *aad, const struct iovec *text);

/** An integrity algorithm under a key. */
struct mac;
/** NULL: no such algorithm, a key of another size, or no memory. */
struct mac *mac_new(uint16_t integ, const uint8_t *key, size_t size);
/** Of the ICV: the truncated length. */
size_t mac_size(const struct mac *mac);
/** Over all parts, one after the other. */
bool mac_compute(struct mac *mac, const struct iovec *parts, int count, uint8_t *icv);
void mac_free(struct mac *mac);

// addon_cipher.c
bool export_cipher(napi_env env, napi_value exports);

#endif
