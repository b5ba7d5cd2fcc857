// Datagrams from the network, many at a time, cut where the kernel joined them (UDP_GRO), each segment a descriptor.
// What is not this lane's goes to its owner: IKE to the main thread (RFC 3948 §2.2), a foreign SPI to its worker.

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>

#include "checksum.h"
#include "lane.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { KEEPALIVE = 0xff };

static void prepare(struct lane *lane, int max) {
  for (int i = 0; i < max; i++) {
    lane->parts[i] = (struct iovec){lane->rx + (size_t)i * RX_STRIDE + RX_HEADROOM, 65536};
    lane->headers[i].msg_hdr = (struct msghdr){
      .msg_name = &lane->addresses[i],
      .msg_namelen = sizeof lane->addresses[i],
      .msg_iov = &lane->parts[i],
      .msg_iovlen = 1,
      .msg_control = lane->control[i],
      .msg_controllen = sizeof lane->control[i],
    };
  }
}

/** An error that waited on the socket (an ICMP answer to something sent) is taken, and the datagrams behind it too. */
static int take(struct lane *lane, int fd, int max, int from) {
  for (int tries = 0; tries < 4; tries++) {
    int got;
    if (lane->uses & USE_MMSG) {
      got = recvmmsg(fd, lane->headers + from, (unsigned)max, MSG_DONTWAIT, NULL);
    } else {
      got = 0;
      while (got < max) {
        ssize_t length = recvmsg(fd, &lane->headers[from + got].msg_hdr, MSG_DONTWAIT);
        if (length < 0) break;
        lane->headers[from + got++].msg_len = (unsigned)length;
      }
      if (got == 0) got = -1;
    }
    if (got >= 0) return got;
    if (errno == EAGAIN) return 0;
  }
  return 0;
}

/** A raw socket has one packet in each datagram, and wakes us for each: the peer's sender keeps the processor meanwhile. */
static int take_raw(struct lane *lane, int fd, int max) {
  int got = take(lane, fd, max, 0);
  if (got < max / 2 && gather(&lane->raw, got)) got += take(lane, fd, max - got, got);
  gathered(&lane->raw, got);
  return got;
}

/** The two ends, the class and the segments' size, from what stands beside the datagram. */
static size_t describe(const struct msghdr *message, int32_t *words, struct path *path) {
  size_t segment = 0;
  if (path->version == 4) {
    const struct sockaddr_in *from = message->msg_name;
    memcpy(path->remote, &from->sin_addr, 4);
    memcpy(path->port, &from->sin_port, 2);
  } else {
    const struct sockaddr_in6 *from = message->msg_name;
    memcpy(path->remote, &from->sin6_addr, 16);
    memcpy(path->port, &from->sin6_port, 2);
  }
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)message, c)) {
    const uint8_t *data = CMSG_DATA(c);
    if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
      int given;
      memcpy(&given, data, sizeof given);
      segment = given > 0 ? (size_t)given : 0;
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      memcpy(path->local, data + offsetof(struct in_pktinfo, ipi_addr), 4);
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
      words[MESSAGE_CLASS] = data[0];
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      memcpy(path->local, data + offsetof(struct in6_pktinfo, ipi6_addr), 16);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
      int given;
      memcpy(&given, data, sizeof given);
      words[MESSAGE_CLASS] = given & 0xff;
    }
  }
  return segment;
}

static void note(int32_t *words, const struct path *path, bool udp) {
  words[MESSAGE_KIND] = path->version | (udp ? 1 << 8 : 0);
  words[MESSAGE_PORT] = path->port[0] << 8 | path->port[1];
  int count = path->version == 4 ? 1 : 4;
  for (int i = 0; i < count; i++) {
    words[MESSAGE_REMOTE + i] = (int32_t)be32(path->remote + 4 * i);
    words[MESSAGE_LOCAL + i] = (int32_t)be32(path->local + 4 * i);
  }
}

static void stray(struct lane *lane, unsigned box, enum mail kind, const struct path *path, uint8_t class,
                  const uint8_t *bytes, size_t size) {
  tally(lane, COUNT_STRAYS, 1);
  if (!mailbox_put(box, kind, path, class, bytes, size)) tally(lane, COUNT_MAIL_FULL, 1);
}

static void add(struct lane *lane, int n, int message, const uint8_t *bytes, size_t size) {
  int32_t *words = lane->in + n * WORDS;
  words[IN_OFFSET] = (int32_t)(bytes - lane->rx);
  words[IN_LENGTH] = (int32_t)size;
  words[IN_SPI] = size >= SEGMENT_MIN ? (int32_t)be32(bytes) : 0;
  words[IN_SEQ] = size >= SEGMENT_MIN ? (int32_t)be32(bytes + 4) : 0;
  words[IN_SA] = SA_NONE;
  words[IN_EXTRA] = message << 16;
}

/** Whether the segment is one for this lane. */
static bool mine(struct lane *lane, const struct path *path, uint8_t class, const uint8_t *bytes, size_t size) {
  if (size == 1 && bytes[0] == KEEPALIVE) {
    tally(lane, COUNT_KEEPALIVES, 1);
    return false;
  }
  if (size < SEGMENT_MIN) return true;
  uint32_t spi = be32(bytes);
  if (spi == 0) {
    stray(lane, 0, MAIL_IKE, path, class, bytes, size);
    return false;
  }
  if (lane->workers > 1 && spi % lane->workers != lane->index) {
    stray(lane, spi % lane->workers + 1, MAIL_ESP, path, class, bytes, size);
    return false;
  }
  return true;
}

