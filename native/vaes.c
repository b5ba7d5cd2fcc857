// AES-GCM (NIST SP 800-38D) on four blocks per instruction: VAES for the cipher, VPCLMULQDQ for GHASH. OpenSSL has the
// like from 3.2 on; the 3.0 of Node 20 has not.
//
// GHASH here follows Gueron and Kounavis, "Efficient Implementation of the Galois Counter Mode Using a Carry-less
// Multiplier": blocks are turned to big-endian order, H is multiplied by x once so that products need no shift, and a
// product is reduced by two multiplications with 0xc2 << 56. Sixteen blocks are multiplied by H^16 to H^1, added, and
// reduced together.

#include "vaes.h"

#include <openssl/crypto.h>
#include <string.h>

#if defined(__x86_64__) && ((defined(__clang__) && __clang_major__ >= 7) || (!defined(__clang__) && __GNUC__ >= 10))
#define HAVE_VAES 1
#else
#define HAVE_VAES 0
#endif

#if HAVE_VAES

#include <cpuid.h>
#include <immintrin.h>

#define VAES __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vaes,vpclmulqdq,aes,pclmul,sse4.1")))
#define VAES_INLINE static inline __attribute__((always_inline)) VAES

enum { BLOCK = 16, VECTOR = VAES_GROUP * BLOCK, STRIDE = VAES_GROUP * VECTOR, AT_H = VAES_POWERS - 1 };

static uint64_t enabled_state(void) {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

bool vaes_present(void) {
  const uint32_t leaf1_ecx = 1u << 1 | 1u << 19 | 1u << 25 | 1u << 27;   // PCLMULQDQ, SSE4.1, AES, OSXSAVE
  const uint32_t leaf7_ebx = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // AVX-512 F, DQ, BW, VL
  const uint32_t leaf7_ecx = 1u << 9 | 1u << 10;                         // VAES, VPCLMULQDQ
  const uint64_t states = 0xe6;                                          // XMM, YMM, mask and both parts of ZMM
  uint32_t a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & leaf1_ecx) != leaf1_ecx) return false;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (b & leaf7_ebx) != leaf7_ebx || (c & leaf7_ecx) != leaf7_ecx)
    return false;
  return (enabled_state() & states) == states;
}

VAES_INLINE __m128i load(const void *at) {
  return _mm_loadu_si128(at);
}

VAES_INLINE __m512i load4(const void *at) {
  return _mm512_loadu_si512(at);
}

VAES_INLINE __m128i reversed(__m128i block) {
  return _mm_shuffle_epi8(block, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

VAES_INLINE __m512i reversed4(__m512i blocks) {
  const __m128i order = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_shuffle_epi8(blocks, _mm512_broadcast_i32x4(order));
}

/** Counter blocks, whose last words are kept in the processor's order between. */
VAES_INLINE __m512i counters(__m512i words) {
  const __m128i order = _mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(order));
}

VAES_INLINE __m128i encrypt(const struct vaes_key *key, int last, __m128i block) {
  block = _mm_xor_si128(block, load(key->rounds[0]));
  for (int i = 1; i < last; i++) block = _mm_aesenc_si128(block, load(key->rounds[i]));
  return _mm_aesenclast_si128(block, load(key->rounds[last]));
}

/** A product, or a sum of products, before its reduction. */
struct product {
  __m512i low, middle, high;
};

VAES_INLINE struct product zero(void) {
  return (struct product){_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
}

VAES_INLINE void add_products(struct product *sum, __m512i blocks, __m512i powers) {
  enum { XOR3 = 0x96 };
  sum->low = _mm512_xor_si512(sum->low, _mm512_clmulepi64_epi128(blocks, powers, 0x00));
  sum->high = _mm512_xor_si512(sum->high, _mm512_clmulepi64_epi128(blocks, powers, 0x11));
  sum->middle = _mm512_ternarylogic_epi64(sum->middle, _mm512_clmulepi64_epi128(blocks, powers, 0x01),
                                          _mm512_clmulepi64_epi128(blocks, powers, 0x10), XOR3);
}

VAES_INLINE __m128i reduce(__m128i low, __m128i middle, __m128i high) {
  const __m128i polynomial = _mm_set_epi64x((long long)0xc200000000000000, 1);
  enum { SWAP_HALVES = 0x4e };
  __m128i folded = _mm_clmulepi64_si128(polynomial, low, 0x01);
  middle = _mm_xor_si128(middle, _mm_xor_si128(_mm_shuffle_epi32(low, SWAP_HALVES), folded));
  folded = _mm_clmulepi64_si128(polynomial, middle, 0x01);
  return _mm_xor_si128(high, _mm_xor_si128(_mm_shuffle_epi32(middle, SWAP_HALVES), folded));
}

VAES_INLINE __m128i multiply(__m128i a, __m128i b) {
  __m128i middle = _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01), _mm_clmulepi64_si128(a, b, 0x10));
  return reduce(_mm_clmulepi64_si128(a, b, 0x00), middle, _mm_clmulepi64_si128(a, b, 0x11));
}

