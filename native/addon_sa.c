// Exports for the SAs of all lanes: what the main thread makes and ends, and what their owner changes.

#include <errno.h>
#include <stdlib.h>

#include "arguments.h"
#include "lane.h"

/** Words of an SA's description, both directions. */
enum { SA_SPI_IN, SA_SPI_OUT, SA_ENCR, SA_KEY_BITS, SA_INTEG, SA_FLAGS, SA_MSS4, SA_MSS6, SA_WORDS };

static struct sa *make_sa(const int32_t *spec, bool sealing, const struct path *ends, const struct span keys[2]) {
  struct sa *sa = calloc(1, sizeof *sa);
  if (sa == NULL) return NULL;
  sa->spi = (uint32_t)spec[sealing ? SA_SPI_OUT : SA_SPI_IN];
  sa->flags = (uint32_t)spec[SA_FLAGS];
  sa->path = *ends;
  sa->mss4 = (uint16_t)spec[SA_MSS4];
  sa->mss6 = (uint16_t)spec[SA_MSS6];
  uint16_t integ = (uint16_t)spec[SA_INTEG];
  if (sa->flags & SA_AH) {
    sa->mac = mac_new(integ, keys[1].data, keys[1].length);
  } else {
    sa->cipher = cipher_new((uint16_t)spec[SA_ENCR], (uint16_t)spec[SA_KEY_BITS], integ, (sa->flags & SA_ESN) != 0, sealing,
                            keys[0].data, keys[0].length, keys[1].data, keys[1].length);
  }
  if (sa->mac != NULL || sa->cipher != NULL) return sa;
  free(sa);
  return NULL;
}

/** No word but the SPIs has more than 16 bits. */
static bool described(napi_env env, napi_value value, int32_t **spec) {
  if (!words(env, value, SA_WORDS, spec, "the description is too short")) return false;
  for (int i = SA_ENCR; i < SA_WORDS; i++)
    if ((*spec)[i] < 0 || (*spec)[i] > UINT16_MAX) return wrong(env, "the description is out of range");
  return true;
}

static bool ends_of(napi_env env, napi_value value, struct path **ends) {
  if (!path(env, value, ends)) return false;
  return (*ends)->version == 4 || (*ends)->version == 6 || wrong(env, "a path has version 4 or 6");
}

/** Slot, description, path, then the keys: encryption and integrity in, encryption and integrity out. */
static napi_value saInstall(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t slot;
  int32_t *spec;
  struct path *ends;
  struct span in[2], out[2];
  if (!take(env, info, argv) || !number(env, argv[0], SLOTS - 1, &slot, "slot is out of range") ||
      !described(env, argv[1], &spec) || !ends_of(env, argv[2], &ends) || !bytes(env, argv[3], &in[0]) ||
      !bytes(env, argv[4], &in[1]) || !bytes(env, argv[5], &out[0]) || !bytes(env, argv[6], &out[1]))
    return NULL;
  struct sa *inbound = make_sa(spec, false, ends, in), *outbound = make_sa(spec, true, ends, out);
  int error = inbound == NULL || outbound == NULL ? -EINVAL : sa_install(slot, inbound, outbound);
  if (error == 0) return NULL;
  sa_release(inbound);
  sa_release(outbound);
  return refuse(env, error, "saInstall");
}

/** An SA is made for one protocol, and its cipher or MAC for one kind of sequence numbers. */
static bool lasting(const struct sa *sa, uint32_t flags) {
  return sa == NULL || ((sa->flags ^ flags) & (SA_AH | SA_ESN)) == 0;
}

/** By the owner: slot, path, flags, MSS by family. */
static napi_value saChange(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t slot, flags, mss4, mss6;
  struct path *ends;
  if (!take(env, info, argv) || !number(env, argv[0], SLOTS - 1, &slot, "slot is out of range") ||
      !ends_of(env, argv[1], &ends) || !number(env, argv[2], UINT16_MAX, &flags, "flags are out of range") ||
      !number(env, argv[3], UINT16_MAX, &mss4, "mss is out of range") ||
      !number(env, argv[4], UINT16_MAX, &mss6, "mss is out of range"))
    return NULL;
  struct sa *both[2] = {sa_in((int32_t)slot), sa_out((int32_t)slot)};
  if (!lasting(both[0], flags) || !lasting(both[1], flags)) {
    wrong(env, "flags are those of another protocol");
    return NULL;
  }
  for (int i = 0; i < 2; i++) {
    if (both[i] == NULL) continue;
    both[i]->path = *ends;
    both[i]->flags = flags;
    both[i]->mss4 = (uint16_t)mss4;
    both[i]->mss6 = (uint16_t)mss6;
  }
  return NULL;
}

static napi_value saDrop(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t slot;
  if (take(env, info, argv) && number(env, argv[0], SLOTS - 1, &slot, "slot is out of range")) sa_drop(slot);
  return NULL;
}

/** What the two of them have carried, in and out; undefined where there are none. */
static napi_value saCarried(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS], result, count;
  uint32_t slot;
  if (!take(env, info, argv) || !number(env, argv[0], SLOTS - 1, &slot, "slot is out of range")) return NULL;
  struct sa *both[2] = {sa_in((int32_t)slot), sa_out((int32_t)slot)};
  if (both[0] == NULL || both[1] == NULL || napi_create_array_with_length(env, 2, &result) != napi_ok) return NULL;
  for (uint32_t i = 0; i < 2; i++) {
    if (napi_create_double(env, (double)__atomic_load_n(&both[i]->carried, __ATOMIC_RELAXED), &count) != napi_ok ||
        napi_set_element(env, result, i, count) != napi_ok)
      return NULL;
  }
  return result;
}

bool export_sa(napi_env env, napi_value exports) {
  const napi_property_descriptor exported[] = {
    METHOD("saInstall", saInstall),
    METHOD("saChange", saChange),
    METHOD("saDrop", saDrop),
    METHOD("saCarried", saCarried),
  };
  return define(env, exports, exported, sizeof exported / sizeof exported[0]);
}
