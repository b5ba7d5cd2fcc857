// The hot path's own header: a lane is what one data-plane thread moves packets with. Layouts here are those of
// src/esp/layout.ts; a change there or here changes the addon's API number.

#ifndef ESPALIER_LANE_H
#define ESPALIER_LANE_H

#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "cipher.h"
#include "espalier.h"

enum { WORDS = 8, MESSAGE_WORDS = 16 };
/** No IP packet is shorter. */
enum { IP_MIN = 20 };

/** A packet from the TUN device, as words of `lane.out`. */
enum { OUT_OFFSET, OUT_LENGTH, OUT_GSO, OUT_MSS, OUT_SA, OUT_SEQ_LOW, OUT_SEQ_HIGH, OUT_SEGMENTS };
/** A packet from the network, as words of `lane.in`. IN_INNER is the sequence number's high half before `open`. */
enum { IN_OFFSET, IN_LENGTH, IN_SPI, IN_SEQ, IN_SA, IN_INNER, IN_SIZE, IN_EXTRA };
/** A datagram, as words of `lane.messages`; addresses are big-endian words. MESSAGE_HEADER: TTL | header length << 8. */
enum { MESSAGE_KIND, MESSAGE_CLASS, MESSAGE_PORT, MESSAGE_HEADER, MESSAGE_REMOTE, MESSAGE_LOCAL = 8 };

/** In OUT_SA: not to be sent; anything below is `TO_WORKER - n`, for worker n. */
enum { SA_NONE = -1, TO_WORKER = -2 };

/** In IN_SIZE, where there is no inner packet. */
enum {
  OPEN_BAD_ICV = -1,
  OPEN_SHORT = -2,
  OPEN_MISALIGNED = -3,
  OPEN_BAD_PADDING = -4,
  OPEN_DUMMY = -5,
  OPEN_BAD_NEXT = -6,
  OPEN_BAD_INNER = -7,
  OPEN_ECN = -8,
};

/** Where packets come from: indices of `lane.fds`, bits of what `wait` returns. */
enum source {
  SOURCE_TUN,
  SOURCE_UDP4,
  SOURCE_UDP6,
  SOURCE_ESP4,
  SOURCE_ESP6,
  SOURCE_AH4,
  SOURCE_AH6,
  SOURCE_EVENT,
  SOURCES,
};
enum { READY_ERRORS = 1 << SOURCES };

/** Facilities, each of which can be done without. */
enum { USE_VNET = 1, USE_USO = 2, USE_GSO = 4, USE_GRO = 8, USE_MMSG = 16 };

enum counter {
  COUNT_TUN_READS,
  COUNT_TUN_READ_BYTES,
  COUNT_TUN_WRITES,
  COUNT_TUN_WRITE_FAILURES,
  COUNT_JOINED,
  COUNT_SEGMENTS_OUT,
  COUNT_MESSAGES_OUT,
  COUNT_SENDS,
  COUNT_SEND_FAILURES,
  COUNT_SEND_FULL,
  COUNT_RECEIVES,
  COUNT_MESSAGES_IN,
  COUNT_SEGMENTS_IN,
  COUNT_STRAYS,
  COUNT_MAIL_FULL,
  COUNT_KEEPALIVES,
  COUNT_TRUNCATED,
  COUNT_UNSPLITTABLE,
  COUNT_SEAL_FAILURES,
  COUNT_WAITS,
  COUNTERS,
};

/** What a packet from the TUN device is, in OUT_GSO. */
enum { GSO_NONE, GSO_TCP, GSO_UDP, GSO_KIND, GSO_WHOLE };
#ifdef VIRTIO_NET_HDR_GSO_UDP_L4
enum { GSO_UDP_L4 = VIRTIO_NET_HDR_GSO_UDP_L4 };
#else
enum { GSO_UDP_L4 = 5 };
#endif

/** A cell of the tx arena: a packet of any size, and room behind it for an ESP trailer. */
enum { TX_TAIL = 64, TX_CELL_MAX = 65536 + 192 };
/** At its end TypeScript puts packets of its own. */
enum { TX_SPARE = 4 * TX_CELL_MAX };

