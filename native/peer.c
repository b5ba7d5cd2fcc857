// Who is at the other end of a unix socket: as the kernel noted it when the socket was connected (unix(7)).

#include <errno.h>
#include <sys/socket.h>

#include "espalier.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

// Words: pid, uid, gid, and the supplementary groups. How many groups there are, `count` where that cannot be told, or
// -errno.
int peer_of(int fd, uint32_t *words, size_t count) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -errno;
  words[0] = (uint32_t)peer.pid;
  words[1] = peer.uid;
  words[2] = peer.gid;
  size = (socklen_t)((count - 3) * sizeof(gid_t));
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, words + 3, &size) == 0) return (int)(size / sizeof(gid_t));
  // More groups than there is room for, or a kernel before 4.13, which does not tell.
  return errno == ERANGE || errno == ENOPROTOOPT ? (int)count : -errno;
}
