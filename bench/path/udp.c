// UDP at as little cost as can be (sendmmsg, recvmmsg): a generator and a sink, to count packets.
//
//   udp sink PORT                           prints "ready", and on SIGTERM "rx PACKETS LATE": LATE came behind a later one
//   udp send IP PORT SIZE RATE SECONDS      prints "tx PACKETS SECONDS"; SIZE is the payload, at least 8; RATE 0 is flat out

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, ROOM = 2048, BUFFER = 8 << 20 };

static uint8_t packets[BATCH][ROOM];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];
static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static int fail(const char *what) {
  perror(what);
  return 1;
}

static void prepare(size_t size) {
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){packets[i], size};
    messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
  }
}

static int sink(int port) {
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  int fd = socket(AF_INET, SOCK_DGRAM, 0), buffer = BUFFER;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  // A signal between the look at `stopped` and the wait would be slept through.
  struct timeval patience = {.tv_usec = 50000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return fail("bind");
  puts("ready");
  fflush(stdout);
  prepare(ROOM);
  unsigned long received = 0, late = 0;
  uint64_t newest = 0;
  while (!stopped) {
    int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    for (int i = 0; i < count; i++) {
      uint64_t number;
      memcpy(&number, packets[i], sizeof number);
      if (number < newest) late++;
      else newest = number;
    }
    if (count > 0) received += count;
  }
  printf("rx %lu %lu\n", received, late);
  return 0;
}

/** How many leave at once: at most 0.4 ms of traffic. */
static int batch(double rate) {
  if (rate <= 0 || rate > 200000) return BATCH;
  return rate > 20000 ? 8 : 1;
}

/** Until then; the last moments awake, since a sleep is never that exact. */
static void wait_for(double due) {
  for (double left; (left = due - now()) > 0;) {
    if (left > 30e-6) nanosleep(&(struct timespec){.tv_nsec = (left - 20e-6) * 1e9}, NULL);
  }
}

static int send_all(const char *ip, int port, size_t size, double rate, double seconds) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, ip, &address.sin_addr) != 1) return fail(ip);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) return fail("connect");
  prepare(size);
  uint64_t sent = 0;
  double start = now();
  while (now() - start < seconds) {
    if (rate > 0) wait_for(start + sent / rate);
    int count = batch(rate);
    for (int i = 0; i < count; i++) {
      uint64_t number = sent + i;
      memcpy(packets[i], &number, sizeof number);
    }
    int done = sendmmsg(fd, messages, count, 0);
    if (done > 0) sent += done;
    else if (errno != ECONNREFUSED && errno != ENOBUFS) return fail("sendmmsg");
  }
  printf("tx %lu %.4f\n", (unsigned long)sent, now() - start);
  return 0;
}

int main(int count, char **words) {
  if (count == 3 && strcmp(words[1], "sink") == 0) return sink(atoi(words[2]));
  if (count == 7 && strcmp(words[1], "send") == 0) {
    int size = atoi(words[4]);
    if (size >= 8 && size <= ROOM) return send_all(words[2], atoi(words[3]), size, atof(words[5]), atof(words[6]));
  }
  fputs("udp sink PORT | udp send IP PORT SIZE RATE SECONDS\n", stderr);
  return 2;
}
