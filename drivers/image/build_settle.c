/* What an overlay leaves in its upper, as a step keeps it: the same whoever made it, and when. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "drivers/image/build_making.h"
#include "drivers/storage/xattrs.h"
#include "lib/error.h"

struct settling {
    int64_t epoch, bytes;
    char *names; /* of XATTR_LIMIT */
    struct error *error;
};

static int fail(struct settling *settling, const char *name)
{
    return error_errno(settling->error, -errno, "cannot settle %s", name);
}

/* "origin" holds a file's number, "impure" is a hint: of no worth to whoever has the upper as a lower. */
static int drop_xattrs(struct settling *settling, const char *link, const char *name)
{
    ssize_t length = listxattr(link, settling->names, XATTR_LIMIT);
    if (length < 0)
        return errno == ENOTSUP ? 0 : fail(settling, name);
    for (const char *at = settling->names; at < settling->names + length; at += strlen(at) + 1)
        if (xattr_is_of_overlay(at) && strcmp(at, OVERLAY_OPAQUE) != 0 && removexattr(link, at) < 0 &&
            errno != ENODATA)
            return fail(settling, name);
    return 0;
}

static int bound_time(struct settling *settling, int folder, const char *name, const struct stat *status)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = settling->epoch}};
    if (settling->epoch < 0 || status->st_mtim.tv_sec < settling->epoch ||
        (status->st_mtim.tv_sec == settling->epoch && !status->st_mtim.tv_nsec))
        return 0;
    return utimensat(folder, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? fail(settling, name) : 0;
}

static int settle_folder(struct settling *settling, int folder);

static int settle_entry(struct settling *settling, int folder, const char *name)
{
    struct stat status;
    char link[64];
    _cleanup_close_ int handle = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (handle < 0 || fstat(handle, &status) < 0)
        return fail(settling, name);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", handle);
    int result = S_ISLNK(status.st_mode) ? 0 : drop_xattrs(settling, link, name);
    if (S_ISREG(status.st_mode))
        settling->bytes += status.st_size;
    if (result == 0 && S_ISDIR(status.st_mode)) {
        _cleanup_close_ int inside = openat(handle, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        result = inside < 0 ? fail(settling, name) : settle_folder(settling, inside);
    }
    return result < 0 ? result : bound_time(settling, folder, name, &status);
}

static int settle_folder(struct settling *settling, int folder)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return fail(settling, "a folder");
    int result = 0;
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
            result = settle_entry(settling, folder, item->d_name);
    closedir(directory);
    return result;
}

int build_upper_settle(int upper, int64_t epoch, int64_t *bytes, struct error *error)
{
    _cleanup_free_ char *names = malloc(XATTR_LIMIT);
    struct settling settling = {.epoch = epoch, .names = names, .error = error};
    if (!names)
        return error_errno(error, -ENOMEM, "cannot settle an upper");
    int result = settle_entry(&settling, upper, ".");
    if (result == 0)
        *bytes = settling.bytes;
    return result;
}
