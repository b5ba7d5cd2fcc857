// Decrypted packets of one flow that follow one another, as one super-packet to the TUN device. Joined is only what the
// kernel can cut into the very same packets again. The parts stay where they are: one writev gathers them.

#include <string.h>
#include <unistd.h>

#include "checksum.h"
#include "lane.h"

enum { TCP_ACK = 0x10, TCP_PSH = 0x08, JOINED_MAX = 65500 };

static size_t network_header(const uint8_t *packet) {
  return packet[0] >> 4 == 4 ? 20 : 40;
}

static uint8_t protocol_of(const uint8_t *packet) {
  return packet[0] >> 4 == 4 ? packet[9] : packet[6];
}

/** Up to where every packet that can be joined has headers. */
static size_t least_header(const uint8_t *packet) {
  return network_header(packet) + (protocol_of(packet) == IPPROTO_TCP ? 20 : 8);
}

/** The headers' length where the packet may be joined with others, else 0. `udp`: the kernel can cut UDP again. */
uint32_t joinable(const uint8_t *packet, size_t size, bool udp) {
  if (size < 28) return 0;
  size_t ip = network_header(packet);
  if (packet[0] >> 4 == 4) {
    // No options, no fragment; and a checksum that is right, for the joined packet gets one that is.
    if (packet[0] != 0x45 || be16(packet + 2) != size || (be16(packet + 6) & 0x3fff) != 0) return 0;
    if (folded(sum_of(packet, ip)) != 0xffff) return 0;
  } else if (size < 48 || (size_t)be16(packet + 4) + 40 != size) {
    return 0;
  }
  const uint8_t *upper = packet + ip;
  uint8_t protocol = protocol_of(packet);
  size_t header;
  if (protocol == IPPROTO_TCP && size >= ip + 20) {
    header = ip + (size_t)(upper[12] >> 4) * 4;
    if (header < ip + 20 || header >= size || (upper[13] & ~TCP_PSH) != TCP_ACK) return 0;
  } else if (protocol == IPPROTO_UDP && udp) {
    header = ip + 8;
    if (header >= size || be16(upper + 4) != size - ip || (upper[6] | upper[7]) == 0) return 0;
  } else {
    return 0;
  }
  // Joined packets get new checksums: a wrong one must not become right on the way.
  uint64_t sum = sum_of(upper, size - ip) + pseudo_sum(packet, protocol, size - ip);
  return folded(sum) == 0xffff ? (uint32_t)header : 0;
}

static void describe(const struct joiner *joiner, struct virtio_net_hdr *header) {
  memset(header, 0, sizeof *header);
  if (joiner->segments <= 1) return;
  uint8_t *packet = joiner->packet;
  bool v4 = packet[0] >> 4 == 4;
  size_t ip = network_header(packet), length = joiner->length - ip;
  if (v4) {
    put16(packet + 2, joiner->length);
    seal_ipv4(packet, ip);
  } else {
    put16(packet + 4, (uint32_t)length);
  }
  header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  header->hdr_len = (uint16_t)joiner->header;
  header->gso_size = (uint16_t)joiner->segment;
  header->csum_start = (uint16_t)ip;
  uint8_t *upper = packet + ip;
  uint16_t pseudo = folded(pseudo_sum(packet, joiner->protocol, length));
  if (joiner->protocol == IPPROTO_TCP) {
    header->gso_type = v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    header->csum_offset = 16;
    put_checksum(upper + 16, pseudo);
  } else {
    header->gso_type = GSO_UDP_L4;
    header->csum_offset = 6;
    put16(upper + 4, (uint32_t)length);
    put_checksum(upper + 6, pseudo);
  }
}

static void write_out(struct lane *lane) {
  struct joiner *joiner = &lane->joiner;
  if (joiner->segments == 0) return;
  ssize_t written;
  if (lane->uses & USE_VNET) {
    struct virtio_net_hdr header;
    describe(joiner, &header);
    // The bytes before the packet are its ESP header and IV, which have served.
    memcpy(joiner->packet - VNET, &header, VNET);
    joiner->parts[0].iov_base = joiner->packet - VNET;
    joiner->parts[0].iov_len += VNET;
  }
  if (joiner->count == 1) {
    written = write(lane->fds[SOURCE_TUN], joiner->parts[0].iov_base, joiner->parts[0].iov_len);
  } else {
    written = writev(lane->fds[SOURCE_TUN], joiner->parts, joiner->count);
  }
  tally(lane, COUNT_TUN_WRITES, 1);
  if (written < 0) tally(lane, COUNT_TUN_WRITE_FAILURES, 1);
  joiner->segments = 0;
}

