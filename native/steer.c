// Which thread gets which packet: socket filters in classic BPF (Documentation/networking/filter). An SPI names its
// worker by its remainder.

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include "espalier.h"

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

#define INSTRUCTIONS(code) {.len = sizeof code / sizeof code[0], .filter = code}

/**
 * In a group of sockets on one port the first belongs to the main thread, and gets IKE: four zero bytes, or less than
 * four bytes (RFC 3948 §2.2, §2.3). The program sees a datagram from its payload on; what is too short reads as zero.
 */
int steer_group(int fd, uint32_t workers) {
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0),
    BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, workers),
    BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
    BPF_STMT(BPF_RET | BPF_A, 0),
  };
  struct sock_fprog program = INSTRUCTIONS(code);
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) != 0 ? -errno : 0;
}

/** A raw socket sees every packet of its protocol: only those of one worker may fill its buffer. */
int steer_raw(int fd, int version, uint32_t spi_at, uint32_t workers, uint32_t index) {
  // Raw IPv4 sockets filter from the IP header on, raw IPv6 ones from what follows it.
  struct sock_filter v4[] = {
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    BPF_STMT(BPF_LD | BPF_W | BPF_IND, spi_at),
    BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, workers),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, index, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_filter v6[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, spi_at),
    BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, workers),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, index, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog for4 = INSTRUCTIONS(v4), for6 = INSTRUCTIONS(v6);
  struct sock_fprog *program = version == 4 ? &for4 : &for6;
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, sizeof *program) != 0 ? -errno : 0;
}
