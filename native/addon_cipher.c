// Exports of the ciphers: for tests, for benches and for the self-test at start. Packets go through the lane.

#include <math.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arguments.h"
#include "cipher.h"

enum { TEXT_MAX = 65535, PARTS_MAX = 16 };
/** What `cipherNew` takes as an Int32Array. */
enum { OPTION_ENCR, OPTION_KEY_BITS, OPTION_INTEG, OPTION_ESN, OPTION_SEALING, OPTION_PLAIN, OPTIONS };

/** Tells our handles from other externals. */
static const napi_type_tag CIPHER = {0x6b1f5a0d8e3c4f27, 0x9c2e71d4b05a8f63};

static bool part(napi_env env, napi_value value, struct iovec *result, const char *what) {
  struct span given;
  if (!span(env, value, &given, what)) return false;
  *result = (struct iovec){given.data, given.length};
  return true;
}

static bool handle(napi_env env, napi_value value, struct cipher **result) {
  bool ours;
  napi_valuetype type;
  void *given;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external ||
      napi_check_object_type_tag(env, value, &CIPHER, &ours) != napi_ok || !ours ||
      napi_get_value_external(env, value, &given) != napi_ok)
    return wrong(env, "handle must come from cipherNew");
  *result = given;
  return true;
}

static napi_value boolean(napi_env env, bool value) {
  napi_value result;
  return napi_get_boolean(env, value, &result) == napi_ok ? result : NULL;
}

static void on_collected(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  cipher_free(data);
}

static bool options(napi_env env, napi_value value, struct cipher_keys *keys) {
  const char *what = "options must be an Int32Array of 6";
  int32_t *given;
  if (!words(env, value, OPTIONS, &given, what)) return false;
  for (int i = 0; i < OPTIONS; i++)
    if (given[i] < 0 || given[i] > UINT16_MAX) return wrong(env, what);
  keys->encr = (uint16_t)given[OPTION_ENCR];
  keys->key_bits = (uint16_t)given[OPTION_KEY_BITS];
  keys->integ = (uint16_t)given[OPTION_INTEG];
  keys->esn = given[OPTION_ESN] != 0;
  keys->sealing = given[OPTION_SEALING] != 0;
  keys->plain = given[OPTION_PLAIN] != 0;
  return true;
}

/** Undefined where there is no such combination. */
static napi_value cipherNew(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS], result;
  struct cipher_keys keys = {0};
  struct iovec encr, integ;
  if (!take(env, info, argv) || !options(env, argv[0], &keys) ||
      !part(env, argv[1], &encr, "encrKey must be a Uint8Array") ||
      !part(env, argv[2], &integ, "integKey must be a Uint8Array"))
    return NULL;
  keys.encr_key = encr.iov_base;
  keys.encr_size = encr.iov_len;
  keys.integ_key = integ.iov_base;
  keys.integ_size = integ.iov_len;
  struct cipher *cipher = cipher_make(&keys);
  if (cipher == NULL) return NULL;
  if (napi_create_external(env, cipher, on_collected, NULL, &result) != napi_ok) {
    cipher_free(cipher);
    return NULL;
  }
  return napi_type_tag_object(env, result, &CIPHER) == napi_ok ? result : NULL;
}

static napi_value cipherSizes(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS], result, value;
  struct cipher *cipher = NULL;
  if (!take(env, info, argv) || !handle(env, argv[0], &cipher)) return NULL;
  if (napi_create_array_with_length(env, 3, &result) != napi_ok) return NULL;
  const uint8_t sizes[] = {cipher->iv_size, cipher->icv_size, cipher->align};
  for (uint32_t i = 0; i < sizeof sizes; i++)
    if (napi_create_uint32(env, sizes[i], &value) != napi_ok || napi_set_element(env, result, i, value) != napi_ok)
      return NULL;
  return result;
}

static bool sequence(napi_env env, napi_value high, napi_value low, uint64_t *seq) {
  const char *what = "a half of a sequence number must be an unsigned 32-bit number";
  uint32_t halves[2];
  if (!number(env, high, UINT32_MAX, &halves[0], what) || !number(env, low, UINT32_MAX, &halves[1], what)) return false;
  *seq = (uint64_t)halves[0] << 32 | halves[1];
  return true;
}

