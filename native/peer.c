// Who is at the other end of a unix socket: as the kernel noted it when the socket was connected (unix(7)).

#include <errno.h>
#include <sys/socket.h>

#include "espalier.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

_Static_assert(sizeof(gid_t) == sizeof(int32_t), "groups are read into words");

// Words: pid, uid, gid, how many supplementary groups there are, or -1 where that cannot be told, and the groups, unless
// there is no room for all of them. `count` is PEER_WORDS at least.
int peer_of(int fd, int32_t *words, size_t count) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -errno;
  words[PEER_PID] = (int32_t)peer.pid;
  words[PEER_UID] = (int32_t)peer.uid;
  words[PEER_GID] = (int32_t)peer.gid;
  size_t room = count - PEER_WORDS < PEER_GROUPS_MAX ? count - PEER_WORDS : PEER_GROUPS_MAX;
  size = (socklen_t)(room * sizeof(gid_t));
  // Where there is no room the kernel says how much there must be.
  bool told = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, words + PEER_WORDS, &size) == 0 || errno == ERANGE;
  if (!told && errno != ENOPROTOOPT) return -errno;
  words[PEER_COUNT] = told ? (int32_t)(size / sizeof(gid_t)) : -1;
  return 0;
}
