// Datagram sockets that know both of their addresses: which one of ours a datagram came to (RFC 3542 §6.1 and its IPv4
// likeness), and from which one a datagram leaves.

#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "espalier.h"

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

union control {
  struct cmsghdr align;
  uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
};
_Static_assert(sizeof(struct in6_pktinfo) >= sizeof(struct in_pktinfo), "one buffer serves both families");

enum { SEND_BUFFER = 4 << 20 };

static int set(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value);
}

// Beyond the sysctl's limit with CAP_NET_ADMIN, up to it without. A small buffer is no reason to fail.
static void enlarge(int fd, int bytes) {
  if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes) != 0) (void)set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
  // What waits to be sent is late already.
  if (bytes > SEND_BUFFER) bytes = SEND_BUFFER;
  if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes) != 0) (void)set(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

int path_socket(int version, int type, int protocol, uint32_t mark, int buffer, const char **call) {
  *call = "socket";
  int fd = socket(version == 4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -errno;
  // Before bind, so that no packet ever leaves without the mark.
  if (mark != 0) {
    *call = "setsockopt(SO_MARK)";
    if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) goto failed;
  }
  *call = "setsockopt(PKTINFO)";
  if (version == 4 ? set(fd, IPPROTO_IP, IP_PKTINFO, 1) : set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)) goto failed;
  // Large IKE messages go out in IP fragments, without DF (RFC 7296 §2: datagrams up to 3000 bytes).
  *call = "setsockopt(MTU_DISCOVER)";
  if (version == 4 ? set(fd, IPPROTO_IP, IP_MTU_DISCOVER, NO_DF4)
                   : set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT))
    goto failed;
  enlarge(fd, buffer);
  return fd;

failed:;
  int error = -errno;
  close(fd);
  return error;
}

/** Asks for the class of what comes, and for what the network says of what was sent (ip(7), ipv6(7)). */
int path_report(int fd, int version) {
  int level = version == 4 ? IPPROTO_IP : IPPROTO_IPV6;
  if (set(fd, level, version == 4 ? IP_RECVTOS : IPV6_RECVTCLASS, 1)) return -errno;
  return set(fd, level, version == 4 ? IP_RECVERR : IPV6_RECVERR, 1) ? -errno : 0;
}

static void read_segment(const struct cmsghdr *c, struct path *path) {
  if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO || c->cmsg_len < CMSG_LEN(sizeof(int))) return;
  int size;
  memcpy(&size, CMSG_DATA(c), sizeof size);
  uint16_t ordered = htons((uint16_t)size);
  memcpy(path->segment, &ordered, sizeof path->segment);
}

static bool read_local(struct msghdr *message, struct path *path) {
  bool found = false;
  memset(path->segment, 0, sizeof path->segment);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
    read_segment(c, path);
    if (path->version == 4 && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
        c->cmsg_len >= CMSG_LEN(sizeof(struct in_pktinfo))) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(c), sizeof info);
      memcpy(path->local, &info.ipi_addr, sizeof info.ipi_addr);
      found = true;
    }
    if (path->version == 6 && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
        c->cmsg_len >= CMSG_LEN(sizeof(struct in6_pktinfo))) {
      struct in6_pktinfo info;
      memcpy(&info, CMSG_DATA(c), sizeof info);
      memcpy(path->local, &info.ipi6_addr, sizeof info.ipi6_addr);
      found = true;
    }
  }
  return found;
}

static bool read_remote(const union address *from, socklen_t length, struct path *path) {
  if (path->version == 4 && length >= sizeof from->v4 && from->any.sa_family == AF_INET) {
    memcpy(path->remote, &from->v4.sin_addr, sizeof from->v4.sin_addr);
    memcpy(path->port, &from->v4.sin_port, sizeof path->port);
    return true;
  }
  if (path->version == 6 && length >= sizeof from->v6 && from->any.sa_family == AF_INET6) {
    memcpy(path->remote, &from->v6.sin6_addr, sizeof from->v6.sin6_addr);
    memcpy(path->port, &from->v6.sin6_port, sizeof path->port);
    return true;
  }
  return false;
}

int path_receive(int fd, struct path *path, void *bytes, size_t size) {
  if (path->version != 4 && path->version != 6) return -EINVAL;
  union address from;
  union control control;
  struct iovec part = {.iov_base = bytes, .iov_len = size};
  struct msghdr message = {
    .msg_name = &from,
    .msg_namelen = sizeof from,
    .msg_iov = &part,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
  if (length < 0) return -errno;
  if (message.msg_flags & MSG_TRUNC) return -EMSGSIZE;
  if (!read_remote(&from, message.msg_namelen, path)) return -EAFNOSUPPORT;
  if (!read_local(&message, path)) return -EBADMSG;
  return (int)length;
}

static bool specified(const uint8_t address[16], int version) {
  static const uint8_t zero[16];
  return memcmp(address, zero, version == 4 ? 4 : 16) != 0;
}

static void pin(struct msghdr *message, union control *control, const struct path *path) {
  memset(control, 0, sizeof *control);
  message->msg_control = control;
  if (path->version == 4) {
    struct in_pktinfo info = {0};
    memcpy(&info.ipi_spec_dst, path->local, sizeof info.ipi_spec_dst);
    message->msg_controllen = CMSG_SPACE(sizeof info);
    struct cmsghdr *c = CMSG_FIRSTHDR(message);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(c), &info, sizeof info);
  } else {
    struct in6_pktinfo info = {0};
    memcpy(&info.ipi6_addr, path->local, sizeof info.ipi6_addr);
    message->msg_controllen = CMSG_SPACE(sizeof info);
    struct cmsghdr *c = CMSG_FIRSTHDR(message);
    c->cmsg_level = IPPROTO_IPV6;
    c->cmsg_type = IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(c), &info, sizeof info);
  }
}

enum { TRIES = 4 };

// An unspecified local address leaves the choice to the kernel.
int path_send(int fd, const struct path *path, const void *bytes, size_t size) {
  if (path->version != 4 && path->version != 6) return -EINVAL;
  if (size > DATAGRAM_MAX) return -EMSGSIZE;
  union address to = {0};
  union control control;
  struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
  struct msghdr message = {.msg_name = &to, .msg_iov = &part, .msg_iovlen = 1};
  if (path->version == 4) {
    to.v4.sin_family = AF_INET;
    memcpy(&to.v4.sin_port, path->port, sizeof path->port);
    memcpy(&to.v4.sin_addr, path->remote, sizeof to.v4.sin_addr);
    message.msg_namelen = sizeof to.v4;
  } else {
    to.v6.sin6_family = AF_INET6;
    memcpy(&to.v6.sin6_port, path->port, sizeof path->port);
    memcpy(&to.v6.sin6_addr, path->remote, sizeof to.v6.sin6_addr);
    message.msg_namelen = sizeof to.v6;
  }
  if (specified(path->local, path->version)) pin(&message, &control, path);
  for (int tries = 1;; tries++) {
    ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return (int)sent;
    // Where ICMP is reported this may be an answer to an earlier datagram; but none of it is EPERM, which a firewall of
    // this host says of this one. Tried again, its own ICMP would take the place of that.
    if (errno == EAGAIN || errno == EPERM || tries == TRIES) return -errno;
  }
}
