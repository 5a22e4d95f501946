/* User namespaces for id-mapped mounts, detached copies of trees, and a file-system identity in a range. */
#include "drivers/guest/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/error.h"

static int write_map(pid_t pid, const char *name, int64_t base, struct error *error)
{
    char path[64], map[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    int length = snprintf(map, sizeof(map), "0 %lld %d\n", (long long)base, ID_RANGE);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, map, (size_t)length) != length)
        return error_errno(error, -errno, "cannot map ids %lld and up", (long long)base);
    return 0;
}

static int open_mapped(pid_t pid, int64_t base, struct error *error)
{
    char path[64];
    int result = write_map(pid, "uid_map", base, error);
    if (result == 0)
        result = write_map(pid, "gid_map", base, error);
    if (result < 0)
        return result;
    snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? error_errno(error, -errno, "%s", path) : fd;
}

/* Runs in the parent's memory, with all signals blocked: it must not return from a system call that could fail, for
 * errno is the parent's too. */
static int hold_namespace(void *parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() ==
        *(const pid_t *)parent) /* else it died before it could be told so, and our files are its locks */
        pause();
    return 0;
}

/* A namespace begins with a process in it and lives on through a descriptor: a child waits, to be killed, until its
 * maps are written. It shares our memory, as copying that would cost more than all the rest; and it is reaped late, as
 * waiting for its end on another processor would cost as much again. */
int user_namespace_make(struct user_namespace *made, int64_t base, struct error *error)
{
    static _Alignas(16) char stack[16 * 1024];
    sigset_t all, before;
    pid_t self = getpid();
    *made = NO_USER_NAMESPACE;
    if (base <= 0 || base > UINT32_MAX - ID_RANGE)
        return error_set(error, -EINVAL, "ids cannot begin at %lld", (long long)base);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = clone(hold_namespace, stack + sizeof(stack), CLONE_NEWUSER | CLONE_VM, &self);
    int result =
        pid < 0 ? error_errno(error, -errno, "cannot make a user namespace") : open_mapped(pid, base, error);
    if (pid > 0)
        kill(pid, SIGKILL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    *made = (struct user_namespace){.fd = result < 0 ? -1 : result, .holder = pid > 0 ? pid : 0};
    return result < 0 ? result : 0;
}

void user_namespace_close(struct user_namespace *made)
{
    if (made->fd >= 0)
        close(made->fd);
    while (made->holder && waitpid(made->holder, NULL, __WALL) < 0 && errno == EINTR)
        ;
    *made = NO_USER_NAMESPACE;
}

int tree_clone(int directory, const char *path, uint64_t attributes, int user_namespace, struct error *error)
{
    _cleanup_close_ int tree =
        open_tree(directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0u : AT_EMPTY_PATH));
    if (tree < 0)
        return error_errno(error, -errno, "cannot copy the mount of %s", path);
    int result = tree_set_up(tree, attributes, user_namespace, error);
    return result < 0 ? error_wrap(error, result, "%s", path) : TAKE_FD(tree);
}

/* Private: as a peer of the mount it came from, what is mounted on it would appear there too. */
int tree_set_up(int tree, uint64_t attributes, int user_namespace, struct error *error)
{
    struct mount_attr change = {.attr_set = attributes, .propagation = MS_PRIVATE};
    if (user_namespace >= 0) {
        change.attr_set |= MOUNT_ATTR_IDMAP;
        change.userns_fd = (uint64_t)user_namespace;
    }
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &change, sizeof(change)) == 0)
        return 0;
    if (errno == EINVAL && user_namespace >= 0)
        return error_set(error, -EINVAL, "its file system does not support id-mapped mounts");
    return error_errno(error, -errno, "cannot set its mount up");
}

/* A change of the ids on files makes the kernel forget the signal that the parent's death sends (commit_creds()). */
static void set_file_ids(uid_t uid, gid_t gid, int death_signal)
{
    pid_t parent = getppid();
    setfsuid(uid);
    setfsgid(gid);
    prctl(PR_SET_PDEATHSIG, death_signal);
    if (death_signal && getppid() != parent)
        raise(death_signal); /* it died meanwhile */
}

int identity_take(struct identity *identity, int64_t base, struct error *error)
{
    *identity = (struct identity){0};
    if (base == 0)
        return 0;
    identity->securebits = prctl(PR_GET_SECUREBITS);
    if (identity->securebits < 0 || prctl(PR_GET_PDEATHSIG, &identity->death_signal) < 0 ||
        prctl(PR_SET_SECUREBITS, identity->securebits | SECBIT_NO_SETUID_FIXUP) < 0)
        return error_errno(error, -errno, "cannot set securebits");
    identity->taken = true;
    set_file_ids((uid_t)base, (gid_t)base, identity->death_signal);
    /* Both report the previous value whatever happens; an invalid id changes nothing and reads back the present one. */
    if (setfsuid((uid_t)-1) == (int)base && setfsgid((gid_t)-1) == (int)base)
        return 0;
    identity_drop(identity);
    return error_set(error, -EPERM, "cannot act as id %lld on files", (long long)base);
}

void identity_drop(struct identity *identity)
{
    if (!identity->taken)
        return;
    set_file_ids(geteuid(), getegid(), identity->death_signal);
    prctl(PR_SET_SECUREBITS, identity->securebits);
    identity->taken = false;
}
