// Exports for life as a service.

#include "arguments.h"

static napi_value notifySend(napi_env env, napi_callback_info info) {
  napi_value argv[ARGUMENTS];
  struct span name, text;
  if (!take(env, info, argv) || !span(env, argv[0], &name, "name must be a Uint8Array") || !bytes(env, argv[1], &text))
    return NULL;
  return integer(env, notify_send(name.data, name.length, text.data, text.length));
}

bool export_service(napi_env env, napi_value exports) {
  const napi_property_descriptor exported[] = {
    METHOD("notifySend", notifySend),
  };
  return define(env, exports, exported, sizeof exported / sizeof exported[0]);
}
