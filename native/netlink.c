// Netlink sockets: routing's and netfilter's. What the messages say is TypeScript's business (net/netlink.ts).

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "espalier.h"

// `groups` is a bit mask: bit n-1 joins RTNLGRP n or NFNLGRP n.
int netlink_open(int protocol, uint32_t groups, const char **call) {
  bool route = protocol == NETLINK_ROUTE;
  *call = route ? "socket(NETLINK_ROUTE)" : "socket(NETLINK_NETFILTER)";
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) return -errno;
  // Refusals in words, answers without our request in them, filters that filter: all of it optional (Linux 4.12, 4.20).
  int on = 1;
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  struct sockaddr_nl local = {.nl_family = AF_NETLINK, .nl_groups = groups};
  *call = route ? "bind(NETLINK_ROUTE)" : "bind(NETLINK_NETFILTER)";
  if (bind(fd, (struct sockaddr *)&local, sizeof local) != 0) {
    int error = -errno;
    close(fd);
    return error;
  }
  return fd;
}

int netlink_send(int fd, const void *bytes, size_t size) {
  if (size > DATAGRAM_MAX) return -EMSGSIZE;
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  ssize_t sent = sendto(fd, bytes, size, MSG_DONTWAIT, (struct sockaddr *)&kernel, sizeof kernel);
  return sent < 0 ? -errno : (int)sent;
}

// Only the kernel is listened to: other processes may write to our address too.
int netlink_receive(int fd, void *bytes, size_t size) {
  struct sockaddr_nl from = {0};
  struct iovec part = {.iov_base = bytes, .iov_len = size};
  struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
  ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
  if (length < 0) return -errno;
  if (message.msg_flags & MSG_TRUNC) return -EMSGSIZE;
  if (from.nl_family != AF_NETLINK || from.nl_pid != 0) return -EBADMSG;
  return (int)length;
}
