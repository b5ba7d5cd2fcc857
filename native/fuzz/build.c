// Packets as senders send them, most of the time: only what is nearly right gets far enough to be wrong.

#include <string.h>

#include "fuzz.h"

enum { ACK = 0x10, PSH = 8 };

static void put16(uint8_t *at, size_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static unsigned sum(unsigned sum_, const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) sum_ += i % 2 == 0 ? (unsigned)bytes[i] << 8 : bytes[i];
  while (sum_ > 0xffff) sum_ = (sum_ & 0xffff) + (sum_ >> 16);
  return sum_;
}

void flow_begin(struct feed *feed, struct flow *flow, uint8_t number) {
  static const uint16_t sizes[] = {1, 7, 100, 536, 1200, 1380, 1447};
  uint8_t kind = feed8(feed);
  *flow = (struct flow){
    .v4 = (kind & 1) != 0,
    .tcp = (kind & 2) != 0,
    .number = number,
    .id = kind & 4 ? 0xfffe : feed16(feed),
    .mss = sizes[(kind >> 3) % 7],
    .seq = kind & 4 ? 0xfffffff0 : feed32(feed),
    .options = feed8(feed),
  };
}

/** The bytes before the upper layer. */
static size_t network(struct feed *feed, const struct flow *flow, uint8_t *packet, size_t upper) {
  uint8_t odd = feed8(feed);
  size_t extra = odd == 1 ? 8 * (1 + (size_t)(flow->options & 31)) : 0;
  if (flow->v4) {
    if (extra > 40) extra = 40;
    size_t header = 20 + extra;
    memset(packet, 1, header);
    packet[0] = (uint8_t)(0x40 | header / 4);
    packet[1] = odd == 2 ? feed8(feed) : 0;
    put16(packet + 2, header + upper);
    put16(packet + 4, flow->id);
    put16(packet + 6, odd == 3 ? feed16(feed) : flow->options & 0x80 ? 0 : 0x4000);
    packet[8] = odd == 4 ? feed8(feed) : 62;
    packet[9] = flow->tcp ? IPPROTO_TCP : IPPROTO_UDP;
    put16(packet + 10, 0);
    memcpy(packet + 12, (uint8_t[8]){10, 1, 0, flow->number, 10, 2, 0, odd == 5 ? feed8(feed) : 2}, 8);
    put16(packet + 10, ~sum(0, packet, header) & 0xffff);
    if (odd == 6) packet[11]++;
    return header;
  }
  memset(packet, 0, 40 + extra);
  packet[0] = 0x60;
  packet[3] = odd == 2 ? feed8(feed) : 7;
  put16(packet + 4, extra + upper);
  packet[6] = flow->tcp ? IPPROTO_TCP : IPPROTO_UDP;
  packet[7] = odd == 4 ? feed8(feed) : 62;
  packet[8] = packet[24] = 0xfd;
  packet[23] = flow->number;
  packet[39] = odd == 5 ? feed8(feed) : 2;
  if (extra > 0) {
    packet[40] = packet[6];
    packet[41] = (uint8_t)(extra / 8 - 1);
    packet[6] = 60;
    // One option of padding fills it (RFC 8200 §4.2).
    packet[42] = 1;
    packet[43] = (uint8_t)(extra - 4);
  }
  return 40 + extra;
}

static size_t tcp_header(struct feed *feed, const struct flow *flow, uint8_t *tcp) {
  uint8_t odd = feed8(feed);
  size_t header = 20 + (flow->options & 1 ? 12u : 0u) + (odd == 1 ? 4u * (feed8(feed) % 8u) : 0u);
  if (header > 60) header = 60;
  memset(tcp, 1, header);
  put16(tcp, 1000u + flow->number);
  put16(tcp + 2, 80);
  uint32_t seq = flow->seq + (odd == 2 ? feed8(feed) : 0);
  put16(tcp + 4, seq >> 16);
  put16(tcp + 6, seq);
  memset(tcp + 8, 0, 4);
  if (odd == 3) tcp[11] = feed8(feed);
  tcp[12] = (uint8_t)(header / 4 << 4 | (odd == 4 ? feed8(feed) & 15 : 0));
  tcp[13] = odd >= 240 ? ACK | PSH : odd >= 224 ? feed8(feed) : ACK;
  put16(tcp + 14, odd == 32 ? feed16(feed) : 500);
  memset(tcp + 16, 0, 4);
  if (odd == 33) tcp[19] = feed8(feed);
  if (odd == 34 && header > 20) tcp[header - 1] = feed8(feed);
  return header;
}

