// AH around packets and off them (RFC 4302): the packet in clear, and an ICV over it and over what does not change of
// the header outside.

#include <openssl/crypto.h>
#include <string.h>

#include "checksum.h"
#include "lane.h"

enum { FIXED = 12, IPV4_HEADER = 20, IPV6_HEADER = 40, HOP_LIMIT = 64 };
/** What every path that matters takes. The kernel does not cut packets whose header is ours. */
enum { FRAGMENT_MAX = 1280 };

/** RFC 4302 §2.2, §3.3.3.2.1: the header ends on a 32-bit boundary in IPv4, on a 64-bit one in IPv6. */
static size_t header_size(const struct sa *sa) {
  size_t size = FIXED + mac_size(sa->mac), unit = sa->path.version == 4 ? 4 : 8;
  return (size + unit - 1) / unit * unit;
}

static void ipv4_header(uint8_t *ip, const struct path *path, size_t total, uint16_t id, uint8_t class, bool df) {
  memset(ip, 0, IPV4_HEADER);
  ip[0] = 0x45;
  ip[1] = class;
  put16(ip + 2, (uint32_t)total);
  put16(ip + 4, id);
  ip[6] = df ? 0x40 : 0;
  ip[8] = HOP_LIMIT;
  ip[9] = IPPROTO_AH;
  memcpy(ip + 12, path->local, 4);
  memcpy(ip + 16, path->remote, 4);
}

/** RFC 4302 §3.3.3.1.1.1: what routers change counts as zero. */
static void mute_ipv4(uint8_t *ip) {
  ip[1] = ip[6] = ip[7] = ip[8] = ip[10] = ip[11] = 0;
}

/** RFC 4302 §3.3.3.1.2.1: class, flow label and hop limit count as zero. */
static void muted_ipv6(uint8_t *ip, const uint8_t *from, const uint8_t *to, size_t payload) {
  memset(ip, 0, IPV6_HEADER);
  ip[0] = 0x60;
  put16(ip + 4, (uint32_t)payload);
  ip[6] = IPPROTO_AH;
  memcpy(ip + 8, from, 16);
  memcpy(ip + 24, to, 16);
}

/** `ah` with its ICV zeroed; `ip` muted. The high half of an extended number stands at the end (RFC 4302 §2.5.1). */
static bool compute(const struct sa *sa, uint8_t *ip, size_t ip_size, uint8_t *ah, size_t ah_size, uint8_t *payload,
                    size_t size, uint64_t seq, uint8_t *icv) {
  uint8_t high[4];
  put32(high, (uint32_t)(seq >> 32));
  struct iovec parts[4] = {{ip, ip_size}, {ah, ah_size}, {payload, size}, {high, sizeof high}};
  return mac_compute(sa->mac, parts, sa->flags & SA_ESN ? 4 : 3, icv);
}

void ah_seal(struct lane *lane, struct sa *sa, uint64_t seq, uint8_t *payload, size_t size, uint8_t next,
             uint8_t class, bool df) {
  bool v4 = sa->path.version == 4;
  size_t ah_size = header_size(sa), outer = v4 ? IPV4_HEADER : 0, total = outer + ah_size + size;
  uint8_t *ip = total > 65535 ? NULL : sender_room(lane, sa, total, class, df);
  if (ip == NULL) {
    tally(lane, COUNT_SEAL_FAILURES, 1);
    return;
  }
  uint8_t muted[IPV6_HEADER], *ah = ip + outer, icv[ICV_MAX];
  if (v4) {
    // Ids need not be unique where nothing is fragmented (RFC 6864 §4.1); none may be zero, which the kernel replaces.
    uint16_t id = (uint16_t)(seq % 65535 + 1);
    ipv4_header(ip, &sa->path, total, id, class, df);
    memcpy(muted, ip, IPV4_HEADER);
    mute_ipv4(muted);
  } else {
    muted_ipv6(muted, sa->path.local, sa->path.remote, ah_size + size);
  }
  memset(ah, 0, ah_size);
  ah[0] = next;
  ah[1] = (uint8_t)(ah_size / 4 - 2);
  put32(ah + 4, sa->spi);
  put32(ah + 8, (uint32_t)seq);
  memcpy(ah + ah_size, payload, size);
  if (compute(sa, muted, v4 ? IPV4_HEADER : IPV6_HEADER, ah, ah_size, ah + ah_size, size, seq, icv)) {
    memcpy(ah + FIXED, icv, mac_size(sa->mac));
  } else {
    // Without an ICV nothing of the packet goes out.
    memset(ah + ah_size, 0, size);
    tally(lane, COUNT_SEAL_FAILURES, 1);
  }
}

