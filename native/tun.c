// The TUN device: whole IP packets, with a virtio header in front where the kernel can hand over and take
// super-packets (linux/virtio_net.h), and several queues where several threads share the device.

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lane.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/** Where a packet lies behind the start of its cell, which is a cache line: its header is 16-byte aligned. */
enum { CELL = 64, PACKET_AT = 16 };

/** The best that the kernel takes: super-packets of UDP are younger than those of TCP (Linux 6.2). */
static void offload(int fd, unsigned *uses) {
  unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  if (*uses & USE_USO && ioctl(fd, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6) == 0) return;
  *uses &= ~(unsigned)USE_USO;
  // Without any of it the kernel cuts, and computes checksums, itself.
  (void)ioctl(fd, TUNSETOFFLOAD, tso);
}

/** With a virtio header where it is wished for and there is one. */
static int attach(int fd, struct ifreq *request, short flags, unsigned *uses) {
  if (*uses & USE_VNET) {
    request->ifr_flags = (short)(flags | IFF_VNET_HDR);
    if (ioctl(fd, TUNSETIFF, request) == 0) {
      offload(fd, uses);
      return 0;
    }
    if (errno != EINVAL) return -errno;
  }
  *uses &= ~(unsigned)(USE_VNET | USE_USO);
  request->ifr_flags = flags;
  return ioctl(fd, TUNSETIFF, request) != 0 ? -errno : 0;
}

/**
 * `name` may hold a pattern (`esp%d`) or be empty; it receives the name that the device got. `uses` holds the wished
 * facilities and receives those there are. With `queues`, further opens of the same name add a queue each.
 */
int tun_open(char name[IFNAMSIZ], bool queues, unsigned *uses, const char **call) {
  *call = "open(/dev/net/tun)";
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -errno;
  short flags = IFF_TUN | IFF_NO_PI;
  if (queues) flags |= IFF_MULTI_QUEUE;
  struct ifreq request = {0};
  memcpy(request.ifr_name, name, IFNAMSIZ);
  *call = "ioctl(TUNSETIFF)";
  int error = attach(fd, &request, flags, uses);
  if (error != 0) {
    close(fd);
    return error;
  }
  memcpy(name, request.ifr_name, IFNAMSIZ);
  name[IFNAMSIZ - 1] = '\0';
  return fd;
}

int gso_of(const struct virtio_net_hdr *header) {
  switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
      return GSO_NONE;
    case VIRTIO_NET_HDR_GSO_TCPV4:
    case VIRTIO_NET_HDR_GSO_TCPV6:
      return GSO_TCP;
    case GSO_UDP_L4:
      return GSO_UDP;
    default:
      return -1;
  }
}

/** Packets into the tx arena, one behind the other. Negative when the device is gone. */
int lane_read(struct lane *lane, int max, size_t max_bytes, bool *drained) {
  size_t prefix = lane->uses & USE_VNET ? VNET : 0;
  size_t at = 0, bytes = 0;
  int count = 0, segments = 0;
  bool waited = false;
  *drained = false;
  while (count < max && bytes < max_bytes && lane->tx_size - TX_SPARE - at >= TX_CELL_MAX) {
    uint8_t *packet = lane->tx + at + PACKET_AT;
    ssize_t length = read(lane->fds[SOURCE_TUN], packet - prefix, 65536 + prefix);
    if (length < 0) {
      if (errno == EINTR) continue;
      // Not behind super-packets: more than a pause could gather they have already.
      if (errno == EAGAIN && !waited && segments < max * 3 / 4 && gather(&lane->tun, count)) {
        waited = true;
        continue;
      }
      *drained = true;
      if (errno != EAGAIN && count == 0) return -errno;
      break;
    }
    tally(lane, COUNT_TUN_READS, 1);
    tally(lane, COUNT_TUN_READ_BYTES, (uint64_t)length);
    if ((size_t)length <= prefix) continue;
    size_t size = (size_t)length - prefix;
    struct virtio_net_hdr header = {0};
    if (prefix > 0) memcpy(&header, packet - prefix, sizeof header);
    int kind = gso_of(&header);
    int cut = kind < 0 ? 0 : split_segments(packet, size, kind, header.gso_size);
    if (cut == 0) {
      tally(lane, COUNT_UNSPLITTABLE, 1);
      continue;
    }
    int32_t *words = lane->out + count * WORDS;
    words[OUT_OFFSET] = (int32_t)(at + PACKET_AT);
    words[OUT_LENGTH] = (int32_t)size;
    words[OUT_GSO] = kind;
    words[OUT_MSS] = header.gso_size;
    words[OUT_SA] = SA_NONE;
    words[OUT_SEGMENTS] = cut;
    if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && kind == GSO_NONE) complete_checksum(packet, size, &header);
    count++;
    segments += cut;
    bytes += size;
    at += (PACKET_AT + size + TX_TAIL + CELL - 1) / CELL * CELL;
  }
  gathered(&lane->tun, count);
  return count;
}

/** One whole packet of our own making, to the inside. */
int lane_inject(struct lane *lane, const uint8_t *packet, size_t length) {
  struct virtio_net_hdr header = {0};
  struct iovec parts[2] = {{&header, sizeof header}, {(void *)(uintptr_t)packet, length}};
  int skip = lane->uses & USE_VNET ? 0 : 1;
  ssize_t written = writev(lane->fds[SOURCE_TUN], parts + skip, 2 - skip);
  return written < 0 ? -errno : 0;
}
