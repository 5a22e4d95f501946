/* Images out of `file:` sources. A folder is copied by handles. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "drivers/image/make.h"
#include "drivers/image/squashed.h"
#include "drivers/image/store.h"
#include "drivers/storage/tree.h"
#include "lib/error.h"

int file_make(struct image_making *making, const char *path, struct error *error)
{
    struct stat status;
    struct tree_copied copied;
    if (*path != '/')
        return error_set(error, -EINVAL, "\"%s\" is not an absolute path", path);
    /* O_NONBLOCK: a FIFO there must not hold us. */
    _cleanup_close_ int source = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (source < 0 || fstat(source, &status) < 0)
        return error_errno(error, -errno, "%s", path);
    if (S_ISREG(status.st_mode))
        return squashed_make(making, path, source, error);
    if (!S_ISDIR(status.st_mode))
        return error_set(error, -EINVAL, "%s is neither a folder nor an archive", path);
    int result = tree_copy(source, making->root, "copying:", making->call, &copied, error);
    if (result == 0)
        unpack_tell_skipped(making->call, copied.skipped);
    return result < 0 ? error_wrap(error, result, "%s", path) : 0;
}