/** Datagrams taken at once. Raw ESP has one packet in each, UDP with GRO up to 64. */
enum { BATCH = 64 };
enum { RX_HEADROOM = 64, RX_STRIDE = RX_HEADROOM + 65536 + 448 };
/** Room behind the datagrams, where transport mode's packets are put together again. */
enum { REBUILD_SIZE = BATCH * 66048 };
enum { RX_SIZE = BATCH * RX_STRIDE + REBUILD_SIZE };
/** The fewest bytes that a segment can have: SPI and sequence number. */
enum { SEGMENT_MIN = 8, SEGMENTS_MAX = 64 };
enum { IN_MAX = 4096, OUT_MAX = 256, ERROR_WORDS = 12, ERRORS_MAX = 16 };
/** Of `lane_start`'s configuration, before the descriptors. */
enum { CONFIG_INDEX, CONFIG_WORKERS, CONFIG_USES, CONFIG_FDS, CONFIG_WORDS = CONFIG_FDS + SOURCES };
enum { VNET = sizeof(struct virtio_net_hdr) };
_Static_assert(VNET == 10, "the layout of the arenas counts on it");

/** Flags of an SA. */
enum {
  SA_TRANSPORT = 1,
  SA_AH = 2,
  SA_ESN = 4,
  SA_UDP = 8,
  SA_COPY_DF = 16,
  SA_COPY_ECN = 32,
  SA_COPY_DSCP_OUT = 64,
  SA_COPY_DSCP_IN = 128,
  SA_NATTED = 256,
  /** The path takes less than any of IPv6 does. */
  SA_NARROW = 512,
};

/** One direction. Made by the main thread; used by the one worker that owns the pair. */
struct sa {
  struct cipher *cipher;
  struct mac *mac;
  struct path path;
  uint32_t spi;
  uint32_t flags;
  /** What TCP may announce in its SYN, by family; 0 leaves it. */
  uint16_t mss4, mss6;
  /** Bytes from the ESP or AH header to the end: of packets handed to the kernel, or that could be opened. */
  uint64_t carried;
};

enum { SLOTS = 1 << 16 };

// sa.c
struct sa *sa_in(int32_t slot);
struct sa *sa_out(int32_t slot);
int sa_install(uint32_t slot, struct sa *in, struct sa *out);
void sa_release(struct sa *sa);
void sa_drop(uint32_t slot);

/** One message to the kernel: one packet, or equal ones and a last that may be shorter. */
struct outgoing {
  uint32_t at;
  uint32_t length;
  uint16_t segment;
  uint16_t count;
  bool closed;
  bool df;
  uint8_t class;
  struct sa *sa;
};

enum { OUTGOING_MAX = 256, SEND_ARENA = (1 << 20) + (1 << 17), MESSAGE_BYTES_MAX = 65000 };

struct sender {
  uint8_t *arena;
  uint32_t used;
  int count;
  struct outgoing messages[OUTGOING_MAX];
  /** Whether the socket sets DF now; -1 when not known. */
  int df[SOURCES];
  /** How often this flush may still wait for a full socket. */
  int patience;
};

/** A super-packet that grows. */
struct joiner {
  struct iovec parts[SEGMENTS_MAX + 2];
  int count;
  uint8_t *packet;
  uint32_t length;
  uint32_t header;
  uint32_t segment;
  int segments;
  uint8_t protocol;
  bool closed;
  uint32_t next_seq;
  uint16_t next_id;
};

/** When a source was last read, and how many packets there were. */
struct pace {
  uint64_t at;
  int got;
  /** Packets in this turn and the last one beyond which they come thick. */
  int thick;
  /** In nanoseconds, to which the kernel adds up to 50 000 of its own. */
  int pause;
};

struct lane {
  int fds[SOURCES];
  int epoll;
  unsigned index;
  unsigned workers;
  unsigned uses;
  uint8_t *tx;
  size_t tx_size;
  uint8_t *rx;
  int32_t *out, *in, *messages;
  uint64_t *counters;
  struct pace raw, tun;
  /** What of the arena for rebuilt packets is in use. */
  uint32_t rebuilt;
  struct sender sender;
  struct joiner joiner;
  struct mmsghdr headers[OUTGOING_MAX];
  struct iovec parts[OUTGOING_MAX];
  uint8_t control[OUTGOING_MAX][128] __attribute__((aligned(8)));
  struct sockaddr_storage addresses[OUTGOING_MAX];
};

