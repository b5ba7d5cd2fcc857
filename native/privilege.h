// Who a process is to be.

#ifndef ESPALIER_PRIVILEGE_H
#define ESPALIER_PRIVILEGE_H

#include <sys/types.h>

#include "espalier.h"

enum { GROUPS_MAX = 256 };

struct user {
  uid_t uid;
  gid_t gid;
  size_t count;
  gid_t groups[GROUPS_MAX];
};

/** Keys are in this process's memory, and are to be nowhere else. */
int forbid_dumps(const char **call);
int find_user(const char *name, struct user *user, const char **call);
/** `keep` has a bit for each capability below 32; without a user this one stays. Returns only when it has failed. */
int start_anew(uint32_t keep, const struct user *user, char *const argv[], char *const env[], const char **call);

#endif
