// Sealed packets on their way to the kernel: equal ones to one peer as one message (UDP_SEGMENT), many messages in one
// call (sendmmsg). All buffers are bounded; when the kernel's are full we wait for it a moment, and then lose packets.

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>

#include "checksum.h"
#include "lane.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/** How long a full socket may hold up everything else, once in a flush. */
enum { PATIENCE = 20 };
enum { TRIES = 4 };

static enum source socket_of(const struct sa *sa) {
  int v6 = sa->path.version == 6;
  if (sa->flags & SA_UDP) return SOURCE_UDP4 + (enum source)v6;
  return (sa->flags & SA_AH ? SOURCE_AH4 : SOURCE_ESP4) + (enum source)v6;
}

/** Room for one packet of `length` bytes, at the end of the message that it belongs to. */
uint8_t *sender_room(struct lane *lane, struct sa *sa, size_t length, uint8_t class, bool df) {
  struct sender *sender = &lane->sender;
  if (length > 65535) return NULL;
  if (sender->used + length > SEND_ARENA) lane_flush(lane);
  struct outgoing *last = sender->count > 0 ? &sender->messages[sender->count - 1] : NULL;
  bool joins = last != NULL && lane->uses & USE_GSO && sa->flags & SA_UDP && !last->closed && last->sa == sa &&
               last->class == class && last->df == df && length <= last->segment && last->count < SEGMENTS_MAX &&
               last->length + length <= MESSAGE_BYTES_MAX;
  if (!joins) {
    if (sender->count == OUTGOING_MAX) lane_flush(lane);
    last = &sender->messages[sender->count++];
    *last = (struct outgoing){.at = sender->used, .segment = (uint16_t)length, .class = class, .df = df, .sa = sa};
  }
  if (length < last->segment) last->closed = true;
  uint8_t *room = sender->arena + sender->used;
  last->length += (uint32_t)length;
  last->count++;
  sender->used += (uint32_t)length;
  tally(lane, COUNT_SEGMENTS_OUT, 1);
  return room;
}

static void *control(struct msghdr *message, int level, int type, const void *data, size_t size) {
  struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)message->msg_control + message->msg_controllen);
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(c), data, size);
  message->msg_controllen += CMSG_SPACE(size);
  return CMSG_DATA(c);
}

static bool specified(const struct path *path) {
  static const uint8_t zero[16];
  return memcmp(path->local, zero, path->version == 4 ? 4 : 16) != 0;
}

static void address(struct msghdr *message, struct sockaddr_storage *to, const struct sa *sa) {
  const struct path *path = &sa->path;
  // A raw socket has no ports, and one of IPv6 takes a port for a protocol (raw(7)).
  bool ports = (sa->flags & SA_UDP) != 0;
  message->msg_name = to;
  if (path->version == 4) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    if (ports) memcpy(&v4.sin_port, path->port, 2);
    memcpy(&v4.sin_addr, path->remote, 4);
    memcpy(to, &v4, sizeof v4);
    message->msg_namelen = sizeof v4;
  } else {
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (ports) memcpy(&v6.sin6_port, path->port, 2);
    memcpy(&v6.sin6_addr, path->remote, 16);
    memcpy(to, &v6, sizeof v6);
    message->msg_namelen = sizeof v6;
  }
}

