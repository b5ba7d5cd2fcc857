// What the kernel makes of a super-packet, written down once more and as plainly as can be: what split.c must agree with,
// and what join.c must be undone by (RFC 9293, RFC 768; inet_gso_segment, tcp_gso_segment and __udp_gso_segment in Linux).

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { SETS = 2, MEMORY = 16 << 20, HEADERS_MAX = 256, EXTENSIONS_MAX = 8 };
enum { HOP_BY_HOP = 0, ROUTING = 43, DESTINATION_OPTIONS = 60 };
enum { FIN = 1, PSH = 8, CWR = 0x80 };

struct packets *packets_new(int which) {
  static struct packets *sets[SETS];
  if (sets[which] == NULL) {
    sets[which] = calloc(1, sizeof *sets[which]);
    if (sets[which] == NULL || (sets[which]->memory = malloc(MEMORY)) == NULL) abort();
  }
  sets[which]->count = 0;
  sets[which]->used = 0;
  return sets[which];
}

struct packet *packets_add(struct packets *packets, const uint8_t *bytes, size_t size) {
  if (packets->count == CUTS_MAX || packets->used + size > MEMORY) abort();
  struct packet *packet = &packets->list[packets->count++];
  *packet = (struct packet){packets->memory + packets->used, size};
  memcpy(packet->bytes, bytes, size);
  packets->used += size;
  return packet;
}

static unsigned get16(const uint8_t *at) {
  return (unsigned)at[0] << 8 | at[1];
}

static void set16(uint8_t *at, size_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

/** RFC 1071, a byte at a time. `odd` bytes came before. */
static unsigned add(unsigned sum, const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) sum += i % 2 == 0 ? (unsigned)bytes[i] << 8 : bytes[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

static unsigned upper_sum(const uint8_t *packet, size_t size, size_t at, unsigned protocol) {
  unsigned sum = packet[0] >> 4 == 4 ? add(0, packet + 12, 8) : add(0, packet + 8, 32);
  const uint8_t tail[4] = {0, (uint8_t)protocol, (uint8_t)((size - at) >> 8), (uint8_t)(size - at)};
  return add(add(sum, tail, sizeof tail), packet + at, size - at);
}

static void set_ipv4_checksum(uint8_t *packet, size_t header) {
  set16(packet + 10, 0);
  set16(packet + 10, ~add(0, packet, header) & 0xffff);
}

/** Where the upper layer of a whole packet starts, and which it is; 0 for anything else. */
static size_t upper_of(const uint8_t *packet, size_t size, unsigned *protocol) {
  if (size < 20) return 0;
  if (packet[0] >> 4 == 4) {
    size_t header = (size_t)(packet[0] & 15) * 4;
    *protocol = packet[9];
    return header < 20 || header > size || get16(packet + 6) & 0x3fff ? 0 : header;
  }
  if (packet[0] >> 4 != 6 || size < 40) return 0;
  size_t at = 40;
  *protocol = packet[6];
  for (int i = 0; *protocol == HOP_BY_HOP || *protocol == ROUTING || *protocol == DESTINATION_OPTIONS; i++) {
    if (i == EXTENSIONS_MAX || at + 8 > size) return 0;
    *protocol = packet[at];
    at += ((size_t)packet[at + 1] + 1) * 8;
  }
  return at > size ? 0 : at;
}

bool right_checksum(const uint8_t *packet, size_t size) {
  unsigned protocol;
  size_t at = upper_of(packet, size, &protocol);
  if (at == 0 || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)) return true;
  return upper_sum(packet, size, at, protocol) == 0xffff;
}

void normalise(struct packet *packet) {
  uint8_t *bytes = packet->bytes;
  unsigned protocol;
  size_t at = upper_of(bytes, packet->size, &protocol);
  if (at > 0) {
    size_t field = at + (protocol == IPPROTO_TCP ? 16 : 6);
    bool summed = protocol == IPPROTO_TCP || (protocol == IPPROTO_UDP && field + 2 <= packet->size && get16(bytes + field));
    if (summed && field + 2 <= packet->size && upper_sum(bytes, packet->size, at, protocol) == 0xffff)
      set16(bytes + field, 0);
  }
  size_t header = (size_t)(bytes[0] & 15) * 4;
  if (packet->size < 20 || bytes[0] >> 4 != 4 || header < 20 || header > packet->size) return;
  if (add(0, bytes, header) == 0xffff) set16(bytes + 10, 0);
  // RFC 6864 §4.1: the id of what may not be fragmented means nothing.
  if (at > 0 && bytes[6] & 0x40) set16(bytes + 4, 0);
}

static bool one(struct packets *into, const struct virtio_net_hdr *header, const uint8_t *packet, size_t size) {
  struct packet *added = packets_add(into, packet, size);
  if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0) return true;
  size_t start = header->csum_start, field = start + header->csum_offset;
  if (start >= size || field + 2 > size) return true;
  unsigned sum = ~add(0, added->bytes + start, size - start) & 0xffff;
  set16(added->bytes + field, sum == 0 ? 0xffff : sum);
  return true;
}

bool cut(struct packets *into, const struct virtio_net_hdr *header, const uint8_t *packet, size_t size) {
  unsigned protocol, kind = header->gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
  if (kind == VIRTIO_NET_HDR_GSO_NONE) return one(into, header, packet, size);
  bool tcp = kind == VIRTIO_NET_HDR_GSO_TCPV4 || kind == VIRTIO_NET_HDR_GSO_TCPV6;
  if (!tcp && kind != GSO_UDP_L4) return false;
  size_t at = upper_of(packet, size, &protocol), mss = header->gso_size;
  if (at == 0 || mss == 0 || protocol != (tcp ? IPPROTO_TCP : IPPROTO_UDP)) return false;
  if (tcp && at + 20 > size) return false;
  size_t headers = at + (tcp ? (size_t)(packet[at + 12] >> 4) * 4 : 8);
  if ((tcp && headers < at + 20) || headers >= size || headers > HEADERS_MAX) return false;
  uint8_t one_packet[PACKET_MAX];
  bool v4 = packet[0] >> 4 == 4;
  unsigned id = get16(packet + 4), seq = tcp ? get16(packet + at + 4) << 16 | get16(packet + at + 6) : 0;
  for (size_t done = 0, k = 0; done < size - headers; done += mss, k++) {
    size_t part = size - headers - done < mss ? size - headers - done : mss, total = headers + part;
    memcpy(one_packet, packet, headers);
    memcpy(one_packet + headers, packet + headers + done, part);
    if (v4) {
      set16(one_packet + 2, total);
      set16(one_packet + 4, id + k);
      set_ipv4_checksum(one_packet, at);
    } else {
      set16(one_packet + 4, total - 40);
    }
    uint8_t *upper = one_packet + at;
    if (tcp) {
      set16(upper + 4, (seq + done) >> 16);
      set16(upper + 6, seq + done);
      if (done + part < size - headers) upper[13] &= (uint8_t) ~(FIN | PSH);
      if (k > 0) upper[13] &= (uint8_t)~CWR;
      set16(upper + 16, 0);
      set16(upper + 16, ~upper_sum(one_packet, total, at, protocol) & 0xffff);
    } else {
      set16(upper + 4, total - at);
      set16(upper + 6, 0);
      unsigned sum = ~upper_sum(one_packet, total, at, protocol) & 0xffff;
      set16(upper + 6, sum == 0 ? 0xffff : sum);
    }
    packets_add(into, one_packet, total);
  }
  return true;
}
