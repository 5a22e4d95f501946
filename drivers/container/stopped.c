/* The note of a person's stop, written when the container stands and taken away before it starts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/container/internal.h"
#include "lib/error.h"

static int write_note(const char *path, const char *text)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno; /* it has no folder: nothing would be found there again */
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -EIO;
}

int container_stop(const struct paths *paths, const struct container_stop *stop, const struct call *call,
                   struct error *error)
{
    char path[CONTAINER_PATH_SIZE];
    int result = container_stop_it(paths, stop, call, error);
    if (result < 0 || !stop->by)
        return result;
    container_path(paths, stop->lxc_name, CONTAINER_STOPPED, path);
    result = write_note(path, stop->by);
    return result < 0 ? error_errno(error, result, "cannot write %s", path) : 0;
}

int container_forget_stop(const struct paths *paths, const char *lxc_name, struct error *error)
{
    char path[CONTAINER_PATH_SIZE];
    container_path(paths, lxc_name, CONTAINER_STOPPED, path);
    return unlink(path) < 0 && errno != ENOENT ? error_errno(error, -errno, "cannot remove %s", path) : 0;
}