static void compose(struct lane *lane, int i) {
  const struct outgoing *out = &lane->sender.messages[i];
  const struct path *path = &out->sa->path;
  struct msghdr *message = &lane->headers[i].msg_hdr;
  lane->parts[i] = (struct iovec){lane->sender.arena + out->at, out->length};
  *message = (struct msghdr){.msg_iov = &lane->parts[i], .msg_iovlen = 1, .msg_control = lane->control[i]};
  address(message, &lane->addresses[i], out->sa);
  if (out->count > 1) control(message, IPPROTO_UDP, UDP_SEGMENT, &out->segment, sizeof out->segment);
  if (specified(path)) {
    if (path->version == 4) {
      struct in_pktinfo info = {0};
      memcpy(&info.ipi_spec_dst, path->local, 4);
      control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else {
      struct in6_pktinfo info = {0};
      memcpy(&info.ipi6_addr, path->local, 16);
      control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
  }
  int class = out->class;
  if (class != 0) {
    if (path->version == 4) control(message, IPPROTO_IP, IP_TOS, &class, sizeof class);
    else control(message, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
  }
  if (message->msg_controllen == 0) message->msg_control = NULL;
}

/**
 * DF is a property of the socket. Its paths' sizes are ours to know: the kernel believes whoever sends it ICMP, and in
 * IPv4 its memory of them is never asked. In IPv6 only the sender can fragment, and does so by that memory.
 */
static void fragmenting(struct lane *lane, enum source source, bool df) {
  if (lane->sender.df[source] == df) return;
  bool v4 = source == SOURCE_UDP4 || source == SOURCE_ESP4;
  int mode = v4 ? (df ? IP_PMTUDISC_PROBE : NO_DF4) : (df ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT);
  int level = v4 ? IPPROTO_IP : IPPROTO_IPV6, name = v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER;
  if (setsockopt(lane->fds[source], level, name, &mode, sizeof mode) == 0) lane->sender.df[source] = df;
}

static int one(struct lane *lane, int fd, struct msghdr *message) {
  tally(lane, COUNT_SENDS, 1);
  return sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/**
 * What a socket reports may be an ICMP answer to an earlier packet, or one that somebody forges as fast as he can: it
 * costs a call, not the packet.
 */
static int insist(struct lane *lane, int fd, struct msghdr *message) {
  int error = 0;
  for (int tries = 0; tries < TRIES; tries++) {
    error = one(lane, fd, message);
    if (error == 0 || error == -EAGAIN || error == -ENOBUFS) break;
  }
  return error;
}

static bool await_room(int fd) {
  struct pollfd poller = {.fd = fd, .events = POLLOUT};
  return poll(&poller, 1, PATIENCE) > 0;
}

/** Its packets one by one: the kernel cannot cut for this route, or a packet is too large for the device. */
static void apart(struct lane *lane, int fd, int i) {
  const struct outgoing *out = &lane->sender.messages[i];
  struct outgoing single = *out;
  for (uint32_t at = 0; at < out->length; at += out->segment) {
    single.at = out->at + at;
    single.length = out->length - at < out->segment ? out->length - at : out->segment;
    single.count = 1;
    struct outgoing kept = lane->sender.messages[i];
    lane->sender.messages[i] = single;
    compose(lane, i);
    lane->sender.messages[i] = kept;
    if (insist(lane, fd, &lane->headers[i].msg_hdr) < 0) tally(lane, COUNT_SEND_FAILURES, 1);
  }
}

/** Message `i` was refused. */
static void refused(struct lane *lane, int fd, int i, int error) {
  struct msghdr *message = &lane->headers[i].msg_hdr;
  if ((error == EINVAL || error == EMSGSIZE || error == EIO) && lane->sender.messages[i].count > 1) {
    apart(lane, fd, i);
    return;
  }
  const struct outgoing *out = &lane->sender.messages[i];
  bool full = error == EAGAIN || error == ENOBUFS;
  if (full) {
    // Once in a flush: what does not fit then is lost, and nothing else is held up.
    bool patient = lane->sender.patience > 0 && lane->sender.patience--;
    if (patient && await_room(fd) && insist(lane, fd, message) == 0) return;
  } else if (insist(lane, fd, message) == 0) {
    return;
  }
  if (error == EMSGSIZE && fd == lane->fds[SOURCE_AH4] && !out->df &&
      ah_send_fragments(fd, message, lane->sender.arena + out->at, out->length))
    return;
  tally(lane, full ? COUNT_SEND_FULL : COUNT_SEND_FAILURES, out->count);
}

static void transmit(struct lane *lane, enum source source, int from, int to) {
  int fd = lane->fds[source];
  if (fd < 0) {
    for (int i = from; i < to; i++) tally(lane, COUNT_SEND_FAILURES, lane->sender.messages[i].count);
    return;
  }
  for (int i = from; i < to;) {
    int sent;
    if (lane->uses & USE_MMSG && to - i > 1) {
      tally(lane, COUNT_SENDS, 1);
      sent = sendmmsg(fd, lane->headers + i, (unsigned)(to - i), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) sent = -errno;
    } else {
      sent = one(lane, fd, &lane->headers[i].msg_hdr) == 0 ? 1 : -errno;
    }
    if (sent > 0) {
      i += sent;
      continue;
    }
    refused(lane, fd, i, -sent);
    i++;
  }
}

/** A message's packets in one step. An AH packet over IPv4 has its IP header in front, which is not counted. */
static void account(const struct outgoing *out) {
  uint32_t header = out->sa->flags & SA_AH && out->sa->path.version == 4 ? IP_MIN : 0;
  carried(out->sa, out->length - out->count * header);
}

void lane_flush(struct lane *lane) {
  struct sender *sender = &lane->sender;
  int count = sender->count;
  sender->patience = 1;
  for (int i = 0; i < count; i++) {
    compose(lane, i);
    account(&sender->messages[i]);
  }
  for (int from = 0, to; from < count; from = to) {
    enum source source = socket_of(sender->messages[from].sa);
    bool df = sender->messages[from].df;
    for (to = from + 1; to < count; to++) {
      if (socket_of(sender->messages[to].sa) != source || sender->messages[to].df != df) break;
    }
    if (source != SOURCE_AH4) fragmenting(lane, source, df);
    transmit(lane, source, from, to);
  }
  tally(lane, COUNT_MESSAGES_OUT, (uint64_t)count);
  sender->count = 0;
  sender->used = 0;
}
