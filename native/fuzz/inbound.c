// Framing taken off, and packets joined. Whatever the bytes are, nothing may be touched beside the datagrams; and what is
// written to the device, cut again as the kernel does it, is exactly the packets that came out, in their order.

#include <string.h>

#include "fuzz.h"

enum { PACKETS = 90, APART = 60, TOTAL_MAX = 90000, FLOWS = 3, AH_FIXED = 12, IPV4_HEADER = 20, ROOM = 2700 };
enum { NEXT_IPV4 = 4, NEXT_IPV6 = 41 };

struct sent {
  /** What was protected, as it was after any damage. */
  uint8_t text[ROOM + 64];
  /** The packet can be compared with it. */
  bool known;
};

struct batch {
  struct feed *feed;
  uint32_t flags;
  uint8_t choice;
  /** Each in a message of its own, or all in one. */
  bool apart;
  /** Framing is damaged, too. */
  bool harsh;
  int count, most;
  size_t used;
  struct sent sent[PACKETS];
};

/** As a peer frames it, mostly: the bytes of the whole segment. */
static size_t frame(struct batch *batch, uint8_t *segment, struct sent *sent, size_t size, uint8_t next) {
  struct feed *feed = batch->feed;
  uint8_t *text = sent->text;
  sent->known = true;
  memset(segment, 0x33, ESP_PREFIX);
  if (batch->flags & SA_AH) {
    struct mac *mac = stub_mac(batch->choice);
    size_t header = (AH_FIXED + mac_size(mac) + 7) / 8 * 8;
    memset(segment, GOOD_ICV, header);
    segment[0] = next;
    segment[1] = (uint8_t)(header / 4 - 2);
    memcpy(segment + header, text, size);
    mac_free(mac);
    if (batch->harsh) feed_damage(feed, segment, header);
    sent->known = segment[1] == header / 4 - 2;
    return header + size;
  }
  struct cipher *cipher = stub_cipher(batch->choice, false);
  size_t iv = cipher->iv_size, icv = cipher->icv_size, align = cipher->align, pad = (align - (size + 2) % align) % align;
  cipher_free(cipher);
  uint8_t *to = segment + ESP_PREFIX + iv;
  size_t whole = size + pad + 2;
  memset(segment + ESP_PREFIX, 0, iv);
  for (size_t i = 0; i < pad; i++) text[size + i] = (uint8_t)(i + 1);
  text[size + pad] = (uint8_t)pad;
  text[size + pad + 1] = next;
  // Padding is where an attacker with the keys would try.
  size_t tail = whole < 20 ? whole : 20;
  if (batch->harsh) feed_damage(feed, text + whole - tail, tail);
  for (size_t i = 0; i < whole; i++) to[i] = text[i] ^ STUB_MASK;
  memset(to + whole, feed_chance(feed, 100) ? 0 : GOOD_ICV, icv);
  size_t length = ESP_PREFIX + iv + whole + icv;
  if (!feed_chance(feed, 60)) return length;
  // A cut that the ICV does not show.
  size_t left = feed_chance(feed, 2) ? feed_below(feed, 4) : feed_below(feed, (uint32_t)whole + 1);
  memset(to + left, GOOD_ICV, icv);
  sent->known = false;
  return ESP_PREFIX + iv + left + icv - (feed_chance(feed, 4) ? 1 : 0);
}

static void message(struct batch *batch, int index) {
  int32_t *words = lane->messages + index * MESSAGE_WORDS;
  struct feed *feed = batch->feed;
  // AH over IPv4 stands behind an IP header, which it protects.
  bool v4 = feed_chance(feed, 2);
  words[MESSAGE_KIND] = v4 ? 4 : 6 | 1 << 8;
  words[MESSAGE_CLASS] = feed8(feed);
  words[MESSAGE_PORT] = 4500;
  words[MESSAGE_HEADER] = feed8(feed) | (feed_chance(feed, 20) ? 24 : IPV4_HEADER) << 8;
  for (int i = MESSAGE_REMOTE; i < MESSAGE_WORDS; i++) words[i] = feed8(feed);
}

