// A thread's lane: its memory, and the one place where it sleeps.

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "checksum.h"
#include "lane.h"

static int watch_all(struct lane *lane) {
  for (int source = 0; source < SOURCES; source++) {
    if (lane->fds[source] < 0) continue;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)source};
    if (epoll_ctl(lane->epoll, EPOLL_CTL_ADD, lane->fds[source], &event) != 0) return -errno;
  }
  return 0;
}

/** The arrays are bound by the caller. NULL and `error` when it fails. */
struct lane *lane_start(const int32_t *config, const char **call, int *error) {
  struct lane *lane = aligned_alloc(64, (sizeof *lane + 63) / 64 * 64);
  *call = "malloc";
  *error = -ENOMEM;
  if (lane == NULL) return NULL;
  memset(lane, 0, sizeof *lane);
  choose_checksum();
  lane->epoll = -1;
  lane->index = (unsigned)config[CONFIG_INDEX];
  lane->workers = (unsigned)config[CONFIG_WORKERS];
  lane->uses = (unsigned)config[CONFIG_USES];
  for (int source = 0; source < SOURCES; source++) {
    lane->fds[source] = config[CONFIG_FDS + source];
    lane->sender.df[source] = -1;
  }
  lane->raw = (struct pace){.thick = 4, .pause = 50000};
  lane->tun = (struct pace){.thick = 8, .pause = 20000};
  lane->sender.arena = malloc(SEND_ARENA);
  if (lane->sender.arena == NULL) goto failed;
  *call = "epoll";
  lane->epoll = epoll_create1(EPOLL_CLOEXEC);
  *error = lane->epoll < 0 ? -errno : watch_all(lane);
  if (*error == 0) return lane;

failed:
  lane_stop(lane);
  return NULL;
}

/** The descriptors belong to whoever opened them. */
void lane_stop(struct lane *lane) {
  if (lane->epoll >= 0) close(lane->epoll);
  free(lane->sender.arena);
  free(lane);
}

/** The sources that have something, as bits; 0 after `timeout` ms. */
int lane_wait(struct lane *lane, int timeout) {
  struct epoll_event events[SOURCES];
  tally(lane, COUNT_WAITS, 1);
  int count = epoll_wait(lane->epoll, events, SOURCES, timeout);
  if (count < 0) return errno == EINTR ? 0 : -errno;
  int ready = 0;
  for (int i = 0; i < count; i++) {
    enum source source = events[i].data.u32;
    if (events[i].events & (EPOLLIN | EPOLLHUP)) ready |= 1 << source;
    // What the socket itself reports besides is taken off it by the next receive.
    if (events[i].events & EPOLLERR) ready |= 1 << source | (source == SOURCE_TUN ? 0 : READY_ERRORS);
  }
  if (ready & 1 << SOURCE_EVENT) {
    uint64_t rung;
    if (read(lane->fds[SOURCE_EVENT], &rung, sizeof rung) < 0) errno = 0;
  }
  return ready;
}
