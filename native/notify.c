// What the service manager is told: one datagram to the unix socket that it named in $NOTIFY_SOCKET (sd_notify(3)).

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "espalier.h"

/** `name` is a path, or begins with @: then it is of the abstract namespace, where that byte is a zero. */
int notify_send(const uint8_t *name, size_t name_size, const void *text, size_t size) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (name_size < 2 || name_size >= sizeof to.sun_path || (name[0] != '/' && name[0] != '@')) return -EINVAL;
  memcpy(to.sun_path, name, name_size);
  if (name[0] == '@') to.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  // A manager that is busy may let us wait, but not for long: the control plane stands still meanwhile.
  struct timeval patience = {.tv_sec = 1};
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name_size);
  int error;
  // A wait that has an end is not taken up again by the kernel when a signal was handled (signal(7)).
  do {
    error = sendto(fd, text, size, MSG_NOSIGNAL, (struct sockaddr *)&to, length) < 0 ? -errno : 0;
  } while (error == -EINTR);
  close(fd);
  return error;
}
