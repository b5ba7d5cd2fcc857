// Super-packets of the TUN device, cut into what fits the path: TCP segmentation and UDP segmentation as the kernel
// would have done them (RFC 9293; net/ipv4/tcp_offload.c and udp_offload.c are the reference for flags and ids).
//
// Nothing is copied: header k is written over the end of chunk k-1, which has been sealed by then.

#include <string.h>

#include "checksum.h"
#include "lane.h"

enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_PSH = 0x08, TCP_CWR = 0x80 };
enum { HEADER_MAX = 256, EXTENSIONS_MAX = 8 };
enum { HOP_BY_HOP = 0, ROUTING = 43, DESTINATION_OPTIONS = 60 };

/** Where the transport header begins, 0 when there is none of `protocol`. */
static size_t transport_at(const uint8_t *packet, size_t size, uint8_t protocol) {
  if (size < 20) return 0;
  if (packet[0] >> 4 == 4) {
    size_t header = (size_t)(packet[0] & 15) * 4;
    bool whole = (be16(packet + 6) & 0x3fff) == 0;
    return header >= 20 && header <= size && packet[9] == protocol && whole ? header : 0;
  }
  if (packet[0] >> 4 != 6 || size < 40) return 0;
  size_t at = 40;
  uint8_t next = packet[6];
  for (int i = 0; i <= EXTENSIONS_MAX; i++) {
    if (next == protocol) return at <= size ? at : 0;
    if (next != HOP_BY_HOP && next != ROUTING && next != DESTINATION_OPTIONS) return 0;
    if (at + 8 > size) return 0;
    next = packet[at];
    at += ((size_t)packet[at + 1] + 1) * 8;
  }
  return 0;
}

/** Bytes before the payload, 0 when the packet is not what it says. */
static size_t headers_of(const uint8_t *packet, size_t size, int gso, size_t *transport) {
  size_t at = transport_at(packet, size, gso == GSO_TCP ? IPPROTO_TCP : IPPROTO_UDP);
  if (at == 0) return 0;
  *transport = at;
  if (gso == GSO_UDP) return at + 8 < size && at + 8 <= HEADER_MAX ? at + 8 : 0;
  if (at + 20 > size) return 0;
  size_t header = (size_t)(packet[at + 12] >> 4) * 4;
  return header >= 20 && at + header < size && at + header <= HEADER_MAX ? at + header : 0;
}

/** 0 when it cannot be cut. */
int split_segments(const uint8_t *packet, size_t size, int gso, int mss) {
  if (gso == GSO_NONE) return 1;
  size_t transport, header = headers_of(packet, size, gso, &transport);
  if (header == 0 || mss <= 0) return 0;
  return (int)((size - header + (size_t)mss - 1) / (size_t)mss);
}

/** A checksum that the kernel left to us: the field holds the pseudo-header's sum. */
void complete_checksum(uint8_t *packet, size_t size, const struct virtio_net_hdr *header) {
  size_t start = header->csum_start, field = start + header->csum_offset;
  if (start >= size || field + 2 > size) return;
  put_checksum(packet + field, never_zero(checksum_of(sum_of(packet + start, size - start))));
}

/** Lowers what a SYN announces as its largest segment (RFC 9293 §3.7.1). */
void clamp_mss(uint8_t *packet, size_t size, uint32_t limit) {
  size_t at = transport_at(packet, size, IPPROTO_TCP);
  if (limit == 0 || at == 0 || at + 20 > size || (packet[at + 13] & TCP_SYN) == 0) return;
  uint8_t *tcp = packet + at;
  size_t header = (size_t)(tcp[12] >> 4) * 4;
  if (header < 20 || at + header > size) return;
  for (size_t option = 20; option < header && tcp[option] != 0;) {
    if (tcp[option] == 1) {
      option++;
      continue;
    }
    if (option + 1 >= header || tcp[option + 1] < 2) return;
    if (tcp[option] == 2 && tcp[option + 1] == 4 && option + 4 <= header) {
      uint32_t given = be16(tcp + option + 2);
      if (given <= limit) return;
      put16(tcp + option + 2, limit);
      // A field at an odd offset takes part in the sum with its bytes swapped.
      uint32_t before = option & 1 ? (given & 0xff) << 8 | given >> 8 : given;
      uint32_t after = option & 1 ? (limit & 0xff) << 8 | limit >> 8 : limit;
      change16(tcp + 16, before, after);
      return;
    }
    option += tcp[option + 1];
  }
}

