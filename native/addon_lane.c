// Exports for the data plane. Each thread has one lane, which the calls named `lane…` mean; sockets and mailboxes are the
// process's, and so are the SAs (addon_sa.c). What happens per batch returns a number; what is done once throws.

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "arguments.h"
#include "checksum.h"
#include "lane.h"

/** Beside a count: the source has no more for now. */
enum { DRAINED = 1 << 16 };

static _Thread_local struct lane *current;
/** Keeps the arrays from being collected. */
static _Thread_local napi_ref arrays;

/** Also when the thread dies with its lane: the arrays go with its environment. */
static void abandon(void *data) {
  (void)data;
  if (current != NULL) lane_stop(current);
  current = NULL;
}

static bool have_lane(napi_env env) {
  return current != NULL || wrong(env, "this thread has no lane");
}

static napi_value with_count(napi_env env, napi_callback_info info, int max, void (*act)(struct lane *, int)) {
  napi_value argv[ARGUMENTS];
  uint32_t count;
  if (!take(env, info, argv) || !have_lane(env) || !number(env, argv[0], (uint32_t)max, &count, "count is out of range"))
    return NULL;
  act(current, (int)count);
  return NULL;
}

/** Config, then the memory: tx, rx, out, in, messages, counters. */
static napi_value laneStart(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS], kept;
  int32_t *config, *out, *in, *messages;
  struct span tx, rx, counters;
  if (!take(env, info, argv) || !words(env, argv[0], CONFIG_WORDS, &config, "config is too short") ||
      !span(env, argv[1], &tx, "tx must be a Uint8Array") || !span(env, argv[2], &rx, "rx must be a Uint8Array") ||
      !words(env, argv[3], OUT_MAX * WORDS, &out, "out is too short") ||
      !words(env, argv[4], IN_MAX * WORDS, &in, "in is too short") ||
      !words(env, argv[5], BATCH * MESSAGE_WORDS, &messages, "messages is too short") ||
      !span(env, argv[6], &counters, "counters must be a Uint8Array"))
    return NULL;
  if (tx.length < TX_SPARE + TX_CELL_MAX || rx.length < RX_SIZE || counters.length < COUNTERS * sizeof(uint64_t) ||
      (uintptr_t)counters.data % sizeof(uint64_t) != 0 || config[CONFIG_WORKERS] < 1 || config[CONFIG_INDEX] < 0) {
    wrong(env, "the lane's memory is too small");
    return NULL;
  }
  if (current != NULL) {
    wrong(env, "this thread has a lane");
    return NULL;
  }
  const char *call;
  int error;
  struct lane *lane = lane_start(config, &call, &error);
  if (lane == NULL) return refuse(env, error, call);
  lane->tx = tx.data;
  lane->tx_size = tx.length;
  lane->rx = rx.data;
  lane->out = out;
  lane->in = in;
  lane->messages = messages;
  lane->counters = (uint64_t *)(void *)counters.data;
  if (napi_create_array_with_length(env, 6, &kept) != napi_ok || napi_create_reference(env, kept, 1, &arrays) != napi_ok ||
      napi_add_env_cleanup_hook(env, abandon, NULL) != napi_ok) {
    lane_stop(lane);
    return NULL;
  }
  for (uint32_t i = 0; i < 6; i++) (void)napi_set_element(env, kept, i, argv[i + 1]);
  current = lane;
  return NULL;
}

static napi_value laneStop(napi_env env, napi_callback_info info) {
  (void)info;
  if (current == NULL) return NULL;
  (void)napi_remove_env_cleanup_hook(env, abandon, NULL);
  abandon(NULL);
  (void)napi_delete_reference(env, arrays);
  return NULL;
}

static napi_value laneWait(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t timeout;
  if (!take(env, info, argv) || !have_lane(env) || !number(env, argv[0], 60000, &timeout, "timeout is out of range"))
    return NULL;
  return integer(env, lane_wait(current, (int)timeout));
}

