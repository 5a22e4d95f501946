/* Removal of whole trees. Owners of what lies in a layer are its guests: nothing in it is trusted, everything is
 * opened by handle below the folder before it, and no mount below is entered. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "drivers/storage/tree.h"
#include "lib/cleanup.h"
#include "lib/error.h"

/* A privileged guest may have set the immutable or append-only flag; both answer with EPERM. */
static int clear_flags(int directory, const char *name)
{
    _cleanup_close_ int fd = openat(directory, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    int flags;
    if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
        return -EPERM;
    flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
    return ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 ? -errno : 0;
}

/* Gone is gone: another worker may be at the same leftovers. */
static int unlink_one(int directory, const char *name, int flags)
{
    if (unlinkat(directory, name, flags) == 0 || errno == ENOENT)
        return 0;
    if (errno != EPERM || (clear_flags(directory, ".") < 0 && clear_flags(directory, name) < 0))
        return -errno;
    clear_flags(directory, name);
    return unlinkat(directory, name, flags) < 0 ? -errno : 0;
}

/* A subvolume has a device number of its own without being mounted; one with others in it cannot go as a whole. */
static bool is_mounted(int folder)
{
    struct statx status;
    return statx(folder, "", AT_EMPTY_PATH, STATX_TYPE, &status) < 0 ||
           status.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int remove_subvolume(int directory, const char *name)
{
    struct btrfs_ioctl_vol_args arguments = {0};
    snprintf(arguments.name, sizeof(arguments.name), "%s", name);
    return ioctl(directory, BTRFS_IOC_SNAP_DESTROY, &arguments) < 0 ? -errno : 0;
}

/* Nothing can be moved out of a read-only one, nor itself elsewhere. */
static void make_writable(int subvolume)
{
    __u64 flags;
    if (ioctl(subvolume, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0 || !(flags & BTRFS_SUBVOL_RDONLY))
        return;
    flags &= ~BTRFS_SUBVOL_RDONLY;
    ioctl(subvolume, BTRFS_IOC_SUBVOL_SETFLAGS, &flags);
}

/* A guest makes a tree as deep as it likes, and the parent of each level stays open: what lies deeper than DEPTH is moved
 * up to the top, and is removed from there in the next pass. Subvolumes lie in one another as deep, and folders cannot
 * leave theirs, while it can leave the one that it lies in: each is gone through by itself, below the top of all. */
#define DEPTH 100

struct removal {
    struct removal *all; /* of the tree that this is a subvolume of; NULL: it is all */
    int top;
    dev_t device;
    bool moved;          /* in this pass */
    unsigned long names; /* given so far */
};

/* Into a folder that hands its project's quota down comes nothing of another project. */
static void leave_project(int folder)
{
    struct fsxattr attributes;
    if (ioctl(folder, FS_IOC_FSGETXATTR, &attributes) < 0 || !(attributes.fsx_xflags & FS_XFLAG_PROJINHERIT))
        return;
    attributes.fsx_xflags &= ~(__u32)FS_XFLAG_PROJINHERIT;
    ioctl(folder, FS_IOC_FSSETXATTR, &attributes);
}

static int move_up(struct removal *removal, int folder, const char *name)
{
    char to[32];
    for (bool cleared = false;;) {
        snprintf(to, sizeof(to), TREE_LEFTOVER "%lu", removal->names++);
        if (renameat2(folder, name, removal->top, to, RENAME_NOREPLACE) == 0) {
            removal->moved = true;
            return 0;
        }
        if (errno == ENOENT)
            return 0;
        if ((errno == EPERM || errno == EXDEV) && !cleared) {
            clear_flags(folder, ".");
            clear_flags(folder, name);
            clear_flags(removal->top, ".");
            leave_project(removal->top);
            cleared = true;
        } else if (errno != EEXIST) {
            return -errno;
        }
    }
}

static int remove_below(struct removal *all, int folder, dev_t device);
static int remove_content(struct removal *removal, int folder, unsigned depth);

/* Another file system than that of the folder it lies in: a mount, or a subvolume. */
static int remove_other(struct removal *removal, int folder, int inner, dev_t device, const char *name,
                        unsigned depth)
{
    if (is_mounted(inner))
        return -EBUSY;
    if (remove_subvolume(folder, name) == 0)
        return 0;
    make_writable(inner);
    if (removal->all || depth > 0)
        return move_up(removal->all ? removal->all : removal, folder, name);
    int result = remove_below(removal, inner, device);
    return result < 0 ? result : unlink_one(folder, name, AT_REMOVEDIR);
}

static int remove_folder(struct removal *removal, int folder, int inner, const char *name, unsigned depth)
{
    if (depth == DEPTH)
        return move_up(removal, folder, name);
    int result = remove_content(removal, inner, depth + 1);
    return result < 0 ? result : unlink_one(folder, name, AT_REMOVEDIR);
}

static int remove_content(struct removal *removal, int folder, unsigned depth)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        int code = -errno;
        if (copy >= 0)
            close(copy);
        return code;
    }
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));) {
        const char *name = item->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (item->d_type != DT_DIR && unlinkat(folder, name, 0) == 0)
            continue;
        _cleanup_close_ int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat status;
        if (inner < 0 && errno == ENOENT)
            continue;
        if (inner < 0 && (errno == ENOTDIR || errno == ELOOP))
            result = unlink_one(folder, name, 0);
        else if (inner < 0 || fstat(inner, &status) < 0)
            result = -errno;
        else if (status.st_dev != removal->device)
            result = remove_other(removal, folder, inner, status.st_dev, name, depth);
        else
            result = remove_folder(removal, folder, inner, name, depth);
    }
    closedir(directory);
    return result;
}