static size_t packet_size(const struct cipher *cipher, uint32_t length) {
  return ESP_PREFIX + (size_t)cipher->iv_size + length + cipher->icv_size;
}

/** A packet, and text in it: where the sealed text will be, or behind the packet. */
struct work {
  struct cipher *cipher;
  struct iovec packet;
  uint32_t offset, length;
  uint64_t seq;
};

static bool fits(napi_env env, const struct work *work) {
  size_t size = packet_size(work->cipher, work->length), in_place = ESP_PREFIX + (size_t)work->cipher->iv_size;
  size_t end = work->offset == in_place ? size : (size_t)work->offset + work->length;
  if (end > work->packet.iov_len || (work->offset != in_place && work->offset < size))
    return wrong(env, "packet must hold the text, in place or behind what is sealed");
  return true;
}

static bool length_of(napi_env env, napi_value value, uint32_t *length) {
  return number(env, value, TEXT_MAX, length, "textLength must be 0 to 65535");
}

/** handle, packet, textOffset, textLength, seqHigh, seqLow */
static napi_value cipherSeal(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  struct work work;
  if (!take(env, info, argv) || !handle(env, argv[0], &work.cipher) ||
      !part(env, argv[1], &work.packet, "packet must be a Uint8Array") ||
      !number(env, argv[2], INT32_MAX, &work.offset, "textOffset must be a number") ||
      !length_of(env, argv[3], &work.length) || !sequence(env, argv[4], argv[5], &work.seq) || !fits(env, &work))
    return NULL;
  uint8_t *packet = work.packet.iov_base;
  return boolean(env, work.cipher->seal(work.cipher, packet, packet + work.offset, work.length, work.seq));
}

/** handle, packet, textLength, seqHigh, seqLow */
static napi_value cipherOpen(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  struct work work;
  if (!take(env, info, argv) || !handle(env, argv[0], &work.cipher) ||
      !part(env, argv[1], &work.packet, "packet must be a Uint8Array") || !length_of(env, argv[2], &work.length) ||
      !sequence(env, argv[3], argv[4], &work.seq))
    return NULL;
  work.offset = ESP_PREFIX + work.cipher->iv_size;
  if (!fits(env, &work)) return NULL;
  return boolean(env, work.cipher->open(work.cipher, work.packet.iov_base, work.length, work.seq));
}

/** handle, nonce, aad, bytes, textLength: a combined mode alone. */
static napi_value cipherBare(napi_env env, napi_callback_info info) {
  const char *what = "nonce, aad and bytes must be Uint8Arrays that fit";
  napi_value argv[ARGUMENTS];
  struct cipher *cipher = NULL;
  struct iovec nonce, aad, text;
  uint32_t length;
  if (!take(env, info, argv) || !handle(env, argv[0], &cipher) || !part(env, argv[1], &nonce, what) ||
      !part(env, argv[2], &aad, what) || !part(env, argv[3], &text, what) || !length_of(env, argv[4], &length))
    return NULL;
  uint8_t whole[12] = {0};
  if (nonce.iov_len > sizeof whole || aad.iov_len > TEXT_MAX || (size_t)length + cipher->icv_size > text.iov_len) {
    wrong(env, what);
    return NULL;
  }
  memcpy(whole, nonce.iov_base, nonce.iov_len);
  text.iov_len = length;
  return boolean(env, cipher_run_bare(cipher, whole, &aad, &text));
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/** In place, in `room`. A cipher that opens gets the packet anew each time, which is counted. NAN: one of them failed. */
static double time_of(struct cipher *cipher, const void *packet, uint32_t length, uint32_t rounds, uint8_t *room) {
  size_t size = packet_size(cipher, length);
  uint8_t *text = room + ESP_PREFIX + cipher->iv_size;
  memcpy(room, packet, size);
  bool good = true, seals = cipher->seal(cipher, room, text, length, 1);
  double start = now();
  for (uint32_t i = 0; i < rounds && good; i++) {
    if (!seals) memcpy(room, packet, size);
    good = seals ? cipher->seal(cipher, room, text, length, i + 2u) : cipher->open(cipher, room, length, 1);
  }
  return good ? (now() - start) / rounds : NAN;
}

/** handle, packet, textLength, rounds: nanoseconds a packet. What is to be opened has a sequence number of 1. */
static napi_value cipherTime(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS], result;
  struct work work;
  uint32_t rounds;
  if (!take(env, info, argv) || !handle(env, argv[0], &work.cipher) ||
      !part(env, argv[1], &work.packet, "packet must be a Uint8Array") || !length_of(env, argv[2], &work.length) ||
      !number(env, argv[3], INT32_MAX, &rounds, "rounds must be a number"))
    return NULL;
  work.offset = ESP_PREFIX + work.cipher->iv_size;
  if (!fits(env, &work)) return NULL;
  uint8_t *room = malloc(packet_size(work.cipher, work.length));
  if (room == NULL) return NULL;
  double each = time_of(work.cipher, work.packet.iov_base, work.length, rounds, room);
  free(room);
  return napi_create_double(env, each, &result) == napi_ok ? result : NULL;
}