/** Descriptors pass through JavaScript: whatever they say, no pointer may leave the arena. */
static inline bool lies_in(size_t arena, int32_t offset, int32_t length, size_t before, size_t behind) {
  return offset >= 0 && length >= 0 && (size_t)offset >= before && (size_t)offset + (size_t)length + behind <= arena;
}

static inline void tally(struct lane *lane, enum counter which, uint64_t by) {
  // Another thread reads; only this one writes.
  __atomic_store_n(&lane->counters[which], lane->counters[which] + by, __ATOMIC_RELAXED);
}

static inline void carried(struct sa *sa, uint64_t bytes) {
  // The main thread reads; only the worker that owns the SA writes.
  __atomic_store_n(&sa->carried, sa->carried + bytes, __ATOMIC_RELAXED);
}

// lane.c: the lane of this thread.
struct lane *lane_start(const int32_t *config, const char **call, int *error);
void lane_stop(struct lane *lane);
int lane_wait(struct lane *lane, int timeout);

// gather.c
bool gather(const struct pace *pace, int got);
void gathered(struct pace *pace, int got);

// tun.c
int gso_of(const struct virtio_net_hdr *header);
int lane_read(struct lane *lane, int max, size_t max_bytes, bool *drained);
int lane_inject(struct lane *lane, const uint8_t *packet, size_t length);

// receive.c
int lane_receive(struct lane *lane, enum source source, int max, bool *drained);
int lane_collect(struct lane *lane, int max, int *plain);

// split.c
void lane_seal(struct lane *lane, int count);
int split_segments(const uint8_t *packet, size_t size, int gso, int mss);
void complete_checksum(uint8_t *packet, size_t size, const struct virtio_net_hdr *header);
void clamp_mss(uint8_t *packet, size_t size, uint32_t limit);

// frame.c
void frame_seal(struct lane *lane, struct sa *sa, uint64_t seq, uint8_t *packet, size_t length, bool whole);
void lane_open(struct lane *lane, int count);
uint8_t class_of(const uint8_t *packet);
/** What was protected, back in the form of an IP packet: its length, or why there is none. */
int32_t inner_of(struct lane *lane, const struct sa *sa, int32_t *words, uint8_t *text, size_t size, uint8_t next);

// ah.c
void ah_seal(struct lane *lane, struct sa *sa, uint64_t seq, uint8_t *payload, size_t size, uint8_t next,
             uint8_t class, bool df);
/** What is too large for the link, of a packet that may be fragmented. */
bool ah_send_fragments(int fd, const struct msghdr *whole, const uint8_t *packet, size_t size);
int32_t ah_open(struct lane *lane, struct sa *sa, int32_t *words);

// rebuild.c
void set_class(uint8_t *packet, uint8_t class);
uint8_t *rebuild(struct lane *lane, const struct sa *sa, const int32_t *message, const uint8_t *payload, size_t *size,
                 uint8_t next);

// send.c
uint8_t *sender_room(struct lane *lane, struct sa *sa, size_t length, uint8_t class, bool df);
void lane_flush(struct lane *lane);

// join.c
void lane_deliver(struct lane *lane, int count);
/** The header's length where the packet may be joined with others, else 0. */
uint32_t joinable(const uint8_t *packet, size_t length, bool udp);

// mailbox.c
enum mail { MAIL_ESP = 1, MAIL_PLAIN = 2, MAIL_IKE = 3 };
int mailbox_open(unsigned index, int event);
bool mailbox_put(unsigned index, enum mail kind, const struct path *path, uint8_t class, const void *bytes, size_t size);
int mailbox_take(unsigned index, enum mail *kind, struct path *path, uint8_t *class, void *bytes, size_t room);

// errors.c
int lane_errors(struct lane *lane, int32_t *records, int max);
int socket_errors(int fd, enum source source, int32_t *records, int max);

#endif
