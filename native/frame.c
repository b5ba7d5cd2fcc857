// ESP around packets and off them (RFC 4303 §2, §3.3, §3.4), in tunnel and transport mode. AH is in ah.c.

#include <string.h>

#include "checksum.h"
#include "lane.h"

enum { ESP_HEADER = 8, TRAILER = 2, PAD_MAX = 32 };
enum { NEXT_IPV4 = 4, NEXT_IPV6 = 41, NEXT_NONE = 59 };
enum { ECN = 3, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3, IPV6_LEAST = 1280 };

uint8_t class_of(const uint8_t *packet) {
  return packet[0] >> 4 == 4 ? packet[1] : (uint8_t)((packet[0] & 15) << 4 | packet[1] >> 4);
}

/** DSCP and ECN of the outer header (RFC 4301 §5.1.2, RFC 6040 §4.1). */
static uint8_t outer_class(const struct sa *sa, const uint8_t *packet) {
  uint8_t inner = class_of(packet), outer = 0;
  if (sa->flags & SA_TRANSPORT) return inner;
  if (sa->flags & SA_COPY_DSCP_OUT) outer |= inner & (uint8_t)~ECN;
  if (sa->flags & SA_COPY_ECN) outer |= inner & ECN;
  return outer;
}

/** Whether the outer packet may not be cut on its way (RFC 4301 §8.1). */
static bool outer_df(const struct sa *sa, const uint8_t *packet, size_t length) {
  if ((sa->flags & (SA_COPY_DF | SA_TRANSPORT)) == 0) return false;
  if (packet[0] >> 4 == 4) return (packet[6] & 0x40) != 0;
  // RFC 2473 §7.1: IPv6 counts on packets of this size, whatever the path takes.
  return length > IPV6_LEAST || (sa->flags & SA_NARROW) == 0;
}

/** What of an IP packet stays outside in transport mode. Options and extension headers are refused before. */
static size_t header_of(const uint8_t *packet) {
  return packet[0] >> 4 == 4 ? (size_t)(packet[0] & 15) * 4 : 40;
}

/** One packet, behind what waits to be sent. Up to PAD_MAX bytes behind it must be writable; they are put back. */
void frame_seal(struct lane *lane, struct sa *sa, uint64_t seq, uint8_t *packet, size_t length, bool whole) {
  uint8_t class = outer_class(sa, packet);
  bool df = !whole && outer_df(sa, packet, length);
  uint8_t next = packet[0] >> 4 == 4 ? NEXT_IPV4 : NEXT_IPV6;
  if (sa->flags & SA_TRANSPORT) {
    size_t header = header_of(packet);
    if (header > length) {
      tally(lane, COUNT_SEAL_FAILURES, 1);
      return;
    }
    next = packet[0] >> 4 == 4 ? packet[9] : packet[6];
    packet += header;
    length -= header;
  }
  if (sa->mac != NULL) {
    ah_seal(lane, sa, seq, packet, length, next, class, df);
    return;
  }
  struct cipher *cipher = sa->cipher;
  size_t align = cipher->align;
  size_t pad = (align - (length + TRAILER) % align) % align, text = length + pad + TRAILER;
  uint8_t *esp = sender_room(lane, sa, ESP_HEADER + cipher->iv_size + text + cipher->icv_size, class, df);
  if (esp == NULL) {
    tally(lane, COUNT_SEAL_FAILURES, 1);
    return;
  }
  put32(esp, sa->spi);
  put32(esp + 4, (uint32_t)seq);
  uint8_t saved[PAD_MAX], *end = packet + length;
  memcpy(saved, end, pad + TRAILER);
  for (size_t i = 0; i < pad; i++) end[i] = (uint8_t)(i + 1);
  end[pad] = (uint8_t)pad;
  end[pad + 1] = next;
  if (!cipher->seal(cipher, esp, packet, text, seq)) {
    // Nothing may leave that was not sealed: its bytes go out as zeros, which no peer accepts.
    memset(esp + ESP_HEADER, 0, cipher->iv_size + text + cipher->icv_size);
    tally(lane, COUNT_SEAL_FAILURES, 1);
  }
  memcpy(end, saved, pad + TRAILER);
}

static bool padding_is_good(const uint8_t *text, size_t end, size_t pad) {
  uint8_t wrong = 0;
  for (size_t i = 0; i < pad; i++) wrong |= text[end - pad + i] ^ (uint8_t)(i + 1);
  return wrong == 0;
}

