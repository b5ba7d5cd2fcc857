// Where there is no libFuzzer: a loop that makes inputs, changes what it has, and keeps the input that breaks a
// promise. `driver [--seconds N, 0 for no end] [--seed N] [--target N] [--keep FILE] [INPUT...]`; inputs are run once each.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"

enum { INPUT_MAX = 768, POOL = 256, TARGETS = 3 };

struct input {
  uint8_t bytes[INPUT_MAX];
  size_t size;
};

static struct input pool[POOL], current;
static const char *keep = "fuzz-failure";
static uint64_t state;

static uint32_t dice(uint32_t below) {
  // splitmix64
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return (uint32_t)((z ^ z >> 31) >> 16) % below;
}

/** Also what a sanitizer ends the process with. */
static void on_abort(int signal_number) {
  (void)signal_number;
  FILE *file = fopen(keep, "wb");
  if (file != NULL) {
    (void)fwrite(current.bytes, 1, current.size, file);
    (void)fclose(file);
  }
  fprintf(stderr, "the input is kept in %s\n", keep);
}

static void fresh(struct input *input) {
  input->size = 8 + dice(INPUT_MAX - 8);
  for (size_t i = 0; i < input->size; i++) input->bytes[i] = (uint8_t)dice(256);
}

static void change(struct input *input) {
  for (uint32_t i = 1 + dice(6); i > 0; i--) {
    size_t at = dice((uint32_t)input->size);
    switch (dice(5)) {
      case 0:
        input->bytes[at] = (uint8_t)dice(256);
        break;
      case 1:
        input->bytes[at] = (uint8_t)dice(50);
        break;
      case 2:
        input->bytes[at] ^= (uint8_t)(1u << dice(8));
        break;
      case 3: {
        const struct input *other = &pool[dice(POOL)];
        size_t length = dice((uint32_t)(input->size < other->size ? input->size : other->size));
        memcpy(input->bytes, other->bytes, length);
        break;
      }
      default:
        input->size = at < 8 ? 8 : at;
    }
  }
}

static void run_file(const char *name) {
  FILE *file = fopen(name, "rb");
  if (file == NULL) {
    perror(name);
    exit(2);
  }
  current.size = fread(current.bytes, 1, sizeof current.bytes, file);
  (void)fclose(file);
  LLVMFuzzerTestOneInput(current.bytes, current.size);
  printf("%s: nothing broken\n", name);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  double seconds = 10;
  int target = -1, files = 0;
  uint64_t seed = (uint64_t)time(NULL);
  signal(SIGABRT, on_abort);
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "--seconds") == 0) seconds = atof(value), i++;
    else if (strcmp(argv[i], "--seed") == 0) seed = strtoull(value, NULL, 0), i++;
    else if (strcmp(argv[i], "--target") == 0) target = atoi(value), i++;
    else if (strcmp(argv[i], "--keep") == 0) keep = value, i++;
    else run_file(argv[i]), files++;
  }
  if (files > 0) return 0;
  state = seed;
  for (int i = 0; i < POOL; i++) fresh(&pool[i]);
  uint64_t runs = 0;
  for (double end = now() + seconds; seconds == 0 || runs % 64 != 0 || now() < end; runs++) {
    if (dice(4) == 0) fresh(&current);
    else current = pool[dice(POOL)], change(&current);
    current.bytes[0] = (uint8_t)(target >= 0 ? target : (int)dice(TARGETS));
    LLVMFuzzerTestOneInput(current.bytes, current.size);
    if (dice(8) == 0) pool[dice(POOL)] = current;
  }
  printf("seed %llu: %llu runs, nothing broken; %llu packets joined, %llu cut and framed\n", (unsigned long long)seed,
         (unsigned long long)runs, (unsigned long long)counters[COUNT_JOINED],
         (unsigned long long)counters[COUNT_SEGMENTS_OUT]);
  return 0;
}