VAES_INLINE __m128i fold(__m512i v) {
  __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
  return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

VAES_INLINE __m128i reduce4(const struct product *sum) {
  return reduce(fold(sum->low), fold(sum->middle), fold(sum->high));
}

/** GHASH goes on over sixteen blocks of ciphertext. */
VAES_INLINE __m128i hash(const struct vaes_key *key, __m128i state, const __m512i text[VAES_GROUP]) {
  enum { AT_H16 = VAES_POWERS - 16 };
  struct product sum = zero();
  __m512i first = _mm512_xor_si512(reversed4(text[0]), _mm512_zextsi128_si512(state));
  add_products(&sum, first, load4(key->powers[AT_H16]));
  for (int i = 1; i < VAES_GROUP; i++)
    add_products(&sum, reversed4(text[i]), load4(key->powers[AT_H16 + VAES_GROUP * i]));
  return reduce4(&sum);
}

/** A message under way. */
struct progress {
  /** Four counters, of the blocks that come next. */
  __m512i next;
  /** GHASH of what is done. */
  __m128i state;
  const uint8_t *in;
  uint8_t *out;
  size_t left;
};

VAES_INLINE __m512i first_round(const struct vaes_key *key, struct progress *at) {
  const __m512i four = _mm512_set_epi32(4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0);
  __m512i stream = _mm512_xor_si512(counters(at->next), load4(key->rounds[0]));
  at->next = _mm512_add_epi32(at->next, four);
  return stream;
}

/** Sixteen blocks at a time. What was sealed is hashed while the next are encrypted: neither waits for the other. */
VAES_INLINE void crypt_strides(const struct vaes_key *key, int last, bool sealing, struct progress *at) {
  __m512i text[VAES_GROUP];
  bool waiting = false;
  for (; at->left >= STRIDE; at->left -= STRIDE, at->in += STRIDE, at->out += STRIDE) {
    __m512i given[VAES_GROUP], stream[VAES_GROUP];
    for (int i = 0; i < VAES_GROUP; i++) {
      stream[i] = first_round(key, at);
      given[i] = load4(at->in + VECTOR * i);
    }
    for (int round = 1; round < last; round++)
      for (int i = 0; i < VAES_GROUP; i++) stream[i] = _mm512_aesenc_epi128(stream[i], load4(key->rounds[round]));
    if (!sealing) at->state = hash(key, at->state, given);
    if (sealing && waiting) at->state = hash(key, at->state, text);
    for (int i = 0; i < VAES_GROUP; i++) {
      text[i] = _mm512_xor_si512(_mm512_aesenclast_epi128(stream[i], load4(key->rounds[last])), given[i]);
      _mm512_storeu_si512(at->out + VECTOR * i, text[i]);
    }
    waiting = true;
  }
  if (sealing && waiting) at->state = hash(key, at->state, text);
}

/** Less than sixteen blocks, the last of which may be short, and the block of lengths: one reduction for them all. */
VAES_INLINE void crypt_rest(const struct vaes_key *key, int last, bool sealing, struct progress *at, __m128i lengths) {
  struct product sum = zero();
  const uint8_t *powers = key->powers[AT_H - (at->left + BLOCK - 1) / BLOCK];
  __m128i state = at->state;
  while (at->left > 0) {
    size_t now = at->left < VECTOR ? at->left : VECTOR;
    __mmask64 valid = ~(__mmask64)0 >> (VECTOR - now);
    __m512i stream = first_round(key, at), given = _mm512_maskz_loadu_epi8(valid, at->in);
    for (int round = 1; round < last; round++) stream = _mm512_aesenc_epi128(stream, load4(key->rounds[round]));
    stream = _mm512_xor_si512(_mm512_aesenclast_epi128(stream, load4(key->rounds[last])), given);
    _mm512_mask_storeu_epi8(at->out, valid, stream);
    __m512i blocks = reversed4(sealing ? _mm512_maskz_mov_epi8(valid, stream) : given);
    add_products(&sum, _mm512_xor_si512(blocks, _mm512_zextsi128_si512(state)), load4(powers));
    state = _mm_setzero_si128();
    powers += VECTOR;
    at->in += now;
    at->out += now;
    at->left -= now;
  }
  __m512i end = _mm512_zextsi128_si512(_mm_xor_si128(lengths, state));
  add_products(&sum, end, _mm512_zextsi128_si512(load(key->powers[AT_H])));
  at->state = reduce4(&sum);
}

/** `last`, the number of the last round, and `sealing` are constants where this is inlined. */
VAES_INLINE void crypt(const struct vaes_key *key, int last, bool sealing, const struct vaes_message *message) {
  uint8_t counter[BLOCK] = {[BLOCK - 1] = 1}, header[BLOCK] = {0};
  memcpy(counter, message->nonce, VAES_NONCE);
  memcpy(header, message->aad, message->aad_size);
  __m128i mask = encrypt(key, last, load(counter));
  counter[BLOCK - 1] = 0;
  // The text begins with counter 2 (SP 800-38D §7.1).
  const __m512i from2 = _mm512_set_epi32(5, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0);
  struct progress at = {
    .next = _mm512_add_epi32(_mm512_broadcast_i32x4(load(counter)), from2),
    .state = _mm_setzero_si128(),
    .in = message->in,
    .out = message->out,
    .left = message->length,
  };
  if (message->aad_size > 0) at.state = multiply(reversed(load(header)), load(key->powers[AT_H]));
  crypt_strides(key, last, sealing, &at);
  __m128i lengths = _mm_set_epi64x((long long)message->aad_size * 8, (long long)message->length * 8);
  crypt_rest(key, last, sealing, &at, lengths);
  _mm_storeu_si128((__m128i *)message->tag, _mm_xor_si128(reversed(at.state), mask));
}

VAES void vaes_seal(const struct vaes_key *key, const struct vaes_message *message) {
  if (key->last == 10) crypt(key, 10, true, message);
  else if (key->last == 12) crypt(key, 12, true, message);
  else crypt(key, 14, true, message);
}

VAES void vaes_open(const struct vaes_key *key, const struct vaes_message *message) {
  if (key->last == 10) crypt(key, 10, false, message);
  else if (key->last == 12) crypt(key, 12, false, message);
  else crypt(key, 14, false, message);
}

/** SubWord of FIPS 197 §5.2, in constant time. */
VAES_INLINE uint32_t substituted(uint32_t word) {
  return (uint32_t)_mm_cvtsi128_si32(_mm_aeskeygenassist_si128(_mm_set1_epi32((int)word), 0));
}

/** FIPS 197 §5.2, on little-endian words. */
VAES_INLINE void expand(struct vaes_key *key, const uint8_t *bytes, size_t size) {
  uint32_t words[4 * 15], constant = 1;
  size_t given = size / 4, count = 4 * ((size_t)key->last + 1);
  memcpy(words, bytes, size);
  for (size_t i = given; i < count; i++) {
    uint32_t word = words[i - 1];
    if (i % given == 0) {
      word = substituted(word >> 8 | word << 24) ^ constant;
      constant = constant << 1 ^ (constant >> 7) * 0x11b;
    } else if (given > 6 && i % given == 4) {
      word = substituted(word);
    }
    words[i] = words[i - given] ^ word;
  }
  for (size_t at = 0; at < count; at++)
    for (size_t i = 0; i < VAES_GROUP; i++) memcpy(key->rounds[at / 4] + BLOCK * i + 4 * (at % 4), &words[at], 4);
  OPENSSL_cleanse(words, sizeof words);
}

VAES void vaes_key(struct vaes_key *key, const uint8_t *bytes, size_t size) {
  memset(key, 0, sizeof *key);
  key->last = (int)size / 4 + 6;
  expand(key, bytes, size);
  __m128i h = reversed(encrypt(key, key->last, _mm_setzero_si128()));
  // Times x, in the order of bits that `multiply` has.
  uint64_t low = (uint64_t)_mm_extract_epi64(h, 0), high = (uint64_t)_mm_extract_epi64(h, 1), carry = 0 - (high >> 63);
  high = (high << 1 | low >> 63) ^ (carry & 0xc200000000000000);
  low = low << 1 ^ (carry & 1);
  h = _mm_set_epi64x((long long)high, (long long)low);
  __m128i power = h;
  for (int i = AT_H; i >= 0; i--) {
    _mm_store_si128((__m128i *)key->powers[i], power);
    power = multiply(power, h);
  }
}

#else

bool vaes_present(void) {
  return false;
}

void vaes_key(struct vaes_key *key, const uint8_t *bytes, size_t size) {
  (void)key, (void)bytes, (void)size;
}

void vaes_seal(const struct vaes_key *key, const struct vaes_message *message) {
  (void)key, (void)message;
}

void vaes_open(const struct vaes_key *key, const struct vaes_message *message) {
  (void)key, (void)message;
}

#endif