/** Frames what lies in the batch's next place, and describes it. */
static void add(struct batch *batch, size_t size, uint8_t next) {
  static uint8_t segment[ROOM + 200];
  size_t length = frame(batch, segment, &batch->sent[batch->count], size, next);
  size_t at = batch->apart ? (size_t)batch->count * RX_STRIDE + RX_HEADROOM + IPV4_HEADER : RX_HEADROOM + batch->used;
  if (batch->apart) {
    message(batch, batch->count);
    world_open(lane->rx + at - RX_HEADROOM, length + RX_HEADROOM);
  } else {
    world_open(lane->rx + at, length);
  }
  memcpy(lane->rx + at, segment, length);
  int32_t *words = lane->in + batch->count * WORDS;
  words[IN_OFFSET] = (int32_t)at;
  words[IN_LENGTH] = (int32_t)length;
  words[IN_SPI] = 1;
  words[IN_SEQ] = batch->count + 1;
  words[IN_SA] = feed_chance(batch->feed, 60) ? SA_NONE : SLOT;
  words[IN_INNER] = 0;
  words[IN_SIZE] = 0;
  words[IN_EXTRA] = (batch->apart ? batch->count : 0) << 16;
  batch->count++;
  batch->used += length;
}

/** What came out of each segment, as it is before it is written. */
static void note(struct batch *batch, struct packets *expected) {
  const struct sa *sa = sa_in(SLOT);
  bool as_sent = (batch->flags & (SA_TRANSPORT | SA_COPY_ECN | SA_COPY_DSCP_IN)) == 0 && (sa->mss4 | sa->mss6) == 0;
  for (int i = 0; i < batch->count; i++) {
    const int32_t *words = lane->in + i * WORDS;
    if (words[IN_SA] < 0 || words[IN_SIZE] <= 0) continue;
    PROMISE(words[IN_SIZE] >= IP_MIN && words[IN_SIZE] <= 65535);
    PROMISE(words[IN_INNER] >= VNET && words[IN_INNER] + words[IN_SIZE] <= RX_SIZE);
    size_t size = (size_t)words[IN_SIZE];
    const struct packet *packet = packets_add(expected, lane->rx + words[IN_INNER], size);
    if (as_sent && batch->sent[i].known) PROMISE(memcmp(packet->bytes, batch->sent[i].text, size) == 0);
  }
}

/** The next write to the device: how many packets the kernel makes of it. */
static int written(struct packets *got) {
  static uint8_t record[PACKET_MAX];
  ssize_t length = device_take(record, sizeof record);
  if (length < 0) return 0;
  struct virtio_net_hdr header = {0};
  size_t prefix = lane->uses & USE_VNET ? VNET : 0, size = (size_t)length - prefix;
  PROMISE((size_t)length > prefix);
  memcpy(&header, record, prefix);
  const uint8_t *packet = record + prefix;
  int before = got->count;
  PROMISE(cut(got, &header, packet, size));
  int count = got->count - before;
  if (header.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
    PROMISE(header.flags == 0 && header.gso_size == 0);
    return count;
  }
  // The kernel refuses anything else (virtio_net_hdr_to_skb).
  PROMISE(header.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM && count > 1 && count <= SEGMENTS_MAX);
  PROMISE(header.hdr_len <= size && header.csum_start + header.csum_offset + 2u <= size);
  PROMISE((header.gso_type == GSO_UDP_L4) <= ((lane->uses & USE_USO) != 0));
  size_t said = packet[0] >> 4 == 4 ? (size_t)(packet[2] << 8 | packet[3]) : (size_t)(packet[4] << 8 | packet[5]) + 40;
  PROMISE(said == size);
  return count;
}