/** Each with the offset that its payload has in the whole (RFC 791 §3.2). False when one could not be sent. */
bool ah_send_fragments(int fd, const struct msghdr *whole, const uint8_t *packet, size_t size) {
  uint8_t part[FRAGMENT_MAX];
  bool sent = true;
  for (size_t at = IPV4_HEADER, chunk; at < size; at += chunk) {
    chunk = size - at < FRAGMENT_MAX - IPV4_HEADER ? size - at : (FRAGMENT_MAX - IPV4_HEADER) / 8 * 8;
    memcpy(part, packet, IPV4_HEADER);
    put16(part + 6, (uint32_t)((at - IPV4_HEADER) / 8) | (at + chunk < size ? 0x2000 : 0));
    memcpy(part + IPV4_HEADER, packet + at, chunk);
    struct iovec only = {part, IPV4_HEADER + chunk};
    struct msghdr message = *whole;
    message.msg_iov = &only;
    if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) sent = false;
  }
  return sent;
}

int32_t ah_open(struct lane *lane, struct sa *sa, int32_t *words) {
  const int32_t *message = lane->messages + ((uint32_t)words[IN_EXTRA] >> 16) * MESSAGE_WORDS;
  uint8_t *ah = lane->rx + words[IN_OFFSET];
  size_t length = (size_t)words[IN_LENGTH], icv_size = mac_size(sa->mac);
  if (length < FIXED + icv_size) return OPEN_SHORT;
  size_t ah_size = ((size_t)ah[1] + 2) * 4;
  // Linux aligns to 64 bits in IPv4, too, unless it is told otherwise.
  if (ah_size < FIXED + icv_size || ah_size > FIXED + icv_size + 7 || ah_size > length) return OPEN_MISALIGNED;
  bool v4 = (message[MESSAGE_KIND] & 15) == 4;
  uint8_t muted[IPV6_HEADER], icv[ICV_MAX], copy[FIXED + ICV_MAX + 8] = {0};
  if (v4) {
    // Whole, and without options, whose mutability is a study of its own (RFC 4302 appendix A1).
    if (message[MESSAGE_HEADER] >> 8 != IPV4_HEADER) return OPEN_BAD_ICV;
    memcpy(muted, ah - IPV4_HEADER, IPV4_HEADER);
    mute_ipv4(muted);
  } else {
    uint8_t from[16], to[16];
    for (int i = 0; i < 4; i++) {
      put32(from + 4 * i, (uint32_t)message[MESSAGE_REMOTE + i]);
      put32(to + 4 * i, (uint32_t)message[MESSAGE_LOCAL + i]);
    }
    muted_ipv6(muted, from, to, length);
  }
  memcpy(copy, ah, FIXED);
  // Padding counts as it is.
  memcpy(copy + FIXED + icv_size, ah + FIXED + icv_size, ah_size - FIXED - icv_size);
  uint64_t seq = (uint64_t)(uint32_t)words[IN_INNER] << 32 | (uint32_t)words[IN_SEQ];
  uint8_t *payload = ah + ah_size;
  if (!compute(sa, muted, v4 ? IPV4_HEADER : IPV6_HEADER, copy, ah_size, payload, length - ah_size, seq, icv) ||
      CRYPTO_memcmp(icv, ah + FIXED, icv_size) != 0)
    return OPEN_BAD_ICV;
  return inner_of(lane, sa, words, payload, length - ah_size, ah[0]);
}
