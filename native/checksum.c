// The Internet checksum over long stretches: one loop, of which the compiler makes code for each width of vectors.

#include "checksum.h"

static inline __attribute__((always_inline)) uint64_t add_up(const uint8_t *p, size_t words) {
  uint64_t sum = 0;
  for (size_t i = 0; i < words; i++) {
    uint32_t word;
    memcpy(&word, p + 4 * i, sizeof word);
    sum += word;
  }
  return sum;
}

static uint64_t plain(const uint8_t *p, size_t words) {
  return add_up(p, words);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t avx2(const uint8_t *p, size_t words) {
  return add_up(p, words);
}

#ifdef __clang__
#define AVX512 "avx512f,avx512bw,avx512vl"
#else
// Without being told, gcc halves the vectors.
#define AVX512 "avx512f,avx512bw,avx512vl,prefer-vector-width=512"
#endif
__attribute__((target(AVX512))) static uint64_t avx512(const uint8_t *p, size_t words) {
  return add_up(p, words);
}
#endif

uint64_t (*sum_words)(const uint8_t *p, size_t words) = plain;

/** Before the first packet. */
void choose_checksum(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) sum_words = avx512;
  else if (__builtin_cpu_supports("avx2")) sum_words = avx2;
#endif
}
