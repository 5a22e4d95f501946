/* Two uppers become one, by renames alone.
 *
 * Before and after every step the overlay of both shows the same: what the newer one has hides what the older one
 * has, whether it lies in the one folder or in the other. So a crash anywhere needs no repair but to go on. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "drivers/storage/stack.h"
#include "drivers/storage/tree.h"
#include "drivers/storage/xattrs.h"
#include "lib/error.h"

#define GIVES_WAY 1 /* nothing stands where the newer one goes */

/* Those that the newer one has not got go as well: an access list that was taken away must not come back. */
static int drop_other_xattrs(int from, int to)
{
    _cleanup_free_ char *names = malloc(XATTR_LIMIT);
    if (!names)
        return -ENOMEM;
    ssize_t length = flistxattr(to, names, XATTR_LIMIT);
    for (char *name = names; length > 0 && name < names + length; name += strlen(name) + 1)
        if (!xattr_is_of_overlay(name) && fgetxattr(from, name, NULL, 0) < 0 && errno == ENODATA &&
            fremovexattr(to, name) < 0 && errno != ENODATA)
            return -errno;
    return 0;
}

/* Owner first: chown(2) clears what stands for privilege. */
static int take_attributes(int from, int to)
{
    struct stat status;
    if (fstat(from, &status) < 0 || fchown(to, status.st_uid, status.st_gid) < 0 ||
        fchmod(to, status.st_mode & 07777) < 0)
        return -errno;
    int result = drop_other_xattrs(from, to);
    if (result == 0)
        result = xattrs_copy(from, to, xattr_is_not_of_overlay, NULL);
    const struct timespec times[2] = {status.st_atim, status.st_mtim};
    return result == 0 && futimens(to, times) < 0 ? -errno : result;
}

static int merge_folder(int newer, int older, struct error *error);

/* A folder in both of which the newer one does not hide the older: their contents are united. */
static int merge_folders(int newer, int older, const char *name, struct error *error)
{
    _cleanup_close_ int from = openat(newer, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_close_ int to = openat(older, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0 || to < 0)
        return error_errno(error, -errno, "cannot merge %s", name);
    if (folder_is_opaque(from)) {
        int result = tree_remove(older, name, error);
        return result < 0 ? result : GIVES_WAY;
    }
    int result = merge_folder(from, to, error);
    if (result == 0 && unlinkat(newer, name, AT_REMOVEDIR) < 0)
        result = error_errno(error, -errno, "cannot merge %s", name);
    return result;
}

/* What is no folder hides a folder below: that may not show through once it has moved on top of nothing. */
static int hide_below(int newer, const char *name, struct error *error)
{
    _cleanup_close_ int folder = openat(newer, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0 || fsetxattr(folder, OVERLAY_OPAQUE, "y", 1, 0) < 0)
        return error_errno(error, -errno, "cannot merge %s", name);
    return 0;
}

/* A folder that no other layer has shows its whiteouts as files that cannot be looked at, unless it was copied up: then the
 * kernel looks for them in it (ovl_get_inode()). An origin that is empty says so, and names none. */
static int expect_whiteouts(int folder, struct error *error)
{
    return fsetxattr(folder, OVERLAY_ORIGIN, "", 0, XATTR_CREATE) < 0 && errno != EEXIST
               ? error_errno(error, -errno, "cannot merge a whiteout")
               : 0;
}

static int merge_entry(int newer, int older, const char *name, struct error *error)
{
    struct stat from, to;
    if (fstatat(newer, name, &from, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "cannot merge %s", name);
    bool there = fstatat(older, name, &to, AT_SYMLINK_NOFOLLOW) == 0;
    int result = GIVES_WAY;
    if (there && S_ISDIR(from.st_mode) && S_ISDIR(to.st_mode))
        result = merge_folders(newer, older, name, error);
    else if (there && S_ISDIR(from.st_mode) && (result = hide_below(newer, name, error)) == 0)
        result =
            unlinkat(older, name, 0) < 0 ? error_errno(error, -errno, "cannot merge %s", name) : GIVES_WAY;
    else if (there && S_ISDIR(to.st_mode)) {
        result = tree_remove(older, name, error);
        result = result < 0 ? result : GIVES_WAY;
    }
    if (result == GIVES_WAY && S_ISCHR(from.st_mode) && from.st_rdev == 0 &&
        expect_whiteouts(older, error) < 0)
        return error->code;
    if (result == GIVES_WAY && renameat(newer, name, older, name) < 0)
        return error_errno(error, -errno, "cannot merge %s", name);
    return result < 0 ? result : 0;
}

/* A file with several names in the older upper loses the one; rename(2) of two names of one file does nothing, but
 * no file has names in two uppers. */
static int merge_folder(int newer, int older, struct error *error)
{
    int copy = openat(newer, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        int code = -errno;
        if (copy >= 0)
            close(copy);
        return error_errno(error, code, "cannot read an upper");
    }
    struct stat before;
    int result = fstat(newer, &before) < 0 ? error_errno(error, -errno, "cannot read an upper") : 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
            result = merge_entry(newer, older, item->d_name, error);
    closedir(directory);
    if (result < 0)
        return result;
    /* Moving what was in it has changed its time. */
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    if (futimens(newer, times) < 0 || (result = take_attributes(newer, older)) < 0)
        return error_errno(error, result < 0 ? result : -errno, "cannot merge the attributes of a folder");
    return 0;
}

int upper_merge(int newer, int older, struct error *error)
{
    return merge_folder(newer, older, error);
}
