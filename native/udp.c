// UDP sockets on every local address of one family.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "espalier.h"

enum { BUFFER = 4 << 20 };

static int bind_any(int fd, int version, uint16_t port) {
  if (version == 4) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    return bind(fd, (struct sockaddr *)&any, sizeof any);
  }
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  return bind(fd, (struct sockaddr *)&any, sizeof any);
}

int udp_open(int version, uint16_t port, uint32_t mark, const char **call) {
  int fd = path_socket(version, SOCK_DGRAM, 0, mark, BUFFER, call);
  if (fd < 0) return fd;
  // IPv4 has a socket of its own: mapped addresses never appear.
  *call = "setsockopt(IPV6_V6ONLY)";
  int only = 1;
  if (version == 6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0) goto failed;
  *call = "bind";
  if (bind_any(fd, version, port) != 0) goto failed;
  return fd;

failed:;
  int error = -errno;
  close(fd);
  return error;
}

int udp_port(int fd) {
  struct sockaddr_storage bound = {0};
  socklen_t length = sizeof bound;
  if (getsockname(fd, (struct sockaddr *)&bound, &length) != 0) return -errno;
  if (bound.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&bound)->sin_port);
  if (bound.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&bound)->sin6_port);
  return -EAFNOSUPPORT;
}