static void deliver(struct batch *batch) {
  struct packets *expected = packets_new(0), *got = packets_new(1);
  uint64_t failures = counters[COUNT_TUN_WRITE_FAILURES], joined = counters[COUNT_JOINED], writes = counters[COUNT_TUN_WRITES];
  lane_open(lane, batch->count);
  note(batch, expected);
  lane_deliver(lane, batch->count);
  PROMISE(counters[COUNT_TUN_WRITE_FAILURES] == failures);
  int records = 0;
  for (int at = 0, count; (count = written(got)) > 0; at += count, records++) {
    PROMISE(at + count <= expected->count);
    for (int i = at; i < at + count; i++) {
      struct packet *is = &got->list[i], *was = &expected->list[i];
      PROMISE(is->size == was->size);
      if (count > 1) {
        normalise(is);
        normalise(was);
      }
      PROMISE(memcmp(is->bytes, was->bytes, is->size) == 0);
    }
  }
  PROMISE(got->count == expected->count);
  PROMISE(counters[COUNT_TUN_WRITES] - writes == (uint64_t)records);
  PROMISE(counters[COUNT_JOINED] - joined == (uint64_t)(got->count - records));
}

static unsigned facilities(struct feed *feed) {
  static const unsigned some[] = {USE_VNET | USE_USO, USE_VNET | USE_USO, USE_VNET, 0};
  return some[feed8(feed) % 4];
}

static void begin(struct batch *batch, struct feed *feed, uint32_t flags) {
  batch->feed = feed;
  batch->flags = flags;
  batch->choice = feed8(feed);
  batch->apart = (flags & SA_AH) != 0 || feed_chance(feed, 3);
  batch->harsh = feed_chance(feed, 8) || flags != 0;
  batch->count = 0;
  batch->most = feed8(feed) % ((batch->apart ? APART : PACKETS) + 1);
  batch->used = 0;
  world_begin(facilities(feed), flags, batch->choice);
  world_open(lane->rx, RX_HEADROOM);
  if (flags & SA_TRANSPORT) world_open(lane->rx + BATCH * RX_STRIDE, REBUILD_SIZE);
  message(batch, 0);
}

/** Flows of well-formed packets, tunnelled. */
void fuzz_join(struct feed *feed) {
  static struct batch batch;
  struct flow flows[FLOWS];
  begin(&batch, feed, 0);
  for (uint8_t i = 0; i < FLOWS; i++) flow_begin(feed, &flows[i], i);
  // Behind the feed's end is nothing but zeros, of which come well-behaved packets.
  while (batch.count < batch.most && batch.used < TOTAL_MAX) {
    uint8_t choice = feed8(feed);
    struct flow *flow = &flows[choice < 200 ? 0 : choice % FLOWS];
    uint8_t *text = batch.sent[batch.count].text;
    size_t size = build_next(feed, flow, text, ROOM);
    if (feed_chance(feed, 30)) feed_damage(feed, text, size);
    add(&batch, size, flow->v4 ? NEXT_IPV4 : NEXT_IPV6);
  }
  deliver(&batch);
  world_end();
}

/** Anything, in any mode. */
void fuzz_open(struct feed *feed) {
  static struct batch batch;
  struct flow flow;
  begin(&batch, feed, feed16(feed) & (SA_TRANSPORT | SA_AH | SA_ESN | SA_UDP | SA_COPY_ECN | SA_COPY_DSCP_IN | SA_NATTED));
  sa_in(SLOT)->mss4 = sa_in(SLOT)->mss6 = feed_chance(feed, 3) ? feed8(feed) : 0;
  flow_begin(feed, &flow, 1);
  // Behind the feed's end is nothing but zeros, of which come well-behaved packets.
  while (batch.count < batch.most && batch.used < TOTAL_MAX) {
    uint8_t *text = batch.sent[batch.count].text, next = flow.v4 ? NEXT_IPV4 : NEXT_IPV6;
    size_t size = build_next(feed, &flow, text, ROOM - 256);
    if (batch.flags & SA_TRANSPORT) {
      size_t header = flow.v4 ? 20 : 40;
      next = flow.tcp ? IPPROTO_TCP : IPPROTO_UDP;
      size -= header;
      memmove(text, text + header, size);
    }
    feed_damage(feed, text, size);
    // Padding against traffic analysis (RFC 4303 §2.7), a cut, or nothing at all.
    uint8_t choice = feed8(feed);
    if (choice == 1) size += feed8(feed);
    if (choice == 2) size = feed_below(feed, (uint32_t)size + 1);
    if (choice == 3) next = feed8(feed);
    add(&batch, size, next);
  }
  deliver(&batch);
  world_end();
}