static void split(struct lane *lane, struct sa *sa, uint64_t seq, uint8_t *packet, size_t size, int gso, size_t mss,
                  bool whole) {
  size_t transport, header = headers_of(packet, size, gso, &transport);
  if (header == 0 || mss == 0) {
    tally(lane, COUNT_SEAL_FAILURES, 1);
    return;
  }
  uint8_t kept[HEADER_MAX];
  memcpy(kept, packet, header);
  bool v4 = packet[0] >> 4 == 4, tcp = gso == GSO_TCP;
  uint8_t *payload = packet + header;
  size_t total = size - header;
  uint32_t id = v4 ? be16(packet + 4) : 0;
  uint32_t first = tcp ? be32(packet + transport + 4) : 0;
  uint8_t flags = tcp ? packet[transport + 13] : 0;
  for (size_t at = 0, k = 0; at < total; at += mss, k++) {
    size_t chunk = total - at < mss ? total - at : mss;
    uint8_t *ip = payload + at - header, *upper = ip + transport;
    memcpy(ip, kept, header);
    if (v4) {
      put16(ip + 2, (uint32_t)(header + chunk));
      put16(ip + 4, id + (uint32_t)k);
      seal_ipv4(ip, transport);
    } else {
      put16(ip + 4, (uint32_t)(header + chunk - 40));
    }
    size_t length = header - transport + chunk;
    if (tcp) {
      put32(upper + 4, first + (uint32_t)at);
      uint8_t now = flags;
      if (at + chunk < total) now &= (uint8_t) ~(TCP_FIN | TCP_PSH);
      if (k > 0) now &= (uint8_t)~TCP_CWR;
      upper[13] = now;
      upper[16] = upper[17] = 0;
      put_checksum(upper + 16, checksum_of(sum_of(upper, length) + pseudo_sum(ip, IPPROTO_TCP, length)));
    } else {
      put16(upper + 4, (uint32_t)length);
      upper[6] = upper[7] = 0;
      put_checksum(upper + 6, never_zero(checksum_of(sum_of(upper, length) + pseudo_sum(ip, IPPROTO_UDP, length))));
    }
    frame_seal(lane, sa, seq + k, ip, header + chunk, whole);
  }
}

/** To the worker that owns the SA, with a virtio header in front, as the device gives it where it gives one. */
static void hand_over(struct lane *lane, unsigned worker, const int32_t *words) {
  uint8_t *packet = lane->tx + words[OUT_OFFSET];
  size_t size = (size_t)words[OUT_LENGTH];
  struct virtio_net_hdr header = {.gso_size = (uint16_t)words[OUT_MSS]};
  if (words[OUT_GSO] == GSO_UDP) header.gso_type = GSO_UDP_L4;
  if (words[OUT_GSO] == GSO_TCP)
    header.gso_type = packet[0] >> 4 == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
  memcpy(packet - VNET, &header, VNET);
  tally(lane, COUNT_STRAYS, 1);
  if (!mailbox_put(worker + 1, MAIL_PLAIN, NULL, 0, packet - VNET, size + VNET)) tally(lane, COUNT_MAIL_FULL, 1);
}

void lane_seal(struct lane *lane, int count) {
  for (int i = 0; i < count; i++) {
    const int32_t *words = lane->out + i * WORDS;
    if (words[OUT_SA] == SA_NONE) continue;
    if (!lies_in(lane->tx_size, words[OUT_OFFSET], words[OUT_LENGTH], VNET, TX_TAIL) || words[OUT_LENGTH] < IP_MIN) {
      tally(lane, COUNT_SEAL_FAILURES, 1);
      continue;
    }
    if (words[OUT_SA] < 0) {
      hand_over(lane, (unsigned)(TO_WORKER - words[OUT_SA]), words);
      continue;
    }
    struct sa *sa = sa_out(words[OUT_SA]);
    if (sa == NULL) {
      tally(lane, COUNT_SEAL_FAILURES, 1);
      continue;
    }
    uint8_t *packet = lane->tx + words[OUT_OFFSET];
    size_t size = (size_t)words[OUT_LENGTH];
    uint64_t seq = (uint64_t)(uint32_t)words[OUT_SEQ_HIGH] << 32 | (uint32_t)words[OUT_SEQ_LOW];
    bool whole = (words[OUT_GSO] & GSO_WHOLE) != 0;
    int kind = words[OUT_GSO] & GSO_KIND;
    if (kind != GSO_NONE) {
      split(lane, sa, seq, packet, size, kind, (size_t)words[OUT_MSS], whole);
      continue;
    }
    clamp_mss(packet, size, packet[0] >> 4 == 4 ? sa->mss4 : sa->mss6);
    frame_seal(lane, sa, seq, packet, size, whole);
  }
}
