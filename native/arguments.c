// Arguments from JavaScript and the errors that it gets.

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <uv.h>

#include "arguments.h"

bool take(napi_env env, napi_callback_info info, napi_value argv[ARGUMENTS]) {
  size_t count = ARGUMENTS;
  return napi_get_cb_info(env, info, &count, argv, NULL, NULL) == napi_ok;
}

bool wrong(napi_env env, const char *what) {
  (void)napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", what);
  return false;
}

bool number(napi_env env, napi_value value, uint32_t max, uint32_t *result, const char *what) {
  double given;
  if (napi_get_value_double(env, value, &given) != napi_ok) return wrong(env, what);
  if (!(given >= 0 && given <= (double)max) || floor(given) != given) return wrong(env, what);
  *result = (uint32_t)given;
  return true;
}

bool descriptor(napi_env env, napi_value value, int *fd) {
  uint32_t given;
  if (!number(env, value, INT32_MAX, &given, "fd must be a file descriptor")) return false;
  *fd = (int)given;
  return true;
}

bool version(napi_env env, napi_value value, int *result) {
  uint32_t given;
  if (!number(env, value, 6, &given, "version must be 4 or 6")) return false;
  if (given != 4 && given != 6) return wrong(env, "version must be 4 or 6");
  *result = (int)given;
  return true;
}

bool span(napi_env env, napi_value value, struct span *result, const char *what) {
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

bool bytes(napi_env env, napi_value value, struct span *result) {
  return span(env, value, result, "bytes must be a Uint8Array");
}

bool path(napi_env env, napi_value value, struct path **result) {
  struct span given;
  if (!span(env, value, &given, "path must be a Uint8Array of 38 bytes")) return false;
  if (given.length != sizeof **result) return wrong(env, "path must be a Uint8Array of 38 bytes");
  *result = (struct path *)given.data;
  return true;
}

napi_value integer(napi_env env, int value) {
  napi_value result;
  return napi_create_int32(env, value, &result) == napi_ok ? result : NULL;
}

napi_value refuse(napi_env env, int error, const char *syscall) {
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

bool words(napi_env env, napi_value value, size_t count, int32_t **result, const char *what) {
  bool typed;
  napi_typedarray_type type;
  size_t length;
  void *data;
  if (napi_is_typedarray(env, value, &typed) != napi_ok || !typed) return wrong(env, what);
  if (napi_get_typedarray_info(env, value, &type, &length, &data, NULL, NULL) != napi_ok) return false;
  if (type != napi_int32_array || length < count || data == NULL) return wrong(env, what);
  *result = data;
  return true;
}

napi_value opened(napi_env env, int fd, const char *call) {
  return fd < 0 ? refuse(env, fd, call) : integer(env, fd);
}

bool define(napi_env env, napi_value exports, const napi_property_descriptor *exported, size_t count) {
  return napi_define_properties(env, exports, count, exported) == napi_ok;
}