static void protect(struct feed *feed, uint8_t *packet, size_t at, size_t size, bool tcp) {
  uint8_t *upper = packet + at, *field = upper + (tcp ? 16 : 6), odd = feed8(feed);
  size_t length = size - at;
  put16(field, 0);
  if (!tcp && odd == 1) return;
  unsigned total = packet[0] >> 4 == 4 ? sum(0, packet + 12, 8) : sum(0, packet + 8, 32);
  const uint8_t tail[4] = {0, tcp ? IPPROTO_TCP : IPPROTO_UDP, (uint8_t)(length >> 8), (uint8_t)length};
  unsigned checksum = ~sum(sum(total, tail, sizeof tail), upper, length) & 0xffff;
  put16(field, !tcp && checksum == 0 ? 0xffff : checksum);
  if (odd == 2) field[0] ^= 1;
  // Minus zero.
  if (odd == 3 && checksum == 0) put16(field, 0xffff);
}

size_t build_next(struct feed *feed, struct flow *flow, uint8_t *packet, size_t room) {
  uint8_t choice = feed8(feed);
  size_t payload = flow->mss;
  if (choice >= 216) payload = feed_below(feed, (uint32_t)flow->mss + 1);
  if (choice == 40) payload = feed_below(feed, 2000);
  if (payload + 400 > room) payload = room - 400;
  uint8_t upper[60];
  size_t header = 8;
  if (flow->tcp) header = tcp_header(feed, flow, upper);
  size_t at = network(feed, flow, packet, header + payload);
  memcpy(packet + at, upper, header);
  if (!flow->tcp) {
    put16(packet + at, 2000u + flow->number);
    put16(packet + at + 2, 53);
    put16(packet + at + 4, 8 + payload + (choice == 41 ? 1 : 0));
  }
  feed_fill(feed, packet + at + header, payload);
  protect(feed, packet, at, at + header + payload, flow->tcp);
  flow->seq += (uint32_t)payload;
  flow->id++;
  if (choice == 42) flow->id += feed8(feed);
  return at + header + payload;
}

size_t build_super(struct feed *feed, struct virtio_net_hdr *header, uint8_t *packet, size_t room) {
  static const uint32_t totals[] = {1, 1000, 3000, 20000, 65000, 66000};
  struct flow flow;
  flow_begin(feed, &flow, 1);
  uint16_t mss = flow.mss;
  // One packet with all the payload is what the kernel hands over.
  size_t total = feed_below(feed, totals[feed8(feed) % 6]) + 1;
  if (total > room - 400) total = room - 400;
  // Many tiny packets take long and show nothing more.
  if (total > (size_t)mss * 200) total = (size_t)mss * 200;
  flow.mss = (uint16_t)total;
  size_t size = build_next(feed, &flow, packet, room);
  size_t at = flow.v4 ? (size_t)(packet[0] & 15) * 4 : packet[6] == 60 ? 48 + (size_t)packet[41] * 8 : 40;
  memset(header, 0, sizeof *header);
  header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  header->csum_start = (uint16_t)at;
  header->csum_offset = flow.tcp ? 16 : 6;
  uint8_t kind = feed8(feed);
  if (kind == 1) header->flags = feed8(feed);
  if (kind == 2) header->csum_start = feed16(feed);
  if (kind == 3) header->csum_offset = feed16(feed);
  if (kind < 32) return size;
  header->hdr_len = (uint16_t)(at + 20);
  header->gso_size = kind == 32 ? feed16(feed) : mss;
  header->gso_type = kind == 33 ? feed8(feed) : !flow.tcp ? GSO_UDP_L4 : flow.v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
  if (kind == 34) header->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
  return size;
}
