// The TUN device: whole IP packets, without the kernel's packet information in front.

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "espalier.h"

// `name` may hold a pattern (`esp%d`) or be empty; it receives the name that the device got.
int tun_open(char name[IFNAMSIZ], const char **call) {
  *call = "open(/dev/net/tun)";
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -errno;
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  memcpy(request.ifr_name, name, IFNAMSIZ);
  *call = "ioctl(TUNSETIFF)";
  if (ioctl(fd, TUNSETIFF, &request) != 0) {
    int error = -errno;
    close(fd);
    return error;
  }
  memcpy(name, request.ifr_name, IFNAMSIZ);
  name[IFNAMSIZ - 1] = '\0';
  return fd;
}

int tun_read(int fd, void *bytes, size_t size) {
  ssize_t length = read(fd, bytes, size);
  return length < 0 ? -errno : (int)length;
}

int tun_write(int fd, const void *bytes, size_t size) {
  if (size > DATAGRAM_MAX) return -EMSGSIZE;
  ssize_t length = write(fd, bytes, size);
  return length < 0 ? -errno : (int)length;
}