static napi_value cipherFacilities(napi_env env, napi_callback_info info) {
  napi_value result, version;
  (void)info;
  if (napi_create_object(env, &result) == napi_ok &&
      napi_set_named_property(env, result, "vaes", boolean(env, cipher_has_vaes())) == napi_ok &&
      napi_create_string_utf8(env, OpenSSL_version(OPENSSL_VERSION_STRING), NAPI_AUTO_LENGTH, &version) == napi_ok &&
      napi_set_named_property(env, result, "openssl", version) == napi_ok)
    return result;
  return NULL;
}

static bool elements(napi_env env, napi_value list, napi_value values[PARTS_MAX], uint32_t *count) {
  bool is_array;
  if (napi_is_array(env, list, &is_array) != napi_ok || !is_array) return false;
  if (napi_get_array_length(env, list, count) != napi_ok || *count > PARTS_MAX) return false;
  for (uint32_t i = 0; i < *count; i++)
    if (napi_get_element(env, list, i, &values[i]) != napi_ok) return false;
  return true;
}

/** An element may be a getter: all are there before the memory of any is looked at. */
static bool parts_of(napi_env env, napi_value list, struct iovec parts[PARTS_MAX], uint32_t *count) {
  const char *what = "parts must be an array of at most 16 Uint8Arrays";
  napi_value values[PARTS_MAX];
  if (!elements(env, list, values, count)) return wrong(env, what);
  for (uint32_t i = 0; i < *count; i++)
    if (!part(env, values[i], &parts[i], what)) return false;
  return true;
}

/** integ, key, parts, icv: the number of bytes in the ICV, or 0 where there is no such algorithm. */
static napi_value macCompute(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS], result;
  uint32_t integ, count;
  struct iovec key, parts[PARTS_MAX], icv;
  if (!take(env, info, argv) || !number(env, argv[0], UINT16_MAX, &integ, "integ must be a transform id") ||
      !parts_of(env, argv[2], parts, &count) || !part(env, argv[1], &key, "key must be a Uint8Array") ||
      !part(env, argv[3], &icv, "icv must be a Uint8Array"))
    return NULL;
  if (icv.iov_len < ICV_MAX) {
    wrong(env, "icv must have room for 32 bytes");
    return NULL;
  }
  struct mac *mac = mac_new((uint16_t)integ, key.iov_base, key.iov_len);
  size_t size = mac == NULL || !mac_compute(mac, parts, (int)count, icv.iov_base) ? 0 : mac_size(mac);
  mac_free(mac);
  return napi_create_uint32(env, (uint32_t)size, &result) == napi_ok ? result : NULL;
}

bool export_cipher(napi_env env, napi_value exports) {
  const napi_property_descriptor exported[] = {
    METHOD("cipherNew", cipherNew),
    METHOD("cipherSizes", cipherSizes),
    METHOD("cipherSeal", cipherSeal),
    METHOD("cipherOpen", cipherOpen),
    METHOD("cipherBare", cipherBare),
    METHOD("cipherTime", cipherTime),
    METHOD("cipherFacilities", cipherFacilities),
    METHOD("macCompute", macCompute),
  };
  // The self-test runs now rather than under the first packets.
  (void)cipher_has_vaes();
  return define(env, exports, exported, sizeof exported / sizeof exported[0]);
}
