// The fuzz targets of framing, splitting and coalescing (RFC 4303, RFC 4302; split.c, join.c, frame.c, ah.c, rebuild.c),
// with ciphers that only turn bits over, so that the fuzzer is not held up by them: run by libFuzzer, or by driver.c.

#ifndef ESPALIER_FUZZ_H
#define ESPALIER_FUZZ_H

#include "../lane.h"

/** Says which promise was broken, and ends the process. */
#define PROMISE(condition) ((condition) ? (void)0 : broken(#condition, __FILE__, __LINE__))
_Noreturn void broken(const char *condition, const char *file, int line);

// --- what a run is made of: the fuzzer's bytes, and zeros behind them ---------------------------------------------------

struct feed {
  const uint8_t *data;
  size_t size;
};

uint8_t feed8(struct feed *feed);
uint16_t feed16(struct feed *feed);
uint32_t feed32(struct feed *feed);
/** 0 up to, not including, `below`. */
uint32_t feed_below(struct feed *feed, uint32_t below);
/** True about once in `in` times. */
bool feed_chance(struct feed *feed, uint8_t in);
/** Bytes that follow from one of the feed's: payloads need not use it up. */
void feed_fill(struct feed *feed, uint8_t *bytes, size_t size);
/** Overwrites a few bytes, seldom. */
void feed_damage(struct feed *feed, uint8_t *bytes, size_t size);

// --- stub.c -------------------------------------------------------------------------------------------------------------

enum { GOOD_ICV = 0xa7 };
/** What stub ciphers turn over. */
enum { STUB_MASK = 0x5a };

/** `choice` names sizes of IV, ICV and block, or of the ICV alone: those of real transforms, and others. */
struct cipher *stub_cipher(uint8_t choice, bool esn);
struct mac *stub_mac(uint8_t choice);

// --- world.c ------------------------------------------------------------------------------------------------------------

enum { SLOT = 0 };

/** The lane, the far end of its TUN device, and what lies in its arenas closed to anybody else. */
extern struct lane *lane;
extern uint64_t counters[COUNTERS];

/** One pair of SAs with these flags, protected by the stub that `choice` names. */
void world_begin(unsigned uses, uint32_t flags, uint8_t choice);
void world_end(void);
/** Opens these bytes of an arena, of which all are out of bounds otherwise, until the world ends. */
void world_open(uint8_t *from, size_t size);
/** A packet from the device, as the kernel gives it. */
void device_give(const void *bytes, size_t size);
/** What was written to it: -1 when there is nothing more. */
ssize_t device_take(void *bytes, size_t room);

// --- cut.c: what the kernel makes of a super-packet -----------------------------------------------------------------------

enum { PACKET_MAX = 65535 + 64, CUTS_MAX = 1 << 16 };

struct packet {
  uint8_t *bytes;
  size_t size;
};

struct packets {
  struct packet list[CUTS_MAX];
  int count;
  uint8_t *memory;
  size_t used;
};

/** Many packets; one set can be in use for each of these. */
struct packets *packets_new(int which);
struct packet *packets_add(struct packets *packets, const uint8_t *bytes, size_t size);
/** False where it is no super-packet that could be cut, and then nothing is added. */
bool cut(struct packets *into, const struct virtio_net_hdr *header, const uint8_t *packet, size_t size);
/** Right checksums become all the same, whichever of the two forms of zero they have. */
void normalise(struct packet *packet);
/** Whether the upper layer's checksum is right; true where there is none. */
bool right_checksum(const uint8_t *packet, size_t size);

// --- build.c ------------------------------------------------------------------------------------------------------------

struct flow {
  bool v4, tcp;
  uint8_t number;
  uint16_t id, mss;
  uint32_t seq;
  uint8_t options;
};

void flow_begin(struct feed *feed, struct flow *flow, uint8_t number);
/** The flow's next packet: what a well-behaved sender sends, most of the time. Its size. */
size_t build_next(struct feed *feed, struct flow *flow, uint8_t *packet, size_t room);
/** A super-packet as the kernel hands one over, and its header. */
size_t build_super(struct feed *feed, struct virtio_net_hdr *header, uint8_t *packet, size_t room);

// --- the targets --------------------------------------------------------------------------------------------------------

void fuzz_open(struct feed *feed);
void fuzz_join(struct feed *feed);
void fuzz_split(struct feed *feed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
