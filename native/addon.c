// Exports for the main thread: datagram sockets, netlink, readiness. Others are in addon_lane.c, addon_sa.c (the data
// plane), addon_cipher.c and addon_service.c.
// What happens per packet returns a negative errno; what is done once throws an Error with code, errno and syscall.

#include <errno.h>
#include <linux/netlink.h>
#include <unistd.h>

#include "arguments.h"
#include "cipher.h"

// net/native.ts refuses an addon with another number: a stale build.
enum { API = 7 };

static napi_value udpOpen(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int family;
  uint32_t port, mark;
  if (!take(env, info, argv) || !version(env, argv[0], &family) ||
      !number(env, argv[1], UINT16_MAX, &port, "port must be 0 to 65535") ||
      !number(env, argv[2], UINT32_MAX, &mark, "mark must be an unsigned 32-bit number"))
    return NULL;
  const char *call;
  int fd = udp_open(family, (uint16_t)port, mark, &call);
  return opened(env, fd, call);
}

static napi_value udpPort(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int fd;
  if (!take(env, info, argv) || !descriptor(env, argv[0], &fd)) return NULL;
  return integer(env, udp_port(fd));
}

static bool datagram(napi_env env, napi_callback_info info, int *fd, struct span *given, struct path **ends) {
  napi_value argv[ARGUMENTS];
  return take(env, info, argv) && descriptor(env, argv[0], fd) && bytes(env, argv[1], given) &&
         path(env, argv[2], ends);
}

static napi_value udpReceive(napi_env env, napi_callback_info info) {
  int fd;
  struct span given;
  struct path *ends;
  if (!datagram(env, info, &fd, &given, &ends)) return NULL;
  return integer(env, path_receive(fd, ends, given.data, given.length));
}

static napi_value send_(napi_env env, napi_callback_info info) {
  int fd;
  struct span given;
  struct path *ends;
  if (!datagram(env, info, &fd, &given, &ends)) return NULL;
  return integer(env, path_send(fd, ends, given.data, given.length));
}

static bool stream(napi_env env, napi_callback_info info, int *fd, struct span *given) {
  napi_value argv[ARGUMENTS];
  return take(env, info, argv) && descriptor(env, argv[0], fd) && bytes(env, argv[1], given);
}

static bool netlink(napi_env env, napi_value value, uint32_t *protocol) {
  static const char *const what = "protocol must be NETLINK_ROUTE or NETLINK_NETFILTER";
  if (!number(env, value, INT32_MAX, protocol, what)) return false;
  return *protocol == NETLINK_ROUTE || *protocol == NETLINK_NETFILTER || wrong(env, what);
}

static napi_value netlinkOpen(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t protocol, groups;
  if (!take(env, info, argv) || !netlink(env, argv[0], &protocol) ||
      !number(env, argv[1], UINT32_MAX, &groups, "groups must be a bit mask"))
    return NULL;
  const char *call;
  int fd = netlink_open((int)protocol, groups, &call);
  return opened(env, fd, call);
}

static napi_value netlinkSend(napi_env env, napi_callback_info info) {
  int fd;
  struct span given;
  if (!stream(env, info, &fd, &given)) return NULL;
  return integer(env, netlink_send(fd, given.data, given.length));
}

static napi_value netlinkReceive(napi_env env, napi_callback_info info) {
  int fd;
  struct span given;
  if (!stream(env, info, &fd, &given)) return NULL;
  return integer(env, netlink_receive(fd, given.data, given.length));
}

static napi_value peerOf(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int fd;
  int32_t *who;
  size_t count;
  if (!take(env, info, argv) || !descriptor(env, argv[0], &fd) ||
      !words(env, argv[1], PEER_WORDS, &who, "who must be an Int32Array of 4 words or more") ||
      napi_get_typedarray_info(env, argv[1], NULL, &count, NULL, NULL, NULL) != napi_ok)
    return NULL;
  return integer(env, peer_of(fd, who, count));
}

static napi_value close_(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int fd;
  if (!take(env, info, argv) || !descriptor(env, argv[0], &fd)) return NULL;
  return integer(env, close(fd) != 0 ? -errno : 0);
}

static void on_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  watch_release(data);
}

static napi_value pollStart(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS], result;
  int fd;
  napi_valuetype type;
  void *poller;
  struct watch *watch;
  if (!take(env, info, argv) || !descriptor(env, argv[0], &fd)) return NULL;
  if (napi_typeof(env, argv[1], &type) != napi_ok || type != napi_function) {
    wrong(env, "callback must be a function");
    return NULL;
  }
  if (napi_get_instance_data(env, &poller) != napi_ok) return NULL;
  int error = poller_start(poller, fd, argv[1], &watch);
  if (error != 0) return refuse(env, error, "poll");
  if (napi_create_external(env, watch, on_collected, NULL, &result) == napi_ok) return result;
  poller_stop(poller, watch);
  watch_release(watch);
  return NULL;
}

// Foreign and stopped handles are not among the poller's watches, and nothing happens.
static napi_value pollStop(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  void *watch, *poller;
  if (!take(env, info, argv)) return NULL;
  if (napi_get_value_external(env, argv[0], &watch) != napi_ok) {
    wrong(env, "handle must come from pollStart");
    return NULL;
  }
  if (napi_get_instance_data(env, &poller) == napi_ok) poller_stop(poller, watch);
  return NULL;
}

NAPI_MODULE_INIT() {
  napi_value api;
  if (poller_new(env) == NULL) {
    (void)napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  const napi_property_descriptor exported[] = {
    METHOD("pollStart", pollStart),
    METHOD("pollStop", pollStop),
    METHOD("udpOpen", udpOpen),
    METHOD("udpPort", udpPort),
    METHOD("udpReceive", udpReceive),
    METHOD("send", send_),
    METHOD("netlinkOpen", netlinkOpen),
    METHOD("netlinkSend", netlinkSend),
    METHOD("netlinkReceive", netlinkReceive),
    METHOD("peerOf", peerOf),
    METHOD("close", close_),
  };
  if (napi_create_int32(env, API, &api) != napi_ok || napi_set_named_property(env, exports, "api", api) != napi_ok ||
      !define(env, exports, exported, sizeof exported / sizeof exported[0]) || !export_cipher(env, exports) ||
      !export_lane(env, exports) || !export_sa(env, exports) || !export_service(env, exports))
    return NULL;
  return exports;
}