static napi_value laneRead(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t max, bytes_max;
  bool drained;
  if (!take(env, info, argv) || !have_lane(env) || !number(env, argv[0], OUT_MAX, &max, "max is out of range") ||
      !number(env, argv[1], UINT32_MAX, &bytes_max, "bytes is out of range"))
    return NULL;
  int count = lane_read(current, (int)max, bytes_max, &drained);
  return integer(env, count < 0 || !drained ? count : count | DRAINED);
}

static napi_value laneSeal(napi_env env, napi_callback_info info) {
  return with_count(env, info, OUT_MAX, lane_seal);
}

static napi_value laneFlush(napi_env env, napi_callback_info info) {
  (void)info;
  if (have_lane(env)) lane_flush(current);
  return NULL;
}

static napi_value laneReceive(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t source, max;
  bool drained;
  if (!take(env, info, argv) || !have_lane(env) || !number(env, argv[0], SOURCE_AH6, &source, "source is out of range") ||
      !number(env, argv[1], BATCH, &max, "max is out of range"))
    return NULL;
  if (source == SOURCE_TUN || current->fds[source] < 0) {
    wrong(env, "this lane has no such source");
    return NULL;
  }
  int count = lane_receive(current, (enum source)source, (int)max, &drained);
  return integer(env, drained ? count | DRAINED : count);
}

static napi_value laneCollect(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t max;
  int plain;
  if (!take(env, info, argv) || !have_lane(env) || !number(env, argv[0], BATCH, &max, "max is out of range")) return NULL;
  int count = lane_collect(current, (int)max, &plain);
  return integer(env, count | plain << 16);
}

static napi_value laneOpen(napi_env env, napi_callback_info info) {
  return with_count(env, info, IN_MAX, lane_open);
}

static napi_value laneDeliver(napi_env env, napi_callback_info info) {
  return with_count(env, info, IN_MAX, lane_deliver);
}

static napi_value laneInject(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  struct span packet;
  if (!take(env, info, argv) || !have_lane(env) || !bytes(env, argv[0], &packet)) return NULL;
  return integer(env, lane_inject(current, packet.data, packet.length));
}

static napi_value laneErrors(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int32_t *records;
  if (!take(env, info, argv) || !have_lane(env) ||
      !words(env, argv[0], ERRORS_MAX * ERROR_WORDS, &records, "records is too short"))
    return NULL;
  return integer(env, lane_errors(current, records, ERRORS_MAX));
}

// --- descriptors ---------------------------------------------------------------------------------------------------

static napi_value described(napi_env env, int fd, const char *name, unsigned uses) {
  napi_value result, number_, text, left;
  if (napi_create_object(env, &result) == napi_ok && napi_create_int32(env, fd, &number_) == napi_ok &&
      napi_set_named_property(env, result, "fd", number_) == napi_ok &&
      napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &text) == napi_ok &&
      napi_set_named_property(env, result, "name", text) == napi_ok &&
      napi_create_uint32(env, uses, &left) == napi_ok && napi_set_named_property(env, result, "uses", left) == napi_ok)
    return result;
  close(fd);
  return NULL;
}

/** Name, whether there will be several queues, wished facilities. */
static napi_value tunOpen(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  // One byte more than a name may have, so that a longer one is seen.
  char given[IFNAMSIZ + 1] = {0};
  size_t length;
  bool queues;
  uint32_t uses;
  if (!take(env, info, argv)) return NULL;
  if (napi_get_value_string_utf8(env, argv[0], given, sizeof given, &length) != napi_ok || length >= IFNAMSIZ ||
      strlen(given) != length) {
    wrong(env, "name must be a string of at most 15 bytes");
    return NULL;
  }
  if (napi_get_value_bool(env, argv[1], &queues) != napi_ok) {
    wrong(env, "queues must be a boolean");
    return NULL;
  }
  if (!number(env, argv[2], UINT8_MAX, &uses, "uses is out of range")) return NULL;
  const char *call;
  int fd = tun_open(given, queues, &uses, &call);
  return fd < 0 ? refuse(env, fd, call) : described(env, fd, given, uses);
}