/** Whether the kernel, cutting, would make just this packet of what follows. */
static bool follows(const struct joiner *joiner, const uint8_t *packet, size_t size, size_t header) {
  const uint8_t *first = joiner->packet;
  size_t payload = size - header;
  if (joiner->closed || header == 0 || header != joiner->header || payload > joiner->segment ||
      joiner->segments >= SEGMENTS_MAX || joiner->length + payload > JOINED_MAX)
    return false;
  size_t ip;
  if (first[0] >> 4 == 4) {
    ip = 20;
    // Version, class; TTL and protocol; flags; addresses. Ids count up where they matter (RFC 6864 §4).
    if (packet[0] != first[0] || packet[1] != first[1] || memcmp(packet + 8, first + 8, 2) != 0 ||
        packet[6] != first[6] || memcmp(packet + 12, first + 12, 8) != 0)
      return false;
    if ((packet[6] & 0x40) == 0 && be16(packet + 4) != joiner->next_id) return false;
  } else {
    ip = 40;
    // Version, class, flow label; next header and hop limit; addresses.
    if (memcmp(packet, first, 4) != 0 || memcmp(packet + 6, first + 6, 34) != 0) return false;
  }
  const uint8_t *upper = packet + ip, *before = first + ip;
  if (memcmp(upper, before, 4) != 0) return false;
  if (joiner->protocol == IPPROTO_UDP) return true;
  // Acknowledgement, header length, window, urgent pointer, options; PSH may close.
  return be32(upper + 4) == joiner->next_seq && memcmp(upper + 8, before + 8, 5) == 0 &&
         memcmp(upper + 14, before + 14, 2) == 0 && memcmp(upper + 18, before + 18, header - ip - 18) == 0;
}

static void begin(struct joiner *joiner, uint8_t *packet, size_t size, size_t header) {
  joiner->packet = packet;
  joiner->length = (uint32_t)size;
  joiner->header = (uint32_t)header;
  joiner->segment = (uint32_t)(size - header);
  joiner->segments = 1;
  joiner->parts[0] = (struct iovec){packet, size};
  joiner->count = 1;
  joiner->closed = header == 0;
  if (header == 0) return;
  size_t ip = network_header(packet);
  joiner->protocol = protocol_of(packet);
  joiner->next_id = packet[0] >> 4 == 4 ? (uint16_t)(be16(packet + 4) + 1) : 0;
  if (joiner->protocol != IPPROTO_TCP) return;
  joiner->next_seq = be32(packet + ip + 4) + joiner->segment;
  joiner->closed = (packet[ip + 13] & TCP_PSH) != 0;
}

static void append(struct joiner *joiner, uint8_t *packet, size_t size, size_t header) {
  size_t payload = size - header, ip = network_header(packet);
  joiner->parts[joiner->count++] = (struct iovec){packet + header, payload};
  joiner->length += (uint32_t)payload;
  joiner->segments++;
  joiner->next_seq += (uint32_t)payload;
  joiner->next_id++;
  if (payload < joiner->segment) joiner->closed = true;
  if (joiner->protocol == IPPROTO_TCP && packet[ip + 13] & TCP_PSH) {
    joiner->packet[ip + 13] |= TCP_PSH;
    joiner->closed = true;
  }
}

void lane_deliver(struct lane *lane, int count) {
  struct joiner *joiner = &lane->joiner;
  bool join = (lane->uses & USE_VNET) != 0;
  uint64_t joined = 0;
  for (int i = 0; i < count; i++) {
    const int32_t *words = lane->in + i * WORDS;
    if (words[IN_SA] < 0 || words[IN_SIZE] < IP_MIN) continue;
    if (!lies_in(RX_SIZE, words[IN_INNER], words[IN_SIZE], VNET, 0)) continue;
    uint8_t *packet = lane->rx + words[IN_INNER];
    size_t size = (size_t)words[IN_SIZE], header = join ? (size_t)(words[IN_EXTRA] & 0xffff) : 0;
    if (header < least_header(packet) || header >= size) header = 0;
    if (joiner->segments > 0 && follows(joiner, packet, size, header)) {
      append(joiner, packet, size, header);
      joined++;
      continue;
    }
    write_out(lane);
    begin(joiner, packet, size, header);
  }
  write_out(lane);
  tally(lane, COUNT_JOINED, joined);
}
