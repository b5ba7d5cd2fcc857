// Letting packets gather. Who hears of each packet as it comes and is fast enough takes each by itself, and a turn for
// one costs about as much as a turn for twenty: the wake-up, the wait, the message to the kernel. What is taken together
// shares them, and stays together on its way. A packet that comes alone is never kept.

#include <time.h>

#include "lane.h"

/** Nanoseconds between turns that are close to one another. */
enum { WITHIN = 500000 };

/** Of a clock that never jumps. */
static uint64_t clock_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/** Whether to look again behind these packets: they come thick, and more were waited for. */
bool gather(const struct pace *pace, int got) {
  if (got == 0 || pace->got + got <= pace->thick || clock_now() - pace->at > WITHIN) return false;
  struct timespec pause = {.tv_nsec = pace->pause};
  nanosleep(&pause, NULL);
  return true;
}

void gathered(struct pace *pace, int got) {
  pace->got = got;
  pace->at = clock_now();
}
