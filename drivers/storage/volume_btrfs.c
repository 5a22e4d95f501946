/* Volumes that are a subvolume, where the store is btrfs; with a size, by its quotas (linux/btrfs.h). */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/view_quota.h"
#include "drivers/storage/volume.h"
#include "lib/cleanup.h"
#include "lib/error.h"

#define NO_LIMIT UINT64_MAX

/* Somebody took the group away that every subvolume has. What is there already counts once it has been looked through. */
static int make_group(int folder, uint64_t id)
{
    struct btrfs_ioctl_qgroup_create_args group = {.create = 1, .qgroupid = id};
    struct btrfs_ioctl_quota_rescan_args rescan = {0};
    int result = ioctl(folder, BTRFS_IOC_QGROUP_CREATE, &group);
    ioctl(folder, BTRFS_IOC_QUOTA_RESCAN, &rescan);
    return result;
}

/* Asked of the folder that it lies in: what is full takes no change of its own bound (EDQUOT). */
static int limit(int folder, int subvolume, int64_t size, struct error *error)
{
    struct btrfs_ioctl_qgroup_limit_args limit = {
        .lim = {.flags = BTRFS_QGROUP_LIMIT_MAX_RFER, .max_rfer = size ? (uint64_t)size : NO_LIMIT}};
    uint64_t id;
    view_quota(subvolume, &id);
    limit.qgroupid = id;
    if (ioctl(folder, BTRFS_IOC_QGROUP_LIMIT, &limit) == 0)
        return 0;
    if (!size && (errno == ENOTCONN || errno == ENOENT))
        return 0;
    if (errno == ENOENT && make_group(folder, id) == 0 && ioctl(folder, BTRFS_IOC_QGROUP_LIMIT, &limit) == 0)
        return 0;
    if (errno == ENOTCONN)
        return error_set(error, -ENOTCONN, "the store has no quotas: btrfs quota enable turns them on");
    return error_errno(error, -errno, "cannot limit its subvolume");
}

/* Its descriptor. */
static int make_subvolume(int folder, const char *name, const struct volume_source *source,
                          struct error *error)
{
    struct btrfs_ioctl_vol_args arguments = {0};
    snprintf(arguments.name, sizeof(arguments.name), "%s", name);
    if (ioctl(folder, BTRFS_IOC_SUBVOL_CREATE, &arguments) < 0 && errno != EEXIST)
        return errno == ENOTTY ? error_set(error, -ENOTTY, "the store is not on btrfs")
                               : error_errno(error, -errno, "cannot make its subvolume");
    _cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(error, -errno, "cannot open its subvolume");
    int result = limit(folder, fd, source->size, error);
    return result < 0 ? result : TAKE_FD(fd);
}

static int make(int folder, const struct volume_source *source, const struct call *call, struct error *error)
{
    (void)call;
    _cleanup_close_ int fd = make_subvolume(folder, "data", source, error);
    return fd < 0 ? fd : 0;
}

static int begin(int folder, const struct volume_source *source, const struct call *call, struct error *error)
{
    (void)call;
    int result = tree_remove(folder, "data.new", error);
    return result < 0 ? result : make_subvolume(folder, "data.new", source, error);
}

const struct volume_kind volume_btrfs = {
    .name = "btrfs", .make = make, .begin = begin, .commit = volume_dir_commit, .tree = volume_dir_tree};