/** Version, port, mark, whether it carries ESP, wished facilities. */
static napi_value udpMember(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int family;
  uint32_t port, mark, uses;
  bool data;
  if (!take(env, info, argv) || !version(env, argv[0], &family) ||
      !number(env, argv[1], UINT16_MAX, &port, "port must be 0 to 65535") ||
      !number(env, argv[2], UINT32_MAX, &mark, "mark must be an unsigned 32-bit number") ||
      !number(env, argv[4], UINT8_MAX, &uses, "uses is out of range"))
    return NULL;
  if (napi_get_value_bool(env, argv[3], &data) != napi_ok) {
    wrong(env, "data must be a boolean");
    return NULL;
  }
  const char *call;
  int fd = udp_member(family, (uint16_t)port, mark, data, &uses, &call);
  return fd < 0 ? refuse(env, fd, call) : described(env, fd, "", uses);
}

static const char NO_WORKERS[] = "workers must be 1 to 64", NO_PROTOCOL[] = "protocol must be 50 or 51";

/** What stands for a socket of a group where it is polled. */
static napi_value udpWatch(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int fd;
  if (!take(env, info, argv) || !descriptor(env, argv[0], &fd)) return NULL;
  return opened(env, udp_watch(fd), "epoll");
}

/** Descriptor, source, room for records. */
static napi_value udpErrors(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int fd;
  uint32_t source;
  int32_t *records;
  if (!take(env, info, argv) || !descriptor(env, argv[0], &fd) ||
      !number(env, argv[1], SOURCE_AH6, &source, "source is out of range") ||
      !words(env, argv[2], ERRORS_MAX * ERROR_WORDS, &records, "records is too short"))
    return NULL;
  return integer(env, socket_errors(fd, (enum source)source, records, ERRORS_MAX));
}

/** Of a group that is complete: descriptor, number of workers. */
static napi_value udpSteer(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int fd;
  uint32_t workers;
  if (!take(env, info, argv) || !descriptor(env, argv[0], &fd) || !number(env, argv[1], 64, &workers, NO_WORKERS))
    return NULL;
  if (workers == 0) {
    wrong(env, NO_WORKERS);
    return NULL;
  }
  return integer(env, steer_group(fd, workers));
}

/** Version, protocol, mark, number of workers, which one. */
static napi_value rawOpen(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int family;
  uint32_t protocol, mark, workers, index;
  if (!take(env, info, argv) || !version(env, argv[0], &family) ||
      !number(env, argv[1], UINT8_MAX, &protocol, NO_PROTOCOL) ||
      !number(env, argv[2], UINT32_MAX, &mark, "mark must be an unsigned 32-bit number") ||
      !number(env, argv[3], 64, &workers, NO_WORKERS) || !number(env, argv[4], 63, &index, "index must be 0 to 63"))
    return NULL;
  if (protocol != IPPROTO_ESP && protocol != IPPROTO_AH) {
    wrong(env, NO_PROTOCOL);
    return NULL;
  }
  if (index >= workers) {
    wrong(env, NO_WORKERS);
    return NULL;
  }
  const char *call;
  int fd = raw_open(family, (int)protocol, mark, &call);
  if (fd >= 0 && workers > 1) {
    int error = steer_raw(fd, family, protocol == IPPROTO_AH ? 4 : 0, workers, index);
    if (error != 0) {
      close(fd);
      return refuse(env, error, "setsockopt(SO_ATTACH_FILTER)");
    }
  }
  return opened(env, fd, call);
}

static napi_value eventOpen(napi_env env, napi_callback_info info) {
  (void)info;
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return opened(env, fd < 0 ? -errno : fd, "eventfd");
}

static napi_value eventRing(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int fd;
  uint64_t one = 1;
  if (!take(env, info, argv) || !descriptor(env, argv[0], &fd)) return NULL;
  return integer(env, write(fd, &one, sizeof one) < 0 ? -errno : 0);
}

