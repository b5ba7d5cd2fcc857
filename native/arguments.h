// Arguments from JavaScript, checked: whatever comes out of here holds for the pointers made of it.

#ifndef ESPALIER_ARGUMENTS_H
#define ESPALIER_ARGUMENTS_H

#include "espalier.h"

enum { ARGUMENTS = 8 };

struct span {
  uint8_t *data;
  size_t length;
};

bool take(napi_env env, napi_callback_info info, napi_value argv[ARGUMENTS]);
/** Throws a TypeError, and is false. */
bool wrong(napi_env env, const char *what);
bool number(napi_env env, napi_value value, uint32_t max, uint32_t *result, const char *what);
bool descriptor(napi_env env, napi_value value, int *fd);
bool version(napi_env env, napi_value value, int *result);
bool span(napi_env env, napi_value value, struct span *result, const char *what);
bool bytes(napi_env env, napi_value value, struct span *result);
/** An Int32Array of at least `count` words. */
bool words(napi_env env, napi_value value, size_t count, int32_t **result, const char *what);
bool path(napi_env env, napi_value value, struct path **result);
napi_value integer(napi_env env, int value);
/** Throws an Error with code, errno and syscall. */
napi_value refuse(napi_env env, int error, const char *syscall);
napi_value opened(napi_env env, int fd, const char *call);
bool define(napi_env env, napi_value exports, const napi_property_descriptor *exported, size_t count);

#define METHOD(NAME, FUNCTION) {.utf8name = NAME, .method = FUNCTION, .attributes = napi_enumerable}

#endif
