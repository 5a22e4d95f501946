/* Copies of a sized volume's file: blocks shared where the file system can, holes kept where it cannot. */
#include "drivers/storage/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/error.h"

#define STEP (16 * 1024 * 1024) /* bytes between two looks at whether to go on */

static int copy_range(int from, int to, off_t at, off_t end, const struct call *call)
{
    while (at < end) {
        off_t out = at;
        size_t size = end - at > STEP ? STEP : (size_t)(end - at);
        ssize_t done = copy_file_range(from, &at, to, &out, size, 0);
        int result = done <= 0 ? (done < 0 ? -errno : -EIO) : call_check(call);
        if (result < 0 && result != -EINTR)
            return result;
    }
    return 0;
}

static int copy_data(int from, int to, off_t size, const struct call *call)
{
    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    off_t end = 0;
    int result = 0;
    while (result == 0 && end < size) {
        off_t begin = lseek(from, end, SEEK_DATA);
        if (begin < 0 && errno == ENXIO)
            break; /* a hole up to the end */
        end = begin < 0 ? -1 : lseek(from, begin, SEEK_HOLE);
        result = end < 0 ? -errno : copy_range(from, to, begin, end, call);
    }
    return result;
}

int image_file_copy(int folder, const char *from, const char *to, const struct call *call,
                    struct error *error)
{
    struct stat status;
    _cleanup_close_ int source = openat(folder, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (source < 0 || fstat(source, &status) < 0)
        return error_errno(error, -errno, "cannot open %s", from);
    if (unlinkat(folder, to, 0) < 0 && errno != ENOENT)
        return error_errno(error, -errno, "cannot remove %s", to);
    _cleanup_close_ int target =
        openat(folder, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (target < 0 || ftruncate(target, status.st_size) < 0)
        return error_errno(error, -errno, "cannot make %s", to);
    int result = copy_data(source, target, status.st_size, call);
    if (result == 0 && fsync(target) < 0)
        result = -errno;
    return result < 0 ? error_errno(error, result, "cannot copy %s", from) : 0;
}
