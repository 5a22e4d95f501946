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

#define LEFTOVER_PREFIX ".tmp-del-"

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

/* A subvolume has a device number of its own without being mounted; a read-only one can only go as a whole, and one with
 * others in it not so. */
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

/* A guest makes a tree as deep as it likes, and the parent of each level stays open: what lies deeper than DEPTH is moved
 * up to the top, and is removed from there in the next pass. */
#define DEPTH 100

struct removal {
    int top;
    dev_t device;
    bool moved;          /* in this pass */
    unsigned long names; /* given so far */
};

static int move_up(struct removal *removal, int folder, const char *name)
{
    char to[32];
    for (bool cleared = false;;) {
        snprintf(to, sizeof(to), LEFTOVER_PREFIX "%lu", removal->names++);
        if (renameat2(folder, name, removal->top, to, RENAME_NOREPLACE) == 0) {
            removal->moved = true;
            return 0;
        }
        if (errno == ENOENT)
            return 0;
        if (errno == EPERM && !cleared) {
            clear_flags(folder, ".");
            clear_flags(folder, name);
            clear_flags(removal->top, ".");
            cleared = true;
        } else if (errno != EEXIST) {
            return -errno;
        }
    }
}

static int remove_below(int folder, dev_t device);

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
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        if (item->d_type != DT_DIR && unlinkat(folder, item->d_name, 0) == 0)
            continue;
        _cleanup_close_ int inner =
            openat(folder, item->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat status;
        if (inner < 0 && errno == ENOENT)
            continue;
        if (inner < 0 && (errno == ENOTDIR || errno == ELOOP)) {
            result = unlink_one(folder, item->d_name, 0);
            continue;
        }
        if (inner < 0 || fstat(inner, &status) < 0) {
            result = -errno;
            continue;
        }
        bool other = status.st_dev != removal->device;
        if (other && is_mounted(inner))
            result = -EBUSY;
        else if (other && remove_subvolume(folder, item->d_name) == 0)
            continue;
        else if (!other && depth == DEPTH)
            result = move_up(removal, folder, item->d_name);
        else if ((result = other ? remove_below(inner, status.st_dev)
                                 : remove_content(removal, inner, depth + 1)) == 0)
            result = unlink_one(folder, item->d_name, AT_REMOVEDIR);
    }
    closedir(directory);
    return result;
}

static int remove_below(int folder, dev_t device)
{
    struct removal removal = {.top = folder, .device = device};
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
        result = remove_below(folder, status.st_dev);
        if (result == 0)
            result = unlink_one(directory, name, AT_REMOVEDIR);
    } while (result == -ENOTEMPTY && --tries);
    return result < 0 ? error_errno(error, result, "cannot remove %s", name) : 0;
}

/* One that stays is no reason to keep what was to go: whose it was has been told that it could not be removed. */
static int remove_leftovers(int store, struct error *error)
{
    int copy = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return error_errno(error, -errno, "cannot read a store");
    for (struct dirent *item; (item = readdir(directory));)
        if (strncmp(item->d_name, LEFTOVER_PREFIX, strlen(LEFTOVER_PREFIX)) == 0)
            tree_remove(store, item->d_name, NULL);
    closedir(directory);
    return 0;
}

int tree_remove_from_store(const char *store, const char *name, struct error *error)
{
    char leftover[NAME_MAX + 1];
    snprintf(leftover, sizeof(leftover), LEFTOVER_PREFIX "%s", name);
    _cleanup_close_ int directory = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", store);
    int result = remove_leftovers(directory, error);
    if (result < 0)
        return result;
    if (renameat(directory, name, directory, leftover) < 0 && errno != ENOENT)
        return error_errno(error, -errno, "cannot remove %s/%s", store, name);
    return tree_remove(directory, leftover, error);
}
