// Packets from one thread to another, where the kernel's steering brought them to the wrong one: bounded rings of
// copies. It is the exception (GRO joins datagrams of one flow whatever their SPI), so a lock is cheap enough.

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "espalier.h"
#include "lane.h"

enum { BOXES = 65, RING = 1 << 20 };

struct head {
  uint32_t size;
  uint8_t kind;
  uint8_t class;
  struct path path;
};

struct mailbox {
  pthread_mutex_t lock;
  int event;
  uint8_t *ring;
  size_t used, first;
};

static struct mailbox boxes[BOXES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void) {
  for (int i = 0; i < BOXES; i++) {
    pthread_mutex_init(&boxes[i].lock, NULL);
    boxes[i].event = -1;
  }
}

/** `event` is rung when something comes; -1 closes. The box of a worker that died is emptied by opening it again. */
int mailbox_open(unsigned index, int event) {
  pthread_once(&once, prepare);
  if (index >= BOXES) return -ERANGE;
  struct mailbox *box = &boxes[index];
  pthread_mutex_lock(&box->lock);
  if (box->ring == NULL && event >= 0) box->ring = malloc(RING);
  box->event = box->ring == NULL ? -1 : event;
  box->used = box->first = 0;
  int result = event >= 0 && box->ring == NULL ? -ENOMEM : 0;
  pthread_mutex_unlock(&box->lock);
  return result;
}

static void copy_in(struct mailbox *box, const void *bytes, size_t size) {
  size_t at = (box->first + box->used) % RING;
  size_t part = size < RING - at ? size : RING - at;
  memcpy(box->ring + at, bytes, part);
  memcpy(box->ring, (const uint8_t *)bytes + part, size - part);
  box->used += size;
}

static void copy_out(struct mailbox *box, void *bytes, size_t size) {
  size_t part = size < RING - box->first ? size : RING - box->first;
  memcpy(bytes, box->ring + box->first, part);
  memcpy((uint8_t *)bytes + part, box->ring, size - part);
  box->first = (box->first + size) % RING;
  box->used -= size;
}

/** False when there is no room, or nothing to put: the packet is lost, as packets are. */
bool mailbox_put(unsigned index, enum mail kind, const struct path *path, uint8_t class, const void *bytes, size_t size) {
  pthread_once(&once, prepare);
  // A size of 0 means to whoever takes that there is no more.
  if (index >= BOXES || size == 0 || size > RING / 2) return false;
  struct mailbox *box = &boxes[index];
  struct head head = {.size = (uint32_t)size, .kind = (uint8_t)kind, .class = class};
  if (path != NULL) head.path = *path;
  pthread_mutex_lock(&box->lock);
  bool fits = box->event >= 0 && RING - box->used >= sizeof head + size;
  bool ring = fits && box->used == 0;
  if (fits) {
    copy_in(box, &head, sizeof head);
    copy_in(box, bytes, size);
  }
  uint64_t one = 1;
  if (ring && write(box->event, &one, sizeof one) < 0) errno = 0;
  pthread_mutex_unlock(&box->lock);
  return fits;
}

/** The bytes of the next packet, 0 when there is none; -EMSGSIZE when it is larger than `room`, which loses it. */
int mailbox_take(unsigned index, enum mail *kind, struct path *path, uint8_t *class, void *bytes, size_t room) {
  pthread_once(&once, prepare);
  if (index >= BOXES) return 0;
  struct mailbox *box = &boxes[index];
  int result = 0;
  pthread_mutex_lock(&box->lock);
  if (box->used > 0) {
    struct head head;
    copy_out(box, &head, sizeof head);
    *kind = head.kind;
    *path = head.path;
    *class = head.class;
    if (head.size <= room) {
      copy_out(box, bytes, head.size);
      result = (int)head.size;
    } else {
      box->first = (box->first + head.size) % RING;
      box->used -= head.size;
      result = -EMSGSIZE;
    }
  }
  pthread_mutex_unlock(&box->lock);
  return result;
}
