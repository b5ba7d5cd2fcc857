// A process that becomes less. Capabilities, user and no_new_privs belong to threads, and when JavaScript can ask for
// anything V8 has long started threads of its own. So the thread that asks reduces itself and starts the program anew:
// execve(2) ends all others, and whatever the new program starts has no more than this thread had.

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "privilege.h"

enum { CAPABILITIES = 64 };

// On 32-bit machines the old names are of calls that know 16 bits of a user.
#ifdef SYS_setresuid32
enum { SET_GROUPS = SYS_setgroups32, SET_GROUP = SYS_setresgid32, SET_USER = SYS_setresuid32 };
#else
enum { SET_GROUPS = SYS_setgroups, SET_GROUP = SYS_setresgid, SET_USER = SYS_setresuid };
#endif

/** A thread's sets, as capget(2) and capset(2) have them: two words each. */
struct sets {
  struct __user_cap_data_struct word[2];
};

static int capabilities(long call, struct sets *sets) {
  struct __user_cap_header_struct self = {.version = _LINUX_CAPABILITY_VERSION_3};
  return syscall(call, &self, sets->word) != 0 ? -errno : 0;
}

static bool holds(const struct sets *sets, unsigned capability) {
  return (sets->word[capability / 32].effective >> capability % 32 & 1) != 0;
}

static int bound(uint32_t keep) {
  for (unsigned capability = 0; capability < CAPABILITIES; capability++) {
    if (capability < 32 && keep >> capability & 1) continue;
    // The kernel does not know so many.
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) < 0) break;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return -errno;
  }
  return 0;
}

/** Not through glibc: its functions would make every thread follow, and all others end here. */
static int become(const struct user *user) {
  if (syscall(SET_GROUPS, user->count, user->groups) != 0) return -errno;
  if (syscall(SET_GROUP, user->gid, user->gid, user->gid) != 0) return -errno;
  return syscall(SET_USER, user->uid, user->uid, user->uid) != 0 ? -errno : 0;
}

/** What execve(2) leaves to a program that has no capabilities of its own. */
static int ambient(uint32_t keep) {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return -errno;
  for (unsigned capability = 0; capability < 32; capability++)
    if (keep >> capability & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return -errno;
  return 0;
}

/** capabilities(7): being root is worth nothing any more, now and for ever. */
static const unsigned long LOCKED = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                    SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                    SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

/** There is no way back from the middle: whoever gets an error must end. */
static int reduce(uint32_t keep, const struct user *user, const char **call) {
  struct sets sets;
  int error;
  *call = "prctl(PR_SET_NO_NEW_PRIVS)";
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
  *call = "capget";
  if ((error = capabilities(SYS_capget, &sets)) != 0) return error;
  // In a container root may lack this one; no_new_privs alone then keeps what is dropped here from coming back.
  bool may_bind = holds(&sets, CAP_SETPCAP);
  *call = "prctl(PR_CAPBSET_DROP)";
  if (may_bind && (error = bound(keep)) != 0) return error;
  if (user != NULL) {
    *call = "prctl(PR_SET_KEEPCAPS)";
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return -errno;
    *call = "setresuid";
    if ((error = become(user)) != 0) return error;
  }
  keep &= sets.word[0].permitted;
  for (int i = 0; i < 2; i++) {
    // Another user has all permitted, none effective; and some of it is needed for what follows.
    sets.word[i].effective = sets.word[i].permitted;
    sets.word[i].inheritable = i == 0 ? keep : 0;
  }
  *call = "capset";
  if ((error = capabilities(SYS_capset, &sets)) != 0) return error;
  *call = "prctl(PR_CAP_AMBIENT)";
  if ((error = ambient(keep)) != 0) return error;
  *call = "prctl(PR_SET_SECUREBITS)";
  // Others may be locked already, as those of Linux 6.14 for interpreters: taking one away is refused.
  int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
  if (may_bind && (bits < 0 || prctl(PR_SET_SECUREBITS, (unsigned long)bits | LOCKED, 0, 0, 0) != 0)) return -errno;
  sets = (struct sets){{{keep, keep, keep}, {0, 0, 0}}};
  *call = "capset";
  return capabilities(SYS_capset, &sets);
}

int start_anew(uint32_t keep, const struct user *user, char *const argv[], char *const env[], const char **call) {
  int error = reduce(keep, user, call);
  if (error != 0) return error;
  // Node has marked what it inherited, so that no child inherits it in turn.
  *call = "fcntl(F_SETFD)";
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_SETFD, 0) != 0) return -errno;
  *call = "execve";
  execve(argv[0], argv, env);
  return -errno;
}

int forbid_dumps(const char **call) {
  struct rlimit none = {0, 0};
  *call = "setrlimit(RLIMIT_CORE)";
  if (setrlimit(RLIMIT_CORE, &none) != 0) return -errno;
  // No limit holds for a program that the kernel pipes dumps to (core(5)); and execve(2) takes this back.
  *call = "prctl(PR_SET_DUMPABLE)";
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ? -errno : 0;
}

int find_user(const char *name, struct user *user, const char **call) {
  struct passwd entry, *found;
  char text[4096];
  *call = "getpwnam";
  int error = getpwnam_r(name, &entry, text, sizeof text, &found);
  if (error != 0 || found == NULL) return error != 0 ? -error : -ENOENT;
  user->uid = entry.pw_uid;
  user->gid = entry.pw_gid;
  int count = GROUPS_MAX;
  *call = "getgrouplist";
  if (getgrouplist(name, entry.pw_gid, user->groups, &count) < 0) return -E2BIG;
  user->count = (size_t)count;
  return 0;
}
