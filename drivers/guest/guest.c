#include "drivers/guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "drivers/guest/errand.h"
#include "drivers/guest/lock_tree.h"
#include "drivers/guest/view_look.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define PROC_LIMIT ((size_t)1024 * 1024)

/* Field 22 of /proc/PID/stat; the name in field 2 may hold anything, also spaces and brackets. */
static int check_start(const struct guest *guest, int64_t init_pid, int64_t init_start, struct error *error)
{
    _cleanup_buffer_ struct buffer stat = {0};
    int result = buffer_read_file(&stat, guest->proc, "stat", PROC_LIMIT, error);
    if (result < 0)
        return result;
    const char *at = strrchr(stat.bytes, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at || strtoll(at + 1, NULL, 10) != init_start)
        return error_set(error, -ESRCH, "%s: process %lld is not its init any more", guest->lxc_name,
                         (long long)init_pid);
    return 0;
}

static int open_user_namespace(struct guest *guest, struct error *error)
{
    struct stat own, theirs;
    _cleanup_close_ int fd = openat(guest->proc, "ns/user", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &theirs) < 0 || stat("/proc/self/ns/user", &own) < 0)
        return error_errno(error, -errno, "user namespace of the container");
    if (own.st_ino == theirs.st_ino && own.st_dev == theirs.st_dev)
        return 0;
    _cleanup_buffer_ struct buffer map = {0};
    int result = buffer_read_file(&map, guest->proc, "uid_map", PROC_LIMIT, error);
    long long inside, outside;
    if (result < 0)
        return result;
    if (sscanf(map.bytes, "%lld %lld", &inside, &outside) != 2 || inside != 0)
        return error_set(error, -EINVAL, "the container's root has no id on the host");
    guest->id_base = outside;
    guest->user_namespace = TAKE_FD(fd);
    return 0;
}

int guest_enter(const char *lxc_name, int64_t init_pid, int64_t init_start, struct guest *guest,
                struct error *error)
{
    char path[64];
    *guest = NO_GUEST;
    guest->lxc_name = lxc_name;
    if (init_pid <= 1)
        return error_set(error, -ESRCH, "%s does not run", lxc_name);
    guest->pidfd = pidfd_open((pid_t)init_pid, 0);
    snprintf(path, sizeof(path), "/proc/%lld", (long long)init_pid);
    if (guest->pidfd >= 0)
        guest->proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (guest->pidfd < 0 || guest->proc < 0)
        return error_set(error, -ESRCH, "%s: process %lld is gone", lxc_name, (long long)init_pid);
    int result = check_start(guest, init_pid, init_start, error);
    if (result < 0)
        return result;
    guest->root = openat(guest->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (guest->root < 0)
        return error_errno(error, -errno, "root of %s", lxc_name);
    return open_user_namespace(guest, error);
}

int guest_check_answers(const struct guest *guest, int64_t init_pid, const char *path, struct error *error)
{
    _cleanup_look_ struct look look = NO_LOOK;
    return look_inside(init_pid, guest->root, path, &look) == -ETIMEDOUT
               ? error_set(error, -EBUSY, "%s in %s: a file system there does not answer", path,
                           guest->lxc_name)
               : 0;
}

void guest_leave(struct guest *guest)
{
    cleanup_close(&guest->pidfd);
    cleanup_close(&guest->proc);
    cleanup_close(&guest->root);
    cleanup_close(&guest->user_namespace);
}

struct task {
    int tree; /* -1: unmount */
    int target;
    const char *name; /* of what is to be unmounted in `target`; NULL: that itself */
};

static int move_tree(const struct task *task)
{
    return move_mount(task->tree, "", task->target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
               ? -errno
               : 0;
}

static int unmount_target(const struct task *task)
{
    return fchdir(task->target) < 0 ||
                   umount2(task->name ? task->name : ".", MNT_DETACH | (task->name ? UMOUNT_NOFOLLOW : 0)) < 0
               ? -errno
               : 0;
}

struct visit {
    const struct guest *guest;
    const struct task *task;
};

static int visit(const void *context)
{
    const struct visit *of = context;
    if (setns(of->guest->pidfd, CLONE_NEWNS) < 0)
        return -errno;
    return of->task->tree >= 0 ? move_tree(of->task) : unmount_target(of->task);
}

/* Whoever joins a mount namespace loses his own root and working folder. */
static int in_child(const struct guest *guest, const struct task *task)
{
    return errand_run(visit, &(struct visit){.guest = guest, .task = task}, 0);
}

int guest_move(const struct guest *guest, int tree, bool locked, int target)
{
    struct task task = {.tree = tree, .target = target};
    int result = locked ? tree_lock_flags(tree, guest->user_namespace, NULL) : 0;
    return result < 0 ? result : in_child(guest, &task);
}

int guest_unmount(const struct guest *guest, int target, const char *name)
{
    struct task task = {.tree = -1, .target = target, .name = name};
    return in_child(guest, &task);
}
