// The entry: the first byte chooses the target, the rest is its feed.

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const targets[])(struct feed *) = {fuzz_open, fuzz_join, fuzz_split};
  struct feed feed = {data, size};
  targets[feed8(&feed) % 3](&feed);
  return 0;
}
