// What the files of the addon share. Functions return a result or a negative errno; where several system calls can be
// the culprit, `call` receives the name of the one that failed. Only addon.c and poll.c see JavaScript values.

#ifndef ESPALIER_H
#define ESPALIER_H

#include <net/if.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The two ends of a datagram, as JavaScript lays them out in a Uint8Array. `version` (4 or 6) must be that of the
// socket; an IPv4 address takes the first four bytes; `port` is the remote one, in network order, 0 for raw sockets.
// `segment`, in network order too, is the size of the datagrams that the kernel joined into one (UDP_GRO), else 0.
struct path {
  uint8_t version;
  uint8_t spare;
  uint8_t port[2];
  uint8_t local[16];
  uint8_t remote[16];
  uint8_t segment[2];
};
_Static_assert(sizeof(struct path) == 38, "net/native.ts relies on this layout");
_Static_assert(_Alignof(struct path) == 1, "any byte of an array may be its start");

enum { DATAGRAM_MAX = 65535 };

/** IP_PMTUDISC_OMIT: no DF, and routers' complaints about earlier packets are told all the same. */
enum { NO_DF4 = 5 };

// path.c
int path_socket(int version, int type, int protocol, uint32_t mark, int buffer, const char **call);
int path_report(int fd, int version);
int path_receive(int fd, struct path *path, void *bytes, size_t size);
int path_send(int fd, const struct path *path, const void *bytes, size_t size);

// udp.c
int udp_open(int version, uint16_t port, uint32_t mark, const char **call);
/** One of several sockets on one port. `data`: it carries ESP. */
int udp_member(int version, uint16_t port, uint32_t mark, bool data, unsigned *uses, const char **call);
int udp_watch(int fd);
int udp_port(int fd);

// raw.c
int raw_open(int version, int protocol, uint32_t mark, const char **call);

// steer.c
int steer_group(int fd, uint32_t workers);
int steer_raw(int fd, int version, uint32_t spi_at, uint32_t workers, uint32_t index);

// tun.c
int tun_open(char name[IFNAMSIZ], bool queues, unsigned *uses, const char **call);

// netlink.c
int netlink_open(int protocol, uint32_t groups, const char **call);
int netlink_send(int fd, const void *bytes, size_t size);
/** In front of the groups; the kernel gives nobody more groups than that. */
enum { PEER_PID, PEER_UID, PEER_GID, PEER_COUNT, PEER_WORDS, PEER_GROUPS_MAX = 65536 };
int peer_of(int fd, int32_t *words, size_t count);
int netlink_receive(int fd, void *bytes, size_t size);

// poll.c: one `struct poller` per environment, kept as its instance data.
struct poller;
struct watch;
struct poller *poller_new(napi_env env);
int poller_start(struct poller *poller, int fd, napi_value callback, struct watch **started);
void poller_stop(struct poller *poller, struct watch *watch);
void watch_release(struct watch *watch);

// notify.c
int notify_send(const uint8_t *name, size_t name_size, const void *text, size_t size);

// addon_lane.c, addon_sa.c, addon_service.c
bool export_lane(napi_env env, napi_value exports);
bool export_sa(napi_env env, napi_value exports);
bool export_service(napi_env env, napi_value exports);

#endif
