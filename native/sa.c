// The SAs of all lanes, by slot. The main thread makes and ends them; in between they belong to the worker that owns
// the slot, and a message to it stands between each change of hands.

#include <errno.h>
#include <stdlib.h>

#include "lane.h"

struct pair {
  struct sa *in, *out;
};

static struct pair *pairs[SLOTS];

static struct pair *pair_at(int32_t slot) {
  return slot < 0 || slot >= SLOTS ? NULL : __atomic_load_n(&pairs[slot], __ATOMIC_ACQUIRE);
}

struct sa *sa_in(int32_t slot) {
  struct pair *pair = pair_at(slot);
  return pair == NULL ? NULL : pair->in;
}

struct sa *sa_out(int32_t slot) {
  struct pair *pair = pair_at(slot);
  return pair == NULL ? NULL : pair->out;
}

/** Takes both over when it succeeds. */
int sa_install(uint32_t slot, struct sa *in, struct sa *out) {
  if (slot >= SLOTS) return -ERANGE;
  if (pairs[slot] != NULL) return -EEXIST;
  struct pair *pair = calloc(1, sizeof *pair);
  if (pair == NULL) return -ENOMEM;
  pair->in = in;
  pair->out = out;
  __atomic_store_n(&pairs[slot], pair, __ATOMIC_RELEASE);
  return 0;
}

/** Wipes the keys. */
void sa_release(struct sa *sa) {
  if (sa == NULL) return;
  if (sa->cipher != NULL) cipher_free(sa->cipher);
  if (sa->mac != NULL) mac_free(sa->mac);
  free(sa);
}

void sa_drop(uint32_t slot) {
  if (slot >= SLOTS) return;
  struct pair *pair = __atomic_exchange_n(&pairs[slot], NULL, __ATOMIC_ACQ_REL);
  if (pair == NULL) return;
  sa_release(pair->in);
  sa_release(pair->out);
  free(pair);
}
