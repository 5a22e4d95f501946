/* Volumes into and out of a running container, from outside and below its own feet.
 *
 * Everything of the container is reached through one handle of /proc/PID, taken after the pidfd and checked
 * against init's start time, so that a recycled pid is noticed. Targets are resolved in the container's root
 * before a child enters its mount namespace; afterwards nothing is looked up by path any more.
 *
 * Two kinds of mounts are met on the way out. Those attached live are unmounted in the guest's namespace. Those
 * that were there at start are locked in it (it belongs to the guest's user namespace, see mount_namespaces(7)):
 * they go by unmounting them below the merged root on the host, from where it propagates. */
#include "drivers/storage/live.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "drivers/storage/data.h"
#include "drivers/storage/guest_path.h"
#include "drivers/storage/idmap.h"
#include "drivers/storage/root.h"
#include "drivers/storage/storage.h"
#include "drivers/storage/view_mounts.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define PROC_LIMIT ((size_t)1024 * 1024)

struct guest {
    int pidfd, proc, root;
    int user_namespace; /* -1: the host's own */
    int64_t id_base;
};

static void cleanup_guest(struct guest *guest)
{
    cleanup_close(&guest->pidfd);
    cleanup_close(&guest->proc);
    cleanup_close(&guest->root);
    cleanup_close(&guest->user_namespace);
}
#define _cleanup_guest_ _cleanup_(cleanup_guest)
#define NO_GUEST                                                                                             \
    {                                                                                                        \
        .pidfd = -1, .proc = -1, .root = -1, .user_namespace = -1                                            \
    }

static int check_request(const struct volume_attach *request, struct error *error)
{
    int result = root_check_name(request->lxc_name, error);
    if (result == 0 && !guest_path_is_clean(request->path))
        return error_set(error, -EINVAL, "\"%s\" is not a clean absolute path", request->path);
    if (result == 0 && request->init_pid <= 1)
        return error_set(error, -ESRCH, "%s does not run", request->lxc_name);
    return result;
}

