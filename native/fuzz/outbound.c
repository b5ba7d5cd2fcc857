// Super-packets cut and framed. Whatever the device hands over, every packet that leaves is one that the kernel would
// have made of it, in order, under consecutive numbers; and what lies beside the packet in the arena is as before.

#include <string.h>

#include "fuzz.h"

enum { PACKET_AT = 16, GIVEN = 4, TOTAL_MAX = 90000, UNTOUCHED = 0xee };
static const uint32_t FIRST_SEQ = 0xfffffff0;

/** What a packet's outer header must carry (RFC 4301 §5.1.2, §8.1, RFC 6040 §4.1, RFC 2473 §7.1). */
static void check_class(const struct outgoing *message, const uint8_t *packet, size_t size) {
  uint32_t flags = message->sa->flags;
  uint8_t class = (uint8_t)(packet[0] >> 4 == 4 ? packet[1] : packet[0] << 4 | packet[1] >> 4), mask = 0;
  if (flags & SA_COPY_ECN) mask |= 3;
  if (flags & SA_COPY_DSCP_OUT) mask |= 0xfc;
  PROMISE(message->class == (class & mask));
  bool stiff = packet[0] >> 4 == 4 ? (packet[6] & 0x40) != 0 : size > 1280 || (flags & SA_NARROW) == 0;
  PROMISE(message->df == ((flags & SA_COPY_DF) != 0 && stiff));
}

/** The packets in the send buffers, out of their framing. */
static void unframe(const struct cipher *cipher, struct packets *into, uint64_t seq) {
  static uint8_t text[PACKET_MAX];
  const struct sender *sender = &lane->sender;
  for (int m = 0; m < sender->count; m++) {
    const struct outgoing *message = &sender->messages[m];
    uint32_t at = 0;
    PROMISE(message->at + message->length <= SEND_ARENA && message->length <= 65535);
    PROMISE(message->count == 1 || (lane->uses & USE_GSO && message->count <= SEGMENTS_MAX && message->segment > 0));
    for (int i = 0; i < message->count; i++) {
      // All have one size but the last (UDP_SEGMENT).
      uint32_t left = message->length - at, size = left < message->segment ? left : message->segment;
      PROMISE(size == message->segment || i == message->count - 1);
      const uint8_t *esp = sender->arena + message->at + at;
      size_t around = (size_t)ESP_PREFIX + cipher->iv_size + cipher->icv_size;
      PROMISE(size >= around + 2 && (size - around) % cipher->align == 0);
      uint32_t low = (uint32_t)esp[4] << 24 | (uint32_t)esp[5] << 16 | (uint32_t)esp[6] << 8 | esp[7];
      PROMISE(low == (uint32_t)seq++);
      size_t whole = size - around;
      for (size_t k = 0; k < whole; k++) text[k] = esp[ESP_PREFIX + cipher->iv_size + k] ^ STUB_MASK;
      size_t pad = text[whole - 2];
      PROMISE(pad + 2 <= whole && pad < cipher->align);
      for (size_t k = 0; k < pad; k++) PROMISE(text[whole - 2 - pad + k] == k + 1);
      PROMISE(text[whole - 1] == (text[0] >> 4 == 4 ? 4 : 41));
      check_class(message, text, whole - 2 - pad);
      packets_add(into, text, whole - 2 - pad);
      at += size;
    }
    PROMISE(at == message->length);
  }
}

static void compare(struct packets *expected, struct packets *got) {
  PROMISE(got->count == expected->count);
  for (int i = 0; i < got->count; i++) {
    PROMISE(got->list[i].size == expected->list[i].size);
    PROMISE(memcmp(got->list[i].bytes, expected->list[i].bytes, got->list[i].size) == 0);
  }
}

/** Whether every packet fits into a datagram once it is framed. */
static bool all_fit(const struct packets *packets, const struct cipher *cipher) {
  for (int i = 0; i < packets->count; i++) {
    size_t around = (size_t)ESP_PREFIX + cipher->iv_size + cipher->icv_size + 2u + cipher->align;
    if (packets->list[i].size + around > 65535) return false;
  }
  return true;
}

