// What the network says of packets that we sent: the error queues of the sockets (ip(7), IP_RECVERR). Which of it is to
// be believed is decided in TypeScript (esp/pmtu.ts).

#include <errno.h>
#include <time.h>
// Needs struct timespec.
#include <linux/errqueue.h>
#include <string.h>

#include "checksum.h"
#include "lane.h"

/** Words of a record: source, origin, type << 8 | code, the size it tells, SPI or 0, sequence number, port, version,
    address. */
static bool read_one(int fd, enum source source, int32_t *words) {
  uint8_t payload[64] = {0};
  struct sockaddr_storage to = {0};
  union {
    struct cmsghdr align;
    uint8_t bytes[512];
  } control;
  struct iovec part = {payload, sizeof payload};
  struct msghdr message = {
    .msg_name = &to,
    .msg_namelen = sizeof to,
    .msg_iov = &part,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  ssize_t length = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  if (length < 0) return false;
  memset(words, 0, ERROR_WORDS * sizeof *words);
  words[0] = (int32_t)source;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
    bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
    if ((!v4 && !v6) || c->cmsg_len < CMSG_LEN(sizeof(struct sock_extended_err))) continue;
    struct sock_extended_err error;
    memcpy(&error, CMSG_DATA(c), sizeof error);
    words[1] = error.ee_origin;
    words[2] = error.ee_type << 8 | error.ee_code;
    words[3] = error.ee_errno == EMSGSIZE && error.ee_info <= 65535 ? (int32_t)error.ee_info : 0;
  }
  // A socket that writes IP headers itself is quoted from there on.
  size_t shift = source == SOURCE_AH4 ? 24 : source == SOURCE_AH6 ? 4 : 0;
  // RFC 792 promises no more than 8 bytes behind the IP header.
  if ((size_t)length >= shift + 4) words[4] = (int32_t)be32(payload + shift);
  if ((size_t)length >= shift + 8) words[5] = (int32_t)be32(payload + shift + 4);
  if (to.ss_family == AF_INET) {
    struct sockaddr_in from;
    memcpy(&from, &to, sizeof from);
    words[6] = ntohs(from.sin_port);
    words[7] = 4;
    words[8] = (int32_t)ntohl(from.sin_addr.s_addr);
  } else if (to.ss_family == AF_INET6) {
    struct sockaddr_in6 from;
    memcpy(&from, &to, sizeof from);
    words[6] = ntohs(from.sin6_port);
    words[7] = 6;
    for (int i = 0; i < 4; i++) words[8 + i] = (int32_t)be32(from.sin6_addr.s6_addr + 4 * i);
  }
  return true;
}

int socket_errors(int fd, enum source source, int32_t *records, int max) {
  int count = 0;
  while (count < max && read_one(fd, source, records + count * ERROR_WORDS)) count++;
  return count;
}

int lane_errors(struct lane *lane, int32_t *records, int max) {
  int count = 0;
  for (int source = SOURCE_UDP4; source <= SOURCE_AH6; source++) {
    if (lane->fds[source] < 0) continue;
    count += socket_errors(lane->fds[source], (enum source)source, records + count * ERROR_WORDS, max - count);
  }
  return count;
}
