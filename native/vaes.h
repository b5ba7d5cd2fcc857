// AES-GCM with 512-bit vectors, where the processor has them.

#ifndef ESPALIER_VAES_H
#define ESPALIER_VAES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VAES_NONCE = 12, VAES_AAD_MAX = 16, VAES_TAG = 16, VAES_POWERS = 20, VAES_GROUP = 4 };

struct vaes_key {
  /** Each round key four times: vectors take it from memory as it is, which is 6 % faster than spreading it. */
  _Alignas(64) uint8_t rounds[15][16 * VAES_GROUP];
  /** powers[i] is H^(VAES_POWERS - i), in the form that GHASH takes here; behind them are zeros. */
  _Alignas(64) uint8_t powers[VAES_POWERS + VAES_GROUP][16];
  /** The number of the last round. */
  int last;
};

/** `in` and `out` are the same, or do not overlap. `tag` receives the whole tag: when opening, what it should be. */
struct vaes_message {
  const uint8_t *nonce;
  const uint8_t *aad;
  size_t aad_size;
  const uint8_t *in;
  uint8_t *out;
  size_t length;
  uint8_t *tag;
};

/** Whether this build, this processor and this kernel have what it takes. Only then may the others be called. */
bool vaes_present(void);
/** A key of 16, 24 or 32 bytes. */
void vaes_key(struct vaes_key *key, const uint8_t *bytes, size_t size);
void vaes_seal(const struct vaes_key *key, const struct vaes_message *message);
void vaes_open(const struct vaes_key *key, const struct vaes_message *message);

#endif