/** Hands packets to the device; what is to become of them, and how many can be cut, is noted. Bytes of the arena. */
static size_t give(struct feed *feed, struct packets *expected, int32_t *sizes, int *segments, int *cuttable) {
  static uint8_t given[VNET + PACKET_MAX];
  size_t prefix = lane->uses & USE_VNET ? VNET : 0, opened = 0;
  for (int i = 0; i < GIVEN && (i == 0 || (feed->size > 0 && opened < TOTAL_MAX)); i++) {
    struct virtio_net_hdr header;
    size_t size = build_super(feed, &header, given + VNET, 65536);
    if (prefix == 0) memset(&header, 0, sizeof header);
    feed_damage(feed, given + VNET, size);
    if (feed_chance(feed, 20)) size = feed_below(feed, (uint32_t)size) + 1;
    memcpy(given, &header, VNET);
    device_give(given + VNET - prefix, size + prefix);
    opened += (PACKET_AT + size + TX_TAIL + 63) / 64 * 64;
    int before = expected->count;
    if (!cut(expected, &header, given + VNET, size)) continue;
    segments[*cuttable] = expected->count - before;
    sizes[(*cuttable)++] = (int32_t)size;
    // The decision has refused it long before.
    if (size < IP_MIN) expected->count = before;
  }
  return opened;
}

void fuzz_split(struct feed *feed) {
  static const unsigned facilities[] = {USE_VNET | USE_USO | USE_GSO, USE_VNET | USE_USO, USE_VNET, 0};
  int32_t sizes[GIVEN], seq = (int32_t)FIRST_SEQ;
  int segments[GIVEN], cuttable = 0;
  uint8_t choice = feed8(feed);
  world_begin(facilities[feed8(feed) % 4], SA_UDP | (feed8(feed) & (SA_COPY_DF | SA_COPY_ECN | SA_COPY_DSCP_OUT)), choice);
  struct packets *expected = packets_new(0), *got = packets_new(1);
  size_t opened = give(feed, expected, sizes, segments, &cuttable);
  world_open(lane->tx, opened);
  memset(lane->tx, UNTOUCHED, opened);

  bool drained;
  PROMISE(lane_read(lane, GIVEN, SIZE_MAX, &drained) == cuttable);
  for (int i = 0; i < cuttable; i++) {
    int32_t *words = lane->out + i * WORDS;
    PROMISE(words[OUT_LENGTH] == sizes[i] && words[OUT_SEGMENTS] == segments[i]);
    words[OUT_SA] = sizes[i] < IP_MIN ? SA_NONE : SLOT;
    words[OUT_SEQ_LOW] = seq;
    words[OUT_SEQ_HIGH] = 0;
    // What an earlier packet left behind this one.
    memset(lane->tx + words[OUT_OFFSET] + sizes[i], UNTOUCHED, TX_TAIL);
    if (words[OUT_SA] == SLOT) seq += segments[i];
  }
  struct cipher *cipher = stub_cipher(choice, false);
  uint64_t flushed = counters[COUNT_MESSAGES_OUT], framed = counters[COUNT_SEGMENTS_OUT];
  lane_seal(lane, cuttable);
  if (all_fit(expected, cipher)) {
    PROMISE(counters[COUNT_SEGMENTS_OUT] - framed == (uint64_t)expected->count);
    // Buffers that ran full were flushed, into nothing here.
    if (counters[COUNT_MESSAGES_OUT] == flushed) {
      unframe(cipher, got, (uint32_t)FIRST_SEQ);
      compare(expected, got);
    }
  }
  cipher_free(cipher);
  for (int i = 0; i < cuttable; i++) {
    const uint8_t *behind = lane->tx + lane->out[i * WORDS + OUT_OFFSET] + sizes[i];
    for (size_t k = 0; k < TX_TAIL; k++) PROMISE(behind[k] == UNTOUCHED);
  }
  world_end();
}
