// Exports, and the checks of every argument. The other files are handed lengths that hold for their pointers.
// What happens per packet returns a negative errno; what is done once throws an Error with code, errno and syscall.

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "cipher.h"
#include "espalier.h"

// net/native.ts refuses an addon with another number: a stale build.
enum { API = 1 };

enum { ARGUMENTS = 3 };

static bool take(napi_env env, napi_callback_info info, napi_value argv[ARGUMENTS]) {
  size_t count = ARGUMENTS;
  return napi_get_cb_info(env, info, &count, argv, NULL, NULL) == napi_ok;
}

static bool wrong(napi_env env, const char *what) {
  (void)napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", what);
  return false;
}

static bool number(napi_env env, napi_value value, uint32_t max, uint32_t *result, const char *what) {
  double given;
  if (napi_get_value_double(env, value, &given) != napi_ok) return wrong(env, what);
  if (!(given >= 0 && given <= (double)max) || floor(given) != given) return wrong(env, what);
  *result = (uint32_t)given;
  return true;
}

static bool descriptor(napi_env env, napi_value value, int *fd) {
  uint32_t given;
  if (!number(env, value, INT32_MAX, &given, "fd must be a file descriptor")) return false;
  *fd = (int)given;
  return true;
}

static bool version(napi_env env, napi_value value, int *result) {
  uint32_t given;
  if (!number(env, value, 6, &given, "version must be 4 or 6")) return false;
  if (given != 4 && given != 6) return wrong(env, "version must be 4 or 6");
  *result = (int)given;
  return true;
}

struct span {
  uint8_t *data;
  size_t length;
};

static bool span(napi_env env, napi_value value, struct span *result, const char *what) {
  bool typed;
  napi_typedarray_type type;
  void *data;
  if (napi_is_typedarray(env, value, &typed) != napi_ok || !typed) return wrong(env, what);
  if (napi_get_typedarray_info(env, value, &type, &result->length, &data, NULL, NULL) != napi_ok) return false;
  if (type != napi_uint8_array) return wrong(env, what);
  // A detached array has no data: reads and writes of length 0 must still be given a pointer.
  static uint8_t nothing;
  result->data = result->length > 0 ? data : &nothing;
  if (result->data == NULL) return wrong(env, what);
  return true;
}

static bool bytes(napi_env env, napi_value value, struct span *result) {
  return span(env, value, result, "bytes must be a Uint8Array");
}

static bool path(napi_env env, napi_value value, struct path **result) {
  struct span given;
  if (!span(env, value, &given, "path must be a Uint8Array of 36 bytes")) return false;
  if (given.length != sizeof **result) return wrong(env, "path must be a Uint8Array of 36 bytes");
  *result = (struct path *)given.data;
  return true;
}

static napi_value integer(napi_env env, int value) {
  napi_value result;
  return napi_create_int32(env, value, &result) == napi_ok ? result : NULL;
}

static napi_value refuse(napi_env env, int error, const char *syscall) {
  char name[32], reason[96], text[160];
  uv_err_name_r(error, name, sizeof name);
  uv_strerror_r(error, reason, sizeof reason);
  snprintf(text, sizeof text, "%s: %s", syscall, reason);
  napi_value code, message, thrown, number, call;
  if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code) == napi_ok &&
      napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) == napi_ok &&
      napi_create_error(env, code, message, &thrown) == napi_ok &&
      napi_create_int32(env, -error, &number) == napi_ok &&
      napi_set_named_property(env, thrown, "errno", number) == napi_ok &&
      napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &call) == napi_ok &&
      napi_set_named_property(env, thrown, "syscall", call) == napi_ok)
    (void)napi_throw(env, thrown);
  return NULL;
}

static napi_value opened(napi_env env, int fd, const char *call) {
  return fd < 0 ? refuse(env, fd, call) : integer(env, fd);
}

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