/** RFC 6040 §4.2 for what the outer header says; false where the packet must be dropped. */
static bool combine_ecn(uint8_t *packet, uint8_t outer) {
  uint8_t inner = class_of(packet);
  if ((outer & ECN) == ECN_CE) {
    if ((inner & ECN) == 0) return false;
    set_class(packet, inner | ECN_CE);
  } else if ((outer & ECN) == ECN_ECT1 && (inner & ECN) == ECN_ECT0) {
    set_class(packet, (uint8_t)((inner & ~ECN) | ECN_ECT1));
  }
  return true;
}

int32_t inner_of(struct lane *lane, const struct sa *sa, int32_t *words, uint8_t *text, size_t size, uint8_t next) {
  if (next == NEXT_NONE) return OPEN_DUMMY;
  const int32_t *message = lane->messages + ((uint32_t)words[IN_EXTRA] >> 16) * MESSAGE_WORDS;
  if (sa->flags & SA_TRANSPORT) {
    text = rebuild(lane, sa, message, text, &size, next);
    if (text == NULL) return OPEN_BAD_INNER;
  } else {
    if (next != NEXT_IPV4 && next != NEXT_IPV6) return OPEN_BAD_NEXT;
    if (size < IP_MIN || text[0] >> 4 != (next == NEXT_IPV4 ? 4 : 6)) return OPEN_BAD_INNER;
    // TFC padding follows the packet (RFC 4303 §2.7).
    size_t said = next == NEXT_IPV4 ? be16(text + 2) : (size_t)be16(text + 4) + 40;
    size_t header = next == NEXT_IPV4 ? (size_t)(text[0] & 15) * 4 : 40;
    if (said > size || header < IP_MIN || header > said) return OPEN_BAD_INNER;
    size = said;
    if (!combine_ecn(text, sa->flags & SA_COPY_ECN ? (uint8_t)message[MESSAGE_CLASS] : 0)) return OPEN_ECN;
    if (sa->flags & SA_COPY_DSCP_IN) set_class(text, (uint8_t)((message[MESSAGE_CLASS] & ~ECN) | (class_of(text) & ECN)));
  }
  clamp_mss(text, size, text[0] >> 4 == 4 ? sa->mss4 : sa->mss6);
  words[IN_INNER] = (int32_t)(text - lane->rx);
  words[IN_EXTRA] |= (int32_t)joinable(text, size, (lane->uses & USE_USO) != 0);
  return (int32_t)size;
}

static int32_t open_esp(struct lane *lane, struct sa *sa, int32_t *words) {
  struct cipher *cipher = sa->cipher;
  size_t length = (size_t)words[IN_LENGTH], around = ESP_HEADER + (size_t)cipher->iv_size + cipher->icv_size;
  if (length < around + TRAILER) return OPEN_SHORT;
  size_t size = length - around;
  if (size % cipher->align != 0) return OPEN_MISALIGNED;
  uint8_t *packet = lane->rx + words[IN_OFFSET];
  uint64_t seq = (uint64_t)(uint32_t)words[IN_INNER] << 32 | (uint32_t)words[IN_SEQ];
  if (!cipher->open(cipher, packet, size, seq)) return OPEN_BAD_ICV;
  uint8_t *text = packet + ESP_HEADER + cipher->iv_size;
  size_t end = size - TRAILER, pad = text[end];
  // RFC 4303 §2.4 lets the receiver inspect the padding; nothing may hide in it here.
  if (pad > end || !padding_is_good(text, end, pad)) return OPEN_BAD_PADDING;
  return inner_of(lane, sa, words, text, end - pad, text[end + 1]);
}

void lane_open(struct lane *lane, int count) {
  for (int i = 0; i < count; i++) {
    int32_t *words = lane->in + i * WORDS;
    if (words[IN_SA] < 0) continue;
    struct sa *sa = sa_in(words[IN_SA]);
    words[IN_EXTRA] &= ~0xffff;
    if (!lies_in(BATCH * RX_STRIDE, words[IN_OFFSET], words[IN_LENGTH], 0, 0) || (uint32_t)words[IN_EXTRA] >> 16 >= BATCH)
      words[IN_SIZE] = OPEN_SHORT;
    else if (sa == NULL)
      words[IN_SIZE] = OPEN_BAD_ICV;
    else
      words[IN_SIZE] = sa->mac != NULL ? ah_open(lane, sa, words) : open_esp(lane, sa, words);
    if (words[IN_SIZE] > 0) carried(sa, (uint64_t)words[IN_LENGTH]);
  }
}