/* Field 22 of /proc/PID/stat; the name in field 2 may hold anything, also spaces and brackets. */
static int check_start(const struct guest *guest, const struct volume_attach *request, struct error *error)
{
    _cleanup_buffer_ struct buffer stat = {0};
    int result = buffer_read_file(&stat, guest->proc, "stat", PROC_LIMIT, error);
    if (result < 0)
        return result;
    const char *at = strrchr(stat.bytes, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at || strtoll(at + 1, NULL, 10) != request->init_start)
        return error_set(error, -ESRCH, "%s: process %lld is not its init any more", request->lxc_name,
                         (long long)request->init_pid);
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

static int open_guest(const struct volume_attach *request, struct guest *guest, struct error *error)
{
    char path[64];
    guest->pidfd = pidfd_open((pid_t)request->init_pid, 0);
    snprintf(path, sizeof(path), "/proc/%lld", (long long)request->init_pid);
    if (guest->pidfd >= 0)
        guest->proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (guest->pidfd < 0 || guest->proc < 0)
        return error_set(error, -ESRCH, "%s: process %lld is gone", request->lxc_name,
                         (long long)request->init_pid);
    int result = check_start(guest, request, error);
    if (result < 0)
        return result;
    guest->root = openat(guest->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (guest->root < 0)
        return error_errno(error, -errno, "root of %s", request->lxc_name);
    return open_user_namespace(guest, error);
}

/* Runs `work` in a child, because whoever joins a mount namespace loses his own root and working folder. The
 * child makes system calls only. Returns what `work` returned: a negative errno or 0. */
static int in_mount_namespace(const struct guest *guest, int (*work)(int fd, int target), int fd, int target)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_close_ int reader = ends[0];
    pid_t pid = fork();
    if (pid == 0) {
        int code = setns(guest->pidfd, CLONE_NEWNS) < 0 ? -errno : work(fd, target);
        ssize_t written = write(ends[1], &code, sizeof(code));
        _exit(written == sizeof(code) ? 0 : 1);
    }
    int code = -errno;
    close(ends[1]);
    if (pid < 0)
        return code;
    if (read(reader, &code, sizeof(code)) != sizeof(code))
        code = -EIO;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return code;
}

static int work_move(int tree, int target)
{
    return move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? -errno
                                                                                                   : 0;
}

static int work_unmount(int unused, int target)
{
    (void)unused;
    return fchdir(target) < 0 || umount2(".", MNT_DETACH) < 0 ? -errno : 0;
}

/* The volume of ours that is mounted at the path, topmost; NULL: none. */
static int find_volume(const struct paths *paths, const struct guest *guest, const char *path,
                       const struct call *call, const struct mount_entry **found, const char **volume,
                       struct error *error)
{
    char table[64];
    struct mount_origin origin;
    struct mount_entries entries = {0};
    snprintf(table, sizeof(table), "/proc/self/fd/%d/mountinfo", guest->proc);
    *found = NULL;
    *volume = NULL;
    int result = mount_origin_of(paths->volumes, call->arena, &origin, error);
    if (result == 0)
        result = mounts_read(table, call->arena, &entries, error);
    for (size_t i = 0; result == 0 && i < entries.count; i++) {
        const char *name = mount_volume(&origin, call->arena, &entries.items[i]);
        if (!name || strcmp(entries.items[i].point, path) != 0)
            continue;
        *found = &entries.items[i];
        *volume = name;
    }
    return result;
}

int live_attach(const struct paths *paths, const struct volume_attach *request, const struct call *call,
                struct error *error)
{
    _cleanup_guest_ struct guest guest = NO_GUEST;
    const struct mount_entry *entry;
    const char *volume;
    int result = check_request(request, error);
    if (result == 0 && !request->file)
        result = error_set(error, -EINVAL, "%s: no volume is named", request->path);
    if (result == 0)
        result = data_check_name(request->file, error);
    if (result == 0)
        result = open_guest(request, &guest, error);
    if (result == 0)
        result = volume_make(paths, request->file, NULL, error);
    if (result == 0) /* it has a life from now on, and is filled no more at a later start */
        result = volume_mark_used(paths, request->file, error);
    if (result == 0)
        result = find_volume(paths, &guest, request->path, call, &entry, &volume, error);
    if (result < 0 || (volume && strcmp(volume, request->file) == 0))
        return result;
    if (volume)
        return error_set(error, -EBUSY, "%s in %s holds volume %s", request->path, request->lxc_name, volume);
    _cleanup_close_ int tree = volume_tree(paths, request->file, guest.user_namespace, error);
    if (tree < 0)
        return tree;
    _cleanup_identity_ struct identity identity = {0};
    result = identity_take(&identity, guest.id_base, error);
    if (result < 0)
        return result;
    _cleanup_close_ int target = guest_open_folder(guest.root, request->path, error);
    identity_drop(&identity);
    if (target < 0)
        return target;
    result = in_mount_namespace(&guest, work_move, tree, target);
    return result < 0
               ? error_errno(error, result, "cannot mount at %s in %s", request->path, request->lxc_name)
               : 0;
}

/* Opens what is mounted at the path and proves that it is that very mount: the guest may swap paths meanwhile. */
static int open_mounted(const struct guest *guest, const struct volume_attach *request,
                        const struct mount_entry *entry, struct error *error)
{
    struct statx status;
    _cleanup_close_ int target = guest_open(guest->root, request->path, O_DIRECTORY, error);
    if (target < 0)
        return target;
    if (statx(target, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &status) < 0)
        return error_errno(error, -errno, "%s in %s", request->path, request->lxc_name);
    if (!(status.stx_attributes & STATX_ATTR_MOUNT_ROOT) || status.stx_mnt_id != (uint64_t)entry->id)
        return error_set(error, -EBUSY, "%s in %s is covered by another mount", request->path,
                         request->lxc_name);
    return TAKE_FD(target);
}

/* The same volume below the merged root on the host. */
static int unmount_on_host(const struct paths *paths, const struct volume_attach *request,
                           const struct call *call, struct error *error)
{
    struct mount_entries entries = {0};
    _cleanup_free_ char *mounts = realpath(paths->mounts, NULL);
    int result = mounts ? mounts_read("/proc/self/mountinfo", call->arena, &entries, error) : -ENOENT;
    const char *base = arena_printf(call->arena, "%s/%s", mounts ? mounts : "", request->lxc_name);
    const char *point = arena_printf(call->arena, "%s%s", base, request->path);
    for (size_t i = entries.count; result == 0 && i-- > 0;)
        if (strcmp(entries.items[i].point, point) == 0)
            return unmount_inside(base, &entries.items[i], error);
    return error_set(error, -EBUSY, "%s is locked in %s until its next start", request->path,
                     request->lxc_name);
}

int live_detach(const struct paths *paths, const struct volume_attach *request, const struct call *call,
                struct error *error)
{
    _cleanup_guest_ struct guest guest = NO_GUEST;
    const struct mount_entry *entry;
    const char *volume;
    int result = check_request(request, error);
    if (result == 0)
        result = open_guest(request, &guest, error);
    if (result == 0)
        result = find_volume(paths, &guest, request->path, call, &entry, &volume, error);
    if (result < 0 || !entry)
        return result;
    _cleanup_close_ int target = open_mounted(&guest, request, entry, error);
    if (target < 0)
        return target;
    result = in_mount_namespace(&guest, work_unmount, -1, target);
    if (result == -EINVAL) /* locked */
        result = unmount_on_host(paths, request, call, error);
    else if (result < 0)
        return error_errno(error, result, "cannot unmount %s in %s", request->path, request->lxc_name);
    if (result == 0)
        result = find_volume(paths, &guest, request->path, call, &entry, &volume, error);
    if (result == 0 && entry)
        return error_set(error, -EBUSY, "%s in %s is still mounted", request->path, request->lxc_name);
    return result;
}