static int remove_below(struct removal *all, int folder, dev_t device)
{
    struct removal removal = {.all = all, .top = folder, .device = device};
    int result;
    do {
        removal.moved = false;
        result = remove_content(&removal, folder, 0);
    } while (result == 0 && removal.moved);
    return result;
}

int tree_remove(int directory, const char *name, struct error *error)
{
    _cleanup_close_ int folder = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (folder < 0 && errno == ENOENT)
        return 0;
    if (folder < 0 || fstat(folder, &status) < 0)
        return error_errno(error, -errno, "cannot open %s", name);
    if (status.st_ino == BTRFS_FIRST_FREE_OBJECTID && remove_subvolume(directory, name) == 0)
        return 0;
    int result, tries = 3; /* another worker may have moved something up meanwhile */
    do {
        result = remove_below(NULL, folder, status.st_dev);
        if (result == 0)
            result = unlink_one(directory, name, AT_REMOVEDIR);
    } while (result == -ENOTEMPTY && --tries);
    return result < 0 ? error_errno(error, result, "cannot remove %s", name) : 0;
}

static bool is_leftover_of(const char *leftover, const char *name)
{
    const char *at = leftover + strlen(TREE_LEFTOVER);
    size_t length = strlen(name);
    return strncmp(leftover, TREE_LEFTOVER, strlen(TREE_LEFTOVER)) == 0 && strncmp(at, name, length) == 0 &&
           (!at[length] || at[length] == '.');
}

/* All that earlier removals of it left, too: who may forget the name has to know that nothing of it is there. Those of
 * others are theirs. */
static int remove_leftovers(int store, const char *name, struct error *error)
{
    int copy = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return error_errno(error, -errno, "cannot read a store");
    int result = 0;
    for (struct dirent *item; (item = readdir(directory));) {
        if (!is_leftover_of(item->d_name, name))
            continue;
        int removed = tree_remove(store, item->d_name, result < 0 ? NULL : error);
        result = result < 0 ? result : removed;
    }
    closedir(directory);
    return result;
}

/* 0 also where there is nothing of the name. */
static int set_aside(int store, const char *name)
{
    char leftover[NAME_MAX + 1];
    snprintf(leftover, sizeof(leftover), TREE_LEFTOVER "%s", name);
    for (unsigned number = 1;; number++) {
        if (renameat2(store, name, store, leftover, RENAME_NOREPLACE) == 0 || errno == ENOENT)
            return 0;
        if (errno != EEXIST)
            return -errno;
        snprintf(leftover, sizeof(leftover), TREE_LEFTOVER "%s.%u", name, number);
    }
}

static int open_store(const char *store, struct error *error)
{
    int directory = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? error_errno(error, -errno, "%s", store) : directory;
}

int tree_remove_from_store(const char *store, const char *name, struct error *error)
{
    _cleanup_close_ int directory = open_store(store, error);
    if (directory < 0)
        return directory == -ENOENT ? 0 : directory;
    int result = set_aside(directory, name);
    return result < 0 ? error_errno(error, result, "cannot remove %s/%s", store, name)
                      : remove_leftovers(directory, name, error);
}

int tree_remove_leftovers(const char *store, const char *name, struct error *error)
{
    _cleanup_close_ int directory = open_store(store, error);
    return directory >= 0 ? remove_leftovers(directory, name, error) : directory == -ENOENT ? 0 : directory;
}
