// Transport mode on the way in: the packet that was there before, with an IP header made of the outer one (RFC 4303
// §3.4.4, RFC 3948 §3.1.2). There is no room in front of what was decrypted, so it moves to an arena of its own.

#include <string.h>

#include "checksum.h"
#include "lane.h"

enum { ECN = 3 };

void set_class(uint8_t *packet, uint8_t class) {
  if (packet[0] >> 4 == 6) {
    packet[0] = (uint8_t)(0x60 | class >> 4);
    packet[1] = (uint8_t)((packet[1] & 15) | class << 4);
    return;
  }
  change16(packet + 10, packet[1], class);
  packet[1] = class;
}

/** RFC 3948 §3.1.2: a NAT on the way changed the addresses that the checksum counts. */
static void correct_checksum(uint8_t *packet, size_t header, size_t size, uint8_t protocol) {
  size_t field = header + (protocol == IPPROTO_TCP ? 16 : 6);
  if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) || field + 2 > size) return;
  if (protocol == IPPROTO_UDP && packet[field] == 0 && packet[field + 1] == 0) return;
  packet[field] = packet[field + 1] = 0;
  uint16_t sum = checksum_of(sum_of(packet + header, size - header) + pseudo_sum(packet, protocol, size - header));
  put_checksum(packet + field, protocol == IPPROTO_UDP ? never_zero(sum) : sum);
}

/** NULL when there is no room, or more than an IP packet can hold. `size` grows by the header. */
uint8_t *rebuild(struct lane *lane, const struct sa *sa, const int32_t *message, const uint8_t *payload, size_t *size,
                 uint8_t next) {
  bool v4 = (message[MESSAGE_KIND] & 15) == 4;
  size_t header = v4 ? 20 : 40, total = header + *size;
  if (total > 65535 || lane->rebuilt + total + VNET + 64 > REBUILD_SIZE) return NULL;
  uint8_t *packet = lane->rx + BATCH * RX_STRIDE + lane->rebuilt + VNET;
  lane->rebuilt += (uint32_t)((total + VNET + 63) / 64 * 64);
  uint8_t class = (uint8_t)message[MESSAGE_CLASS], hops = (uint8_t)message[MESSAGE_HEADER];
  memset(packet, 0, header);
  if (v4) {
    packet[0] = 0x45;
    put16(packet + 2, (uint32_t)total);
    packet[6] = 0x40;
    packet[8] = hops == 0 ? 64 : hops;
    packet[9] = next;
    put32(packet + 12, (uint32_t)message[MESSAGE_REMOTE]);
    put32(packet + 16, (uint32_t)message[MESSAGE_LOCAL]);
  } else {
    packet[0] = 0x60;
    put16(packet + 4, (uint32_t)*size);
    packet[6] = next;
    packet[7] = hops == 0 ? 64 : hops;
    for (int i = 0; i < 4; i++) {
      put32(packet + 8 + 4 * i, (uint32_t)message[MESSAGE_REMOTE + i]);
      put32(packet + 24 + 4 * i, (uint32_t)message[MESSAGE_LOCAL + i]);
    }
  }
  memcpy(packet + header, payload, *size);
  if (v4) seal_ipv4(packet, header);
  set_class(packet, class);
  if (sa->flags & SA_NATTED) correct_checksum(packet, header, total, next);
  *size = total;
  return packet;
}
