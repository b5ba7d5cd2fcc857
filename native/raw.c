// Raw sockets for ESP and AH, protocols 50 and 51 (RFC 4303 §2, RFC 4302 §2).

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lane.h"

/** All tunnels without a NAT share one socket per family and worker. */
enum { BUFFER = 16 << 20 };

int raw_open(int version, int protocol, uint32_t mark, const char **call) {
  int fd = path_socket(version, SOCK_RAW, protocol, mark, BUFFER, call);
  if (fd < 0) return fd;
  *call = "setsockopt(RECVERR)";
  int error = path_report(fd, version);
  // AH covers the whole outer header, its id too: over IPv4 we write it ourselves.
  int on = 1;
  if (error == 0 && protocol == IPPROTO_AH && version == 4) {
    *call = "setsockopt(IP_HDRINCL)";
    if (setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof on) != 0) error = -errno;
  }
  if (error == 0) return fd;
  close(fd);
  return error;
}
