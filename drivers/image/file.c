/* Images out of `file:` sources. A folder is copied by handles; an archive goes to fpsync-fetch, which is the only
 * one to read it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/image/make.h"
#include "drivers/image/program.h"
#include "drivers/storage/beside.h"
#include "drivers/storage/tree.h"
#include "lib/error.h"

struct fetch { /* what fpsync-fetch said */
    const struct call *call;
    const char *path;
    struct error *error;
    long long entries, bytes, skipped;
    bool done, failed;
};

static void hear(void *context, const char *line)
{
    struct fetch *fetch = context;
    char text[128];
    int percent;
    if (sscanf(line, "progress %d", &percent) == 1) {
        snprintf(text, sizeof(text), "unpacking %d %%", percent);
        if (fetch->call->progress)
            fetch->call->progress(fetch->call->context, text);
    } else if (sscanf(line, "done %lld %lld %lld", &fetch->entries, &fetch->bytes, &fetch->skipped) == 3) {
        fetch->done = true;
    } else if (strncmp(line, "error ", 6) == 0) {
        error_set(fetch->error, -EBADMSG, "%s: %s", fetch->path, line + 6);
        fetch->failed = true;
    }
}

static void tell_skipped(const struct call *call, long long skipped)
{
    char text[128];
    snprintf(text, sizeof(text), "left out %lld device nodes, sockets or attributes of another host",
             skipped);
    if (skipped && call->progress)
        call->progress(call->context, text);
}

static int unpack(const char *path, int archive, int target, const struct call *call, struct error *error)
{
    char program[PATH_MAX];
    int result = program_beside("fpsync-fetch", program, sizeof(program), error);
    if (result < 0)
        return result;
    char *const arguments[] = {program, (char[]){"unpack"}, NULL};
    struct fetch fetch = {.call = call, .path = path, .error = error};
    const struct program run = {
        .arguments = arguments, .input = archive, .target = target, .line = hear, .context = &fetch};
    result = program_run(&run, call, error);
    if (result < 0)
        return result;
    if (fetch.failed)
        return -EBADMSG;
    if (result != 0 || !fetch.done)
        return error_set(error, -EIO, "%s: fpsync-fetch ended with status %d and no result", path, result);
    tell_skipped(call, fetch.skipped);
    return 0;
}

int file_make(const char *path, int target, const struct call *call, struct error *error)
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
        return unpack(path, source, target, call, error);
    if (!S_ISDIR(status.st_mode))
        return error_set(error, -EINVAL, "%s is neither a folder nor an archive", path);
    int result = tree_copy(source, target, "copying:", call, &copied, error);
    if (result == 0)
        tell_skipped(call, copied.skipped);
    return result < 0 ? error_wrap(error, result, "%s", path) : 0;
}
