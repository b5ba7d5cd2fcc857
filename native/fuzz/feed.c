// Decisions out of the fuzzer's bytes.

#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

uint8_t feed8(struct feed *feed) {
  if (feed->size == 0) return 0;
  feed->size--;
  return *feed->data++;
}

uint16_t feed16(struct feed *feed) {
  uint16_t high = feed8(feed);
  return (uint16_t)(high << 8 | feed8(feed));
}

uint32_t feed32(struct feed *feed) {
  uint32_t high = feed16(feed);
  return high << 16 | feed16(feed);
}

uint32_t feed_below(struct feed *feed, uint32_t below) {
  if (below <= 1) return 0;
  return (below <= 256 ? feed8(feed) : below <= 65536 ? feed16(feed) : feed32(feed)) % below;
}

bool feed_chance(struct feed *feed, uint8_t in) {
  return feed8(feed) % in == 1;
}

void feed_fill(struct feed *feed, uint8_t *bytes, size_t size) {
  uint32_t state = feed8(feed) * 2654435761u + 1;
  for (size_t i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    bytes[i] = (uint8_t)state;
  }
}

void feed_damage(struct feed *feed, uint8_t *bytes, size_t size) {
  if (size == 0 || !feed_chance(feed, 4)) return;
  for (int i = feed8(feed) % 4; i >= 0; i--) {
    // Headers are where it hurts.
    size_t at = feed_chance(feed, 3) ? feed_below(feed, (uint32_t)size) : feed_below(feed, size < 80 ? (uint32_t)size : 80);
    bytes[at] = feed8(feed);
  }
}

_Noreturn void broken(const char *condition, const char *file, int line) {
  fprintf(stderr, "%s:%d: a promise is broken: %s\n", file, line, condition);
  abort();
}
