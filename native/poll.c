// Readiness of a file descriptor, through the event loop's own epoll. A watch lives until its handle is closed and the
// JavaScript value that names it is collected, whichever comes last: a stale value can never name a newer watch.

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

#include "espalier.h"

struct watch {
  uv_poll_t poll;
  struct poller *poller;
  struct watch *next;
  napi_ref callback;
  int holders;
  bool stopped;
};

struct poller {
  napi_env env;
  napi_async_cleanup_hook_handle hook;
  struct watch *first;
  int closing;
  bool ending;
};

void watch_release(struct watch *watch) {
  if (--watch->holders == 0) free(watch);
}

static void on_closed(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  struct poller *poller = watch->poller;
  watch_release(watch);
  poller->closing--;
  // The environment waits for this. It may take the poller with it, so nothing follows.
  if (poller->ending && poller->closing == 0) napi_remove_async_cleanup_hook(poller->hook);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  (void)events;
  struct watch *watch = poll->data;
  napi_env env = watch->poller->env;
  napi_handle_scope scope;
  napi_value callback, receiver, argument;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, watch->callback, &callback) == napi_ok &&
      napi_get_global(env, &receiver) == napi_ok && napi_create_int32(env, status, &argument) == napi_ok &&
      napi_make_callback(env, NULL, receiver, callback, 1, &argument, NULL) == napi_pending_exception) {
    // As if a timer's callback had thrown: the process dies of it, unless it listens for uncaughtException.
    napi_value thrown;
    if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) (void)napi_fatal_exception(env, thrown);
  }
  (void)napi_close_handle_scope(env, scope);
}

static void stop(struct watch *watch) {
  struct poller *poller = watch->poller;
  watch->stopped = true;
  (void)napi_delete_reference(poller->env, watch->callback);
  poller->closing++;
  uv_close((uv_handle_t *)&watch->poll, on_closed);
}

static void on_end(napi_async_cleanup_hook_handle hook, void *data) {
  struct poller *poller = data;
  poller->ending = true;
  while (poller->first != NULL) {
    struct watch *watch = poller->first;
    poller->first = watch->next;
    stop(watch);
  }
  if (poller->closing == 0) napi_remove_async_cleanup_hook(hook);
}

static void free_poller(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(data);
}

struct poller *poller_new(napi_env env) {
  struct poller *poller = calloc(1, sizeof *poller);
  if (poller == NULL) return NULL;
  poller->env = env;
  if (napi_set_instance_data(env, poller, free_poller, NULL) != napi_ok) {
    free(poller);
    return NULL;
  }
  if (napi_add_async_cleanup_hook(env, on_end, poller, &poller->hook) != napi_ok) return NULL;
  return poller;
}

int poller_start(struct poller *poller, int fd, napi_value callback, struct watch **started) {
  uv_loop_t *loop;
  if (poller->ending || napi_get_uv_event_loop(poller->env, &loop) != napi_ok) return -ECANCELED;
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return -ENOMEM;
  if (napi_create_reference(poller->env, callback, 1, &watch->callback) != napi_ok) {
    free(watch);
    return -ENOMEM;
  }
  int error = uv_poll_init(loop, &watch->poll, fd);
  if (error != 0) {
    (void)napi_delete_reference(poller->env, watch->callback);
    free(watch);
    return error;
  }
  watch->poller = poller;
  watch->poll.data = watch;
  watch->holders = 1;
  error = uv_poll_start(&watch->poll, UV_READABLE, on_ready);
  if (error != 0) {
    stop(watch);
    return error;
  }
  watch->holders++;
  watch->next = poller->first;
  poller->first = watch;
  *started = watch;
  return 0;
}

void poller_stop(struct poller *poller, struct watch *watch) {
  for (struct watch **at = &poller->first; *at != NULL; at = &(*at)->next) {
    if (*at != watch) continue;
    *at = watch->next;
    stop(watch);
    return;
  }
}
