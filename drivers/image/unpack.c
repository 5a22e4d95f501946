/* Archives into folders, by fpsync-fetch, which is the only one to read them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "drivers/image/make.h"
#include "drivers/image/program.h"
#include "drivers/storage/beside.h"
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

void unpack_tell_skipped(const struct call *call, long long skipped)
{
    char text[128];
    snprintf(text, sizeof(text), "left out %lld device nodes, sockets or attributes of another host",
             skipped);
    if (skipped && call->progress)
        call->progress(call->context, text);
}

int unpack_archive(const char *path, int archive, int target, const struct call *call, struct error *error)
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
    unpack_tell_skipped(call, fetch.skipped);
    return 0;
}
