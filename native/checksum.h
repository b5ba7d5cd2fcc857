// The Internet checksum (RFC 1071), on words in memory order: the result needs no swapping to be stored.

#ifndef ESPALIER_CHECKSUM_H
#define ESPALIER_CHECKSUM_H

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t be16(const uint8_t *p) {
  return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32(const uint8_t *p) {
  uint32_t word;
  memcpy(&word, p, sizeof word);
  return ntohl(word);
}

static inline void put16(uint8_t *p, uint32_t value) {
  p[0] = (uint8_t)(value >> 8);
  p[1] = (uint8_t)value;
}

static inline void put32(uint8_t *p, uint32_t value) {
  uint32_t word = htonl(value);
  memcpy(p, &word, sizeof word);
}

/** The sum of 32-bit words, as wide as this processor's vectors are. */
extern uint64_t (*sum_words)(const uint8_t *p, size_t words);
void choose_checksum(void);

/** A call costs more than this is worth. */
enum { SHORT_WORDS = 16 };

/** Adds without folding: 64 bits have room for 2^32 words. */
static inline uint64_t sum_of(const uint8_t *p, size_t size) {
  uint64_t sum = 0;
  size_t words = size / 4;
  if (words > SHORT_WORDS) {
    sum = sum_words(p, words);
  } else {
    for (size_t i = 0; i < words; i++) {
      uint32_t word;
      memcpy(&word, p + 4 * i, sizeof word);
      sum += word;
    }
  }
  p += 4 * words;
  if (size & 2) {
    uint16_t half;
    memcpy(&half, p, sizeof half);
    sum += half;
    p += 2;
  }
  if (size & 1) {
    const uint8_t last[2] = {*p, 0};
    uint16_t half;
    memcpy(&half, last, sizeof half);
    sum += half;
  }
  return sum;
}

static inline uint16_t folded(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  uint32_t small = (uint32_t)sum;
  small = (small & 0xffff) + (small >> 16);
  small = (small & 0xffff) + (small >> 16);
  return (uint16_t)small;
}

static inline uint16_t checksum_of(uint64_t sum) {
  return (uint16_t)~folded(sum);
}

/** As the field wants it, in memory order already. */
static inline void put_checksum(uint8_t *p, uint16_t checksum) {
  memcpy(p, &checksum, sizeof checksum);
}

/** RFC 768: a UDP checksum of zero means none, and is sent as all ones. */
static inline uint16_t never_zero(uint16_t checksum) {
  return checksum == 0 ? 0xffff : checksum;
}

/** Of the pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1). */
static inline uint64_t pseudo_sum(const uint8_t *packet, uint8_t protocol, size_t length) {
  uint64_t sum = packet[0] >> 4 == 4 ? sum_of(packet + 12, 8) : sum_of(packet + 8, 32);
  return sum + htons(protocol) + htonl((uint32_t)length);
}

static inline void seal_ipv4(uint8_t *packet, size_t header) {
  packet[10] = packet[11] = 0;
  put_checksum(packet + 10, checksum_of(sum_of(packet, header)));
}

/** When a word of what it covers changes (RFC 1624 §3): a wrong checksum stays wrong. */
static inline void change16(uint8_t *checksum, uint32_t before, uint32_t after) {
  uint32_t sum = (~(uint32_t)be16(checksum) & 0xffff) + (~before & 0xffff) + after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  put16(checksum, ~sum & 0xffff);
}

#endif
