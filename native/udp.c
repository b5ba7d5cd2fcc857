// UDP sockets on every local address of one family.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lane.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { BUFFER = 4 << 20, DATA_BUFFER = 16 << 20 };

static int bind_any(int fd, int version, uint16_t port) {
  if (version == 4) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    return bind(fd, (struct sockaddr *)&any, sizeof any);
  }
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  return bind(fd, (struct sockaddr *)&any, sizeof any);
}

static bool turn_on(int fd, int level, int name) {
  int on = 1;
  return setsockopt(fd, level, name, &on, sizeof on) == 0;
}

static int failed(int fd) {
  int error = -errno;
  close(fd);
  return error;
}

/** IPv4 has a socket of its own: mapped addresses never appear. */
static int bind_apart(int fd, int version, uint16_t port, const char **call) {
  *call = "setsockopt(IPV6_V6ONLY)";
  if (version == 6 && !turn_on(fd, IPPROTO_IPV6, IPV6_V6ONLY)) return failed(fd);
  *call = "bind";
  return bind_any(fd, version, port) != 0 ? failed(fd) : fd;
}

int udp_open(int version, uint16_t port, uint32_t mark, const char **call) {
  int fd = path_socket(version, SOCK_DGRAM, 0, mark, BUFFER, call);
  if (fd < 0) return fd;
  *call = "setsockopt(RECVERR)";
  return path_report(fd, version) != 0 ? failed(fd) : bind_apart(fd, version, port, call);
}

int udp_member(int version, uint16_t port, uint32_t mark, bool data, unsigned *uses, const char **call) {
  int fd = path_socket(version, SOCK_DGRAM, 0, mark, data ? DATA_BUFFER : BUFFER, call);
  if (fd < 0) return fd;
  *call = "setsockopt(SO_REUSEPORT)";
  if (!turn_on(fd, SOL_SOCKET, SO_REUSEPORT)) return failed(fd);
  // Whether a flow is joined is asked of any socket of the group: all of them must want it, or none.
  if (*uses & USE_GRO && !turn_on(fd, IPPROTO_UDP, UDP_GRO)) *uses &= ~(unsigned)USE_GRO;
  // Which socket of a group hears of an error depends on a hash of the addresses: all of them must listen.
  *call = "setsockopt(RECVERR)";
  if (path_report(fd, version) != 0) return failed(fd);
  // 0 switches nothing on; a kernel that does not know the option says so.
  int none = 0;
  if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &none, sizeof none) != 0) *uses &= ~(unsigned)USE_GSO;
  return bind_apart(fd, version, port, call);
}

/** Readable when the socket is, or has errors to tell: who polls the socket itself would take those for its end. */
int udp_watch(int fd) {
  int watched = epoll_create1(EPOLL_CLOEXEC);
  if (watched < 0) return -errno;
  struct epoll_event event = {.events = EPOLLIN};
  return epoll_ctl(watched, EPOLL_CTL_ADD, fd, &event) != 0 ? failed(watched) : watched;
}

int udp_port(int fd) {
  struct sockaddr_storage bound = {0};
  socklen_t length = sizeof bound;
  if (getsockname(fd, (struct sockaddr *)&bound, &length) != 0) return -errno;
  if (bound.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&bound)->sin_port);
  if (bound.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&bound)->sin6_port);
  return -EAFNOSUPPORT;
}
