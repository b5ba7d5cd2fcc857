// A lane whose TUN device is one end of a pair of sockets. Under AddressSanitizer its arenas are closed but for what a
// run opens: an access beside a packet is found even where it stays inside the arena.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#if defined(__SANITIZE_ADDRESS__)
#define CLOSABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CLOSABLE 1
#endif
#endif

#ifdef CLOSABLE
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(from, size) ((void)(from), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(from, size) ((void)(from), (void)(size))
#endif

enum { TX_SIZE = TX_SPARE + 5 * TX_CELL_MAX, REGIONS = 128, BUFFER = 8 << 20 };

struct lane *lane;
uint64_t counters[COUNTERS];

static int device = -1;
static int32_t out[OUT_MAX * WORDS], in[IN_MAX * WORDS], messages[BATCH * MESSAGE_WORDS];
static uint8_t *tx, *rx;
static struct {
  uint8_t *from;
  size_t size;
} regions[REGIONS];
static int opened;

static void start(void) {
  int ends[2], size = BUFFER;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) != 0) abort();
  for (int i = 0; i < 2; i++) (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  int32_t config[CONFIG_WORDS] = {0, 1, 0};
  for (int source = 0; source < SOURCES; source++) config[CONFIG_FDS + source] = source == SOURCE_TUN ? ends[0] : -1;
  device = ends[1];
  const char *call;
  int error;
  lane = lane_start(config, &call, &error);
  tx = aligned_alloc(64, TX_SIZE);
  rx = aligned_alloc(64, RX_SIZE);
  if (lane == NULL || tx == NULL || rx == NULL) abort();
  memset(tx, 0, TX_SIZE);
  memset(rx, 0, RX_SIZE);
  lane->tx = tx;
  lane->tx_size = TX_SIZE;
  lane->rx = rx;
  lane->out = out;
  lane->in = in;
  lane->messages = messages;
  lane->counters = counters;
  ASAN_POISON_MEMORY_REGION(tx, TX_SIZE);
  ASAN_POISON_MEMORY_REGION(rx, RX_SIZE);
}

static struct sa *make(uint32_t flags, uint8_t choice) {
  struct sa *sa = calloc(1, sizeof *sa);
  if (sa == NULL) abort();
  if (flags & SA_AH) sa->mac = stub_mac(choice);
  else sa->cipher = stub_cipher(choice, (flags & SA_ESN) != 0);
  sa->flags = flags;
  sa->spi = 0x8765abcd;
  sa->path = (struct path){.version = 4, .port = {0x11, 0x94}, .local = {192, 0, 2, 1}, .remote = {192, 0, 2, 2}};
  return sa;
}

void world_begin(unsigned uses, uint32_t flags, uint8_t choice) {
  if (lane == NULL) start();
  lane->uses = uses;
  lane->rebuilt = 0;
  lane->sender.count = 0;
  lane->sender.used = 0;
  if (sa_install(SLOT, make(flags, choice), make(flags, choice)) != 0) abort();
}

void world_end(void) {
  sa_drop(SLOT);
  for (int i = 0; i < opened; i++) ASAN_POISON_MEMORY_REGION(regions[i].from, regions[i].size);
  opened = 0;
}

void world_open(uint8_t *from, size_t size) {
  if (opened == REGIONS) abort();
  regions[opened].from = from;
  regions[opened++].size = size;
  ASAN_UNPOISON_MEMORY_REGION(from, size);
}

void device_give(const void *bytes, size_t size) {
  if (send(device, bytes, size, 0) != (ssize_t)size) {
    perror("send");
    abort();
  }
}

ssize_t device_take(void *bytes, size_t room) {
  ssize_t size = recv(device, bytes, room, MSG_DONTWAIT);
  PROMISE(size >= 0 || errno == EAGAIN);
  return size;
}