/** Two ends between which packets keep apart, in the place of a device or a socket: for tests and benches. */
static napi_value pairOpen(napi_env env, napi_callback_info info) {
  (void)info;
  int ends[2];
  napi_value result, end[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
    return refuse(env, -errno, "socketpair");
  if (napi_create_array_with_length(env, 2, &result) == napi_ok && napi_create_int32(env, ends[0], &end[0]) == napi_ok &&
      napi_create_int32(env, ends[1], &end[1]) == napi_ok && napi_set_element(env, result, 0, end[0]) == napi_ok &&
      napi_set_element(env, result, 1, end[1]) == napi_ok)
    return result;
  close(ends[0]);
  close(ends[1]);
  return NULL;
}

/** How often it was rung since. */
static napi_value eventClear(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int fd;
  uint64_t rung;
  if (!take(env, info, argv) || !descriptor(env, argv[0], &fd)) return NULL;
  return integer(env, read(fd, &rung, sizeof rung) < 0 ? -errno : (int)(rung & INT32_MAX));
}

// --- mailboxes: 0 is the main thread's, n + 1 that of worker n ----------------------------------------------------------

static napi_value mailboxOpen(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t index;
  double event;
  if (!take(env, info, argv) || !number(env, argv[0], 64, &index, "index must be 0 to 64")) return NULL;
  if (napi_get_value_double(env, argv[1], &event) != napi_ok ||
      !(event >= -1 && event <= INT32_MAX && event == (double)(int32_t)event)) {
    wrong(env, "event must be a file descriptor or -1");
    return NULL;
  }
  int error = mailbox_open(index, (int)event);
  return error != 0 ? refuse(env, error, "mailbox") : NULL;
}

/** ESP in UDP that came to the main thread: index, path, bytes. */
static napi_value mailboxPut(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t index;
  struct path *ends;
  struct span given;
  if (!take(env, info, argv) || !number(env, argv[0], 64, &index, "index must be 0 to 64") || !path(env, argv[1], &ends) ||
      !bytes(env, argv[2], &given))
    return NULL;
  return integer(env, mailbox_put(index, MAIL_ESP, ends, 0, given.data, given.length) ? 0 : -ENOBUFS);
}

/** Index, room for the path, room for the bytes. */
static napi_value mailboxTake(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t index;
  struct path *ends;
  struct span room;
  enum mail kind;
  uint8_t class;
  if (!take(env, info, argv) || !number(env, argv[0], 64, &index, "index must be 0 to 64") || !path(env, argv[1], &ends) ||
      !bytes(env, argv[2], &room))
    return NULL;
  return integer(env, mailbox_take(index, &kind, ends, &class, room.data, room.length));
}

bool export_lane(napi_env env, napi_value exports) {
  const napi_property_descriptor exported[] = {
    METHOD("laneStart", laneStart),
    METHOD("laneStop", laneStop),
    METHOD("laneWait", laneWait),
    METHOD("laneRead", laneRead),
    METHOD("laneSeal", laneSeal),
    METHOD("laneFlush", laneFlush),
    METHOD("laneReceive", laneReceive),
    METHOD("laneCollect", laneCollect),
    METHOD("laneOpen", laneOpen),
    METHOD("laneDeliver", laneDeliver),
    METHOD("laneInject", laneInject),
    METHOD("laneErrors", laneErrors),
    METHOD("tunOpen", tunOpen),
    METHOD("udpMember", udpMember),
    METHOD("udpWatch", udpWatch),
    METHOD("udpErrors", udpErrors),
    METHOD("udpSteer", udpSteer),
    METHOD("rawOpen", rawOpen),
    METHOD("pairOpen", pairOpen),
    METHOD("eventOpen", eventOpen),
    METHOD("eventRing", eventRing),
    METHOD("eventClear", eventClear),
    METHOD("mailboxOpen", mailboxOpen),
    METHOD("mailboxPut", mailboxPut),
    METHOD("mailboxTake", mailboxTake),
  };
  return define(env, exports, exported, sizeof exported / sizeof exported[0]);
}
