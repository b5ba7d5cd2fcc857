// Exports for life as a service: telling the service manager, and becoming less than root.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "privilege.h"

static napi_value notifySend(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  struct span name, text;
  if (!take(env, info, argv) || !span(env, argv[0], &name, "name must be a Uint8Array") || !bytes(env, argv[1], &text))
    return NULL;
  return integer(env, notify_send(name.data, name.length, text.data, text.length));
}

enum { NAME_MAX_ = 64 };

static bool user(napi_env env, napi_value value, char name[NAME_MAX_]) {
  size_t length;
  static const char *const what = "user must be a name of 1 to 63 bytes";
  // Its length first: what does not fit is cut off in front of a character, which may be some bytes before the end.
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok || length == 0 || length >= NAME_MAX_ ||
      napi_get_value_string_utf8(env, value, name, NAME_MAX_, NULL) != napi_ok)
    return wrong(env, what);
  // A zero would end the name early.
  return strlen(name) == length || wrong(env, what);
}

/** Undefined where there is no such user. */
static napi_value userFind(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS], result, id;
  char name[NAME_MAX_];
  struct user found;
  const char *call;
  if (!take(env, info, argv) || !user(env, argv[0], name)) return NULL;
  int error = find_user(name, &found, &call);
  if (error == -ENOENT) return NULL;
  if (error != 0) return refuse(env, error, call);
  const uint32_t ids[] = {found.uid, found.gid};
  if (napi_create_array_with_length(env, 2, &result) != napi_ok) return NULL;
  for (uint32_t i = 0; i < 2; i++)
    if (napi_create_uint32(env, ids[i], &id) != napi_ok || napi_set_element(env, result, i, id) != napi_ok) return NULL;
  return result;
}

/** Strings that each end with a zero, as execve(2) takes them; the caller frees the list, not what it points to. */
static bool strings(napi_env env, napi_value value, char ***list, const char *what) {
  struct span given;
  if (!span(env, value, &given, what)) return false;
  if (given.length > 0 && given.data[given.length - 1] != '\0') return wrong(env, what);
  size_t count = 0;
  for (size_t at = 0; at < given.length; at++) count += given.data[at] == '\0';
  char **found = calloc(count + 1, sizeof *found);
  if (found == NULL) return wrong(env, "out of memory");
  const char *at = (const char *)given.data;
  for (size_t i = 0; i < count; i++, at += strlen(at) + 1) found[i] = (char *)(uintptr_t)at;
  *list = found;
  return true;
}

/** Arguments: a bit for each capability that stays, argv, the environment, and a user's name or undefined. */
static napi_value startAnew(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  napi_valuetype type;
  uint32_t keep;
  char **program = NULL, **variables = NULL, name[NAME_MAX_];
  struct user found;
  const char *call = "execve";
  int error = 0;
  if (!take(env, info, argv) || !number(env, argv[0], UINT32_MAX, &keep, "keep must be a bit mask")) return NULL;
  if (napi_typeof(env, argv[3], &type) != napi_ok || (type != napi_undefined && !user(env, argv[3], name))) return NULL;
  if (strings(env, argv[1], &program, "argv must be a Uint8Array of strings that end with a zero") &&
      strings(env, argv[2], &variables, "env must be a Uint8Array of strings that end with a zero")) {
    if (program[0] == NULL || program[0][0] != '/') error = -EINVAL;
    if (error == 0 && type != napi_undefined) error = find_user(name, &found, &call);
    if (error == 0) error = start_anew(keep, type == napi_undefined ? NULL : &found, program, variables, &call);
    (void)refuse(env, error, call);
  }
  free(program);
  free(variables);
  return NULL;
}

static napi_value dumpForbid(napi_env env, napi_callback_info info) {
  (void)info;
  const char *call;
  int error = forbid_dumps(&call);
  return error == 0 ? NULL : refuse(env, error, call);
}

bool export_service(napi_env env, napi_value exports) {
  const napi_property_descriptor exported[] = {
    METHOD("notifySend", notifySend),
    METHOD("userFind", userFind),
    METHOD("startAnew", startAnew),
    METHOD("dumpForbid", dumpForbid),
  };
  return define(env, exports, exported, sizeof exported / sizeof exported[0]);
}
