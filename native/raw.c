// Raw sockets for ESP, protocol 50 (RFC 4303 §2).

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>

#include "espalier.h"

// All tunnels without a NAT share one socket per family.
enum { BUFFER = 8 << 20 };

int raw_open(int version, uint32_t mark, const char **call) {
  return path_socket(version, SOCK_RAW, IPPROTO_ESP, mark, BUFFER, call);
}

// An IPv4 raw socket delivers the IP header too, an IPv6 one does not (RFC 3542 §3). `bytes` start at the ESP header.
int raw_receive(int fd, struct path *path, uint8_t *bytes, size_t size) {
  struct iphdr header;
  size_t fixed = path->version == 4 ? sizeof header : 0;
  int received = path_receive(fd, path, &header, fixed, bytes, size);
  if (received < 0 || fixed == 0) return received;
  size_t length = (size_t)received;
  size_t header_length = (size_t)header.ihl * 4;
  if (length < fixed || header_length < fixed || header_length > length) return -EBADMSG;
  size_t options = header_length - fixed;
  length -= header_length;
  if (options > 0) memmove(bytes, bytes + options, length);
  return (int)length;
}