static napi_value rawOpen(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  int family;
  uint32_t mark;
  if (!take(env, info, argv) || !version(env, argv[0], &family) ||
      !number(env, argv[1], UINT32_MAX, &mark, "mark must be an unsigned 32-bit number"))
    return NULL;
  const char *call;
  int fd = raw_open(family, mark, &call);
  return opened(env, fd, call);
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
  return integer(env, path_receive(fd, ends, NULL, 0, given.data, given.length));
}

static napi_value rawReceive(napi_env env, napi_callback_info info) {
  int fd;
  struct span given;
  struct path *ends;
  if (!datagram(env, info, &fd, &given, &ends)) return NULL;
  return integer(env, raw_receive(fd, ends, given.data, given.length));
}

static napi_value send_(napi_env env, napi_callback_info info) {
  int fd;
  struct span given;
  struct path *ends;
  if (!datagram(env, info, &fd, &given, &ends)) return NULL;
  return integer(env, path_send(fd, ends, given.data, given.length));
}

static napi_value tunOpen(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS], result, number, text;
  // One byte more than a name may have, so that a longer one is seen.
  char given[IFNAMSIZ + 1] = {0};
  size_t length;
  if (!take(env, info, argv)) return NULL;
  if (napi_get_value_string_utf8(env, argv[0], given, sizeof given, &length) != napi_ok || length >= IFNAMSIZ ||
      strlen(given) != length) {
    wrong(env, "name must be a string of at most 15 bytes");
    return NULL;
  }
  const char *call;
  int fd = tun_open(given, &call);
  if (fd < 0) return refuse(env, fd, call);
  if (napi_create_object(env, &result) == napi_ok && napi_create_int32(env, fd, &number) == napi_ok &&
      napi_set_named_property(env, result, "fd", number) == napi_ok &&
      napi_create_string_utf8(env, given, NAPI_AUTO_LENGTH, &text) == napi_ok &&
      napi_set_named_property(env, result, "name", text) == napi_ok)
    return result;
  close(fd);
  return NULL;
}

static bool stream(napi_env env, napi_callback_info info, int *fd, struct span *given) {
  napi_value argv[ARGUMENTS];
  return take(env, info, argv) && descriptor(env, argv[0], fd) && bytes(env, argv[1], given);
}

static napi_value tunRead(napi_env env, napi_callback_info info) {
  int fd;
  struct span given;
  if (!stream(env, info, &fd, &given)) return NULL;
  return integer(env, tun_read(fd, given.data, given.length));
}

static napi_value tunWrite(napi_env env, napi_callback_info info) {
  int fd;
  struct span given;
  if (!stream(env, info, &fd, &given)) return NULL;
  return integer(env, tun_write(fd, given.data, given.length));
}

static napi_value netlinkOpen(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  uint32_t groups;
  if (!take(env, info, argv) || !number(env, argv[0], UINT32_MAX, &groups, "groups must be a bit mask")) return NULL;
  const char *call;
  int fd = netlink_open(groups, &call);
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

#define METHOD(NAME, FUNCTION) {.utf8name = NAME, .method = FUNCTION, .attributes = napi_enumerable}

NAPI_MODULE_INIT() {
  napi_value api;
  if (poller_new(env) == NULL) {
    (void)napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  const napi_property_descriptor exported[] = {
    METHOD("pollStart", pollStart),
    METHOD("pollStop", pollStop),
    METHOD("tunOpen", tunOpen),
    METHOD("tunRead", tunRead),
    METHOD("tunWrite", tunWrite),
    METHOD("udpOpen", udpOpen),
    METHOD("udpPort", udpPort),
    METHOD("udpReceive", udpReceive),
    METHOD("rawOpen", rawOpen),
    METHOD("rawReceive", rawReceive),
    METHOD("send", send_),
    METHOD("netlinkOpen", netlinkOpen),
    METHOD("netlinkSend", netlinkSend),
    METHOD("netlinkReceive", netlinkReceive),
    METHOD("close", close_),
  };
  if (napi_create_int32(env, API, &api) != napi_ok || napi_set_named_property(env, exports, "api", api) != napi_ok ||
      napi_define_properties(env, exports, sizeof exported / sizeof exported[0], exported) != napi_ok ||
      !export_cipher(env, exports))
    return NULL;
  return exports;
}