/** AH has its SPI and sequence number 4 bytes further on (RFC 4302 §2). */
enum { AH_SHIFT = 4 };

/** IPv4 raw sockets deliver the IP header too (raw(7)); it stays in front, for AH. */
static size_t skip_header(const uint8_t *bytes, size_t size, int32_t *words) {
  if (size < 20) return size;
  size_t header = (size_t)(bytes[0] & 15) * 4;
  if (header < 20 || header > size) return size;
  words[MESSAGE_CLASS] = bytes[1];
  words[MESSAGE_HEADER] = bytes[8] | (int32_t)header << 8;
  return header;
}

int lane_receive(struct lane *lane, enum source source, int max, bool *drained) {
  if (max > BATCH) max = BATCH;
  bool udp = source == SOURCE_UDP4 || source == SOURCE_UDP6, ah = source == SOURCE_AH4 || source == SOURCE_AH6;
  bool v4 = source == SOURCE_UDP4 || source == SOURCE_ESP4 || source == SOURCE_AH4;
  prepare(lane, max);
  lane->rebuilt = 0;
  int got = udp ? take(lane, lane->fds[source], max, 0) : take_raw(lane, lane->fds[source], max), n = 0;
  *drained = got < max;
  if (got <= 0) return 0;
  tally(lane, COUNT_RECEIVES, 1);
  tally(lane, COUNT_MESSAGES_IN, (uint64_t)got);
  uint64_t segments = 0;
  for (int i = 0; i < got; i++) {
    struct msghdr *message = &lane->headers[i].msg_hdr;
    int32_t *words = lane->messages + i * MESSAGE_WORDS;
    struct path path = {.version = v4 ? 4 : 6};
    words[MESSAGE_CLASS] = words[MESSAGE_HEADER] = 0;
    size_t left = lane->headers[i].msg_len, segment = describe(message, words, &path);
    note(words, &path, udp);
    uint8_t *bytes = lane->parts[i].iov_base;
    if (!udp && v4) {
      size_t header = skip_header(bytes, left, words);
      bytes += header;
      left -= header;
    }
    if (segment == 0) segment = left;
    // An empty datagram is one all the same: it is counted as too short.
    do {
      size_t size = left < segment ? left : segment;
      segments++;
      if (n >= IN_MAX) {
        tally(lane, COUNT_TRUNCATED, 1);
      } else if (!udp || mine(lane, &path, (uint8_t)words[MESSAGE_CLASS], bytes, size)) {
        add(lane, n, i, bytes, size);
        if (ah && size >= SEGMENT_MIN + AH_SHIFT) {
          lane->in[n * WORDS + IN_SPI] = (int32_t)be32(bytes + AH_SHIFT);
          lane->in[n * WORDS + IN_SEQ] = (int32_t)be32(bytes + AH_SHIFT + 4);
        }
        n++;
      }
      bytes += size;
      left -= size;
    } while (left > 0);
  }
  tally(lane, COUNT_SEGMENTS_IN, segments);
  return n;
}

/**
 * What others have put into this lane's mailbox: ESP as `lane_receive` does it, at most `max`; packets from the inside
 * behind one another in the tx arena, as `lane_read` does it, `plain` of them.
 */
int lane_collect(struct lane *lane, int max, int *plain) {
  int n = 0;
  size_t at = 0;
  *plain = 0;
  lane->rebuilt = 0;
  // What cannot be used does not count: nothing found means that the box is empty, for its bell rings only then.
  while (n + *plain < max && n < BATCH && *plain < OUT_MAX && lane->tx_size - TX_SPARE - at >= TX_CELL_MAX) {
    enum mail kind;
    struct path path;
    uint8_t class;
    // The same place serves both kinds: what is ESP moves on to the rx arena.
    uint8_t *cell = lane->tx + at + 64 - VNET;
    int size = mailbox_take(lane->index + 1, &kind, &path, &class, cell, 65536 + VNET);
    if (size == 0) break;
    if (size < 0) {
      tally(lane, COUNT_TRUNCATED, 1);
      continue;
    }
    if (kind == MAIL_PLAIN && size > VNET) {
      struct virtio_net_hdr header;
      memcpy(&header, cell, sizeof header);
      int32_t *words = lane->out + *plain * WORDS;
      int gso = gso_of(&header), length = size - VNET;
      words[OUT_OFFSET] = (int32_t)(at + 64);
      words[OUT_LENGTH] = length;
      words[OUT_GSO] = gso;
      words[OUT_MSS] = header.gso_size;
      words[OUT_SA] = SA_NONE;
      words[OUT_SEGMENTS] = split_segments(cell + VNET, (size_t)length, gso, header.gso_size);
      if (words[OUT_SEGMENTS] == 0) {
        tally(lane, COUNT_UNSPLITTABLE, 1);
        continue;
      }
      ++*plain;
      at += (64 + (size_t)length + TX_TAIL + 63) / 64 * 64;
    } else if (kind == MAIL_ESP && size <= 65536) {
      int32_t *words = lane->messages + n * MESSAGE_WORDS;
      words[MESSAGE_CLASS] = class;
      words[MESSAGE_HEADER] = 0;
      note(words, &path, true);
      uint8_t *bytes = lane->rx + (size_t)n * RX_STRIDE + RX_HEADROOM;
      memcpy(bytes, cell, (size_t)size);
      add(lane, n, n, bytes, (size_t)size);
      n++;
    }
  }
  return n;
}
